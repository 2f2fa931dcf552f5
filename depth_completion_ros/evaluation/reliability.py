"""What a confidence is worth: does it come true, and does it sort the errors?

Does it come true: pixels are gathered in bins by their stated confidence, and in each the mean confidence is compared
with the share of pixels that are right (M. Naeini, G. Cooper, M. Hauskrecht, "Obtaining Well Calibrated Probabilities
Using Bayesian Binning", AAAI 2015). Does it sort: pixels are taken away, the least sure first, and the error of those
that remain is compared with what it would be if the worst were taken first (E. Ilg et al., "Uncertainty Estimates and
Multi-Hypotheses Networks for Optical Flow", ECCV 2018).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from depth_completion_ros.confidence import TOLERANCE

BINS: Final = 20
STEPS: Final = 100  # 0 %, 1 %, ..., 99 % of the pixels are taken away
ERRORS: Final = ("abs_rel", "rmse_mm")  # what is measured of those that remain

_MOST_PIXELS = 50_000  # of one frame that are sorted, evenly taken from all

_Values = NDArray[np.floating]  # (N,)


class Bin(NamedTuple):
    """The pixels whose stated confidence is in [low, high).

    Attributes:
        low, high: the limits; the last bin includes 1.
        pixels: how many there are.
        stated: their mean confidence, NaN without pixels.
        true: the share of them that is within 5 % of the truth, NaN without pixels.
    """

    low: float
    high: float
    pixels: int
    stated: float
    true: float


class Reliability:
    """Gathers the confidence of frame after frame in bins of equal width, and the curves of its sparsification.

    Only pixels with ground truth and known depth count. Bins are those of the pixels of all frames; curves are found
    for every frame, and their mean over frames is kept.
    """

    def __init__(self) -> None:
        self._sums = np.zeros((3, BINS))  # pixels, their confidence, how many are right
        self._frames = 0
        self._curves: dict[tuple[str, str], NDArray[np.float64]] = {}

    def add(
        self,
        depth: NDArray[np.float32],
        confidence: NDArray[np.float32],
        sparse_depth: NDArray[np.float32],
        ground_truth: NDArray[np.float32],
    ) -> None:
        """Adds one frame, all (H, W): metres, NaN where unknown; confidence; metres, 0 where unknown, twice."""
        scored = np.flatnonzero((ground_truth > 0) & np.isfinite(depth))
        if not len(scored):
            return
        predicted, truth = depth.ravel()[scored].astype(np.float64), ground_truth.ravel()[scored].astype(np.float64)
        stated = confidence.ravel()[scored].astype(np.float64)
        relative = np.abs(predicted - truth) / truth
        where = np.minimum((stated * BINS).astype(np.int64), BINS - 1)
        for row, values in enumerate((None, stated, relative <= TOLERANCE)):
            self._sums[row] += np.bincount(where, values, BINS)

        some = slice(None, None, -(-len(scored) // _MOST_PIXELS))
        distance = cv2.distanceTransform((sparse_depth == 0).astype(np.uint8), cv2.DIST_L2, 5).ravel()[scored]
        surer = {"confidence": stated[some], "distance": -distance[some]}
        self._frames += 1
        for name, curves in {
            "abs_rel": sparsification(relative[some], surer),
            "rmse_mm": sparsification(np.square(1e3 * (predicted - truth)[some]), surer),
        }.items():
            for order, curve in curves.items():
                root = np.sqrt(curve) if name == "rmse_mm" else curve
                self._curves[name, order] = self._curves.get((name, order), 0.0) + root

    def bins(self) -> list[Bin]:
        """The reliability table."""
        edges = np.linspace(0, 1, BINS + 1).tolist()
        rows = []
        for (low, high), (pixels, stated, right) in zip(pairwise(edges), self._sums.T.tolist(), strict=True):
            rows.append(Bin(low, high, int(pixels), *((stated / pixels, right / pixels) if pixels else (np.nan,) * 2)))
        return rows

    @property
    def stated(self) -> float:
        """The mean confidence."""
        return float(self._sums[1].sum() / self._sums[0].sum())

    @property
    def true(self) -> float:
        """The share of pixels within 5 % of the truth."""
        return float(self._sums[2].sum() / self._sums[0].sum())

    @property
    def calibration_error(self) -> float:
        """Expected calibration error: the mean |stated - true| of the bins, each weighted by its pixels."""
        _, stated, right = self._sums
        return float(np.abs(stated - right).sum() / self._sums[0].sum())

    def curve(self, error: str, order: str) -> NDArray[np.float64]:
        """(STEPS,) ``error`` of what remains, when the pixels leave in this ``order``: confidence, distance or oracle.

        ``distance`` takes the pixels farthest from a measurement first, ``oracle`` those with the largest errors.
        """
        return self._curves[error, order] / self._frames

    def ause(self, error: str, order: str = "confidence") -> float:
        """Area under the sparsification error, as a part of what an order by chance has: 0 is perfect, 1 is chance.

        The sparsification error is the curve of ``order`` minus that of the oracle; taking pixels away by chance
        leaves the error as it is.
        """
        oracle = self.curve(error, "oracle")
        chance = float(np.mean(oracle[0] - oracle))
        return float(np.mean(self.curve(error, order) - oracle)) / chance if chance else 0.0


def sparsification(errors: _Values, surer: Mapping[str, _Values]) -> dict[str, NDArray[np.float64]]:
    """The mean of ``errors`` over what remains when 0 %, 1 %, ..., 99 % of the pixels were taken away.

    Args:
        errors: (N,).
        surer: (N,) numbers by name, which are the greater the later a pixel leaves. Pixels of the same number leave in
            random order: the answer is the mean over all such orders.

    Returns:
        (STEPS,) for each name, and for ``oracle``, by whom the largest errors leave first.
    """
    kept = np.maximum(np.rint(len(errors) * (1 - np.arange(STEPS) / STEPS)).astype(np.int64), 1)
    curves = {}
    for name, keys in {**surer, "oracle": -errors}.items():
        order = np.argsort(-keys, kind="stable")
        ordered = keys[order]
        first = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
        count = np.diff(first, append=len(errors))
        mean = np.repeat(np.add.reduceat(errors[order], first) / count, count)
        curves[name] = np.cumsum(mean)[kept - 1] / kept
    return curves
