"""EMDC: depth from the image at large and from the measurements nearby, blended and refined by funnel propagation.

Dewang Hou, Yuanyuan Du, Kai Zhao and Yang Zhao, "Learning an Efficient Multimodal Depth Completion Model", ECCV 2022
workshops. The layers, which the paper leaves open, are those of the authors' public implementation. Preset
``lite`` is another network, see :mod:`~depth_completion_ros.networks.emdc_lite`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from depth_completion_ros.networks.emdc_lite import EMDCLite
from depth_completion_ros.networks.layers import conv_block, exact, padded
from depth_completion_ros.networks.mobilenet import MobileNetV2
from depth_completion_ros.networks.propagation.funnel import FunnelPropagation
from depth_completion_ros.networks.registry import CompletionNetwork, NetworkOutput, register

_STRIDE = 32  # of the encoder's last features
_DECODER = (160, 96, 64, 32, 24)  # channels from 1/16 up to 1
_LOCAL = 32
_WIDE, _MIDDLE, _NARROW = (1, 2, 3), (1, 2), (1,)
_FUNNEL = (
    *((3, _WIDE), (2, _WIDE), (2, _WIDE)),
    *((3, _MIDDLE), (2, _MIDDLE), (2, _MIDDLE)),
    *((3, _NARROW), (2, _NARROW), (2, _NARROW)),
)


@register(
    "emdc",
    summary="global depth of a MobileNetV2 and local depth around the measurements, blended and refined; light",
    source="Hou et al., Learning an Efficient Multimodal Depth Completion Model, ECCV 2022 workshops",
    presets=("paper", "lite"),
)
def emdc(preset: str = "paper", *, depth_norm: bool = True) -> EMDC | EMDCLite:
    """Builds EMDC.

    Args:
        preset: ``paper``, or ``lite`` for embedded GPUs and CPUs.
        depth_norm: work on depth relative to the largest measurement of an image, as the released weights do, and
            not on metres. Preset ``lite`` always does, relative to the mean.

    Raises:
        ValueError: preset ``lite`` is to work on metres.
    """
    if preset == "lite":
        if not depth_norm:
            raise ValueError("emdc: depth_norm False is an option of preset 'paper', not of 'lite'")
        return EMDCLite()
    return EMDC(depth_norm)


@dataclass(kw_only=True)
class EMDCOutput(NetworkOutput):
    """What EMDC answers, with what it blended; depths can be negative before training.

    Attributes:
        local_depth: (N, 1, H, W) metres, of the branch that refines around the measurements.
        global_depth: likewise, of the branch that sees the whole image.
        local_weight: (N, 1, H, W) share of the local depth in the blend: the confidence times a factor that is learned
            from 0 on, without bounds. The global depth has the rest.
    """

    local_depth: Tensor
    global_depth: Tensor
    local_weight: Tensor


class EMDC(CompletionNetwork):
    """See the module. Takes images of any size; does not use ``initial_depth``, as it predicts its own.

    With ``depth_norm``, the measurements are what gives an image its scale: the depth of one without any is 0.
    """

    confidence_meaning = (
        "how far the depth predicted around the measurements is trusted rather than the one predicted from the whole "
        "image; learned, not calibrated"
    )

    def __init__(self, depth_norm: bool) -> None:
        super().__init__()
        self.depth_norm = depth_norm
        self.encoder = MobileNetV2(4)
        *skips, deepest = self.encoder.channels
        inputs = (deepest, *(a + b for a, b in zip(_DECODER, reversed(skips), strict=False)))
        self.decoder = nn.ModuleList(_Upsample(a, b) for a, b in zip(inputs, _DECODER, strict=True))
        features = _DECODER[-1]
        self.global_head = nn.Conv2d(features, 1, 3, padding=1)

        relu = nn.ReLU(inplace=True)
        self.local_branch = nn.Sequential(
            conv_block(2, _LOCAL, norm=False, activation=relu),
            conv_block(_LOCAL, _LOCAL, norm=False, activation=relu),
        )
        self.local_head = nn.Conv2d(_LOCAL, 1, 3, padding=1)

        self.fusion = nn.Conv2d(_LOCAL + features, 1, 7, padding=3, bias=False)
        self.fusion_scale = nn.Parameter(torch.zeros(1))  # training starts from the global depth alone
        self.propagation = FunnelPropagation(features, _FUNNEL)

    def forward(
        self, image: Tensor | None, sparse_depth: Tensor, initial_depth: Tensor | None = None
    ) -> EMDCOutput:
        """See :class:`~depth_completion_ros.networks.registry.CompletionNetwork`."""
        assert image is not None
        height, width = sparse_depth.shape[-2:]
        image, sparse_depth = padded(image, _STRIDE, "replicate"), padded(sparse_depth, _STRIDE)

        scale = torch.ones_like(sparse_depth[:, :, :1, :1])
        relative = sparse_depth
        if self.depth_norm:
            scale = sparse_depth.amax((2, 3), keepdim=True)
            relative = sparse_depth / (scale + 1e-4)

        dtype = self.fusion.weight.dtype
        relative_input = relative.to(dtype)
        features = self._features(torch.cat([image.to(dtype), relative_input], 1))
        global_depth = _conv_to_map(self.global_head, features)
        local_features = self.local_branch(torch.cat([relative_input, global_depth.to(dtype)], 1))
        local_depth = _conv_to_map(self.local_head, local_features)

        confidence = torch.sigmoid(_conv_to_map(self.fusion, torch.cat([local_features, features], 1)))
        local_weight = confidence * self.fusion_scale.float()
        blended = torch.lerp(global_depth, local_depth, local_weight)
        depth = self.propagation(features, blended, sparse_depth > 0)

        maps = scale * depth, confidence, scale * local_depth, scale * global_depth, local_weight
        depth, confidence, local_depth, global_depth, local_weight = (each[..., :height, :width] for each in maps)
        return EMDCOutput(
            depth, confidence, local_depth=local_depth, global_depth=global_depth, local_weight=local_weight
        )

    def _features(self, inputs: Tensor) -> Tensor:
        """The decoder's features at full size."""
        *skips, features = self.encoder(inputs)
        for upsample in self.decoder:
            features = upsample(features)
            if skips:
                features = torch.cat([features, skips.pop()], 1)
        return features


