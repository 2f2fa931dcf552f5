"""The nine errors of the KITTI depth benchmark, as its development kit defines them.

Source: Uhrig et al., "Sparsity Invariant CNNs", 3DV 2017, and the development kit of the benchmark.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class DepthErrors:
    """How far a depth image lies from the ground truth; 0 is perfect in all nine.

    With prediction p, truth t and means over the pixels that have ground truth:

    Attributes:
        rmse_mm: root mean square of p - t, millimetres.
        mae_mm: mean of |p - t|, millimetres.
        irmse_per_km: root mean square of 1/p - 1/t, 1/kilometre.
        imae_per_km: mean of |1/p - 1/t|, 1/kilometre.
        log_rmse: root mean square of ln p - ln t.
        log_mae: mean of |ln p - ln t|.
        silog: scale-invariant logarithmic error, the standard deviation of ln p - ln t.
        abs_rel: mean of |p - t| / t.
        sq_rel: mean of (p - t)^2 / t^2. (Papers on monocular depth often divide by t instead.)
    """

    rmse_mm: float
    mae_mm: float
    irmse_per_km: float
    imae_per_km: float
    log_rmse: float
    log_mae: float
    silog: float
    abs_rel: float
    sq_rel: float


def depth_errors(prediction: NDArray[np.floating], ground_truth: NDArray[np.floating]) -> DepthErrors:
    """Scores one depth image as the benchmark does: no crop, no cap, every pixel of ground truth counts.

    Where the prediction is unknown it is first filled by :func:`fill_background`, so that holes are punished.

    Args:
        prediction: (H, W) metres, unknown where NaN, infinite or <= 0.
        ground_truth: (H, W) metres, 0 where unknown.

    Raises:
        ValueError: the shapes differ, there is no ground truth or an impossible one, or scored pixels stay
            without prediction (an entirely unknown prediction, or rows that ``fill_background`` cannot fill).
    """
    if prediction.ndim != 2 or prediction.shape != ground_truth.shape:
        raise ValueError(
            f"prediction is {prediction.shape} and ground truth {ground_truth.shape}, expected the same (H, W)"
        )
    scored = ground_truth != 0
    truth = ground_truth[scored].astype(np.float64)
    if not truth.size:
        raise ValueError("the ground truth has no pixel (every depth is 0), nothing can be scored")
    if not (np.isfinite(truth) & (truth > 0)).all():
        raise ValueError("the ground truth has negative, NaN or infinite depths; expected metres, 0 where unknown")
    predicted = fill_background(prediction)[scored].astype(np.float64)
    unfilled = np.count_nonzero(np.isnan(predicted))
    if unfilled:
        raise ValueError(
            f"{unfilled} of {truth.size} scored pixels lie in image rows without any prediction between rows "
            "that have some; the benchmark cannot fill these"
        )

    difference = predicted - truth
    inverse = 1.0 / predicted - 1.0 / truth
    logarithmic = np.log(predicted) - np.log(truth)
    relative = difference / truth
    return DepthErrors(
        rmse_mm=1e3 * _root_mean_square(difference),
        mae_mm=1e3 * _mean_absolute(difference),
        irmse_per_km=1e3 * _root_mean_square(inverse),
        imae_per_km=1e3 * _mean_absolute(inverse),
        log_rmse=_root_mean_square(logarithmic),
        log_mae=_mean_absolute(logarithmic),
        silog=float(np.std(logarithmic)),
        abs_rel=_mean_absolute(relative),
        sq_rel=float(np.mean(np.square(relative))),
    )


def mean_errors(errors: Sequence[DepthErrors]) -> DepthErrors:
    """The mean over images of each error: the benchmark scores image by image and does not pool pixels.

    Raises:
        ValueError: there are no errors to average.
    """
    if not errors:
        raise ValueError("no scored image, there is no mean error")
    return DepthErrors(*(float(value) for value in np.mean([astuple(error) for error in errors], axis=0)))


def fill_background(depth: NDArray[np.floating]) -> NDArray[np.floating]:
    """Fills unknown depth as the benchmark does before it scores: along rows, then up and down.

    A gap within a row takes the smaller of the depths at its two ends; the ends of a row are extended to the
    border; empty rows above the first and below the last row with a depth copy that row. Empty rows between two
    others stay unknown.

    Args:
        depth: (H, W) metres, unknown where NaN, infinite or <= 0.

    Returns:
        (H, W) metres of the same dtype, NaN where it stays unknown.

    Raises:
        ValueError: nothing is known.
    """
    known = np.isfinite(depth) & (depth > 0)
    if known.all():
        return depth
    rows = np.flatnonzero(known.any(axis=1))
    if not rows.size:
        raise ValueError("the prediction is unknown at every pixel (NaN or <= 0), it cannot be scored")

    # One pass over all rows in a chain, each behind a border pixel of infinite depth: every run of unknown pixels
    # follows a known one and takes the smaller of its two ends.
    height, width = depth.shape
    bordered = np.full((height, width + 1), np.inf, depth.dtype)
    bordered[:, 1:] = depth
    ends = np.flatnonzero(np.pad(known, ((0, 0), (1, 0)), constant_values=True))
    end_depth = bordered.take(ends)
    behind = np.minimum(end_depth, np.append(end_depth[1:], end_depth.dtype.type(np.inf)))
    chain = np.repeat(behind, np.diff(ends, append=bordered.size))
    chain[ends] = end_depth
    filled = chain.reshape(bordered.shape)[:, 1:]

    filled[: rows[0]] = filled[rows[0]]
    filled[rows[-1] + 1 :] = filled[rows[-1]]
    filled[~np.isfinite(filled[:, 0])] = np.nan
    return filled


def _root_mean_square(values: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def _mean_absolute(values: NDArray[np.float64]) -> float:
    return float(np.mean(np.abs(values)))
