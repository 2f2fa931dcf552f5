"""How each paper trained its network: loss, optimiser, schedule and what it saw of every frame.

A recipe is named after the benchmark that it is for. What a paper leaves open is from its authors' implementation,
where there is one; what both leave open, and what is ours, is said beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import torch
from torch import Tensor

from depth_completion_ros.training import losses
from depth_completion_ros.training.augmentation import Augmentation
from depth_completion_ros.training.samples import Batch
from depth_completion_ros.training.schedules import Cosine, Milestones, Plateau, Schedule
from depth_completion_ros.training.sparsity import Sparsity

Loss = Callable[[Any, Batch], Tensor]
"""From what the network answers and what it was given to one number."""


@dataclass(frozen=True)
class Recipe:
    """Everything about a training but the network, the data, and the machine.

    Attributes:
        loss: see :data:`Loss`.
        optimizer: makes the optimiser of some parameters; takes another rate as ``lr``.
        schedule: of the learning rate, in epochs.
        epochs: how often every frame is seen; the schedule is stretched along when this is replaced by a number of
            steps.
        batch: samples per step of the optimiser, over all GPUs.
        augmentation: how frames are varied and cropped.
        sparsity: how much of the measurements the network gets.
        average: decay of the moving average of the weights, which is what a training delivers. All recipes have one,
            although only EMDC's authors state theirs.
        clip: largest norm of the gradient. Ours, as no paper states one: several times what is usual after the first
            steps, so that it matters only where something went wrong.
    """

    loss: Loss
    optimizer: Callable[..., torch.optim.Optimizer]
    schedule: Schedule
    epochs: int
    batch: int
    augmentation: Augmentation
    sparsity: Sparsity = field(default_factory=Sparsity)
    average: float = 0.999
    clip: float = 100.0

    def __post_init__(self) -> None:
        if not self.clip > 0:
            raise ValueError(f"gradients cannot be clipped to a norm of {self.clip:g}, expected more than 0")


def recipe(model: str, benchmark: str | None = None) -> Recipe:
    """The recipe of a model for ``kitti``, ``nyu``, ``mipi`` or ``any``; by default the first one that its paper has.

    Raises:
        ValueError: there is none.
    """
    if model not in _RECIPES:
        raise ValueError(f"model {model!r} cannot be trained; those that can: {', '.join(_RECIPES)}")
    known = _RECIPES[model]
    if benchmark is None:
        return next(iter(known.values()))
    if benchmark not in known:
        raise ValueError(f"model {model!r} has no recipe for {benchmark!r}; available: {', '.join(known)}")
    return known[benchmark]


_adam = partial(torch.optim.Adam, lr=1e-3)
_adamw = partial(torch.optim.AdamW, lr=1e-3, weight_decay=1e-2)

# Ours, for the small networks on data of any scale.
_any = partial(
    Recipe, optimizer=_adamw, schedule=Cosine(end=20, warm_up=0.5, floor=0.02), epochs=20, batch=4, clip=1.0
)

# As NLSPN's authors took KITTI and NYU, and others after them. Section 6.2 ignores the top 100 rows of KITTI, which no
# LiDAR reaches, and crops 1216x240 at the centre of the rest; the implementation, and this, cuts them off first, and
# crops anywhere in the rest. MSPN's section 4.1 has the same crop at the bottom centre, "as in" NLSPN; its
# implementation has no training, but tests below the top 100 rows as well.
_KITTI: Final = Augmentation(crop=(240, 1216), top=100)
_NYU: Final = Augmentation(crop=(228, 304), height=240)
_STREETS: Final = Augmentation(crop=(320, 640), color=0.5)  # a tree from its trunk to its crown
_DENSE_SHARE: Final = 0.2  # of the dense ground truth in the recipes `any`


def _refined(output: Any, batch: Batch, max_depth: float, powers: tuple[int, ...]) -> Tensor:
    return losses.nlspn_loss(output.depth, batch.ground_truth, max_depth, powers) + _confidence(output, batch)


def _silog(output: Any, batch: Batch) -> Tensor:
    return losses.silog_loss(output.depth, batch.ground_truth) + _confidence(output, batch)


def _robust_mspn(output: Any, batch: Batch) -> Tensor:
    """The steps to the depth are told, too, or the last would do without the others."""
    parts = _parts(output, "initial_depth", "propagated_depth", "spread_depth")
    initial, propagated, spread = (_relative(depth, batch) for depth in parts)
    return _robust(output, batch) + 0.2 * (initial + 2 * propagated + spread)


def _robust_nlspn(output: Any, batch: Batch) -> Tensor:
    parts = _parts(output, "initial_depth", "spread_depth")
    return _robust(output, batch) + 0.2 * sum(_relative(depth, batch) for depth in parts)


def _robust_emdc(output: Any, batch: Batch) -> Tensor:
    parts = _parts(output, "local_depth", "global_depth", "spread_depth")
    return _robust(output, batch) + 0.2 * sum(_relative(depth, batch) for depth in parts)


def _robust_auxiliary(output: Any, batch: Batch) -> Tensor:
    (spread,) = _parts(output, "spread_depth")
    image = (output.gray - batch.gray).square().mean()
    return _robust(output, batch) + 0.2 * _relative(spread, batch) + 1e-5 * image


def _parts(output: Any, *names: str) -> list[Tensor]:
    """The depths before the final one, (N, 1, H, W) metres.

    Raises:
        ValueError: the network has none, as those of the papers' presets.
    """
    missing = [name for name in names if getattr(output, name) is None]
    if missing:
        raise ValueError(f"the recipe any is for the preset lite: this network answers no {' and no '.join(missing)}")
    return [getattr(output, name) for name in names]


def _robust(output: Any, batch: Batch) -> Tensor:
    return _relative(output.depth, batch) + _confidence(output, batch)


def _relative(depth: Tensor, batch: Batch) -> Tensor:
    """By the ground truth, and more by the measurements that were withheld, which are what real scans are scored by.

    Where the two differ, a sensor sees through a pane, between leaves, or past an edge that hides from the camera.
    """
    dense = losses.relative_loss(depth, batch.ground_truth, _within_reach(batch), 80.0)
    withheld = losses.relative_loss(depth, batch.withheld, torch.ones_like(depth), 80.0)
    return _DENSE_SHARE * dense + (1 - _DENSE_SHARE) * withheld


def _confidence(output: Any, batch: Batch) -> Tensor | float:
    """Of the confidence of those presets that are trained to state it; it is to take little away from the depth."""
    logit = getattr(output, "confidence_logit", None)
    if logit is None:
        return 0.0
    truths = (batch.ground_truth, batch.withheld)
    return 0.025 * sum(losses.confidence_loss(logit, output.depth, truth) for truth in truths)


def _within_reach(batch: Batch) -> Tensor:
    """(N, 1, H, W) weights: what no sensor reaches, above the highest measurement or beyond 80 m, counts less.

    There the errors are far larger than where depth is measured, and would be all that a network learns from. What is
    above the highest measurement stands on what is measured, more often than not, and the image shows how high.
    """
    below = (batch.sparse_depth > 0).any(3, keepdim=True).cumsum(2) > 0
    return torch.where(batch.ground_truth < 80, torch.where(below, 1.0, 0.5), 0.1)


def _emdc(output: Any, batch: Batch, images: int) -> Tensor:
    """As large as the sum over so many images that its authors take, however many there are in this part of a batch."""
    loss = losses.emdc_loss(output.depth, output.local_depth, output.global_depth, batch.ground_truth)
    return images * loss + _confidence(output, batch)


def _magaconv(output: Any, batch: Batch) -> Tensor:
    return losses.magaconv_loss(output.depth, batch.ground_truth) + _confidence(output, batch)


def _auxiliary(output: Any, batch: Batch) -> Tensor:
    loss = losses.auxiliary_loss(output.depth, batch.ground_truth, output.gray, batch.gray)
    return loss + _confidence(output, batch)


_RECIPES: Final[dict[str, dict[str, Recipe]]] = {
    # Section 4.1: the rate falls every 5 epochs after the 10th, to 0.4 of it for KITTI and 0.2 for NYU. Its rise over
    # the first epoch is the implementation's.
    "nlspn": {
        "kitti": Recipe(
            loss=partial(_refined, max_depth=90.0, powers=(1, 2)),
            optimizer=_adam,
            schedule=Milestones((10, 15, 20), factor=0.4, warm_up=1),
            epochs=25,
            batch=25,
            augmentation=_KITTI,
            clip=1000.0,
        ),
        "nyu": Recipe(
            loss=partial(_refined, max_depth=10.0, powers=(1,)),
            optimizer=_adam,
            schedule=Milestones((10, 15, 20), factor=0.2, warm_up=1),
            epochs=25,
            batch=24,
            augmentation=_NYU,
            sparsity=Sparsity(points=(500, 500)),
        ),
        "any": _any(
            loss=_robust_nlspn,
            batch=2,
            augmentation=_STREETS,
            sparsity=Sparsity(lines=(2, 64)),
        ),
    },
    # Section 5.1, mode sdr. The conventional mode had 72 epochs, and the same course of the rate otherwise.
    "mspn": {
        "kitti": Recipe(
            loss=_silog,
            optimizer=_adamw,
            schedule=Milestones((30, 36, 42, 48, 54), factor=0.5),
            epochs=60,
            batch=16,
            augmentation=_KITTI,
            sparsity=Sparsity(lines=(4, 64)),
        ),
        "nyu": Recipe(
            loss=partial(_refined, max_depth=10.0, powers=(1, 2)),
            optimizer=_adamw,
            schedule=Milestones((18, 24, 30), factor=0.5),
            epochs=36,
            batch=24,
            augmentation=_NYU,
            sparsity=Sparsity(points=(10, 1000)),
        ),
        "any": _any(
            loss=_robust_mspn,
            batch=2,
            augmentation=_STREETS,
            sparsity=Sparsity(lines=(2, 64)),
        ),
    },
    # Sizes are the implementation's. Noise, which its authors add to images and spots, is left to the data's sensors.
    "emdc": {
        "mipi": Recipe(
            loss=partial(_emdc, images=10),
            optimizer=_adamw,
            schedule=Cosine(end=150, warm_up=10, floor=1e-3),
            epochs=150,
            batch=10,
            augmentation=Augmentation(
                crop=(256, 256), height=288, upside_down=0.5, rotation=35.0, zoom=(1.0, 1.0)
            ),
            average=0.9995,
            clip=1000.0,
        ),
        "any": _any(
            loss=_robust_emdc,
            augmentation=Augmentation(crop=(224, 320), color=0.5),
            sparsity=Sparsity(points=(10, 1000)),
        ),
    },
    # Section 4.1 states neither size, nor augmentation, nor batch: size as in the later network of the same authors.
    "magaconv": {
        "nyu": Recipe(
            loss=_magaconv,
            optimizer=partial(torch.optim.SGD, lr=1e-3, momentum=0.95, weight_decay=1e-4),
            schedule=Plateau(factor=0.5, patience=3),
            epochs=80,
            batch=8,
            augmentation=Augmentation(crop=(192, 288), height=240),
        ),
        "any": _any(
            loss=_robust,
            augmentation=Augmentation(crop=(224, 320), color=0.5),
            sparsity=Sparsity(holes=(0.0, 0.5)),
        ),
    },
    # Section 4.1 states no number of epochs and no augmentation: the latter is NLSPN's. The crop is "from the bottom".
    # There is no image to lose.
    "auxiliary": {
        "kitti": Recipe(
            loss=_auxiliary,
            optimizer=_adam,
            schedule=Milestones((5, 10, 15), factor=0.5),
            epochs=20,
            batch=16,
            augmentation=Augmentation(crop=(352, 1216), bottom=True, image_dropout=0.0),
        ),
        "any": _any(
            loss=_robust_auxiliary,
            batch=2,
            augmentation=Augmentation(crop=_STREETS.crop, image_dropout=0.0),
            sparsity=Sparsity(lines=(2, 64)),
        ),
    },
}
