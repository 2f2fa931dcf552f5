"""Non-local propagation on the GPU: one Triton kernel per frame that places the neighbours, one kernel per step.

Equals :func:`depth_completion_ros.networks.propagation.non_local.propagate_reference`, whose arguments it takes.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.nn import functional

_BLOCK = 256


def propagate_triton(
    depth: Tensor, displacement: Tensor, affinity: Tensor, steps: int, measured: Tensor | None = None
) -> Tensor:
    """See :func:`~depth_completion_ros.networks.propagation.non_local.propagate`.

    ``displacement`` and ``affinity`` may be half precision; depth and the placed neighbours are float32. Without
    gradients.
    """
    batch, neighbours, _, height, width = displacement.shape
    grid = (triton.cdiv(height * width, _BLOCK), batch)
    index = torch.empty(batch, neighbours, height * width, dtype=torch.int32, device=depth.device)
    weights = torch.empty(batch, 3 * neighbours + 1, height * width, dtype=torch.float32, device=depth.device)
    if measured is not None:
        measured = measured.float().contiguous()
        depth = torch.where(measured > 0, measured, depth)
    # A border of zeros stands for the outside; steps go back and forth between two images.
    current = functional.pad(depth.float(), (1, 2, 1, 2)).contiguous()
    following = torch.zeros_like(current)

    with torch.cuda.device_of(depth):
        _place_kernel[grid](
            displacement.contiguous(), affinity.contiguous(), index, weights, height, width, neighbours, _BLOCK
        )
        for step in range(steps):
            insert = measured is not None and step + 1 < steps
            known = measured if insert else current  # which is not read then
            _step_kernel[grid](
                current, known, following, index, weights, height, width, neighbours, insert, _BLOCK
            )
            current, following = following, current
    return current[..., 1 : height + 1, 1 : width + 1].contiguous()


@triton.jit
def _place_kernel(
    displacement: tl.tensor,
    affinity: tl.tensor,
    index: tl.tensor,
    weights: tl.tensor,
    height: tl.tensor,
    width: tl.tensor,
    NEIGHBOURS: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """For each neighbour, the pixel above and left of it, and the three numbers that say what it takes of four."""
    pixel = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    image = tl.program_id(1).to(tl.int64)
    size = height * width
    inside = pixel < size
    row, column = pixel // width, pixel % width
    weights += image * (3 * NEIGHBOURS + 1) * size
    own = tl.full((BLOCK,), 1.0, tl.float32)
    for k in tl.static_range(NEIGHBOURS):
        neighbour = image * NEIGHBOURS + k
        share = tl.load(affinity + neighbour * size + pixel, mask=inside, other=0.0).to(tl.float32)
        y = tl.load(displacement + 2 * neighbour * size + pixel, mask=inside, other=0.0).to(tl.float32) + row
        x = tl.load(displacement + (2 * neighbour + 1) * size + pixel, mask=inside, other=0.0).to(tl.float32) + column
        # NaN, which not every release of Triton bounds, is above and left of the image.
        y, x = tl.where(y == y, y, -1.0), tl.where(x == x, x, -1.0)
        # "+ 0.0": Triton hands over a size of 1 as a plain number, which has no dtype to convert.
        y = tl.minimum(tl.maximum(y, -1.0), height + 0.0)
        x = tl.minimum(tl.maximum(x, -1.0), width + 0.0)
        top, left = tl.floor(y), tl.floor(x)
        lower = share * (y - top)
        top_left = (top.to(tl.int32) + 1) * (width + 3) + left.to(tl.int32) + 1
        tl.store(index + neighbour * size + pixel, top_left, mask=inside)
        tl.store(weights + (3 * k) * size + pixel, x - left, mask=inside)
        tl.store(weights + (3 * k + 1) * size + pixel, share - lower, mask=inside)
        tl.store(weights + (3 * k + 2) * size + pixel, lower, mask=inside)
        own -= share
    tl.store(weights + (3 * NEIGHBOURS) * size + pixel, own, mask=inside)


@triton.jit
def _step_kernel(
    depth: tl.tensor,
    measured: tl.tensor,
    result: tl.tensor,
    index: tl.tensor,
    weights: tl.tensor,
    height: tl.tensor,
    width: tl.tensor,
    NEIGHBOURS: tl.constexpr,
    INSERT: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """One step; with ``INSERT``, measurements are put back into its result for the next one."""
    pixel = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    image = tl.program_id(1).to(tl.int64)
    size = height * width
    inside = pixel < size
    stride = width + 3
    depth += image * (height + 3) * stride
    weights += image * (3 * NEIGHBOURS + 1) * size
    own = (pixel // width + 1) * stride + pixel % width + 1
    total = tl.load(weights + (3 * NEIGHBOURS) * size + pixel, mask=inside, other=0.0)
    total *= tl.load(depth + own, mask=inside, other=0.0)
    for k in tl.static_range(NEIGHBOURS):
        corner = depth + tl.load(index + (image * NEIGHBOURS + k) * size + pixel, mask=inside, other=0)
        right = tl.load(weights + (3 * k) * size + pixel, mask=inside, other=0.0)
        upper_share = tl.load(weights + (3 * k + 1) * size + pixel, mask=inside, other=0.0)
        lower_share = tl.load(weights + (3 * k + 2) * size + pixel, mask=inside, other=0.0)
        upper = tl.load(corner)
        upper += right * (tl.load(corner + 1) - upper)
        lower = tl.load(corner + stride)
        lower += right * (tl.load(corner + stride + 1) - lower)
        total += upper_share * upper + lower_share * lower
    if INSERT:
        known = tl.load(measured + image * size + pixel, mask=inside, other=0.0)
        total = tl.where(known > 0, known, total)
    tl.store(result + image * (height + 3) * stride + own, total, mask=inside)
