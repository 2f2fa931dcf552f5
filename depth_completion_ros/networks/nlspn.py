"""NLSPN: an encoder-decoder predicts an initial depth and, for each pixel, where to take depth from to refine it.

Jinsun Park, Kyungdon Joo, Zhe Hu, Chi-Kuei Liu and In So Kweon, "Non-Local Spatial Propagation Network for Depth
Completion", ECCV 2020. The layers are those of the authors' public implementation, which the paper leaves open. Preset
``lite`` is another network, see :mod:`~depth_completion_ros.networks.nlspn_lite`.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from depth_completion_ros.networks.layers import (
    conv_block,
    conv_in_float32,
    crop_to,
    residual_stage,
    upsample_block,
)
from depth_completion_ros.networks.nlspn_lite import NLSPNLite, NLSPNOutput
from depth_completion_ros.networks.propagation.neighbours import (
    GRID,
    GRID_STEPS,
    Affinity,
    AffinityNormalisation,
    Sampling,
    confidence_at,
    split_prediction,
)
from depth_completion_ros.networks.propagation.non_local import propagate
from depth_completion_ros.networks.registry import CompletionNetwork, register


@dataclass(frozen=True)
class Size:
    """Widths and depths of the network; scales are 1, 1/2, 1/4, 1/8 and 1/16 of the image."""

    image_stem: int
    depth_stem: int
    encoder: tuple[int, int, int, int, int]
    blocks: tuple[int, int, int, int]
    decoder: tuple[int, int, int, int]  # from 1/8 up to 1
    depth_head: int
    guidance_head: int
    confidence_head: int
    steps: int


_RESNET34 = Size(
    48, 16, (64, 128, 256, 512, 512), (3, 4, 6, 3), (256, 128, 64, 64),
    depth_head=64, guidance_head=64, confidence_head=32, steps=18,
)  # fmt: skip


@register(
    "nlspn",
    summary="non-local spatial propagation of an initial depth by learned neighbours, affinities and confidence",
    source="Park et al., Non-Local Spatial Propagation Network for Depth Completion, ECCV 2020",
    presets=("paper", "lite"),
)
def nlspn(
    preset: str = "paper",
    *,
    backbone: Literal["resnet34", "resnet18"] = "resnet34",
    affinity: Affinity = "TGASS",
    sampling: Sampling = "consistent",
    preserve_input: bool = False,
) -> NLSPN | NLSPNLite:
    """Builds NLSPN.

    Args:
        preset: ``paper``, or ``lite`` for embedded GPUs and CPUs, which has none of the other options.
        backbone: the encoder.
        affinity: normalisation of the affinities (section 4.1): Tanh-gamma-Abs-Sum* (``TGASS``), Tanh-C (``TC``),
            Abs-Sum* (``ASS``) or Abs-Sum (``AS``).
        sampling: where the confidence of a neighbour is read: where its depth is (``consistent``, Eq. 9), or as in
            the authors' implementation, without (``official``) or with (``legacy``) its flag of that name.
        preserve_input: put the measurements back before every step.

    Raises:
        ValueError: an option has none of these values, or preset ``lite`` does not have it.
    """
    for name, value, known in (
        ("backbone", backbone, ("resnet34", "resnet18")),
        ("affinity", affinity, get_args(Affinity)),
        ("sampling", sampling, get_args(Sampling)),
    ):
        if value not in known:
            raise ValueError(f"nlspn: unknown {name} {value!r}; available: {', '.join(known)}")
    if preset == "lite":
        given = {"backbone": backbone, "affinity": affinity, "sampling": sampling, "preserve_input": preserve_input}
        standard = inspect.signature(nlspn).parameters
        for name, option in given.items():
            if option != standard[name].default:
                raise ValueError(f"nlspn: {name} {option!r} is an option of preset 'paper', not of 'lite'")
        return NLSPNLite()
    size = _RESNET34 if backbone == "resnet34" else replace(_RESNET34, blocks=(2, 2, 2, 2))
    return NLSPN(size, affinity, sampling, preserve_input)


class NLSPN(CompletionNetwork):
    """See the module. Takes images of any size; does not use ``initial_depth``, as it predicts its own."""

    grid: Tensor
    confidence_meaning = "how far the initial depth of a pixel may spread to others; learned, not calibrated"

    def __init__(self, size: Size, affinity: Affinity, sampling: Sampling, preserve_input: bool) -> None:
        super().__init__()
        self.sampling: Sampling = sampling
        self.preserve_input = preserve_input
        self.steps = size.steps
        stem = size.image_stem + size.depth_stem
        leaky = nn.LeakyReLU(0.2, inplace=True)

        self.image_stem = conv_block(3, size.image_stem, norm=False, activation=leaky)
        self.depth_stem = conv_block(1, size.depth_stem, norm=False, activation=leaky)
        full, half, quarter, eighth, sixteenth = size.encoder
        self.encoder = nn.ModuleList(
            [
                residual_stage(stem, full, size.blocks[0]),
                residual_stage(full, half, size.blocks[1], stride=2),
                residual_stage(half, quarter, size.blocks[2], stride=2),
                residual_stage(quarter, eighth, size.blocks[3], stride=2),
                conv_block(eighth, sixteenth, stride=2, activation=leaky),
            ]
        )
        skips = (0, eighth, quarter, half)
        inputs = (sixteenth, *size.decoder[:-1])
        self.decoder = nn.ModuleList(
            upsample_block(below + skip, outputs, nn.BatchNorm2d(outputs), leaky)
            for below, skip, outputs in zip(inputs, skips, size.decoder, strict=True)
        )
        last = size.decoder[-1] + full
        self.depth_head = _Head(last, size.depth_head, stem, 1)
        self.guidance_head = _Head(last, size.guidance_head, stem, len(GRID))
        self.confidence_head = _Head(last, size.confidence_head, stem, 1)

        # Predicts for each neighbour its row and column offset, and after all of these its affinity.
        self.neighbours = nn.Conv2d(len(GRID), 3 * len(GRID), 3, padding=1)
        nn.init.zeros_(self.neighbours.weight)
        nn.init.zeros_(self.neighbours.bias)  # type: ignore[arg-type]
        self.normalise_affinity = AffinityNormalisation(affinity)
        self.register_buffer("grid", torch.tensor(GRID, dtype=torch.float32).view(-1, 2, 1, 1), persistent=False)

    def forward(
        self, image: Tensor | None, sparse_depth: Tensor, initial_depth: Tensor | None = None
    ) -> NLSPNOutput:
        """See :class:`~depth_completion_ros.networks.registry.CompletionNetwork`."""
        assert image is not None
        dtype = self.neighbours.weight.dtype
        stem = torch.cat([self.image_stem(image.to(dtype)), self.depth_stem(sparse_depth.to(dtype))], 1)
        features = self._features(stem)
        initial = functional.leaky_relu(self.depth_head(features, stem, float32=True), 0.2)
        confidence = torch.sigmoid(self.confidence_head(features, stem))
        guidance = self.guidance_head(features, stem)

        displacement, affinity = self._neighbourhood(self.neighbours(guidance).float(), confidence.float())
        measured = sparse_depth if self.preserve_input else None
        depth = propagate(initial, displacement, affinity, self.steps, measured).clamp(min=0)
        return NLSPNOutput(depth, confidence, displacement, affinity, initial_depth=initial)

    def _features(self, stem: Tensor) -> Tensor:
        """The decoder's features at full size, beside the encoder's."""
        features = stem
        skips = []
        for stage in self.encoder:
            features = stage(features)
            skips.append(features)
        skips.pop()
        for upsample in self.decoder:
            skip = skips.pop()
            features = torch.cat([crop_to(upsample(features), skip), skip], 1)
        return features

    def _neighbourhood(self, predicted: Tensor, confidence: Tensor) -> tuple[Tensor, Tensor]:
        """Displacement and normalised affinity of the neighbours, see :class:`NLSPNOutput`."""
        offset, affinity = split_prediction(predicted)
        confidence_steps, depth_steps = GRID_STEPS[self.sampling]
        neighbour_confidence = confidence_at(confidence, offset + confidence_steps * self.grid)
        return offset + depth_steps * self.grid, self.normalise_affinity(affinity, neighbour_confidence)


class _Head(nn.Module):
    """Refines the decoder's features, joins them with those of the stem and estimates a map from both."""

    def __init__(self, inputs: int, hidden: int, stem: int, outputs: int) -> None:
        super().__init__()
        self.refine = conv_block(inputs, hidden, activation=nn.LeakyReLU(0.2, inplace=True))
        self.estimate = nn.Conv2d(hidden + stem, outputs, 3, padding=1)

    def forward(self, features: Tensor, stem: Tensor, *, float32: bool = False) -> Tensor:
        joined = torch.cat([self.refine(features), stem], 1)
        return conv_in_float32(self.estimate, joined) if float32 else self.estimate(joined)