class _Upsample(nn.Module):
    """To twice the size by arranging channels as pixels ("pixel shuffle"), between two 3x3 convolutions."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, 4 * outputs, 3, padding=1)
        self.norm = nn.BatchNorm2d(4 * outputs)
        self.activation = nn.PReLU(outputs)
        self.refine = nn.Conv2d(outputs, outputs, 3, padding=1)
        # Let the four pixels of a channel start out equal, against checkerboards (Aitken et al., "Checkerboard
        # artifact free sub-pixel convolution", 2017).
        quarter = self.conv.weight.detach()[::4]
        nn.init.kaiming_normal_(quarter)
        with torch.no_grad():
            self.conv.weight.copy_(quarter.repeat_interleave(4, 0))
        nn.init.zeros_(self.conv.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, 2 H, 2 W)."""
        shuffled = functional.pixel_shuffle(self.norm(self.conv(features)), 2)
        return self.refine(self.activation(shuffled))


def _conv_to_map(conv: nn.Conv2d, features: Tensor) -> Tensor:
    """``conv(features)`` of a square convolution to one channel, in float32, also under autocast and with half weights.

    A single output channel leaves vector units idle: here every row of the kernel makes a channel, and their sum,
    each moved by its row, is the answer. On a CPU, a 7x7 convolution of 56 channels is four times faster this way.
    """
    with exact(features.device):
        weight = conv.weight.float()
        size, height = weight.shape[-1], features.shape[-2]
        rows = functional.conv2d(features.float(), weight.permute(2, 1, 0, 3), padding=(0, size // 2))
        rows = functional.pad(rows, (0, 0, size // 2, size // 2))
        result = torch.zeros_like(rows[:, :1, :height]) if conv.bias is None else conv.bias.float().view(1, 1, 1, 1)
        for row in range(size):
            result = result + rows[:, row : row + 1, row : row + height]
    return result
