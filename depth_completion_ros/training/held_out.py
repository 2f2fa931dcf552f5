"""How good the weights are in the course of a training, on frames that it does not see."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from depth_completion_ros.datasets.base import FrameSource
from depth_completion_ros.evaluation.holdout import hold_out, ring_count
from depth_completion_ros.evaluation.metrics import fill_background
from depth_completion_ros.frame import Frame
from depth_completion_ros.pipeline import DepthCompleter, EmptySparseDepthError

LINES: Final = (32, 16, 8, 4)


@dataclass(frozen=True)
class Score:
    """The errors of one data set at one number of lines.

    Attributes:
        source: name of the data set.
        lines: of the LiDAR, or None for everything that was measured.
        frames: how many were scored.
        rmse_mm: root mean square error, millimetres, mean over the frames.
        mae_mm: mean absolute error, millimetres, mean over the frames.
    """

    source: str
    lines: int | None
    frames: int
    rmse_mm: float
    mae_mm: float


def score(completer: DepthCompleter, sources: Sequence[FrameSource]) -> list[Score]:
    """Completes whole frames: those of a LiDAR that knows its rings from 32, 16, 8 and 4 lines, others as they are.

    Lines are withheld as :func:`~depth_completion_ros.evaluation.holdout.hold_out` does, of LiDARs that have more. A
    frame of which no measurement or no ground truth is left does not count.

    Raises:
        ValueError: a frame has neither ground truth nor rings to withhold, or lacks what the model needs.
        OSError: a frame cannot be read.
    """
    scores = []
    for source in sources:
        errors: dict[int | None, list[tuple[float, float]]] = {}
        for frame in source:
            for lines, given in _thinned(frame):
                if given.ground_truth is None:
                    raise ValueError(f"{source.name}/{frame.name} has neither ground truth nor rings to withhold")
                if not given.ground_truth.any():
                    continue
                try:
                    depth = completer.complete(given).depth
                except EmptySparseDepthError:
                    continue
                errors.setdefault(lines, []).append(_errors(depth, given.ground_truth))
        for lines, found in errors.items():
            rmse, mae = np.mean(found, axis=0)
            scores.append(Score(source.name, lines, len(found), float(rmse), float(mae)))
    return scores


def _thinned(frame: Frame) -> Iterator[tuple[int | None, Frame]]:
    """The frame with each number of lines that is below its LiDAR's."""
    counts = [lines for lines in LINES if lines < ring_count(frame)]
    yield from ((lines, hold_out(frame, lines)) for lines in counts)
    if not counts:
        yield None, frame


def _errors(depth: NDArray[np.float32], truth: NDArray[np.float32]) -> tuple[float, float]:
    """RMSE and MAE, millimetres, as the benchmark has them; but what it cannot fill counts as a depth of 0.

    Before a network has learnt anything, it may well know no depth at all.
    """
    filled = np.nan_to_num(fill_background(depth) if np.isfinite(depth).any() else depth, nan=0.0)
    scored = truth > 0
    difference = filled[scored].astype(np.float64) - truth[scored]
    return 1e3 * float(np.sqrt(np.mean(difference**2))), 1e3 * float(np.abs(difference).mean())
