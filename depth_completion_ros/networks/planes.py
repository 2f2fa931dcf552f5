"""Where small networks start from: at every cell of the image, a local plane through the measurements around it.

The method is that of :mod:`~depth_completion_ros.networks.classical`, which explains it, on whole batches and on a GPU
as well: every measurement counts with 1 / distance^4.5, and the weighted sums that a fit needs come from an image
pyramid.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional

from depth_completion_ros.networks.gaps import blurred, gaussian
from depth_completion_ros.networks.layers import exact

CELL = 2  # pixels in each direction, of what is told
# The sums are taken in cells of this many rows and one column: what stands upright is common, so that depth varies less
# up and down than it does sideways. Larger cells take less time, but blur the lines of a 32-line LiDAR into each other.
_ROWS = 2

# Of the fit, here and in `classical`.
# The weight of a measurement falls with the distance to this power. Above 2, what is near counts more than all that is
# far; above 4, for the slope of the plane too.
POWER = 4.5
# Blur of each pyramid level, in its cells: wide enough that the kernel is smooth from level to level.
BLUR, TAPS = 1.6, 9
_TAPS_BETWEEN = 10  # of the same blur, seen from between two columns
# Ridge of the slope: this part of the spread of the measurements, and the 1/12 that their places in a cell vary by.
RIDGE = 0.05
CELL_VARIANCE = 1 / 12
# How far a plane may lead away from the weighted mean of the measurements: by this many of their standard deviations,
# and to at most this many times their depth.
MOST_DEVIATIONS = 3.0
MOST_TIMES_FARTHER = 3.0
# The skyline of a column is the highest measurement within this part of the image's width.
SKYLINE = 0.2


@dataclass(frozen=True)
class Surroundings:
    """What the measurements say of every cell of 2x2 pixels; maps are (N, 1, H / 2, W / 2) float32.

    Attributes:
        scale: (N, 1, 1, 1) mean log depth of the measurements, in metres; all logarithms are relative to it.
        plane: log depth of the plane through the measurements around.
        deviation: of these from the plane, standard deviation of log depth.
        slant: how much log depth changes along the plane, from the middle of the measurements to the cell.
        distance: to the measurements, in cells' widths.
        measured: mean log depth of the measurements in the cell, 0 where it has none.
        count: of these measurements.
    """

    scale: Tensor
    plane: Tensor
    deviation: Tensor
    slant: Tensor
    distance: Tensor
    measured: Tensor
    count: Tensor

    def covered(self, pixels: int) -> Tensor:
        """(N, 1, H / pixels, W / pixels) bool, whether there is a measurement in a cell of so many pixels."""
        return functional.max_pool2d(self.count, pixels // CELL) > 0

    @cached_property
    def anything(self) -> Tensor:
        """(N, 1, 1, 1) bool, whether there is a measurement at all."""
        return self.count.amax((2, 3), keepdim=True) > 0

    def metres(self, log_depth: Tensor) -> Tensor:
        """A map of log depth -> metres, 0 without a measurement."""
        return self.anything * (self.scale + log_depth).exp()

    def told(self) -> Tensor:
        """(N, 5, H / 2, W / 2), what an encoder is told: the plane, its doubts, and where depth was measured."""
        return torch.cat([self.plane, self.doubts(), self.count.clamp(max=1)], 1)

    def doubts(self) -> Tensor:
        """(N, 3, H / 2, W / 2) of moderate numbers, by which a network can tell how far the plane may be wrong."""
        spread = (10 * torch.cat([self.deviation, self.slant], 1)).clamp(max=10)
        return torch.cat([spread, self.distance.log()], 1)


def look_around(sparse_depth: Tensor) -> Surroundings:
    """Tells every cell what was measured around it.

    Args:
        sparse_depth: (N, 1, H, W) metres, 0 = not measured; H and W are even.

    Returns:
        finite maps; all are 0 for an image without a measurement.
    """
    # The moments hold squares of hundreds of columns, of which little is left once those of the means are taken off.
    with exact(sparse_depth.device):
        sparse_depth = sparse_depth.float()
        measured = (sparse_depth > 0).float()
        logarithm = torch.where(sparse_depth > 0, sparse_depth, 1).log()
        total = measured.sum((1, 2, 3), keepdim=True).clamp(min=1)
        scale = logarithm.sum((1, 2, 3), keepdim=True) / total
        maps = torch.cat([measured * (logarithm - scale), measured], 1)
        mean, count = (CELL**2 * functional.avg_pool2d(maps, CELL)).chunk(2, 1)
        plane, deviation, slant, distance = _fit_planes(maps[:, :1], measured).split(1, 1)
        return Surroundings(scale, plane, deviation, slant, distance, mean / count.clamp(min=1), count)


def continue_upright(log_depth: Tensor, measured: Tensor) -> Tensor:
    """Continues every column upright above its skyline, the highest measurement in the columns around it.

    No measurement tells what is above a LiDAR's top line; there the depth is as in
    :mod:`~depth_completion_ros.networks.classical`: that at the skyline, as a mean over as many columns to either side
    as half the height above it.

    Args:
        log_depth: (N, 1, h, w).
        measured: (N, 1, h, w) bool.

    Returns:
        (N, 1, h, w), the same from the skyline downwards, and where nothing was measured around a column.
    """
    height, width = log_depth.shape[-2:]
    row = torch.arange(height, device=log_depth.device)[:, None]
    first = torch.where(measured, row, height).amin(2, keepdim=True).float()
    reach = round(SKYLINE * width / 2)
    skyline = -functional.max_pool2d(-first, (1, 2 * reach + 1), 1, (0, reach))
    skyline = torch.where(skyline < height, skyline, 0).long()
    edge = log_depth.gather(2, skyline)
    # Row 0 is the edge, row i its mean over 2^(i - 1) columns to either side; heights in between take a mixture.
    rows = [edge]
    while 2 ** (len(rows) - 1) < height:
        columns = min(2 ** (len(rows) - 1), width - 1)
        mean = functional.avg_pool2d(edge, (1, 2 * columns + 1), 1, (0, columns), count_include_pad=False)
        rows.append(mean)
    means = torch.cat([*rows, rows[-1]], 2)
    above = (skyline - row).clamp(min=0)
    level = above.clamp(min=1).float().log2()
    lower = level.long()
    sky = torch.lerp(means.gather(2, lower), means.gather(2, lower + 1), level - lower)
    return torch.where(above > 0, sky, log_depth)


def _fit_planes(log_depth: Tensor, measured: Tensor) -> Tensor:
    """(N, 1, H, W) maps, 0 where not measured -> (N, 4, H / 2, W / 2) plane, deviation, slant and distance."""
    batch, _, height, width = log_depth.shape
    rows, columns = height // _ROWS, width
    image, _, row, column = torch.nonzero(measured, as_tuple=True)
    v = log_depth[image, 0, row, column]
    x = column + 0.5 - columns / 2
    y = (row + 0.5) / _ROWS - rows / 2
    terms = torch.stack([torch.ones_like(v), x, y, v, x * x, x * y, y * y, x * v, y * v, v * v], 1)
    # The terms of a cell side by side: blurring is several times faster so.
    cells = log_depth.new_zeros(batch * rows * columns, terms.shape[1])
    cells.index_add_(0, (image * rows + row // _ROWS) * columns + column, terms)
    moments = cells.view(batch, rows, columns, -1).permute(0, 3, 1, 2)

    # Weighted means, variances and covariances
    weight, *sums = _weighted_sums(moments).contiguous().split(1, 1)
    weight = weight.clamp(min=1e-30)  # of an image without a measurement
    mean_x, mean_y, mean_v, xx, xy, yy, xv, yv, vv = (each / weight for each in sums)
    xx, xy, yy = xx - mean_x * mean_x, xy - mean_x * mean_y, yy - mean_y * mean_y
    xv, yv, vv = xv - mean_x * mean_v, yv - mean_y * mean_v, (vv - mean_v * mean_v).clamp(min=0)
    ridge = RIDGE * (xx + yy).clamp(min=0) + CELL_VARIANCE
    xx, yy = xx.clamp(min=0) + ridge, yy.clamp(min=0) + ridge
    per_determinant = 1 / (xx * yy - xy * xy)
    slope_x, slope_y = (yy * xv - xy * yv) * per_determinant, (xx * yv - xy * xv) * per_determinant

    at_x = torch.arange(0, columns, 2, device=x.device) + (1 - columns / 2)
    at_y = (torch.arange(rows, device=x.device) + (0.5 - rows / 2))[:, None]
    step_x, step_y = slope_x * (at_x - mean_x), slope_y * (at_y - mean_y)
    most = MOST_DEVIATIONS * vv.sqrt()
    step = (step_x + step_y).clamp(-most, most)
    # Inverse depth is linear along a plane: 1 - step, relative to where the slope was found.
    plane = mean_v - (1 - step).clamp(min=1 / MOST_TIMES_FARTHER).log()
    deviation = (vv - slope_x * xv - slope_y * yv).clamp(min=0).sqrt()
    distance = weight ** (-1 / POWER) / CELL
    return torch.cat([plane, deviation, torch.hypot(step_x, step_y), distance], 1)


def _weighted_sums(moments: Tensor) -> Tensor:
    """Between every other two columns of (N, C, h, w), the sum over all cells, weighted by 1 / distance^POWER.

    That is (N, C, h, w / 2), w even: as fine as what is asked for, and half the work of the finest level.
    """
    channels = moments.shape[1]
    binomial = moments.new_tensor([1, 3, 3, 1]) / 8
    halving = (binomial[:, None] * binomial).expand(channels, 1, 4, 4)
    gauss = gaussian(BLUR, TAPS, moments.device)

    levels = [moments]
    while max(levels[-1].shape[-2:]) > 1:
        level = levels[-1]
        height, width = level.shape[-2:]
        if height % 2 or width % 2:
            level = functional.pad(level, (0, width % 2, 0, height % 2))
        levels.append(functional.conv2d(level, halving, stride=2, padding=1, groups=channels))
    # The Gaussian of a level is twice as wide as that of the level below, and a quarter as high for being so.
    factor = 2.0 ** (2 - POWER)
    finest, *finer, coarsest = levels
    sums = blurred(coarsest, gauss)
    for level in reversed(finer):
        height, width = level.shape[-2:]
        far = functional.interpolate(sums, scale_factor=2.0, mode="bilinear", align_corners=False)
        sums = blurred(level, gauss).add_(far[..., :height, :width], alpha=factor)
    near = blurred(finest, gauss, between=gaussian(BLUR, _TAPS_BETWEEN, moments.device))
    far = functional.interpolate(sums, scale_factor=(2.0, 1.0), mode="bilinear", align_corners=False)
    return near.add_(far[..., : finest.shape[2], :], alpha=factor)
