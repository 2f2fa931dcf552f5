"""Completion at a part of the resolution, for images finer than those that networks are trained with.

The gaps between the lines of a LiDAR are so many degrees wide, but a network sees pixels: behind a lens of twice the
focal length it would have to bridge twice the gap that it knows, in four times the time.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from depth_completion_ros.geometry.camera import Camera

TRAINED_FOCAL_LENGTH: Final = 721.5  # pixels, of KITTI's cameras and of the synthetic streets; a quarter more or less

_SAME_SURFACE: Final = 1.05  # ratio of depths
_SMOOTH: Final = 0.02  # by which share depth may differ from that of its cell and still be on a slope


def decimation_for(camera: Camera) -> int:
    """By how much to divide the resolution of a camera, so that its focal length is about that of the training."""
    return max(1, round(min(camera.fx, camera.fy) / TRAINED_FOCAL_LENGTH))


def decimate_image(image: NDArray[np.uint8], decimation: int) -> NDArray[np.uint8]:
    """(ceil(H / n), ceil(W / n), 3): the mean of each cell of an (H, W, 3) image, of which the last may be narrower."""
    height, width = (-(-size // decimation) * decimation for size in image.shape[:2])
    whole = cv2.copyMakeBorder(image, 0, height - image.shape[0], 0, width - image.shape[1], cv2.BORDER_REPLICATE)
    small = cv2.resize(whole, (width // decimation, height // decimation), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def decimate_depth(depth: NDArray[np.float32], decimation: int) -> NDArray[np.float32]:
    """(ceil(H / n), ceil(W / n)): the nearest surface in each cell of an (H, W) depth image, 0 = not measured.

    The mean of what lies on it: the nearest of several noisy measurements is too near.
    """
    padding = [(0, -size % decimation) for size in depth.shape]
    whole = np.pad(depth, padding)
    cells = np.stack([whole[y::decimation, x::decimation] for y in range(decimation) for x in range(decimation)])
    measured = cells > 0
    nearest = np.where(measured, cells, np.inf).min(0)
    on_it = measured & (cells <= _SAME_SURFACE * nearest)
    return np.where(on_it, cells, 0).sum(0) / np.maximum(on_it.sum(0), 1).astype(np.float32)


def enlarge_depth(depth: Tensor, decimation: int, size: tuple[int, ...]) -> Tensor:
    """An (h, w) depth at the full (H, W) ``size``: linear on surfaces, nothing between them at edges; NaN stays."""
    return _enlarge(depth, decimation, size, edges=True)


def enlarge_confidence(confidence: Tensor, decimation: int, size: tuple[int, ...]) -> Tensor:
    """An (h, w) confidence at the full (H, W) ``size``, linear."""
    return _enlarge(confidence, decimation, size, edges=False)


def _enlarge(values: Tensor, decimation: int, size: tuple[int, ...], *, edges: bool) -> Tensor:
    height, width = size
    smooth = functional.interpolate(values[None, None], scale_factor=decimation, mode="bilinear", align_corners=False)
    smooth = smooth[0, 0, :height, :width]
    if not edges:
        return smooth
    own = values.repeat_interleave(decimation, 0)[:height].repeat_interleave(decimation, 1)[:, :width]
    return torch.where((smooth - own).abs() <= _SMOOTH * own, smooth, own)  # also where one of them is NaN
