"""How much of what a depth sensor measured a method gets; where there is no ground truth, the rest is it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from depth_completion_ros.evaluation.holdout import drop_occluded, hold_out, ring_count
from depth_completion_ros.frame import Frame
from depth_completion_ros.geometry.thinning import MOST_HOLES, cut_holes, keep_points
from depth_completion_ros.pipeline import sparse_depth_of


@dataclass(frozen=True)
class Given:
    """One of these, or none for everything that was measured.

    Attributes:
        lines: so many lines of a LiDAR, evenly spread, see :func:`~depth_completion_ros.evaluation.holdout.hold_out`.
        points: so many of the pixels in which depth was measured, at random.
        holes: all but random holes over this share of the image.

    Raises:
        ValueError: more than one of them, or a number out of range.
    """

    lines: int | None = None
    points: int | None = None
    holes: float | None = None

    def __post_init__(self) -> None:
        numbers = [each for each in (self.lines, self.points, self.holes) if each is not None]
        if len(numbers) > 1:
            raise ValueError("lines, points and holes exclude each other")
        if self.holes is not None and not 0 < self.holes <= MOST_HOLES:
            raise ValueError(f"holes are a share of the image, above 0 and at most {MOST_HOLES:g}; got {self.holes:g}")
        if any(number <= 0 for number in numbers):
            raise ValueError(f"{self} cannot be given, expected 1 or more")

    def __str__(self) -> str:
        if self.lines is not None:
            return f"{self.lines} lines"
        if self.points is not None:
            return f"{self.points} points"
        return "everything" if self.holes is None else f"{100 * self.holes:g} % holes"

    @property
    def is_drawn(self) -> bool:
        """Whether chance decides what is given."""
        return self.points is not None or self.holes is not None

    def of(self, frame: Frame, rng: np.random.Generator, rings: int | None = None) -> Frame | None:
        """The frame with so much of its measurements, or None if it cannot be scored with them.

        That is: it has not so many, or its points do not know their line; there is no ground truth and nothing left
        over to be it; or no measurement is in the camera's view.

        Args:
            frame: one with a ground truth keeps it. The truth of others are the measurements left over; of a cloud
                without those that :func:`~depth_completion_ros.evaluation.holdout.drop_occluded` finds hidden.
            rng: of the choice of points and holes.
            rings: how many the LiDAR has; by default as many as the frame's highest says.
        """
        if self.lines is not None:
            own = ring_count(frame)
            rings = own if rings is None else rings
            if not own or self.lines > rings:
                return None
            frame = hold_out(frame, self.lines, rings)
        elif self.points is not None:
            measured = sparse_depth_of(frame)
            if np.count_nonzero(measured) < self.points:
                return None
            frame = _with_depth(frame, keep_points(measured, self.points, rng), measured)
        elif self.holes is not None:
            measured = sparse_depth_of(frame)
            frame = _with_depth(frame, cut_holes(measured, self.holes, rng), measured)
        if frame.ground_truth is None or not frame.ground_truth.any() or not sparse_depth_of(frame).any():
            return None
        return frame


def _with_depth(frame: Frame, kept: NDArray[np.float32], measured: NDArray[np.float32]) -> Frame:
    """The frame with a depth image in the camera's view, scored by what it lost unless there is a ground truth."""
    truth = frame.ground_truth
    if truth is None:
        truth = np.where(kept > 0, np.float32(0), measured)
        if frame.points is not None:
            truth = drop_occluded(truth, kept)
    return replace(
        frame,
        points=None,
        rings=None,
        extrinsic=np.eye(4),
        depth=kept,
        depth_camera=None,
        ground_truth=truth,
    )


EVERYTHING: Final = Given()
