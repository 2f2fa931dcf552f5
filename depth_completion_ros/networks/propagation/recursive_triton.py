"""Recursive propagation on the GPU: one Triton kernel for all lines of pixels, in both directions.

Equals :func:`depth_completion_ros.networks.propagation.recursive.spread_reference`, whose arguments it takes. What a
pixel gathers along its line is a linear recurrence, so that a line is scanned at once, by as many threads as there are
(G. Blelloch, "Prefix Sums and Their Applications", 1990, section 1.4).
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from depth_completion_ros.networks.propagation.recursive import spread_by

_TILE = 2048  # pixels of a program
_MOST_LINES = 8  # of a program: next to each other, columns are read eight at a time


def spread_triton(maps: Tensor, trust: Tensor, affinity: Tensor) -> Tensor:
    """See :func:`~depth_completion_ros.networks.propagation.recursive.spread`. Without gradients."""
    return spread_by(_passed, maps, trust, affinity)


def _passed(held: Tensor, affinity: Tensor, along_rows: bool) -> Tensor:
    """What every pixel holds, with what it gathers from both sides along its row or its column."""
    batch, maps, height, width = held.shape
    lines, length = (height, width) if along_rows else (width, height)
    steps = (width, 1) if along_rows else (1, width)  # in memory, from line to line and from pixel to pixel
    longest = triton.next_power_of_2(length)
    lines_at_once = max(1, min(_MOST_LINES, _TILE // longest))
    gathered = torch.empty(2, *held.shape, dtype=torch.float32, device=held.device)
    grid = (triton.cdiv(lines, lines_at_once), batch * maps, 2)
    with torch.cuda.device_of(held):
        _gather_kernel[grid](
            held, affinity, gathered, lines, length, *steps, maps, 2 if along_rows else 0, longest, lines_at_once
        )
    return gathered.sum(0).sub_(held)


@triton.jit
def _gather_kernel(
    held: tl.tensor,
    affinity: tl.tensor,
    gathered: tl.tensor,
    lines: tl.tensor,
    length: tl.tensor,
    line_step: tl.tensor,
    pixel_step: tl.tensor,
    MAPS: tl.constexpr,
    FIRST_SIDE: tl.constexpr,
    LENGTH: tl.constexpr,
    LINES: tl.constexpr,
) -> None:
    """A few lines of one map, from their start in program (, , 0), from their end in program (, , 1)."""
    image, from_end = tl.program_id(1).to(tl.int64), tl.program_id(2)
    line = tl.program_id(0) * LINES + tl.arange(0, LINES)[None, :]
    order = tl.arange(0, LENGTH)[:, None]
    inside = (order < length) & (line < lines)
    place = tl.where(from_end == 0, order, length - 1 - order) * pixel_step + line * line_step
    side = (image // MAPS) * 4 + FIRST_SIDE + from_end
    share = tl.load(affinity + side * lines * length + place, mask=inside, other=0.0)
    own = tl.load(held + image * lines * length + place, mask=inside, other=0.0)
    _, total = tl.associative_scan((share, own), 0, _then)
    result = from_end * tl.num_programs(1) + image
    tl.store(gathered + result * lines * length + place, total, mask=inside)


@triton.jit
def _then(
    share: tl.tensor, total: tl.tensor, next_share: tl.tensor, next_total: tl.tensor
) -> tuple[tl.tensor, tl.tensor]:
    """Two pieces of a line as one: what of the pixel before it arrives at its end, and what it gathers by itself."""
    return share * next_share, total * next_share + next_total
