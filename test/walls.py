"""Frames of a wall that a LiDAR of 16 lines sees."""

import numpy as np

from depth_completion_ros import Camera
from depth_completion_ros.frame import Frame

CAMERA = Camera(64, 48, 60.0, 60.0, 31.5, 23.5)


def wall(number=0, distance=10.0, truth=True):
    """A rough wall that ring r of 16 measures in image row 3 r + 1."""
    rng = np.random.default_rng(number)
    v, u = (each.ravel() for each in np.meshgrid(np.arange(1, 48, 3), np.arange(0, 64, 2), indexing="ij"))
    z = distance * rng.uniform(0.9, 1.1, len(u))
    points = np.stack([(u - CAMERA.cx) / CAMERA.fx * z, (v - CAMERA.cy) / CAMERA.fy * z, z], 1)
    return Frame(
        number,
        CAMERA,
        image=np.zeros((48, 64, 3), np.uint8),
        points=points.astype(np.float32),
        rings=v // 3,
        ground_truth=np.full((48, 64), distance, np.float32) if truth else None,
        name=str(number),
    )
