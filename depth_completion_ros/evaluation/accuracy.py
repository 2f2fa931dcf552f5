"""How far a method's depth lies from the truth over many frames, in all and by distance."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from depth_completion_ros.evaluation.metrics import DepthErrors, depth_errors, fill_background

# True depth in metres: 0 to 10, 10 to 20, ..., and beyond.
RANGES: Final = (0.0, 10.0, 20.0, 40.0, 80.0, np.inf)


class Accuracy:
    """Collects the errors of frame after frame.

    Attributes:
        errors: the nine errors of every frame; :func:`~depth_completion_ros.evaluation.metrics.mean_errors` of them is
            what the KITTI benchmark would say.
    """

    def __init__(self) -> None:
        self.errors: list[DepthErrors] = []
        self._sums = np.zeros((len(RANGES) - 1, 3))

    def add(self, depth: NDArray[np.floating], ground_truth: NDArray[np.floating]) -> None:
        """Scores one frame, (H, W) metres each; see :func:`~depth_completion_ros.evaluation.metrics.depth_errors`."""
        filled = fill_background(depth)
        self.errors.append(depth_errors(filled, ground_truth))
        scored = ground_truth > 0
        truth = ground_truth[scored].astype(np.float64)
        error = filled[scored] - truth
        # Right-open ranges: 10 m belongs to the second.
        where = np.searchsorted(RANGES, truth, side="right") - 1
        for column, values in enumerate((np.ones_like(error), np.abs(error), np.square(error))):
            self._sums[:, column] += np.bincount(where, values, len(RANGES) - 1)

    def by_range(self) -> list[tuple[int, float, float]]:
        """Pixels, RMSE and MAE in millimetres of each of ``RANGES``; NaN where there is no pixel.

        Over the pixels of all frames, unlike ``errors``: a frame may have but a few of them far away.
        """
        rows = []
        for count, absolute, square in self._sums.tolist():
            rmse, mae = ((square / count) ** 0.5, absolute / count) if count else (np.nan, np.nan)
            rows.append((int(count), 1e3 * rmse, 1e3 * mae))
        return rows
