"""The block of NAFNet: Chen et al., "Simple Baselines for Image Restoration", ECCV 2022."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class NAFBlock(nn.Module):
    """Residual block without activations: products of two halves of the channels instead, and a channel attention."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1 = ChannelNorm(width)
        self.widen1 = nn.Conv2d(width, 2 * width, 1)
        self.depthwise = nn.Conv2d(2 * width, 2 * width, 3, padding=1, groups=2 * width)
        self.channel_attention = nn.Conv2d(width, width, 1)
        self.narrow1 = nn.Conv2d(width, width, 1)
        self.norm2 = ChannelNorm(width)
        self.widen2 = nn.Conv2d(width, 2 * width, 1)
        self.narrow2 = nn.Conv2d(width, width, 1)
        self.scale1 = nn.Parameter(torch.zeros(1, width, 1, 1))
        self.scale2 = nn.Parameter(torch.zeros(1, width, 1, 1))

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        branch = _gate(self.depthwise(self.widen1(self.norm1(features))))
        branch = branch * self.channel_attention(branch.mean((2, 3), keepdim=True))
        features = features + self.scale1 * self.narrow1(branch)
        branch = _gate(self.widen2(self.norm2(features)))
        return features + self.scale2 * self.narrow2(branch)


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation of each pixel over its channels, on (N, C, H, W)."""

    def __init__(self, width: int) -> None:
        super().__init__(width, eps=1e-6)

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape, channels last in memory."""
        return super().forward(features.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def _gate(features: Tensor) -> Tensor:
    first, second = features.chunk(2, 1)
    return first * second
