"""One meaning for the confidence of every model: the probability that the depth is within 5 % of the truth.

What a network itself says of its certainty is one of several clues; the others are known of any completion: how far
the nearest measurement is, how well the depth agrees with the measurements around, how much it varies around a pixel,
how large it is, how much was measured at all and how much the picture shows. A logistic regression on piecewise linear
functions of these clues (a generalised additive model: Hastie and Tibshirani, "Generalized Additive Models",
Statistical Science 1986) turns them into a probability. It is fitted per checkpoint on frames with ground truth; its
numbers travel with the weights.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from depth_completion_ros.networks.gaps import fill_gaps

TOLERANCE: Final = 0.05
MEANING: Final = "estimated probability that the depth is within 5 % of the truth"

BLOCK: Final = 4  # pixels; what changes slowly is found for blocks of so many squared, over 3 x 3 of them
_CLEAR = 20.0  # contrast from which on pictures count the same: what more they show is of the scene, not the light
_KNOTS = (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99)  # quantiles of a clue at which its curve bends
# Curves are as straight as the samples allow: a step from knot to knot weighs like so many samples against it.
_STIFFNESS = 10.0
_NEWTON_STEPS = 30
_TABLE = 1024  # a curve is looked up at so many places

Curves = Mapping[str, Mapping[str, Sequence[float]]]


class Calibration:
    """Turns a completion's clues into the probability that its depth is within 5 % of the truth.

    Args:
        curves: of each clue of :func:`clues` that counts, its increasing ``knots`` and the ``log_odds`` at them, which
            are interpolated between and constant beyond. The sum over the clues is the log odds of the answer.
        device: where the depth is that it will be called with.

    Raises:
        ValueError: a clue is unknown, or its curve is none.
    """

    def __init__(self, curves: Curves, device: torch.device | str = "cpu") -> None:
        self.curves = curves
        self._tables: dict[str, tuple[float, float, Tensor]] = {}
        for name, curve in curves.items():
            knots, values = np.array(curve["knots"], np.float64), np.array(curve["log_odds"], np.float64)
            if name not in CLUES:
                raise ValueError(f"the calibration rests on {name!r}; this version knows {', '.join(CLUES)}")
            if knots.ndim != 1 or knots.shape != values.shape or not len(knots) or not (np.diff(knots) > 0).all():
                raise ValueError(f"the calibration curve of {name!r} has knots {knots} with log odds {values}")
            first, last = float(knots[0]), float(knots[-1])
            places = np.linspace(first, last, _TABLE)
            table = torch.from_numpy(np.interp(places, knots, values).astype(np.float32)).to(device)
            self._tables[name] = (first, (_TABLE - 1) / max(last - first, 1e-9), table)

    def __call__(
        self,
        depth: Tensor,
        confidence: Tensor,
        sparse_depth: NDArray[np.float32],
        image: NDArray[np.uint8] | None = None,
    ) -> Tensor:
        """The (H, W) float32 probability; see :func:`clues` for the arguments."""
        found = clues(depth, confidence, sparse_depth, image)
        odds = {name: self._log_odds(name, values) for name, values in found.items()}
        coarse = torch.stack([odds[name] for name in ("residual", "variation", "depth")]).sum(0)
        coarse += odds["density"] + odds["contrast"]
        height, width = depth.shape
        smooth = functional.interpolate(coarse[None, None], scale_factor=BLOCK, mode="bilinear", align_corners=False)
        return (odds["confidence"] + odds["distance"]).add_(smooth[0, 0, :height, :width]).sigmoid_()

    def _log_odds(self, name: str, values: Tensor) -> Tensor:
        """What one clue contributes."""
        if name not in self._tables:
            return torch.zeros_like(values)
        first, per_step, table = self._tables[name]
        place = (values - first).mul_(per_step).add_(0.5).nan_to_num_(0.0).clamp_(0, _TABLE - 1).int()
        return table.index_select(0, place.flatten()).view(values.shape)


def clues(
    depth: Tensor,
    confidence: Tensor,
    sparse_depth: NDArray[np.float32],
    image: NDArray[np.uint8] | None = None,
) -> dict[str, Tensor]:
    """What tells good depth from bad, by name.

    Args:
        depth: (H, W) float32 metres; the clues of unknown depth mean nothing.
        confidence: (H, W) float32, the network's own, in [0, 1].
        sparse_depth: (H, W) metres, 0 = not measured.
        image: (H, W, 3) uint8 RGB that the depth is from, or None.

    Returns:
        On the device of ``depth``, with (H, W) values: ``confidence``, and ``distance`` to the nearest measurement in
        pixels. With one value for 4 x 4 pixels, (ceil(H / 4), ceil(W / 4)): the ``residual`` between depth and the
        measurements around, and the ``variation`` of depth around, both ln(0.01 + difference of ln depth); and
        ``depth``, ln metres. With one value, (): ``density``, ln of the share of measured pixels, and ``contrast``,
        ln(1 + standard deviation of the picture's green values, at most 20), 0 without one.
    """
    nearest = cv2.distanceTransform((sparse_depth == 0).astype(np.uint8), cv2.DIST_L2, 5)
    coarse = _log(depth[::2, ::2])
    range_around = _highest_around(coarse) + _highest_around(-coarse)
    density = np.count_nonzero(sparse_depth) / sparse_depth.size
    contrast = 0.0 if image is None else min(float(image[::4, ::4, 1].std()), _CLEAR)
    return {
        "confidence": confidence,
        "distance": torch.from_numpy(nearest).to(depth.device),
        "residual": (0.01 + _residual(depth, sparse_depth)).log_(),
        "variation": (0.01 + range_around).log_(),
        "depth": coarse[:: BLOCK // 2, :: BLOCK // 2],
        "density": torch.tensor(math.log(max(density, 1e-9)), device=depth.device),
        "contrast": torch.tensor(math.log1p(contrast), device=depth.device),
    }


CLUES: Final = ("confidence", "distance", "residual", "variation", "depth", "density", "contrast")


def fit(samples: Mapping[str, NDArray[np.floating]], correct: NDArray[np.bool_]) -> Calibration:
    """Fits a calibration by iteratively reweighted least squares (Newton's method on the log likelihood).

    Args:
        samples: (N,) values of each clue.
        correct: (N,) whether the depth there was within 5 % of the truth.

    Raises:
        ValueError: there are no samples, or all of them are right, or all wrong.
    """
    if not len(correct) or correct.all() or not correct.any():
        raise ValueError(f"{np.count_nonzero(correct)} of {len(correct)} samples are right: nothing to tell apart")
    knots = {name: np.unique(np.quantile(values, _KNOTS).round(4)) for name, values in samples.items()}
    columns = np.concatenate([_hats(samples[name], knots[name]) for name in knots], 1)
    # Every clue's curve may be shifted against another's: a little weight on each value itself decides.
    penalty = 1e-3 * np.eye(columns.shape[1])
    start = 0
    for each in knots.values():
        differences = np.diff(np.eye(len(each)), axis=0)
        here = slice(start, start + len(each))
        penalty[here, here] += _STIFFNESS * differences.T @ differences
        start += len(each)

    values = np.zeros(columns.shape[1])
    for _ in range(_NEWTON_STEPS):
        stated = 1 / (1 + np.exp(-(columns @ values).astype(np.float64)))
        gradient = columns.T @ (correct - stated) - penalty @ values
        weighted = columns * (stated * (1 - stated))[:, None]
        step = np.linalg.solve(columns.T @ weighted + penalty, gradient)
        values += np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-6:
            break
    parts = np.split(values, np.cumsum([len(each) for each in knots.values()])[:-1])
    curves: dict[str, Any] = {}
    for (name, each), part in zip(knots.items(), parts, strict=True):
        curves[name] = {"knots": each.tolist(), "log_odds": part.round(3).tolist()}
    return Calibration(curves)


def _hats(values: NDArray[np.floating], knots: NDArray[np.floating]) -> NDArray[np.float64]:
    """(N, K) how much of each knot's value a piecewise linear curve takes at (N,) places."""
    return np.stack([np.interp(values, knots, row) for row in np.eye(len(knots))], 1)


def _residual(depth: Tensor, sparse_depth: NDArray[np.float32]) -> Tensor:
    """(h, w) mean |ln(depth / measured)| in the blocks around, from farther off where nothing was measured."""
    height, width = sparse_depth.shape
    rows, columns = -(-height // BLOCK), -(-width // BLOCK)
    pixels = np.flatnonzero(sparse_depth > 0)  # of flags it takes a third of the time
    block = torch.from_numpy(pixels // width // BLOCK * columns + pixels % width // BLOCK).to(depth.device)
    measured = torch.from_numpy(sparse_depth.ravel()[pixels]).to(depth.device)
    completed = depth.flatten()[torch.from_numpy(pixels).to(depth.device)]
    difference = (_log(completed) - _log(measured)).abs_()
    total, count = (
        torch.zeros(rows * columns, device=depth.device).index_add_(0, block, each).view(1, 1, rows, columns)
        for each in (difference, torch.ones_like(difference))
    )
    total, count = (functional.avg_pool2d(each, 3, stride=1, padding=1) for each in (total, count))
    return fill_gaps(total / count.clamp(min=1e-9), count > 0)[0, 0]


def _highest_around(halved: Tensor) -> Tensor:
    """(h, w) maxima over 3 x 3 blocks of every second pixel (ceil(H / 2), ceil(W / 2)).

    Max pooling would also note where they are, and take several times as long.
    """
    side = BLOCK // 2
    height, width = halved.shape
    whole = functional.pad(halved, (0, -width % side, 0, -height % side), value=-math.inf)
    highest = whole.unflatten(1, (-1, side)).unflatten(0, (-1, side)).amax((1, 3))
    for _ in ("rows", "columns"):
        before, after = (functional.pad(highest, (0, 0, *frame), value=-math.inf) for frame in ((1, -1), (-1, 1)))
        highest = torch.maximum(torch.maximum(before, highest), after).T
    return highest


def _log(depth: Tensor) -> Tensor:
    return depth.nan_to_num(nan=1.0, posinf=1.0).clamp_(0.01, 1000.0).log_()
