"""Completion at a part of the resolution: at half of it in half of the time, or less.

Networks see pixels, not degrees. Behind a long lens, measurements that are few are farther apart in pixels than any
that a network was trained with; in a smaller image they are not.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

_SAME_SURFACE: Final = 1.05  # ratio of depths
_BEND: Final = 0.05  # share of the inverse depth by which that of a cell may leave the line through its neighbours


def decimate_image(image: NDArray[np.uint8], decimation: int) -> NDArray[np.uint8]:
    """(ceil(H / n), ceil(W / n), 3): the mean of each cell of an (H, W, 3) image, whose rim goes on beyond its end."""
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
    """An (h, w) depth at the full (H, W) ``size``: NaN and infinity stay, and nothing lies between two surfaces.

    Inverse depth is linear on planes, and so it is interpolated, and goes on to the rim from the outermost centres of
    cells; where it bends, as at edges, a cell keeps one depth.
    """
    inverse = 1 / depth
    framed = _framed(inverse).clamp(min=0)  # ground ends at the horizon
    smooth = _bend(framed) <= _BEND * inverse  # not where a neighbour is NaN, either
    whole = _interpolated(framed, decimation, tuple(decimation + length for length in size))
    plane = whole[decimation:, decimation:]
    own = _repeated(depth, decimation, size)
    return torch.where(_repeated(smooth, decimation, size), 1 / plane, own)


def enlarge_confidence(confidence: Tensor, decimation: int, size: tuple[int, ...]) -> Tensor:
    """An (h, w) confidence at the full (H, W) ``size``, linear; 0 where it is NaN."""
    return _interpolated(confidence.nan_to_num(0.0), decimation, size)


def _framed(values: Tensor) -> Tensor:
    """(h + 2, w + 2): values with a rim around them, where they go on as before it."""
    framed = functional.pad(values[None, None], (1, 1, 1, 1), mode="replicate")[0, 0]
    framed[0], framed[-1] = 2 * framed[1] - framed[2], 2 * framed[-2] - framed[-3]
    framed[:, 0], framed[:, -1] = 2 * framed[:, 1] - framed[:, 2], 2 * framed[:, -2] - framed[:, -3]
    return framed


def _bend(framed: Tensor) -> Tensor:
    """(h, w) by how much a cell and those around it leave a plane, of framed values: the largest second difference.

    At the rim, where one neighbour is but made up, it is no less than that of the other.
    """
    rows, columns = framed.diff(n=2, dim=0)[:, 1:-1].abs(), framed.diff(n=2, dim=1)[1:-1].abs()
    if len(rows) > 1:
        rows[0], rows[-1] = rows[1], rows[-2]
    if columns.shape[1] > 1:
        columns[:, 0], columns[:, -1] = columns[:, 1], columns[:, -2]
    corners = framed.diff(dim=0).diff(dim=1)  # of every four cells
    around = functional.max_pool2d(corners.abs()[None], 2, stride=1)[0]
    return torch.maximum(torch.maximum(rows, columns), around)


def _interpolated(values: Tensor, decimation: int, size: tuple[int, ...]) -> Tensor:
    large = functional.interpolate(values[None, None], scale_factor=decimation, mode="bilinear", align_corners=False)
    return large[0, 0, : size[0], : size[1]]


def _repeated(values: Tensor, decimation: int, size: tuple[int, ...]) -> Tensor:
    rows = values.repeat_interleave(decimation, 0)[: size[0]]
    return rows.repeat_interleave(decimation, 1)[:, : size[1]]
