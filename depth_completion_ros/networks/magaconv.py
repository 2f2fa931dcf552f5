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

Preset ``lite`` is another network of the same layers, see :mod:`~depth_completion_ros.networks.magaconv_lite`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from depth_completion_ros.networks.gaps import mean_measurement
from depth_completion_ros.networks.layers import conv_in_float32, padded
from depth_completion_ros.networks.magaconv_layers import BidFusion, ColorEncoder, DepthEncoder, GatedUpsample
from depth_completion_ros.networks.magaconv_lite import MagaConvLite
from depth_completion_ros.networks.registry import CompletionNetwork, NetworkOutput, register

_STRIDE = 8  # of the encoders' last features
_WIDTHS = (120, 240, 498)  # of both encoders at 1/2, 1/4 and 1/8 of the image
_FUSIONS = 3
_SLICES = 3  # per channel; "head" in the paper
_NEURONS = 16


@register(
    "magaconv",
    summary="for depth images with holes: convolutions gated by where depth was measured, fused with colour both ways",
    source="Huang et al., Mask-adaptive Gated Convolution and Bi-directional Progressive Fusion, arXiv 2401.07439v1",
    presets=("paper", "lite"),
)
def magaconv(preset: str = "paper") -> MagaConvNetwork | MagaConvLite:
    """Builds MagaConv with BP-Fusion.

    Args:
        preset: ``paper``, or ``lite`` for embedded GPUs and CPUs.
    """
    return MagaConvLite() if preset == "lite" else MagaConvNetwork()


class MagaConvNetwork(CompletionNetwork):
    """See the module. Takes images of any size; does not use ``initial_depth``, as it predicts its own.

    The measurements are what gives an image its scale: the depth of one without any is 0.
    """

    confidence_meaning = (
        "how little the encoder's kernels around a pixel rested on missing depth: the mean of their gates, 1 where all "
        "of it was measured; not calibrated"
    )

    def __init__(self) -> None:
        super().__init__()
        self.depth_encoder = DepthEncoder(_WIDTHS, separable=False)
        self.color_encoder = ColorEncoder(_WIDTHS)
        self.fusion = nn.ModuleList(BidFusion(_WIDTHS[-1], _SLICES, _NEURONS) for _ in range(_FUSIONS))
        self.decoder = _Decoder(_WIDTHS)

    def forward(self, image: Tensor | None, sparse_depth: Tensor, initial_depth: Tensor | None = None) -> NetworkOutput:
        """See :class:`~depth_completion_ros.networks.registry.CompletionNetwork`."""
        assert image is not None
        height, width = sparse_depth.shape[-2:]
        dtype = self.decoder.head.weight.dtype
        image = padded(image.to(dtype), _STRIDE, "replicate")
        sparse_depth = padded(sparse_depth.float(), _STRIDE, "replicate")  # with zeros, the border would be a hole
        scale = mean_measurement(sparse_depth)
        relative = sparse_depth / scale.clamp(min=1e-3)

        depth_maps, gates = self.depth_encoder(relative.to(dtype), (relative == 0).to(dtype))
        depth, color = depth_maps[-1], self.color_encoder(image)[-1]
        for fuse in self.fusion:
            depth, color = fuse(depth, color)
        depth = scale * self.decoder(depth, depth_maps, relative)
        confidence = torch.zeros_like(gates[-1])
        for gate in reversed(gates):
            confidence = functional.interpolate(confidence + gate, scale_factor=2, mode="bilinear", align_corners=False)
        confidence = confidence.float() / len(gates)
        return NetworkOutput(depth[..., :height, :width], confidence[..., :height, :width])


class _Decoder(nn.Module):
    """Fused depth features, at 1/8, and the maps of the depth encoder -> relative depth."""

    def __init__(self, widths: tuple[int, int, int]) -> None:
        super().__init__()
        half, quarter, eighth = widths
        self.to_quarter = GatedUpsample(2 * eighth, quarter, quarter)
        self.to_half = GatedUpsample(quarter, half, half)
        self.to_full = GatedUpsample(half, 2, half // 2)
        self.head = nn.Conv2d(half // 2, 1, 3, padding=1)

    def forward(self, fused: Tensor, depth_maps: list[Tensor], relative: Tensor) -> Tensor:
        half, quarter, eighth = depth_maps
        features = self.to_quarter(torch.cat([fused, eighth], 1), quarter)
        features = self.to_half(features, half)
        pixels = torch.cat([relative, relative == 0], 1)
        features = self.to_full(features, pixels.to(features.dtype))
        return functional.softplus(conv_in_float32(self.head, features))
