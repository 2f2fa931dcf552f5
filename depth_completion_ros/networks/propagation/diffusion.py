"""Guided diffusion: a map that runs smoothly, but for where links are weak, past what it is told.

It minimises the sum over pixels of ``trust (x - target)^2`` plus the sum over neighbours of ``link (x - x')^2``. With
links that a network predicts this fills a hole from that side of its rim to which a pixel belongs, as colours spread
from scribbles up to the edges of a picture in Levin et al., "Colorization Using Optimization" (SIGGRAPH 2004);
Metzger et al., "Guided Depth Super-Resolution by Deep Anisotropic Diffusion" (CVPR 2023), learn the links.
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

# At each size of a cascade from the coarsest one, every pixel moves so often towards the mean of its neighbours, by
# steps of these sizes: those of Chebyshev, which damp what varies within some 16 pixels most. What varies over more,
# the coarser size knew. In rooms with the edges of their pictures for links, 8 steps come as near to the minimum as 45
# equal ones, to 6 % of how much it varies; 16 come to 4 %.
_SWEEPS: Final = 8
_SLOWEST: Final = math.cos(math.pi / 16)
_STEPS: Final = tuple(
    1 / (1 - 0.5 * (_SLOWEST - 1) - 0.5 * (_SLOWEST + 1) * math.cos(math.pi * (sweep + 0.5) / _SWEEPS))
    for sweep in range(_SWEEPS)
)
_WEAKEST: Final = 1e-6  # of links: all others would have no way to a pixel without one


def diffuse(target: Tensor, trust: Tensor, right: Tensor, down: Tensor) -> Tensor:
    """Finds the map, to within some 6 % of how much it varies; differentiable in all of its arguments.

    Args:
        target: (N, 1, H, W).
        trust: (N, 1, H, W), 0 or more; somewhere in each image more than 0.
        right: (N, 1, H, W), 0 or more, the link between a pixel and the next one of its row; of the last column unused.
        down: likewise, between a pixel and the next one of its column.

    Returns:
        (N, 1, H, W) float32, nowhere beyond the smallest and largest target with any trust.
    """
    with torch.autocast(target.device.type, enabled=False):
        trust = trust.float()
        level = torch.cat([trust * target.float(), trust, right.float(), down.float()], 1).contiguous()
        levels = [level]
        while max(levels[-1].shape[-2:]) > 1:
            levels.append(_halved(levels[-1]))
        total, share, _, _ = levels.pop().split(1, 1)
        found = total / share
        for level in reversed(levels):
            height, width = level.shape[-2:]
            found = functional.interpolate(found, scale_factor=2.0, mode="bilinear", align_corners=False)
            found = _relaxed(found[..., :height, :width], level)
        trusted = trust > 0
        least = torch.where(trusted, target, math.inf).amin((2, 3), keepdim=True)
        most = torch.where(trusted, target, -math.inf).amax((2, 3), keepdim=True)
        return found.clamp(least, most)


def _halved(level: Tensor) -> Tensor:
    """(N, 4, H, W) trust times target, trust and links -> those of blocks of 2x2 pixels.

    Trust adds up; links are as conductances, in series along a direction and side by side across it.
    """
    height, width = level.shape[-2:]
    level = functional.pad(level, (0, width % 2, 0, height % 2))
    sums = 4 * functional.avg_pool2d(level[:, :2], 2)
    resistance = 1 / level[:, 2:].clamp(min=_WEAKEST)
    right = _in_series(resistance[:, :1])
    down = _in_series(resistance[:, 1:].transpose(2, 3)).transpose(2, 3)
    return torch.cat([sums, right[..., ::2, :] + right[..., 1::2, :], down[..., ::2] + down[..., 1::2]], 1)


def _in_series(resistance: Tensor) -> Tensor:
    """(N, 1, H, W) resistances to the right -> (N, 1, H, W / 2) conductances from pair to pair, middle to middle."""
    inside, between = resistance[..., ::2], resistance[..., 1::2]
    following = torch.cat([inside[..., 1:], inside[..., -1:]], 3)
    return 1 / (0.5 * inside + between + 0.5 * following)


def _relaxed(found: Tensor, level: Tensor) -> Tensor:
    """The (N, 1, H, W) map nearer to the minimum."""
    told, trust, right, down = level.split(1, 1)
    right, down = right[..., :-1].clamp(min=_WEAKEST), down[..., :-1, :].clamp(min=_WEAKEST)
    links = [functional.pad(right, (1, 0)), functional.pad(right, (0, 1))]
    links += [functional.pad(down, (0, 0, 1, 0)), functional.pad(down, (0, 0, 0, 1))]
    total = trust + sum(links)
    told = told / total
    before, after, above, below = (link / total for link in links)
    for step in _STEPS:
        padded = functional.pad(found, (1, 1, 1, 1))
        mean = torch.addcmul(told, before, padded[..., 1:-1, :-2])
        mean = torch.addcmul(mean, after, padded[..., 1:-1, 2:])
        mean = torch.addcmul(mean, above, padded[..., :-2, 1:-1])
        mean = torch.addcmul(mean, below, padded[..., 2:, 1:-1])
        found = torch.lerp(found, mean, step)
    return found
