"""MagaConv and BP-Fusion: depth images with holes, by convolutions that know where depth is missing under their kernel.

Tingxuan Huang, Jiacheng Miao, Shizhuo Deng, Tong Jia and Dongyue Chen, "Mask-adaptive Gated Convolution and
Bi-directional Progressive Fusion Network for Depth Completion", arXiv 2401.07439v1, 2024. There is no public
implementation of it. Preset ``paper`` follows the paper, with these choices where that leaves them open:

* Kernels of the three heads: 3, 5 and 7. Epsilon is one number per head, the sigmoid of what is learned, and starts
  where a window without any measurement just closes the gate. Beyond the border the mask repeats what is at it.
* A layer is gated by the mask that it gets, and hands on what is left of that after min-pooling by 3x3.
* Batch norm and leaky ReLU (0.2, as in the decoder) follow the 1x1 fusion of a layer. A block for colour is a strided
  convolution and a residual block of two.
* Widths of 120, 240 and 498 channels and three Bid-Fusion blocks make the 48 million parameters of the paper.
* The shared MLP has 16 neurons per layer and takes the pair of a target and a query value at one pixel, so that images
  of any size fit. Batch norm follows the fusion of the slices.
* The decoder starts from the fused depth features and those of the last block; a skip is added after a 1x1 convolution.
  At full size the skip is depth and mask themselves.
* Depth is relative to the mean measurement of an image, and positive by softplus.

Preset ``lite``, for CPUs, is ours and keeps the parts but not their sizes:

* A head filters a third of the channels, each by itself (Tan and Le, "MixConv", BMVC 2019).
* Colour also reaches the decoder at each scale, which ends at half size and answers four pixels per place: full size is
  where a CPU spends its time.
* It corrects, by a factor, a depth whose gaps were filled from means over larger and larger blocks.
* There is one Bid-Fusion block: a second one costs 8 % of the time and lowered the error by less than 1 %.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from depth_completion_ros.networks.gaps import fill_gaps, mean_measurement
from depth_completion_ros.networks.layers import BasicBlock, conv_block, conv_in_float32, upsample_block
from depth_completion_ros.networks.registry import CompletionNetwork, NetworkOutput, register

_STRIDE = 8  # of the encoders' last features
_KERNELS = (3, 5, 7)
_PIXELS_IN_CACHE = 1 << 16  # with all neurons of the shared MLP, on a CPU


@dataclass(frozen=True)
class Size:
    """Widths of both encoders at 1/2, 1/4 and 1/8 of the image, and of the fusion."""

    widths: tuple[int, int, int]
    fusions: int
    slices: int  # per channel; "head" in the paper
    neurons: int
    lite: bool = False


_SIZES = {
    "paper": Size((120, 240, 498), fusions=3, slices=3, neurons=16),
    "lite": Size((24, 48, 96), fusions=1, slices=1, neurons=8, lite=True),
}


@register(
    "magaconv",
    summary="for depth images with holes: convolutions gated by where depth was measured, fused with colour both ways",
    source="Huang et al., Mask-adaptive Gated Convolution and Bi-directional Progressive Fusion, arXiv 2401.07439v1",
    presets=tuple(_SIZES),
)
def magaconv(preset: str = "paper") -> MagaConvNetwork:
    """Builds MagaConv with BP-Fusion.

    Args:
        preset: ``paper``, or ``lite`` for embedded GPUs and CPUs.
    """
    return MagaConvNetwork(_SIZES[preset])


class MagaConvNetwork(CompletionNetwork):
    """See the module. Takes images of any size; does not use ``initial_depth``, as it predicts its own.

    The measurements are what gives an image its scale: the depth of one without any is 0.
    """

    confidence_meaning = (
        "how little the encoder's kernels around a pixel rested on missing depth: the mean of their gates, 1 where all "
        "of it was measured; not calibrated"
    )

    def __init__(self, size: Size) -> None:
        super().__init__()
        widths = size.widths
        self.depth_encoder = nn.ModuleList(
            MagaConvBlock(inputs, width, separable=size.lite)
            for inputs, width in zip((1, *widths), widths, strict=False)
        )
        self.color_encoder = nn.ModuleList(
            nn.Sequential(conv_block(inputs, width, stride=2, activation=_leaky()), BasicBlock(width, width))
            for inputs, width in zip((3, *widths), widths, strict=False)
        )
        self.fusion = nn.ModuleList(BidFusion(widths[-1], size.slices, size.neurons) for _ in range(size.fusions))
        self.decoder: _LiteDecoder | _Decoder = _LiteDecoder(widths) if size.lite else _Decoder(widths)
        if size.lite:  # lets every convolution answer in it, which CPUs are faster by half in
            self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, image: Tensor | None, sparse_depth: Tensor, initial_depth: Tensor | None = None) -> NetworkOutput:
        """See :class:`~depth_completion_ros.networks.registry.CompletionNetwork`."""
        assert image is not None
        height, width = sparse_depth.shape[-2:]
        # At the end, so that no pixel moves.
        padding = (0, -width % _STRIDE, 0, -height % _STRIDE)
        dtype = self.decoder.head.weight.dtype
        image = functional.pad(image.to(dtype), padding, mode="replicate")
        sparse_depth = functional.pad(sparse_depth.float(), padding, mode="replicate")
        scale = mean_measurement(sparse_depth)
        relative = sparse_depth / scale.clamp(min=1e-3)

        depth_maps, gate = self._encode_depth(relative.to(dtype), (relative == 0).to(dtype))
        color_maps = self._encode_color(image)
        depth, color = depth_maps[-1], color_maps[-1]
        for fuse in self.fusion:
            depth, color = fuse(depth, color)
        depth = scale * self.decoder(depth, depth_maps, color_maps, relative, image)
        return NetworkOutput(depth[..., :height, :width], gate[..., :height, :width].float())

    def _encode_depth(self, depth: Tensor, missing: Tensor) -> tuple[list[Tensor], Tensor]:
        """The maps at 1/2, 1/4 and 1/8, and the mean gate at full size."""
        maps, gates = [], []
        for block in self.depth_encoder:
            depth, missing, gate = block(depth, missing)
            maps.append(depth)
            gates.append(gate)
        total = torch.zeros_like(gates[-1])
        for gate in reversed(gates):
            total = functional.interpolate(total + gate, scale_factor=2, mode="bilinear", align_corners=False)
        return maps, total / len(gates)

    def _encode_color(self, image: Tensor) -> list[Tensor]:
        """The maps at 1/2, 1/4 and 1/8."""
        maps = []
        features = image
        for block in self.color_encoder:
            features = block(features)
            maps.append(features)
        return maps


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
        self.fuse = nn.Sequential(nn.Conv2d(heads * width, outputs, 1, bias=False), nn.BatchNorm2d(outputs), _leaky())

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
            hidden = functional.relu(torch.addmm(layer.bias[:, None], layer.weight, hidden))
        last = self.correction_and_gate
        correction, gate = torch.addmm(last.bias[:, None], last.weight, hidden).view(2, *target.shape)
        return functional.relu(correction + target) * torch.sigmoid(gate)


class GatedUpsample(nn.Module):
    """De-GConv (Chen et al., "AGG-Net", ICCV 2023): doubles the map, adds the skip, and gates what it makes of both."""

    def __init__(self, below: int, skip: int, outputs: int) -> None:
        super().__init__()
        self.upsample = upsample_block(below, outputs, nn.BatchNorm2d(outputs), _leaky())
        self.skip = nn.Conv2d(skip, outputs, 1)
        activation = _leaky()
        self.features = nn.Sequential(
            conv_block(outputs, outputs, activation=activation), conv_block(outputs, outputs, activation=activation)
        )
        self.gate = conv_block(outputs, outputs, activation=nn.Sigmoid())

    def forward(self, below: Tensor, skip: Tensor) -> Tensor:
        """(N, below, H, W) and (N, skip, 2 H, 2 W) -> (N, outputs, 2 H, 2 W)."""
        joined = self.upsample(below) + self.skip(skip)
        return self.features(joined) * self.gate(joined)


class _Decoder(nn.Module):
    """Fused depth features, at 1/8, and the maps of the depth encoder -> relative depth."""

    def __init__(self, widths: tuple[int, int, int]) -> None:
        super().__init__()
        half, quarter, eighth = widths
        self.to_quarter = GatedUpsample(2 * eighth, quarter, quarter)
        self.to_half = GatedUpsample(quarter, half, half)
        self.to_full = GatedUpsample(half, 2, half // 2)
        self.head = nn.Conv2d(half // 2, 1, 3, padding=1)

    def forward(
        self, fused: Tensor, depth_maps: list[Tensor], color_maps: list[Tensor], relative: Tensor, image: Tensor
    ) -> Tensor:
        half, quarter, eighth = depth_maps
        features = self.to_quarter(torch.cat([fused, eighth], 1), quarter)
        features = self.to_half(features, half)
        pixels = torch.cat([relative, relative == 0], 1)
        features = self.to_full(features, pixels.to(features.dtype))
        return functional.softplus(conv_in_float32(self.head, features))


class _LiteDecoder(nn.Module):
    """The same, of colour, too, and of filled depth."""

    def __init__(self, widths: tuple[int, int, int]) -> None:
        super().__init__()
        half, quarter, eighth = widths
        self.pixels = nn.Conv2d(5, half, 2, 2)
        self.to_quarter = GatedUpsample(2 * eighth, 2 * quarter, quarter)
        self.to_half = GatedUpsample(quarter, 3 * half, half)
        self.head = nn.Conv2d(half, 4, 3, padding=1)
        for start in self.head.parameters():  # with no correction
            nn.init.zeros_(start)

    def forward(
        self, fused: Tensor, depth_maps: list[Tensor], color_maps: list[Tensor], relative: Tensor, image: Tensor
    ) -> Tensor:
        half, quarter, eighth = depth_maps
        filled = fill_gaps(1 / relative, relative > 0).clamp(min=1e-3).reciprocal()
        pixels = torch.cat([filled.log(), relative == 0, image], 1).to(half.dtype)
        features = self.to_quarter(torch.cat([fused, eighth], 1), torch.cat([quarter, color_maps[1]], 1))
        features = self.to_half(features, torch.cat([half, color_maps[0], self.pixels(pixels)], 1))
        correction = functional.pixel_shuffle(conv_in_float32(self.head, features), 2)
        return filled * correction.clamp(-3, 3).exp()


def _leaky() -> nn.Module:
    return nn.LeakyReLU(0.2, inplace=True)
