"""Ground truth for recordings that have none: some of the LiDAR's lines are withheld and scored against."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from depth_completion_ros.datasets.base import DamagedFrame
from depth_completion_ros.frame import Frame
from depth_completion_ros.geometry.camera import Camera
from depth_completion_ros.geometry.projection import HIDDEN_RATIO, project_points
from depth_completion_ros.geometry.rotation import is_same_pose
from depth_completion_ros.geometry.scan_lines import keep_lines

_MOST_RINGS = 1024


def ring_count(frame: Frame) -> int:
    """The highest ring of a frame + 1; 0 if it has no points, or none that knows its ring."""
    known = frame.points is not None and frame.rings is not None and len(frame.rings)
    return int(frame.rings.max()) + 1 if known and frame.rings is not None else 0


class RingCount:
    """How many rings a LiDAR has: the most that any frame of it had so far, as its last ring may not return in some.

    Frames of another camera, or of a LiDAR in another place, are of another recording: there the count begins anew. A
    ring that no LiDAR has, as 65535 for "none", counts for its own frame only.
    """

    def __init__(self) -> None:
        self._rig: tuple[Camera, NDArray[np.float64]] | None = None
        self._most = 0

    def including(self, frame: Frame) -> int:
        """The number of rings as far as it is known with this frame; 0 if no point knows its ring."""
        if self._rig is None or self._rig[0] != frame.camera or not is_same_pose(self._rig[1], frame.extrinsic):
            self._rig, self._most = (frame.camera, frame.extrinsic), 0
        own = ring_count(frame)
        if own <= _MOST_RINGS:
            self._most = max(self._most, own)
        return max(self._most, own)


def hold_out(frame: Frame, lines: int, rings: int | None = None) -> Frame:
    """Keeps ``lines`` scan lines of a frame's LiDAR, evenly spread, and makes the others its ground truth.

    The ground truth is the projection of the withheld returns: the nearest in each pixel, but none that
    :func:`drop_occluded` finds hidden by any return of the whole scan. A frame that comes with a ground truth
    keeps it and only loses the lines.

    Args:
        frame: with ``points`` and ``rings``.
        lines: how many lines stay: rings 0, R / lines, 2 R / lines, ... of a LiDAR with R rings. All of them leave
            an empty ground truth.
        rings: R; by default the highest ring of this frame + 1.

    Raises:
        ValueError: the frame has no points or no rings, or ``lines`` is not in 1 ... R.
    """
    if frame.points is None or frame.rings is None:
        missing = "points" if frame.points is None else "rings"
        raise ValueError(
            f"frame {frame.name or frame.stamp} has no {missing}: scan lines can be withheld only from a LiDAR "
            "cloud whose points know their ring"
        )
    kept = keep_lines(frame.rings, lines, rings)
    ground_truth = frame.ground_truth
    if ground_truth is None:
        withheld = project_points(frame.points[~kept], frame.camera, frame.extrinsic)
        given = project_points(frame.points[kept], frame.camera, frame.extrinsic)
        ground_truth = drop_occluded(withheld, given)
    return replace(frame, points=frame.points[kept], rings=frame.rings[kept], ground_truth=ground_truth)


def hold_out_each(items: Iterable[Frame | DamagedFrame], lines: int) -> Iterator[Frame | DamagedFrame]:
    """:func:`hold_out` of frame after frame, with the rings that :class:`RingCount` finds.

    A frame comes out as damaged, with the reason, if its LiDAR has fewer lines, or those that stay have no return.

    Raises:
        ValueError: the first frame has no points or no rings, as none of its source then has.
    """
    rings, first = RingCount(), True
    for item in items:
        if isinstance(item, DamagedFrame):
            yield item
            continue
        try:
            thinned = hold_out(item, lines, rings.including(item))
            if thinned.points is not None and not len(thinned.points):
                raise ValueError(f"frame {item.name or item.stamp} has no return on {lines} scan lines")
        except ValueError as error:
            if first and (item.points is None or item.rings is None):
                raise
            yield DamagedFrame(item.name, error)
        else:
            yield thinned
        first = False


def drop_occluded(
    depth: NDArray[np.float32], others: NDArray[np.float32], columns: int = 3, rows: int = 4
) -> NDArray[np.float32]:
    """Removes what the camera cannot have seen, because something measured right beside it is much nearer.

    Args:
        depth: (H, W) metres, 0 = not measured.
        others: (H, W) metres, further measurements of the same instant, 0 = not measured.
        columns: how far to either side is beside; more finds more of what is hidden, and takes it away from more edges.
        rows: how far up and down.

    Returns:
        (H, W) ``depth``, with 0 where within ``columns`` and ``rows`` ``depth`` or ``others`` is below 85 % of it.
    """
    measured = np.minimum(np.where(depth > 0, depth, np.inf), np.where(others > 0, others, np.inf))
    nearest = cv2.erode(measured, np.ones((2 * rows + 1, 2 * columns + 1), np.uint8))
    return np.where(nearest < HIDDEN_RATIO * depth, np.float32(0), depth)
