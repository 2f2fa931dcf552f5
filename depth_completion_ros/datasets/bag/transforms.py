"""The transform tree of a recording."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depth_completion_ros.message_arrays import transform_matrix

_logger = logging.getLogger(__name__)


class TransformTree:
    """The latest transform of every frame to its parent, from ``tf2_msgs/TFMessage``."""

    def __init__(self) -> None:
        self._parents: dict[str, tuple[str, NDArray[np.float64]]] = {}
        self._refused: set[str] = set()

    def add(self, message: Any) -> None:
        """Takes in the transforms of one message; one that is none is passed over with a warning, as tf2 does."""
        for stamped in message.transforms:
            parent, child = frame_name(stamped.header.frame_id), frame_name(stamped.child_frame_id)
            try:
                matrix = transform_matrix(stamped.transform)
            except ValueError as error:
                if child not in self._refused:
                    _logger.warning("transform %s -> %s is passed over: %s", parent, child, error)
                    self._refused.add(child)
                continue
            self._parents[child] = parent, matrix

    def lookup(self, target: str, source: str) -> NDArray[np.float64] | None:
        """The (4, 4) rigid transform of points from frame ``source`` to frame ``target``; None if not connected."""
        from_source, from_target = self._to_ancestors(source), self._to_ancestors(target)
        common = next((frame for frame in from_source if frame in from_target), None)
        if common is None:
            return None
        return _inverse(from_target[common]) @ from_source[common]

    def describe(self) -> str:
        """Every edge as ``parent -> child``."""
        return ", ".join(sorted(f"{parent} -> {child}" for child, (parent, _) in self._parents.items())) or "none"

    def _to_ancestors(self, frame: str) -> dict[str, NDArray[np.float64]]:
        """The transforms from a frame to itself, its parent, and so on up to the root."""
        frame, matrix = frame_name(frame), np.eye(4)
        matrices = {frame: matrix}
        while frame in self._parents:
            frame, step = self._parents[frame]
            if frame in matrices:
                raise ValueError(f"the transforms form a loop at frame {frame!r}: {self.describe()}")
            matrix = step @ matrix
            matrices[frame] = matrix
        return matrices


def frame_name(frame_id: str) -> str:
    """A frame's name without the leading slash that ROS 1 allowed."""
    return frame_id.lstrip("/")


def _inverse(rigid: NDArray[np.float64]) -> NDArray[np.float64]:
    inverse = np.eye(4)
    inverse[:3, :3] = rigid[:3, :3].T
    inverse[:3, 3] = -rigid[:3, :3].T @ rigid[:3, 3]
    return inverse
