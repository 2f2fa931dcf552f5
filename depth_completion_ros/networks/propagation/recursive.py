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

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from depth_completion_ros.networks.propagation.availability import fast_path

_BLOCK = 16  # pixels of a line; of lines of some hundred, about as many as there are blocks then


def spread(maps: Tensor, trust: Tensor, affinity: Tensor) -> Tensor:
    """Lets maps spread from where they are to be trusted; differentiable in all of its arguments.

    On a GPU by a Triton kernel, where it runs and no gradients are wanted.

    Args:
        maps: (N, C, H, W), of anything that has a mean.
        trust: (N, 1, H, W), more than 0.
        affinity: (N, 4, H, W) between 0 and 1, to the pixels above, below, to the left and to the right.

    Returns:
        (N, C, H, W) float32, nowhere beyond the smallest and largest value of the map.
    """
    run = spread_reference
    if fast_path(maps, trust, affinity) == "triton":
        from depth_completion_ros.networks.propagation.recursive_triton import spread_triton

        run = spread_triton
    with torch.autocast(maps.device.type, enabled=False):
        return run(maps, trust, affinity)


def spread_reference(maps: Tensor, trust: Tensor, affinity: Tensor) -> Tensor:
    """What :func:`spread` answers; differentiable, on any device."""
    return spread_by(_passed_both_ways, maps, trust, affinity)


def spread_by(
    passed: Callable[[Tensor, Tensor, bool], Tensor], maps: Tensor, trust: Tensor, affinity: Tensor
) -> Tensor:
    """What :func:`spread` answers, by a way to compute what a pixel holds and gathers along its column or row.

    Args:
        passed: of what all hold, (N, C + 1, H, W) float32, the affinity, (N, 4, H, W) float32, contiguous, and whether
            it is along the rows.
        maps: as there.
        trust: as there.
        affinity: as there.
    """
    trust, affinity = trust.float(), affinity.float().contiguous()
    held = torch.cat([trust * maps.float(), trust], 1)
    # Up and down, along the rows, and up and down again: a pixel is reached on all ways with two bends.
    for along_rows in (False, True, False):
        held = passed(held, affinity, along_rows)
    return held[:, :-1] / held[:, -1:]


def _passed_both_ways(held: Tensor, affinity: Tensor, along_rows: bool) -> Tensor:
    above, below, left, right = affinity.split(1, 1)
    if along_rows:
        return _turned(_passed(*(_turned(each) for each in (held, left, right))))
    return _passed(held, above, below)


def _turned(maps: Tensor) -> Tensor:
    """Rows as columns."""
    return maps.transpose(2, 3).contiguous()


def _passed(held: Tensor, above: Tensor, below: Tensor) -> Tensor:
    """What every pixel holds, with what it gathers from above and from below."""
    return _gathered(held, above) + _gathered(held.flip(2), below.flip(2)).flip(2) - held


def _gathered(held: Tensor, affinity: Tensor) -> Tensor:
    """What every pixel of a column holds, with ``affinity`` times what the pixel above it has gathered.

    Within blocks of pixels first, in all at once, then from block to block: a column of 400 takes 40 steps.
    """
    size = held.shape[2]
    rest = (0, 0, 0, -size % _BLOCK)
    columns, shares = (
        list(functional.pad(each, rest).unflatten(2, (-1, _BLOCK)).unbind(3)) for each in (held, affinity)
    )
    for pixel in range(1, _BLOCK):
        columns[pixel] = torch.addcmul(columns[pixel], shares[pixel], columns[pixel - 1])
        shares[pixel] = shares[pixel] * shares[pixel - 1]  # of what the block above has gathered
    above = [torch.zeros_like(columns[0][:, :, 0])]
    for column, share in zip(columns[-1].unbind(2), shares[-1].unbind(2), strict=True):
        above.append(torch.addcmul(column, share, above[-1]))
    carried = torch.stack(above[:-1], 2)
    pixels = [torch.addcmul(column, share, carried) for column, share in zip(columns, shares, strict=True)]
    return torch.stack(pixels, 3).flatten(2, 3)[:, :, :size]
