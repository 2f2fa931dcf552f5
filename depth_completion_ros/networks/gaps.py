"""What an image of scattered measurements says of the pixels between them, with nothing learned."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def fill_gaps(values: Tensor, known: Tensor, fade: float = 1.0) -> Tensor:
    """Fills unknown pixels from the smallest of the blocks of 2x2, 4x4, ... around them that hold a known one.

    A block answers its mean; between blocks of a size the means are interpolated. Known pixels keep their value.

    Args:
        values: (N, 1, H, W); what stands at unknown pixels does not matter.
        known: (N, 1, H, W) bool; an image without any known pixel is filled with 0.
        fade: factor on what is taken from blocks twice as large.
    """
    total, share = torch.where(known, values, 0), known.to(values.dtype)
    levels = [(total, share)]
    while max(share.shape[-2:]) > 1:
        total, share = functional.avg_pool2d(torch.cat([total, share], 1), 2, ceil_mode=True).chunk(2, 1)
        levels.append((total, share))
    filled = torch.zeros_like(share)
    for total, share in reversed(levels):
        if filled.shape != share.shape:
            filled = functional.interpolate(filled, share.shape[-2:], mode="bilinear", align_corners=False)
        filled = torch.where(share > 0, total / share, fade * filled)
    return filled


def gaussian(deviation: float, taps: int, device: torch.device) -> Tensor:
    """(taps,) samples of a Gaussian about their middle, in float32, whose sum is 1."""
    offsets = torch.arange(taps, device=device) - (taps - 1) / 2
    gauss = torch.exp(-0.5 * (offsets / deviation) ** 2)
    return gauss / gauss.sum()


def blurred(maps: Tensor, kernel: Tensor, *, between: Tensor | None = None) -> Tensor:
    """Every channel of (N, C, H, W) blurred with a kernel (taps,), by rows and columns; beyond the border all is 0.

    Args:
        maps: to be blurred.
        kernel: an odd number of taps.
        between: an even number of taps, for the places between columns 0 and 1, 2 and 3, ... of an even number of
            columns, instead of all columns.

    Returns:
        (N, C, H, W), or (N, C, H, W / 2) ``between`` columns.
    """
    channels, along = maps.shape[1], kernel if between is None else between
    step, reach = (1, len(along) // 2) if between is None else (2, len(along) // 2 - 1)
    across = along.expand(channels, 1, 1, -1)
    maps = functional.conv2d(maps, across, stride=(1, step), padding=(0, reach), groups=channels)
    down = kernel.expand(channels, 1, 1, -1).transpose(2, 3)
    return functional.conv2d(maps, down, padding=(len(kernel) // 2, 0), groups=channels)


def mean_measurement(sparse_depth: Tensor) -> Tensor:
    """The mean of the measured (positive) pixels of each image (N, 1, H, W), as (N, 1, 1, 1); 0 where there is none."""
    count = (sparse_depth > 0).sum((1, 2, 3), keepdim=True)
    return sparse_depth.sum((1, 2, 3), keepdim=True) / count.clamp(min=1)
