"""Recursive propagation: along the lines of pixels, every pixel takes over what the one before it holds.

How far it does so is its affinity to that one, from each of the four sides, which a network predicts: Liu et al.,
"Learning Affinity via Spatial Propagation Networks" (NeurIPS 2017). As in the edge-aware filter of Gastal and Oliveira,
"Domain Transform for Edge-Aware Image and Video Processing" (SIGGRAPH 2011), the result is a mean: of all pixels,
weighted by how far each is to be trusted and by the affinities on the way from it. So it reaches across a whole image
at once, and what lies behind an edge stays out. In a hole that measurements surround, a mean is no slope: there
:mod:`~depth_completion_ros.networks.propagation.diffusion` is the better one, which in turn would take far more steps
to carry few measurements over a whole image.
"""

from __future__ import annotations

import torch
from torch import Tensor

_COLUMN, _ROW = 2, 3  # dimensions
# Up and down, along the rows, and up and down again: a pixel is reached on all ways with two bends.
_PASSES = (_COLUMN, _ROW, _COLUMN)


def spread(maps: Tensor, trust: Tensor, affinity: Tensor) -> Tensor:
    """Lets maps spread from where they are to be trusted; differentiable in all of its arguments.

    Args:
        maps: (N, C, H, W), of anything that has a mean.
        trust: (N, 1, H, W), more than 0.
        affinity: (N, 4, H, W) between 0 and 1, to the pixels above, below, to the left and to the right.

    Returns:
        (N, C, H, W) float32, nowhere beyond the smallest and largest value of the map.
    """
    with torch.autocast(maps.device.type, enabled=False):
        trust = trust.float()
        held = torch.cat([trust * maps.float(), trust], 1)
        above, below, left, right = affinity.float().split(1, 1)
        for dim in _PASSES:
            before, after = (above, below) if dim == _COLUMN else (left, right)
            held = _gathered(held, before, dim, backwards=False) + _gathered(held, after, dim, backwards=True) - held
        return held[:, :-1] / held[:, -1:]


def _gathered(held: Tensor, affinity: Tensor, dim: int, *, backwards: bool) -> Tensor:
    """What every pixel of a line holds, with ``affinity`` times what the pixel before it has gathered.

    By doubling: after each step the pixels have gathered from twice as many, so that a line of 1000 takes 10 steps.
    """
    size, step = held.shape[dim], 1
    while step < size:
        rest = size - step
        first, here, before = (rest, 0, step) if backwards else (0, step, 0)
        share = affinity.narrow(dim, here, rest)
        gathered = torch.addcmul(held.narrow(dim, here, rest), share, held.narrow(dim, before, rest))
        # The first pixels' affinity does not matter from here on: nothing is as far before them as the next step.
        pairs = (held, gathered), (affinity, share * affinity.narrow(dim, before, rest))
        parts = [(old.narrow(dim, first, step), new) for old, new in pairs]
        held, affinity = (torch.cat(part[::-1] if backwards else part, dim) for part in parts)
        step *= 2
    return held
