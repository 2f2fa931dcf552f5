"""Non-local spatial propagation: every pixel becomes a weighted sum of itself and of places its network chose.

Park et al., "Non-Local Spatial Propagation Network for Depth Completion", ECCV 2020, Eqs. 1, 2 and 5. The neighbours
lie between pixels and are sampled bilinearly; the image is zero outside.

:func:`propagate` takes the fast path of its device. Constant work is done once per frame: which pixels a neighbour
lies between and how much of each it takes. On the CPU a step is then one product of a sparse matrix with the image;
for the GPU see :mod:`depth_completion_ros.networks.propagation.non_local_triton`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from depth_completion_ros.networks.propagation.availability import fast_path

# Zero pixels around the image, so that a neighbour outside is a pixel like any other: one left and above, two
# right and below, where a sample at the very end still looks at the pixel after it.
_BORDER = (1, 2, 1, 2)
# Pixels of which the matrix is made at a time, so that what it is made from stays in the cache.
_PIXELS_AT_A_TIME = 8192


def propagate(
    depth: Tensor, displacement: Tensor, affinity: Tensor, steps: int, measured: Tensor | None = None
) -> Tensor:
    """Propagates ``depth`` by ``steps`` steps, in float32, also under autocast.

    Args:
        depth: (N, 1, H, W) metres.
        displacement: (N, K, 2, H, W) from each pixel to its K neighbours: rows, then columns, in pixels.
        affinity: (N, K, H, W) weights of the neighbours; the pixel itself has 1 minus their sum.
        steps: how often.
        measured: (N, 1, H, W) metres, which replace the depth before every step where they are above 0.

    Returns:
        (N, 1, H, W) float32 metres.
    """
    run: Callable[..., Tensor] = propagate_reference
    path = fast_path(depth, displacement, affinity)
    if path == "cpu" and torch.backends.mkl.is_available():
        run = _propagate_sparse
    elif path == "triton":
        from depth_completion_ros.networks.propagation.non_local_triton import propagate_triton

        run = propagate_triton
    with torch.autocast(depth.device.type, enabled=False):
        return run(depth.float(), displacement, affinity, steps, measured)


def propagate_reference(
    depth: Tensor, displacement: Tensor, affinity: Tensor, steps: int, measured: Tensor | None = None
) -> Tensor:
    """What :func:`propagate` answers, step by step as in the paper; differentiable, on any device."""
    affinity = affinity.to(depth.dtype)
    own_affinity = 1 - affinity.sum(1, keepdim=True)
    for _ in range(steps):
        if measured is not None:
            depth = torch.where(measured > 0, measured, depth)
        depth = own_affinity * depth + (affinity * sample(depth, displacement)).sum(1, keepdim=True)
    return depth


def sample(image: Tensor, displacement: Tensor) -> Tensor:
    """Bilinear samples of ``image`` (N, 1, H, W) at every pixel + ``displacement`` (N, K, 2, H, W); zero outside.

    Differentiable in both. Works in pixel coordinates: the coordinates of ``grid_sample``, which run from -1 to 1,
    are rounded to 1e-4 pixels in an image of common width.

    Returns:
        (N, K, H, W).
    """
    height, width = image.shape[-2:]
    top_left, down, right = _place(displacement.to(image.dtype), 0, height, width)
    padded = functional.pad(image, _BORDER).flatten(1)
    first = torch.arange(len(image), dtype=torch.int32, device=image.device) * padded.shape[1]
    index = (top_left + first.view(-1, 1, 1, 1)).flatten()

    def corner(offset: int) -> Tensor:
        return padded.flatten()[offset:].index_select(0, index).view_as(right)

    below = width + 3
    upper = torch.lerp(corner(0), corner(1), right)
    lower = torch.lerp(corner(below), corner(below + 1), right)
    return torch.lerp(upper, lower, down)


def _place(displacement: Tensor, first_row: int, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """Where neighbours lie in the image with its border, for the rows of pixels from ``first_row`` on.

    Returns:
        Shaped as ``displacement[..., 0, :, :]``: int32 index of the pixel above and left of the neighbour, and how
        far below and right of it the neighbour lies, in [0, 1).
    """
    rows = torch.arange(first_row, first_row + displacement.shape[-2], device=displacement.device)
    columns = torch.arange(width, device=displacement.device)
    row = (displacement[..., 0, :, :] + rows[:, None]).clamp(-1, height)
    column = (displacement[..., 1, :, :] + columns).clamp(-1, width)
    top, left = row.floor(), column.floor()
    index = (top.int() + 1) * (width + 3) + (left.int() + 1)
    # A NaN has no index of its own: it stays a NaN by its fraction, and within the image by this.
    index = index.clamp(0, (height + 1) * (width + 3) + width + 1)
    return index, row - top, column - left


def _propagate_sparse(
    depth: Tensor, displacement: Tensor, affinity: Tensor, steps: int, measured: Tensor | None
) -> Tensor:
    """One matrix per image, multiplied with it ``steps`` times."""
    height, width = depth.shape[-2:]
    result = torch.empty_like(depth)
    for n in range(len(depth)):
        matrix = _step_matrix(displacement[n], affinity[n])
        flat = functional.pad(depth[n, 0], _BORDER).flatten()
        known = None if measured is None else functional.pad(measured[n, 0].float(), _BORDER).flatten()
        for _ in range(steps):
            if known is not None:
                flat = torch.where(known > 0, known, flat)
            flat = torch.mv(matrix, flat)
        result[n, 0] = flat.view(height + 3, width + 3)[1 : height + 1, 1 : width + 1]
    return result


def _step_matrix(displacement: Tensor, affinity: Tensor) -> Tensor:
    """The square sparse (CSR) matrix of one step, over the pixels of one image with its border.

    Each row of a pixel holds 4 K + 1 numbers: the affinity of each neighbour shared out to the four pixels that it
    lies between, and the pixel's own. Rows of the border are empty, which keeps it zero.
    """
    neighbours, _, height, width = displacement.shape
    entries = 4 * neighbours + 1
    pixels, stride = height * width, width + 3
    # NumPy asks the system for huge pages; touching these 110 MB (at 352x1216) in small pages takes 40 ms per frame.
    weights = torch.from_numpy(np.empty((pixels, entries), np.float32))
    columns = torch.from_numpy(np.empty((pixels, entries), np.int32))
    own = torch.arange((height + 3) * stride, dtype=torch.int32).view(height + 3, stride)[1 : height + 1, 1 : width + 1]

    rows = max(1, _PIXELS_AT_A_TIME // width)
    for start in range(0, height, rows):
        block = slice(start, min(start + rows, height))
        top_left, down, right = _place(displacement[:, :, block].float(), start, height, width)
        index = (top_left, top_left + 1, top_left + stride, top_left + stride + 1, own[None, block])
        share = affinity[:, block].float()
        lower = share * down
        upper = share - lower
        lower_right, upper_right = lower * right, upper * right
        own_share = 1 - share.sum(0, keepdim=True)
        weight = (upper - upper_right, upper_right, lower - lower_right, lower_right, own_share)
        # From one plane per entry to one row per pixel; PyTorch transposes floats fast, hence the view.
        pixel = slice(block.start * width, block.stop * width)
        weights[pixel] = torch.cat(weight).view(entries, -1).t()
        columns[pixel].view(torch.float32)[:] = torch.cat(index).view(entries, -1).view(torch.float32).t()

    per_row = functional.pad(torch.full((height, width), entries), _BORDER).flatten()
    row_ends = functional.pad(per_row.cumsum(0), (1, 0)).int()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        size = (len(per_row), len(per_row))
        return torch.sparse_csr_tensor(row_ends, columns.view(-1), weights.view(-1), size, check_invariants=False)
