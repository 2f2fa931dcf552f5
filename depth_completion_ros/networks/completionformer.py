"""The encoder of CompletionFormer: pyramid vision transformer blocks with a convolutional branch beside each.

Zhang et al., "CompletionFormer: Depth Completion with Convolutions and Vision Transformers", CVPR 2023, after the
Pyramid Vision Transformer (Wang et al., ICCV 2021) and CBAM (Woo et al., ECCV 2018). The layers are those of the
authors' public implementation, which MSPN's guidance network uses too.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from depth_completion_ros.networks.layers import residual_stage

# Channels of the maps at 1, 1/2, 1/4, 1/8, 1/16 and 1/32 of the image.
CHANNELS = (64, 128, 64, 128, 320, 512)
# Per transformer stage: blocks, heads, width of the MLP over that of the stage, stride of the keys, side of the square
# grid that the position embedding was learned on, and embeddings before those of the grid (unused, ImageNet's class).
_STAGES = ((3, 1, 8, 8, 112, 0), (4, 2, 8, 4, 28, 0), (6, 5, 4, 2, 14, 0), (3, 8, 4, 1, 7, 1))
_DROP_PATH = 0.1


class CompletionFormerEncoder(nn.Module):
    """Two ResNet-34 stages, then four transformer stages."""

    # The transformer stages halve with rounding down and the strided keys of the first one need 8 positions.
    smallest_side = 31

    def __init__(self) -> None:
        super().__init__()
        full, half, *_ = CHANNELS
        self.residual = nn.ModuleList([residual_stage(full, full, 3), residual_stage(full, half, 4, stride=2)])
        blocks_in_all = sum(stage[0] for stage in _STAGES)
        drop_paths = [_DROP_PATH * block / (blocks_in_all - 1) for block in range(blocks_in_all)]
        self.transformer = nn.ModuleList()
        for inputs, width, (blocks, heads, ratio, stride, grid, extra) in zip(
            CHANNELS[1:], CHANNELS[2:], _STAGES, strict=False
        ):
            rates, drop_paths = drop_paths[:blocks], drop_paths[blocks:]
            self.transformer.append(_Stage(inputs, width, heads, ratio, stride, grid, extra, rates))

    def forward(self, features: Tensor) -> list[Tensor]:
        """(N, 64, H, W) -> six maps of :data:`CHANNELS` channels; odd sizes halve up to ceil(H / 2), then down."""
        maps = []
        for stage in (*self.residual, *self.transformer):
            features = stage(features)
            maps.append(features)
        return maps


class _Stage(nn.Module):
    """Halves the map, adds the embedding of the position, and runs the blocks."""

    def __init__(
        self,
        inputs: int,
        width: int,
        heads: int,
        ratio: int,
        stride: int,
        grid: int,
        extra: int,
        drop_paths: list[float],
    ) -> None:
        super().__init__()
        self.grid = grid
        self.embed = nn.Conv2d(inputs, width, 2, 2)
        self.norm = nn.LayerNorm(width)
        self.position = nn.Parameter(torch.empty(1, extra + grid * grid, width))
        nn.init.trunc_normal_(self.position, std=0.02)
        self.blocks = nn.ModuleList(_Block(width, heads, ratio, stride, rate) for rate in drop_paths)

    def forward(self, features: Tensor) -> Tensor:
        features = self.embed(features)
        height, width = features.shape[-2:]
        features = self.norm(_tokens(features)) + self._position(height, width)
        features = _map(features, height, width)
        for block in self.blocks:
            features = block(features)
        return features

    def _position(self, height: int, width: int) -> Tensor:
        """The embedding of each position, (1, height * width, C)."""
        position = self.position[:, -self.grid * self.grid :]
        # As the authors do: the first stage's is taken as it is for any map of as many pixels, whatever its shape.
        if height * width == self.grid * self.grid == _STAGES[0][4] ** 2:
            return position
        grid = _map(position, self.grid, self.grid)
        return _tokens(functional.interpolate(grid, (height, width), mode="bilinear", align_corners=False))


class _Block(nn.Module):
    """Attention and MLP on one branch, convolutions on the other, merged by a convolution."""

    def __init__(self, width: int, heads: int, ratio: int, stride: int, drop_path: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attention = _Attention(width, heads, stride)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.Sequential(nn.Linear(width, ratio * width), nn.GELU(), nn.Linear(ratio * width, width))
        self.drop_path = _DropPath(drop_path)
        self.convolution = _AttentiveResidual(width)
        self.merge = nn.Conv2d(2 * width, width, 3, padding=1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        height, width = features.shape[-2:]
        tokens = _tokens(features)
        tokens = tokens + self.drop_path(self.attention(self.norm1(tokens), height, width))
        tokens = tokens + self.drop_path(self.mlp(self.norm2(tokens)))
        return self.merge(torch.cat([_map(tokens, height, width), self.convolution(features)], 1))


class _Attention(nn.Module):
    """Multi-head attention of every position to a map that is smaller by ``stride`` (a remainder is left out)."""

    def __init__(self, width: int, heads: int, stride: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.project = nn.Linear(width, width)
        self.reduce: nn.Conv2d | None = None
        if stride > 1:
            self.reduce = nn.Conv2d(width, width, stride, stride)
            self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor, height: int, width: int) -> Tensor:
        query = self.query(tokens)
        if self.reduce is not None:
            tokens = self.norm(_tokens(self.reduce(_map(tokens, height, width))))
        key, value = self.key_value(tokens).chunk(2, -1)
        query, key, value = (each.unflatten(-1, (self.heads, -1)).transpose(1, 2) for each in (query, key, value))
        mixed = functional.scaled_dot_product_attention(query, key, value)
        return self.project(mixed.transpose(1, 2).flatten(2))


class _AttentiveResidual(nn.Module):
    """Residual block whose branch is gated per channel and then per pixel (CBAM)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.channel_gate = nn.Sequential(
            nn.Conv2d(width, width // 16, 1, bias=False),
            nn.ReLU(inplace=True),
            nn.Conv2d(width // 16, width, 1, bias=False),
        )
        self.pixel_gate = nn.Conv2d(2, 1, 7, padding=3, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        branch = functional.relu(self.bn1(self.conv1(features)), inplace=True)
        branch = self.bn2(self.conv2(branch))
        mean, largest = branch.mean((2, 3), keepdim=True), branch.amax((2, 3), keepdim=True)
        branch = branch * torch.sigmoid(self.channel_gate(mean) + self.channel_gate(largest))
        summary = torch.cat([branch.mean(1, keepdim=True), branch.amax(1, keepdim=True)], 1)
        branch = branch * torch.sigmoid(self.pixel_gate(summary))
        return functional.relu(features + branch, inplace=True)


class _DropPath(nn.Module):
    """In training, leaves out a branch for a random share ``rate`` of the samples, and scales it up for the others."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, branch: Tensor) -> Tensor:
        if not self.training or self.rate == 0:
            return branch
        kept = branch.new_empty(len(branch), *[1] * (branch.ndim - 1)).bernoulli_(1 - self.rate)
        return branch * kept / (1 - self.rate)


def _tokens(features: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, H * W, C)."""
    return features.flatten(2).transpose(1, 2)


def _map(tokens: Tensor, height: int, width: int) -> Tensor:
    """(N, H * W, C) -> (N, C, H, W)."""
    return tokens.transpose(1, 2).unflatten(2, (height, width))
