"""Fewer measurements of a depth image: single points of it, or all but holes. Of a LiDAR's lines, see `scan_lines`."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

MOST_HOLES: Final = 0.9  # of the pixels; to cover the last ones would take for ever
_HOLE_RADII = (1 / 128, 1 / 4)  # of the larger side of the image


def keep_points(depth: NDArray[np.float32], count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Keeps ``count`` random measurements of an (H, W) depth image, 0 = not measured, or all if it has fewer."""
    measured = np.flatnonzero(depth)
    kept = rng.choice(measured, min(count, len(measured)), replace=False)
    sparse = np.zeros_like(depth)
    sparse.flat[kept] = depth.flat[kept]
    return sparse


def cut_holes(depth: NDArray[np.float32], share: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Takes away what random ellipses cover, at least a share of the pixels of an (H, W) depth image.

    They have all sizes; thin ones are like the shadows at edges.
    """
    height, width = depth.shape
    smallest, largest = (max(depth.shape) * radius for radius in _HOLE_RADII)
    holes = np.zeros(depth.shape, np.uint8)
    while np.count_nonzero(holes) < share * depth.size:
        center = rng.integers((width, height))
        radii = np.maximum(smallest * (largest / smallest) ** rng.random(2), 1).astype(int)
        cv2.ellipse(holes, center.tolist(), radii.tolist(), rng.uniform(0, 180), 0, 360, 1, cv2.FILLED)
    return np.where(holes, np.float32(0), depth)
