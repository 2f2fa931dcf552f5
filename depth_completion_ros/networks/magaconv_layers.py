"""The layers of MagaConv and BP-Fusion: convolutions gated by where depth is missing, and fusion of depth with colour.

Huang et al., arXiv 2401.07439v1; :mod:`~depth_completion_ros.networks.magaconv` says what is ours where that is open.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from depth_completion_ros.networks.layers import BasicBlock, conv_block, upsample_block

_KERNELS = (3, 5, 7)
_PIXELS_IN_CACHE = 1 << 16  # with all neurons of the shared MLP, on a CPU


def reverse_and_cut(unsuitability: Tensor) -> Tensor:
    """RnC (Eq. 5): 1 at 0, falling to 0 at ln 2, and 0 beyond."""
    return 2 * functional.relu(torch.exp(-unsuitability) - 0.5)


def shrink_missing(missing: Tensor, stride: int) -> Tensor:
    """Update of the mask (Eq. 6): a place stays missing (1) where all of the 3x3 around it is."""
    return -functional.max_pool2d(-missing, 3, stride, padding=1)


class MagaConv(nn.Module):
    """A convolution, gated by how much of its kernel's weight rests on missing depth (Eqs. 1 to 5)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
        most_unsuitable = float(self.conv.weight.detach().abs().sum((1, 2, 3)).mean())
        self.epsilon_logit = nn.Parameter(torch.logit(torch.tensor(math.log(2) / most_unsuitable)))

    def forward(self, features: Tensor, missing: Tensor) -> tuple[Tensor, Tensor]:
        """Features (N, inputs, H, W) and mask (N, 1, H, W) -> the gated convolution, and its gate."""
        # All channels have the same mask, so that one channel with the sum of their weights says as much.
        weight = torch.sigmoid(self.epsilon_logit) * self.conv.weight.abs().sum(1, keepdim=True)
        border = self.conv.kernel_size[0] // 2
        missing = functional.pad(missing, [border] * 4, mode="replicate")
        gate = reverse_and_cut(functional.conv2d(missing, weight, stride=self.conv.stride))
        return gate * self.conv(features), gate


class MagaConvLayer(nn.Module):
    """Heads of several kernel sizes side by side, fused by a 1x1 convolution (Fig. 3c).

    Args:
        inputs, outputs: channels.
        stride: 2 to halve the size.
        separable: each head gets its share of the channels, where there are any to share, and keeps them apart.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, *, separable: bool) -> None:
        super().__init__()
        self.stride = stride
        self.separable = separable and inputs > 1
        heads = len(_KERNELS)
        head_inputs, width = (inputs // heads, inputs // heads) if self.separable else (inputs, outputs // heads)
        groups = width if self.separable else 1
        self.heads = nn.ModuleList(MagaConv(head_inputs, width, kernel, stride, groups) for kernel in _KERNELS)
        self.fuse = nn.Sequential(nn.Conv2d(heads * width, outputs, 1, bias=False), nn.BatchNorm2d(outputs), leaky())

    def forward(self, features: Tensor, missing: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features and mask -> features, mask, and the mean gate (N, 1, h, w)."""
        heads = len(self.heads)
        parts = features.chunk(heads, 1) if self.separable else [features] * heads
        gated, gates = zip(*(head(part, missing) for head, part in zip(self.heads, parts, strict=True)), strict=True)
        mean_gate = torch.stack([gate.mean(1, keepdim=True) for gate in gates]).mean(0)
        return self.fuse(torch.cat(gated, 1)), shrink_missing(missing, self.stride), mean_gate


