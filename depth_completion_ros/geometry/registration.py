"""A depth image of one camera -> the view of another."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from depth_completion_ros.geometry.camera import Camera
from depth_completion_ros.geometry.projection import project_points


def register_depth(
    depth: NDArray[np.float32], depth_camera: Camera, camera: Camera, extrinsic: ArrayLike
) -> NDArray[np.float32]:
    """Moves an unregistered depth image, such as that of a ToF camera, into a colour camera's view.

    Args:
        depth: (h, w) float32 metres along the optical axis of ``depth_camera``; 0 or NaN = not measured.
        depth_camera: the camera of ``depth``; may be distorted.
        camera: the camera of the view that is wanted; may be distorted.
        extrinsic: (4, 4) rigid transform, depth camera -> colour camera, optical frames.

    Returns:
        (H, W) float32 metres along the optical axis of ``camera``, 0 = not measured.

    Raises:
        ValueError: ``depth`` has another size than its camera, or the extrinsic is not rigid.
    """
    points = depth_camera.unproject(depth)[depth > 0]
    return project_points(points, camera, extrinsic)
