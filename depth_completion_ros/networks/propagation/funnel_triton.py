"""Funnel propagation on the GPU: one Triton kernel per step, for all dilations and their blend.

Equals :func:`depth_completion_ros.networks.propagation.funnel.propagate_reference`, whose arguments it takes. The
weights of a pixel are never written to memory: a step reads their logits, which weigh no more, and keeps the running
sums of the softmaxes in registers.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.nn import functional

_BLOCK = 256
_BRANCHES = 3  # that the kernel has arguments for


def propagate_triton(
    depth: Tensor,
    kernels: Sequence[Tensor],
    blend: Tensor | None,
    dilations: Sequence[int],
    steps: int,
    measured: Tensor,
) -> Tensor:
    """See :func:`~depth_completion_ros.networks.propagation.funnel.propagate`.

    ``kernels`` and ``blend`` may be half precision; the depth is float32. Without gradients.

    Raises:
        ValueError: there are more than three dilations.
    """
    branches = len(kernels)
    if branches > _BRANCHES:
        raise ValueError(f"the funnel's kernel blends up to {_BRANCHES} dilations, got {branches}")
    batch, _, height, width = depth.shape
    reach = max(dilations)
    # A border of zeros stands for the outside; steps go back and forth between two images.
    current = functional.pad(depth.float(), (reach,) * 4).contiguous()
    following = torch.zeros_like(current)
    logits = [kernel.contiguous() for kernel in kernels]
    # Arguments of branches that this stage does not have, which are not read then.
    logits += [logits[0]] * (_BRANCHES - branches)
    distances = [*dilations, *[0] * (_BRANCHES - branches)]
    shares = logits[0] if blend is None else blend.contiguous()
    known = measured.contiguous().view(torch.uint8)
    grid = (triton.cdiv(height * width, _BLOCK), batch)
    with torch.cuda.device_of(depth):
        for _ in range(steps):
            _step_kernel[grid](
                current, following, known, *logits, shares, height, width, reach, branches, *distances, _BLOCK
            )
            current, following = following, current
    return current[..., reach : reach + height, reach : reach + width].contiguous()


@triton.jit
def _step_kernel(
    depth: tl.tensor,
    result: tl.tensor,
    measured: tl.tensor,
    kernel0: tl.tensor,
    kernel1: tl.tensor,
    kernel2: tl.tensor,
    blend: tl.tensor,
    height: tl.tensor,
    width: tl.tensor,
    REACH: tl.constexpr,
    BRANCHES: tl.constexpr,
    DILATION0: tl.constexpr,
    DILATION1: tl.constexpr,
    DILATION2: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    pixel = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    image = tl.program_id(1).to(tl.int64)
    size = height * width
    inside = pixel < size
    stride = width + 2 * REACH
    own = image * (height + 2 * REACH) * stride + (pixel // width + REACH) * stride + pixel % width + REACH
    logits = image * 9 * size + pixel
    share = blend + image * BRANCHES * size + pixel

    blended = _filter(depth + own, kernel0 + logits, size, stride, inside, DILATION0, BLOCK)
    if BRANCHES > 1:
        largest = tl.load(share, mask=inside, other=0.0).to(tl.float32)
        total = tl.full((BLOCK,), 1.0, tl.float32)
        branch = _filter(depth + own, kernel1 + logits, size, stride, inside, DILATION1, BLOCK)
        logit = tl.load(share + size, mask=inside, other=0.0).to(tl.float32)
        blended, total, largest = _add(blended, total, largest, branch, logit)
        if BRANCHES > 2:
            branch = _filter(depth + own, kernel2 + logits, size, stride, inside, DILATION2, BLOCK)
            logit = tl.load(share + 2 * size, mask=inside, other=0.0).to(tl.float32)
            blended, total, largest = _add(blended, total, largest, branch, logit)
        blended /= total
    known = tl.load(measured + image * size + pixel, mask=inside, other=0)
    before = tl.load(depth + own, mask=inside, other=0.0)
    tl.store(result + own, tl.where(known != 0, before, blended), mask=inside)


@triton.jit
def _filter(
    depth: tl.tensor,
    logits: tl.tensor,
    size: tl.tensor,
    stride: tl.tensor,
    inside: tl.tensor,
    DILATION: tl.constexpr,
    BLOCK: tl.constexpr,
) -> tl.tensor:
    """Mean of the 3x3 neighbours of each pixel that ``depth`` points at, weighted by the softmax of their logits."""
    mean = tl.zeros((BLOCK,), tl.float32)
    total = tl.zeros((BLOCK,), tl.float32)
    largest = tl.full((BLOCK,), float("-inf"), tl.float32)
    for tap in tl.static_range(9):
        neighbour = tl.load(depth + DILATION * ((tap // 3 - 1) * stride + tap % 3 - 1), mask=inside, other=0.0)
        logit = tl.load(logits + tap * size, mask=inside, other=0.0).to(tl.float32)
        mean, total, largest = _add(mean, total, largest, neighbour, logit)
    return mean / total


@triton.jit
def _add(
    weighted: tl.tensor, total: tl.tensor, largest: tl.tensor, value: tl.tensor, logit: tl.tensor
) -> tuple[tl.tensor, tl.tensor, tl.tensor]:
    """One more term of a softmax-weighted sum, whose weights are relative to that of the largest logit so far."""
    new_largest = tl.maximum(largest, logit)
    kept = tl.exp(largest - new_largest)
    weight = tl.exp(logit - new_largest)
    return weighted * kept + weight * value, total * kept + weight, new_largest