class MagaConvBlock(nn.Module):
    """Three layers, the first of which halves the size."""

    def __init__(self, inputs: int, outputs: int, *, separable: bool) -> None:
        super().__init__()
        shapes = (inputs, 2), (outputs, 1), (outputs, 1)
        self.layers = nn.ModuleList(
            MagaConvLayer(channels, outputs, stride, separable=separable) for channels, stride in shapes
        )

    def forward(self, features: Tensor, missing: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features and mask -> features and mask of half the size, and the mean gate of the layers."""
        gates = []
        for layer in self.layers:
            features, missing, gate = layer(features, missing)
            gates.append(gate)
        return features, missing, torch.stack(gates).mean(0)


class DepthEncoder(nn.ModuleList):
    """Blocks at 1/2, 1/4, ... of the image.

    Args:
        widths: channels of the blocks.
        separable: see :class:`MagaConvLayer`.
    """

    def __init__(self, widths: Sequence[int], *, separable: bool) -> None:
        super().__init__(
            MagaConvBlock(inputs, width, separable=separable)
            for inputs, width in zip((1, *widths), widths, strict=False)
        )

    def forward(self, depth: Tensor, missing: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Depth and mask (N, 1, H, W) -> the maps of the blocks, and their mean gates."""
        maps, gates = [], []
        for block in self:
            depth, missing, gate = block(depth, missing)
            maps.append(depth)
            gates.append(gate)
        return maps, gates


class ColorEncoder(nn.ModuleList):
    """The same for colour: strided convolutions, each with a residual block.

    Args:
        widths: channels of the blocks.
        first: whether the first of them, which is the largest, has its residual block.
    """

    def __init__(self, widths: Sequence[int], *, first: bool = True) -> None:
        stages: list[nn.Module] = []
        for inputs, width in zip((3, *widths), widths, strict=False):
            residual = [BasicBlock(width, width)] if stages or first else []
            stages.append(nn.Sequential(conv_block(inputs, width, stride=2, activation=leaky()), *residual))
        super().__init__(stages)

    def forward(self, image: Tensor) -> list[Tensor]:
        """(N, 3, H, W) -> the maps of the blocks."""
        maps = []
        features = image
        for block in self:
            features = block(features)
            maps.append(features)
        return maps


class BidFusion(nn.Module):
    """Depth informs colour, then the colour so informed informs depth (Fig. 4b)."""

    def __init__(self, channels: int, slices: int, neurons: int) -> None:
        super().__init__()
        self.to_color = CrossModalFusion(channels, slices, neurons)
        self.to_depth = CrossModalFusion(channels, slices, neurons)

    def forward(self, depth: Tensor, color: Tensor) -> tuple[Tensor, Tensor]:
        """Two maps (N, channels, H, W) -> both, fused."""
        color = self.to_color(color, depth)
        return self.to_depth(depth, color), color


class CrossModalFusion(nn.Module):
    """CMF (Fig. 4c): slices of the target, corrected and gated by what one MLP says of them and those of the query."""

    def __init__(self, channels: int, slices: int, neurons: int) -> None:
        super().__init__()
        self.expand_target = nn.Conv2d(channels, slices * channels, 1)
        self.expand_query = nn.Conv2d(channels, slices * channels, 1)
        self.hidden1 = nn.Linear(2, neurons)
        self.hidden2 = nn.Linear(neurons, neurons)
        self.correction_and_gate = nn.Linear(neurons, 2)
        self.fuse = nn.Sequential(nn.Conv2d(slices * channels, channels, 1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, target: Tensor, query: Tensor) -> Tensor:
        """Two maps (N, channels, H, W) -> the target's, fused."""
        target, query = self.expand_target(target).contiguous(), self.expand_query(query).contiguous()
        if torch.is_grad_enabled():
            # The values of all neurons are too many to keep: the backward pass computes them again.
            return self.fuse(checkpoint(self.modulate, target, query, use_reentrant=False))
        if target.device.type != "cpu":
            return self.fuse(self.modulate(target, query))
        channels = max(1, _PIXELS_IN_CACHE // target[:, 0].numel())
        parts = zip(target.split(channels, 1), query.split(channels, 1), strict=True)
        return self.fuse(torch.cat([self.modulate(*part) for part in parts], 1))

    def modulate(self, target: Tensor, query: Tensor) -> Tensor:
        """ReLU(c + t) * sigmoid(g), with c and g from the MLP of each pair (t, q) (Eq. 7)."""
        hidden = torch.stack([target.flatten(), query.flatten()])
        for layer in (self.hidden1, self.hidden2):
            hidden = torch.addmm(layer.bias[:, None], layer.weight, hidden)
            # In place without gradients: the values of all neurons are too many to have twice.
            hidden = functional.relu(hidden, inplace=not torch.is_grad_enabled())
        last = self.correction_and_gate
        correction, gate = torch.addmm(last.bias[:, None], last.weight, hidden).view(2, *target.shape)
        return functional.relu(correction + target) * torch.sigmoid(gate)


class GatedUpsample(nn.Module):
    """De-GConv (Chen et al., "AGG-Net", ICCV 2023): doubles the map, adds the skip, and gates what it makes of both."""

    def __init__(self, below: int, skip: int, outputs: int) -> None:
        super().__init__()
        self.upsample = upsample_block(below, outputs, nn.BatchNorm2d(outputs), leaky())
        self.skip = nn.Conv2d(skip, outputs, 1)
        activation = leaky()
        self.features = nn.Sequential(
            conv_block(outputs, outputs, activation=activation), conv_block(outputs, outputs, activation=activation)
        )
        self.gate = conv_block(outputs, outputs, activation=nn.Sigmoid())

    def forward(self, below: Tensor, skip: Tensor) -> Tensor:
        """(N, below, H, W) and (N, skip, 2 H, 2 W) -> (N, outputs, 2 H, 2 W)."""
        joined = self.upsample(below) + self.skip(skip)
        return self.features(joined) * self.gate(joined)


def leaky() -> nn.Module:
    """The activation of all layers but the gates."""
    return nn.LeakyReLU(0.2, inplace=True)
