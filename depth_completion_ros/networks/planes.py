"""Moving least squares on a GPU or CPU, for networks to start from: a local plane through the measurements everywhere.

The method is that of :mod:`~depth_completion_ros.networks.classical`, which explains it: every measurement counts
with 1 / distance^4.5, and the weighted sums that a fit needs come from an image pyramid. Here they are taken of a
whole batch and in cells of 2x2 pixels, and depth is told by its logarithm alone, so that scale does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

CELL_ROWS, CELL_COLUMNS = 4, 2  # pixels
_POWER = 4.5
# Of the blur of each pyramid level, in cells.
_BLUR, _TAPS = 1.6, 9
# A cell counts this many measurements at most, or a row of the nearest would outweigh all that is around.
_RIDGE = 0.05
_CELL_VARIANCE = 1 / 12
_MOST_DEVIATIONS = 3.0
_MOST_TIMES_FARTHER = 3.0
_MOMENTS = 10


@dataclass(frozen=True)
class Planes:
    """What the measurements around each cell of 2x2 pixels say; maps are (N, 1, H / 2, W / 2) float32.

    Attributes:
        log_depth: of the plane at the middle of the cell.
        deviation: of the measurements from the plane, standard deviation of log depth.
        slant: how much log depth changes along the plane, from the middle of the measurements to the cell.
        distance: to the measurements, in cells.
        measured: mean log depth of the measurements in the cell, 0 where it has none.
        count: how many measurements the cell has.
    """

    log_depth: Tensor
    deviation: Tensor
    slant: Tensor
    distance: Tensor
    measured: Tensor
    count: Tensor


def fit_planes(sparse_depth: Tensor) -> Planes:
    """Fits a plane at every cell.

    Args:
        sparse_depth: (N, 1, H, W) metres, 0 = not measured; H and W are even, and every image has a measurement.
    """
    batch, _, height, width = sparse_depth.shape
    rows, columns = height // CELL_ROWS, width // CELL_COLUMNS
    image, _, row, column = torch.nonzero(sparse_depth, as_tuple=True)
    log_depth = sparse_depth[image, 0, row, column].log()
    mean = _per_image(log_depth, image, batch)
    v = log_depth - mean[image]
    x = (column + 0.5) / CELL_COLUMNS - columns / 2
    y = (row + 0.5) / CELL_ROWS - rows / 2
    one = torch.ones_like(v)
    terms = torch.stack([one, x, y, v, x * x, x * y, y * y, x * v, y * v, v * v])
    cell = row // CELL_ROWS * columns + column // CELL_COLUMNS
    flat = sparse_depth.new_zeros(_MOMENTS, batch * rows * columns)
    flat.index_add_(1, image * (rows * columns) + cell, terms)
    cells = flat.view(_MOMENTS, batch, rows, columns).transpose(0, 1)
    count, total = cells[:, :1].contiguous(), cells[:, 3:4]

    weight, mean_x, mean_y, mean_v, xx, xy, yy, xv, yv, vv = _weighted_sums(cells.contiguous()).split(1, 1)
    per_weight = 1 / weight
    mean_x, mean_y, mean_v = (each * per_weight for each in (mean_x, mean_y, mean_v))
    xx, xy, yy = xx * per_weight - mean_x**2, xy * per_weight - mean_x * mean_y, yy * per_weight - mean_y**2
    xv, yv = xv * per_weight - mean_x * mean_v, yv * per_weight - mean_y * mean_v
    vv = (vv * per_weight - mean_v**2).clamp(min=0)
    ridge = _RIDGE * (xx + yy).clamp(min=0) + _CELL_VARIANCE
    xx, yy = xx.clamp(min=0) + ridge, yy.clamp(min=0) + ridge
    per_determinant = 1 / (xx * yy - xy * xy)
    slope_x, slope_y = (yy * xv - xy * yv) * per_determinant, (xx * yv - xy * xv) * per_determinant
    at_x = torch.arange(columns, device=x.device) + (0.5 - columns / 2)
    at_y = (torch.arange(rows, device=x.device) + (0.5 - rows / 2))[:, None]
    step_x, step_y = slope_x * (at_x - mean_x), slope_y * (at_y - mean_y)
    most = _MOST_DEVIATIONS * vv.sqrt()
    step = (step_x + step_y).clamp(-most, most)
    log_depth = mean_v - (1 - step).clamp(min=1 / _MOST_TIMES_FARTHER).log()
    offset = mean[:, None, None, None]
    return Planes(
        log_depth=log_depth + offset,
        deviation=(vv - slope_x * xv - slope_y * yv).clamp(min=0).sqrt(),
        slant=torch.hypot(step_x, step_y),
        distance=weight ** (-1 / _POWER),
        measured=torch.where(count > 0, total / count.clamp(min=1) + offset, 0),
        count=count,
    )


def _weighted_sums(moments: Tensor) -> Tensor:
    """At every cell, the sum over all cells, weighted by 1 / distance^_POWER; (N, C, h, w)."""
    channels = moments.shape[1]
    binomial = moments.new_tensor([1, 3, 3, 1]) / 8
    halve = (binomial[:, None] * binomial).expand(channels, 1, 4, 4)
    offsets = torch.arange(_TAPS, device=moments.device) - _TAPS // 2
    gauss = torch.exp(-0.5 * (offsets / _BLUR) ** 2)
    gauss = (gauss / gauss.sum()).expand(channels, 1, 1, -1)

    def blurred(level: Tensor) -> Tensor:
        level = functional.conv2d(level, gauss, padding=(0, _TAPS // 2), groups=channels)
        return functional.conv2d(level, gauss.transpose(2, 3), padding=(_TAPS // 2, 0), groups=channels)

    levels = [moments]
    while max(levels[-1].shape[-2:]) > 1:
        level = levels[-1]
        level = functional.pad(level, (0, level.shape[-1] % 2, 0, level.shape[-2] % 2))
        levels.append(functional.conv2d(level, halve, stride=2, padding=1, groups=channels))
    # The Gaussian of a level is twice as wide as that of the level below, and a quarter as high for being so.
    factor = 2.0 ** (2 - _POWER)
    *finer, coarsest = levels
    sums = blurred(coarsest)
    for level in reversed(finer):
        size = level.shape[-2:]
        far = functional.interpolate(sums, scale_factor=2.0, mode="bilinear", align_corners=False)
        sums = blurred(level) + factor * far[..., : size[0], : size[1]]
    return sums


def _per_image(values: Tensor, image: Tensor, batch: int) -> Tensor:
    """(batch,) mean of the values of each image."""
    sums = values.new_zeros(2, batch).index_add_(1, image, torch.stack([values, torch.ones_like(values)]))
    return sums[0] / sums[1]
