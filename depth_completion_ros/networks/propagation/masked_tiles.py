"""Masked window attention by matrix products over small tiles of pixels, in plain PyTorch on any device.

The queries of a 6x6 tile need the keys of one (6 + window - 1)^2 region, so a tile is one small matrix product, in
which the pairs outside a query's own window get -inf. Only a few tiles exist at a time: no map with a channel per tap
and no unfolded map is ever made. Every operation is differentiable, so training uses it too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

_TILE = 6
# What is worked on at a time should stay in a CPU's caches; a GPU wants more work per call.
_BYTES_AT_ONCE = {"cpu": 3 << 20}
_BYTES_AT_ONCE_ELSEWHERE = 256 << 20


def attention_step(
    guidance: Tensor, weight: Tensor, bias: Tensor, position_bias: Tensor, window: int
) -> Callable[[Tensor, Tensor], Tensor]:
    """The step of :func:`..masked.reference_step`, same arguments.

    With z = [guidance, depth, 1], the score of query i and key j is z_i' B z_j mask_j, where B joins both projections:
    only queries need a product with weights, and keys are read as they are.
    """
    height, width = guidance.shape[1:3]
    query_rows, key_rows = torch.cat([weight, bias[:, None]], 1).chunk(2)
    joint = query_rows.T @ key_rows
    bias_or_never = functional.pad(position_bias, (0, 1, 0, 1), value=-torch.inf)
    rows, columns = _segments(height, window), _segments(width, window)
    blocks = [[_Block(guidance, joint, bias_or_never, row, column) for column in columns] for row in rows]

    def step(depth: Tensor, mask: Tensor) -> Tensor:
        state = torch.cat([depth, torch.ones_like(depth), mask], 1).permute(0, 2, 3, 1)
        means = torch.cat([torch.cat([block.means(state) for block in row], 3) for row in blocks], 2)
        return means[:, ::2]

    return step


class _Block:
    """The part of the image where a segment of rows and one of columns cross: tiles that look alike."""

    def __init__(self, guidance: Tensor, joint: Tensor, bias_or_never: Tensor, row: _Segment, column: _Segment) -> None:
        self.row, self.column, self.joint = row, column, joint
        self.queries = _tiles(guidance, row.queries, column.queries)
        self.keys = _tiles(guidance, row.keys, column.keys)
        self.bias = bias_or_never[row.taps[:, None, :, None], column.taps[None, :, None, :]].flatten(2).flatten(0, 1)
        self.chunks = list(_chunks(self.keys, 4 * (2 * self.bias.numel() + self.keys[0, 0, 0].numel())))

    def means(self, state: Tensor) -> Tensor:
        """(N, H, W, 3) depth, one and mask -> (N, 3, h, w) their means over the windows of this part's pixels."""
        query_states = _tiles(state[..., :2], self.row.queries, self.column.queries)
        key_states = _tiles(state, self.row.keys, self.column.keys)
        parts = []
        for chunk in self.chunks:
            query = torch.cat([self.queries[chunk], query_states[chunk]], -1).flatten(3, 4).flatten(0, 2)
            values = key_states[chunk]
            key = torch.cat([self.keys[chunk], values[..., :2]], -1).flatten(3, 4).flatten(0, 2)
            values = values.flatten(3, 4).flatten(0, 2)
            scores = (query @ self.joint) @ key.transpose(1, 2)
            scores = torch.addcmul(self.bias, scores, values[:, None, :, 2])  # a key counts as much as its mask
            parts.append(values.transpose(1, 2) @ scores.softmax(-1).transpose(1, 2))
        tiles = torch.cat(parts).view(*self.queries.shape[:3], 3, *self.queries.shape[3:5])
        return tiles.permute(0, 3, 1, 4, 2, 5).flatten(4).flatten(2, 3)


class _Spans(NamedTuple):
    """``number`` spans of ``size`` positions along one axis, ``step`` apart."""

    start: int
    size: int
    step: int
    number: int


class _Segment(NamedTuple):
    """Tiles along one axis that look alike: their queries, the keys they need, and which key is which tap of each."""

    queries: _Spans
    keys: _Spans
    taps: Tensor  # (queries, keys) index into the position bias, -1 for a key outside the query's window


def _segments(length: int, window: int) -> list[_Segment]:
    """Cuts an axis into the pixels near either border, which share a window, and tiles between, the last smaller."""
    half = window // 2
    tiles, rest = divmod(length - 2 * half, _TILE)

    def segment(start: int, size: int, count: int, first_key: int, keys: int) -> _Segment:
        query, key = torch.arange(start, start + size)[:, None], torch.arange(first_key, first_key + keys)
        window_start = (query - half).clamp(0, length - window)
        inside = (key >= window_start) & (key < window_start + window)
        taps = torch.where(inside, key - query + window - 1, -1)
        return _Segment(_Spans(start, size, size, count), _Spans(first_key, keys, size, count), taps)

    segments = [segment(0, half, 1, 0, window)]
    if tiles:
        segments.append(segment(half, _TILE, tiles, 0, _TILE + window - 1))
    if rest:
        segments.append(segment(half + tiles * _TILE, rest, 1, tiles * _TILE, rest + window - 1))
    return [*segments, segment(length - half, half, 1, length - window, window)]


def _tiles(values: Tensor, rows: _Spans, columns: _Spans) -> Tensor:
    """View of a map (N, H, W, C) as (N, rows, columns, h, w, C)."""
    for axis, spans in ((1, rows), (2, columns)):
        length = (spans.number - 1) * spans.step + spans.size
        values = values.narrow(axis, spans.start, length).unfold(axis, spans.size, spans.step)
    return values.permute(0, 1, 2, 4, 5, 3)


def _chunks(tiles: Tensor, bytes_each: int) -> Iterator[tuple[slice, slice, slice]]:
    """Slices of (N, rows, columns, ...), in order, each of as many tiles as are worked on at a time."""
    count, rows, columns = tiles.shape[:3]
    at_once = max(1, _BYTES_AT_ONCE.get(tiles.device.type, _BYTES_AT_ONCE_ELSEWHERE) // bytes_each)
    rows_at_once = max(1, at_once // columns)
    for n in range(count):
        for r in range(0, rows, rows_at_once):
            for c in range(0, columns, at_once):
                yield slice(n, n + 1), slice(r, r + rows_at_once), slice(c, c + at_once)
