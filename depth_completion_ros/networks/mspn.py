"""MSPN: measurements spread over the image step by step, and a mask says how far each pixel can be trusted yet.

Jinyoung Jun, Jae-Han Lee and Chang-Su Kim, "Masked Spatial Propagation Network for Sparsity-Adaptive Depth
Refinement", CVPR 2024. The layers, and where they differ from the paper, are those of the authors' public
implementation.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from depth_completion_ros.networks.completionformer import CHANNELS, CompletionFormerEncoder
from depth_completion_ros.networks.layers import conv_in_float32, upsample_block
from depth_completion_ros.networks.mspn_lite import MSPNLite, check_initial_depth
from depth_completion_ros.networks.nafnet import ChannelNorm, NAFBlock
from depth_completion_ros.networks.propagation.masked import MaskedPropagation, iteration_count
from depth_completion_ros.networks.registry import CompletionNetwork, NetworkOutput, register

Mode = Literal["conventional", "sdr"]
Rules = Literal["kitti", "nyu"]

_IMAGE_STEM, _DEPTH_STEM, _STEM = 48, 16, CHANNELS[0]
_DECODER = (256, 128, 64, 64, 64)  # from 1/16 up to 1
# Channels of the guidance, and so of queries and keys.
_GUIDANCE = {("sdr", "nyu"): 64, ("sdr", "kitti"): 64, ("conventional", "nyu"): 128, ("conventional", "kitti"): 192}
_SECOND_ITERATIONS = 6


@register(
    "mspn",
    summary="masked propagation of the measurements, with as many steps as their sparsity asks for",
    source="Jun et al., Masked Spatial Propagation Network for Sparsity-Adaptive Depth Refinement, CVPR 2024",
    presets=("paper", "lite"),
)
def mspn(preset: str = "paper", *, mode: Mode = "conventional", rules: Rules = "kitti") -> MSPN | MSPNLite:
    """Builds MSPN.

    Args:
        preset: ``paper``, or ``lite`` for embedded GPUs and CPUs.
        mode: ``conventional`` predicts its own initial depth; ``sdr`` refines the ``initial_depth`` it is called with,
            a monocular estimate in metres.
        rules: how a step changes the depth. ``kitti``: every pixel takes the mean of its window. ``nyu``: measured
            pixels keep their measurement and, in mode ``sdr``, others change as far as their mask says.
    """
    return MSPNLite(mode, rules) if preset == "lite" else MSPN(mode, rules)


class MSPN(CompletionNetwork):
    """See the module. Takes images of 31x31 pixels or more, and at least one measurement."""

    confidence_meaning = "the mask after the last step: how far measurements have spread to a pixel; not calibrated"

    def __init__(self, mode: Mode, rules: Rules) -> None:
        super().__init__()
        self.uses_initial_depth = mode == "sdr"
        channels = _GUIDANCE[mode, rules]
        self.blend = (mode, rules) == ("sdr", "nyu")
        self.keep_measured = rules == "nyu"
        self.guidance = _GuidanceNetwork(channels, monocular=mode == "sdr")
        self.propagation = MaskedPropagation(channels)
        self.second_propagation = MaskedPropagation(channels) if mode == "sdr" else None

    def forward(self, image: Tensor | None, sparse_depth: Tensor, initial_depth: Tensor | None = None) -> NetworkOutput:
        """See :class:`~depth_completion_ros.networks.registry.CompletionNetwork`.

        Raises:
            ValueError: an image is too small or has no measurement, or ``initial_depth`` is missing in mode ``sdr``.
        """
        assert image is not None
        height, width = sparse_depth.shape[-2:]
        smallest = CompletionFormerEncoder.smallest_side
        if min(height, width) < smallest:
            raise ValueError(f"mspn needs images of at least {smallest}x{smallest} pixels, got {width}x{height}")
        sparse_depth = sparse_depth.float()
        measured = sparse_depth > 0
        iterations = iteration_count(measured)
        initial_depth = check_initial_depth(self, initial_depth)
        guidance, predicted = self.guidance(image, sparse_depth, initial_depth)

        initial = torch.where(measured, sparse_depth, predicted if initial_depth is None else initial_depth)
        depth, mask = self._propagate(self.propagation, guidance, initial, sparse_depth, iterations)
        if self.second_propagation is not None:
            # Starts from the mask of the measurements again, to make good what the monocular depth did around them.
            depth = torch.where(measured, sparse_depth, depth)
            depth, mask = self._propagate(self.second_propagation, guidance, depth, sparse_depth, _SECOND_ITERATIONS)
        return NetworkOutput(depth.clamp(min=0), mask.clamp(0, 1), initial_depth=initial)

    def _propagate(
        self, layer: MaskedPropagation, guidance: Tensor, depth: Tensor, sparse_depth: Tensor, iterations: int
    ) -> tuple[Tensor, Tensor]:
        mask = (sparse_depth > 0).to(depth.dtype)
        return layer(
            guidance, depth, sparse_depth, mask, iterations, blend=self.blend, keep_measured=self.keep_measured
        )


class _GuidanceNetwork(nn.Module):
    """Image, measurements and monocular depth, if any, to the guidance and otherwise the initial depth."""

    def __init__(self, channels: int, *, monocular: bool) -> None:
        super().__init__()
        self.image_stem = _conv_relu(3, _IMAGE_STEM)
        self.detail = nn.Conv2d(_IMAGE_STEM, _IMAGE_STEM, 3, padding=1)
        self.mean = nn.Conv2d(_IMAGE_STEM, _IMAGE_STEM, 1)
        self.depth_stem = _conv_relu(1, _DEPTH_STEM)
        # The guidance head sees the stem before the monocular depth joins it.
        self.image_depth_stem = _conv_relu(_IMAGE_STEM + _DEPTH_STEM, _STEM) if monocular else None
        self.monocular_stem = _conv_relu(1, _DEPTH_STEM) if monocular else None
        self.join = _conv_relu((_STEM if monocular else _IMAGE_STEM) + _DEPTH_STEM, _STEM)
        self.encoder = CompletionFormerEncoder()
        skips = (0, *CHANNELS[4:0:-1])
        self.decoder = nn.ModuleList(
            nn.Sequential(
                upsample_block(below + skip, outputs, ChannelNorm(outputs), nn.ReLU(inplace=True)), NAFBlock(outputs)
            )
            for below, skip, outputs in zip((CHANNELS[5], *_DECODER), skips, _DECODER, strict=False)
        )
        self.guidance_head = _Head(channels)
        self.depth_head = None if monocular else _Head(1)

    def forward(
        self, image: Tensor, sparse_depth: Tensor, initial_depth: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        dtype = self.mean.weight.dtype
        image_features = self.image_stem(image.to(dtype))
        image_features = self.detail(image_features) - self.mean(image_features)  # what is left is high-frequent
        measured_features = self.depth_stem(sparse_depth.to(dtype))
        stem = torch.cat([image_features, measured_features], 1)
        if self.image_depth_stem is not None and self.monocular_stem is not None and initial_depth is not None:
            guidance_stem = self.image_depth_stem(stem)
            features = self.join(torch.cat([guidance_stem, self.monocular_stem(initial_depth.to(dtype))], 1))
        else:
            guidance_stem = features = self.join(stem)
        full, *skips = self.encoder(features)
        decoded = skips.pop()
        for stage in self.decoder:
            decoded = stage(decoded)
            decoded = _join(decoded, skips.pop() if skips else full)
        guidance = self.guidance_head(decoded, guidance_stem)
        if self.depth_head is None:
            return guidance, None
        return guidance, functional.relu(self.depth_head(decoded, features, float32=True))


class _Head(nn.Module):
    """Refines the decoder's features, joins them with those of the stem and estimates maps from both."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        width = _DECODER[-1]
        refine = nn.Conv2d(width + CHANNELS[0], width, 3, padding=1, bias=False)
        self.refine = nn.Sequential(refine, ChannelNorm(width), nn.ReLU(inplace=True))
        self.estimate = nn.Conv2d(width + _STEM, outputs, 3, padding=1)

    def forward(self, decoded: Tensor, stem: Tensor, *, float32: bool = False) -> Tensor:
        joined = torch.cat([self.refine(decoded), stem], 1)
        return conv_in_float32(self.estimate, joined) if float32 else self.estimate(joined)


def _conv_relu(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(inplace=True))


def _join(coarse: Tensor, skip: Tensor) -> Tensor:
    """Both maps' channels, at the size of ``skip``; a doubled map differs from it by a pixel where sizes are odd."""
    if coarse.shape[-2:] != skip.shape[-2:]:
        coarse = functional.interpolate(coarse, skip.shape[-2:], mode="bilinear", align_corners=True)
    return torch.cat([coarse, skip], 1)
