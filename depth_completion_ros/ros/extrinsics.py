"""The transform from the depth sensor to the camera: from tf2 where it is installed, else from a parameter."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.time import Time

from depth_completion_ros.geometry.projection import rigid_transform
from depth_completion_ros.message_arrays import transform_matrix


class MissingExtrinsicError(Exception):
    """Nothing says where the depth sensor is; the message says what to set."""


class Extrinsics:
    """Where the depth sensor is, seen from the camera, by the newest transforms.

    Args:
        node: the node that listens to tf.
        matrix: 16 numbers, the (4, 4) matrix sensor -> camera optical frame by rows; empty to use tf2.

    Raises:
        ValueError: the matrix is not a rotation and a translation.
    """

    def __init__(self, node: Node, matrix: tuple[float, ...]) -> None:
        self._matrix = rigid_transform(np.reshape(matrix, (4, 4))) if matrix else None
        self._tf2: Any = None
        if self._matrix is None:
            try:
                self._tf2 = importlib.import_module("tf2_ros")
            except ImportError:
                return
            # Given the node, it would offer a service that never ends, and in early Jazzy raise when time jumps.
            self._buffer = self._tf2.Buffer()
            self._listener = self._tf2.TransformListener(self._buffer, node)

    def get(self, sensor_frame: str, camera_frame: str) -> NDArray[np.float64]:
        """The (4, 4) float64 transform ``sensor_frame`` -> ``camera_frame``, which is not waited for.

        Raises:
            MissingExtrinsicError: neither the parameter nor tf2 has it (yet).
        """
        if self._matrix is not None:
            return self._matrix
        if sensor_frame == camera_frame:
            return np.eye(4)
        wanted = f"no extrinsic from {sensor_frame!r} to {camera_frame!r}"
        if self._tf2 is None:
            raise MissingExtrinsicError(
                f"{wanted}: tf2_ros is not installed; set the parameter extrinsic to the 16 numbers of the matrix"
            )
        try:
            transform = self._buffer.lookup_transform(camera_frame, sensor_frame, Time()).transform
        except self._tf2.TransformException as error:
            raise MissingExtrinsicError(
                f"{wanted} in tf: {error}; publish it, or set the parameter extrinsic"
            ) from error
        return transform_matrix(transform)

    def restart(self) -> None:
        """Forgets where things were, as time has jumped back; what never moves is known on.

        tf2 would take the newest transforms for ever, those of the end of a recording that is played again.
        """
        if self._tf2 is not None:
            self._buffer.clear()

    def close(self) -> None:
        """Stops listening to tf."""
        if self._tf2 is not None:
            self._listener.unregister()
