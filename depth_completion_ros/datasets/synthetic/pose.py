"""Where a sensor is in the world and which way it looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

# Axes of a camera that looks along x, the street's direction: right, down, forward.
LOOKING_AHEAD: Final = np.array([[0, -1, 0], [0, 0, -1], [1, 0, 0]], np.float64)


@dataclass(frozen=True, eq=False)
class Pose:
    """A sensor's place in the world.

    Attributes:
        position: (3,) float64 metres.
        axes: (3, 3) float64, whose rows are the sensor's x, y and z axes in the world.
    """

    position: NDArray[np.float64]
    axes: NDArray[np.float64]

    @classmethod
    def of_camera(cls, position: NDArray[np.float64], yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> Pose:
        """A camera, turned to the left by ``yaw``, then up by ``pitch``, then clockwise by ``roll`` radians."""
        return cls(position, rotation(-roll, 2) @ rotation(-pitch, 0) @ rotation(yaw, 1) @ LOOKING_AHEAD)

    @classmethod
    def of_lidar(cls, position: NDArray[np.float64], yaw: float = 0.0, pitch: float = 0.0) -> Pose:
        """A LiDAR, x forward, y left, z up, turned to the left by ``yaw``, then up by ``pitch`` radians."""
        return cls(position, rotation(pitch, 1) @ rotation(-yaw, 2))

    def extrinsic(self, sensor: Pose) -> NDArray[np.float64]:
        """The (4, 4) transform from the frame of ``sensor`` to the frame of this one."""
        transform = np.eye(4)
        transform[:3, :3] = self.axes @ sensor.axes.T
        transform[:3, 3] = self.axes @ (sensor.position - self.position)
        return transform

    def to_world(self, directions: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, 3) directions in the sensor's axes -> (N, 3) in the world's."""
        # Not a matrix product: for such thin matrices, BLAS spends more time waking its threads than working.
        x, y, z = self.axes.astype(np.float32)
        return directions[:, :1] * x + directions[:, 1:2] * y + directions[:, 2:] * z

    def shifted(self, offset: NDArray[np.float64]) -> Pose:
        """The same directions from ``offset``, in this sensor's axes, away."""
        return Pose(self.position + offset @ self.axes, self.axes)


def rotation(angle: float, axis: int) -> NDArray[np.float64]:
    """The (3, 3) matrix that turns vectors by ``angle`` radians about a coordinate axis."""
    c, s = np.cos(angle), np.sin(angle)
    turn = np.eye(3)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    turn[[i, i, j, j], [i, j, i, j]] = c, -s, s, c
    return turn
