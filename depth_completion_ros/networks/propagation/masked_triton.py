"""Masked window attention as one Triton kernel per step: scores, softmax and both weighted sums stay in registers.

A program takes a tile of queries and walks over the key rows that they need, with a running softmax. Which keys belong
to a query's own window is decided per pair, as in :mod:`..masked_tiles`.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import triton
import triton.language as tl
from torch import Tensor

_TILE_WIDTH = 16
_USUAL_MEMORY = 99 * 1024


def attention_step(
    guidance: Tensor,
    weight: Tensor,
    bias: Tensor,
    position_bias: Tensor,
    window: int,
    features: torch.dtype = torch.float32,
) -> Callable[[Tensor, Tensor], Tensor]:
    """The step of :func:`..masked.reference_step`, same arguments; for inference only.

    With query = q + d_i q' and key = k + d_j k', where q and k come from the guidance and the primes are the depth's
    columns of the projection, a score is q k + d_i (q' k) + d_j (q k' + d_i q' k'). All but the depths is constant.

    q and k are kept and multiplied in the type ``features``; sums, depth and mask are float32.
    """
    count, height, width, channels = guidance.shape
    query, key = (guidance @ weight[:, :-1].T + bias).chunk(2, -1)
    query_column, key_column = weight[:, -1].chunk(2)
    constants = (
        query.to(features).contiguous(),
        key.to(features).contiguous(),
        (query @ key_column).contiguous(),
        (key @ query_column).contiguous(),
        query_column @ key_column,
        position_bias.contiguous(),
    )
    tile_height, compilation = _tiling(channels, features, _memory_of_block(guidance.device))
    channels_at_once = min(64, max(16, triton.next_power_of_2(channels)))
    key_columns = triton.next_power_of_2(_TILE_WIDTH + window - 1)
    sizes = channels, channels_at_once, window, tile_height, _TILE_WIDTH, key_columns
    grid = triton.cdiv(width, _TILE_WIDTH), triton.cdiv(height, tile_height), count

    def step(depth: Tensor, mask: Tensor) -> Tensor:
        depth, mask = depth.float().contiguous(), mask.float().contiguous()
        means = torch.empty(count, 2, height, width, dtype=torch.float32, device=depth.device)
        with torch.cuda.device_of(depth):
            _step_kernel[grid](*constants, depth, mask, means, height, width, *sizes, **compilation)
        return means

    return step


def _memory_of_block(device: torch.device) -> int:
    """Bytes of shared memory that a block of a GPU may have: 99 KiB or more, but 64 KiB on Turing."""
    if device.type != "cuda":
        return _USUAL_MEMORY
    told = torch.cuda.get_device_properties(device)
    return getattr(told, "shared_memory_per_block_optin", _USUAL_MEMORY)  # not before PyTorch 2.5


def _tiling(channels: int, features: torch.dtype, memory: int) -> tuple[int, dict[str, int]]:
    """Rows of a tile, and options of the kernel's compilation, with which a block needs less than ``memory`` bytes.

    Tiles of 8 rows of 192 features take 88 KiB in half precision but 152 KiB in float32; what is chosen for these
    instead takes 80 KiB. On Turing, whose code needs more, the latter take 56 KiB.
    """
    large = features == torch.float32 or memory < _USUAL_MEMORY
    return (4, {"num_stages": 2}) if large and channels > 64 else (8, {})


@triton.jit
def _step_kernel(
    query: tl.tensor,
    key: tl.tensor,
    query_key_column: tl.tensor,
    query_column_key: tl.tensor,
    columns_product: tl.tensor,
    position_bias: tl.tensor,
    depth: tl.tensor,
    mask: tl.tensor,
    means: tl.tensor,
    height: tl.tensor,
    width: tl.tensor,
    CHANNELS: tl.constexpr,
    BLOCK: tl.constexpr,
    WINDOW: tl.constexpr,
    TILE_HEIGHT: tl.constexpr,
    TILE_WIDTH: tl.constexpr,
    KEYS: tl.constexpr,
) -> None:
    """Means of depth and mask over the windows of one tile of queries."""
    size = height * width
    image = tl.program_id(2).to(tl.int64) * size
    top, left = tl.program_id(1) * TILE_HEIGHT, tl.program_id(0) * TILE_WIDTH
    tile = tl.arange(0, TILE_HEIGHT * TILE_WIDTH)
    y, x = top + tile // TILE_WIDTH, left + tile % TILE_WIDTH
    stored = (y < height) & (x < width)
    y, x = tl.minimum(y, height - 1), tl.minimum(x, width - 1)
    window_y = tl.minimum(tl.maximum(y - WINDOW // 2, 0), height - WINDOW)
    window_x = tl.minimum(tl.maximum(x - WINDOW // 2, 0), width - WINDOW)
    pixel = image + y * width + x
    channel = tl.arange(0, BLOCK)
    query_rows = query + pixel[:, None] * CHANNELS
    own_depth = tl.load(depth + pixel)
    depth_factor = tl.load(query_key_column + pixel) + own_depth * tl.load(columns_product)
    first_query = tl.load(query_rows + channel[None, :], mask=channel[None, :] < CHANNELS, other=0.0)

    key_x = tl.minimum(tl.maximum(left - WINDOW // 2, 0), width - WINDOW) + tl.arange(0, KEYS)
    first_key_y = tl.minimum(tl.maximum(top - WINDOW // 2, 0), height - WINDOW)
    in_columns = (key_x[None, :] >= window_x[:, None]) & (key_x[None, :] < window_x[:, None] + WINDOW)
    largest = tl.full((TILE_HEIGHT * TILE_WIDTH,), -1e30, tl.float32)
    total = tl.zeros((TILE_HEIGHT * TILE_WIDTH,), tl.float32)
    depth_sum = tl.zeros((TILE_HEIGHT * TILE_WIDTH,), tl.float32)
    mask_sum = tl.zeros((TILE_HEIGHT * TILE_WIDTH,), tl.float32)
    for row in range(TILE_HEIGHT + WINDOW - 1):
        key_y = first_key_y + row
        exists = key_x < tl.where(key_y < height, width, 0)
        key_pixel = image + key_y * width + key_x
        scores = tl.zeros((TILE_HEIGHT * TILE_WIDTH, KEYS), tl.float32)
        for start in tl.static_range(0, CHANNELS, BLOCK):
            used = start + channel < CHANNELS
            queries = first_query
            if start > 0:
                queries = tl.load(query_rows + start + channel[None, :], mask=used[None, :], other=0.0)
            keys = tl.load(
                key + key_pixel[None, :] * CHANNELS + start + channel[:, None],
                mask=used[:, None] & exists[None, :],
                other=0.0,
            )
            scores = tl.dot(queries, keys, scores, input_precision="ieee")
        key_depth = tl.load(depth + key_pixel, mask=exists, other=0.0)
        key_mask = tl.load(mask + key_pixel, mask=exists, other=0.0)
        key_factor = tl.load(query_column_key + key_pixel, mask=exists, other=0.0)
        scores += own_depth[:, None] * key_factor[None, :] + depth_factor[:, None] * key_depth[None, :]
        inside = in_columns & ((key_y >= window_y) & (key_y < window_y + WINDOW))[:, None]
        tap = (key_y - y[:, None] + WINDOW - 1) * (2 * WINDOW - 1) + key_x[None, :] - x[:, None] + WINDOW - 1
        scores = scores * key_mask[None, :] + tl.load(position_bias + tap, mask=inside, other=0.0)
        scores = tl.where(inside, scores, float("-inf"))
        new_largest = tl.maximum(largest, tl.max(scores, 1))
        kept = tl.exp(largest - new_largest)
        shares = tl.exp(scores - new_largest[:, None])
        total = total * kept + tl.sum(shares, 1)
        depth_sum = depth_sum * kept + tl.sum(shares * key_depth[None, :], 1)
        mask_sum = mask_sum * kept + tl.sum(shares * key_mask[None, :], 1)
        largest = new_largest
    result = means + image + pixel
    tl.store(result, depth_sum / total, mask=stored)
    tl.store(result + size, mask_sum / total, mask=stored)
