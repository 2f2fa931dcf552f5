"""The encoder of MobileNetV2, whose thin layers suit embedded processors.

Mark Sandler, Andrew Howard, Menglong Zhu, Andrey Zhmoginov and Liang-Chieh Chen, "MobileNetV2: Inverted Residuals and
Linear Bottlenecks", CVPR 2018, table 2, up to the last layer that still has a place for every pixel.
"""

from __future__ import annotations

from torch import Tensor, nn

_STEM = 32
# (expansion, channels, blocks, stride of the first block) of each stage.
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
# The last feature of each scale that a decoder builds on: 1/2, 1/4, 1/8, 1/16 and 1/32. At 1/16 these are the features
# before the widening to 96 channels.
_TAPS = (1, 3, 6, 10, 17)


class MobileNetV2(nn.Module):
    """Features of an image at 1/2, 1/4, 1/8, 1/16 and 1/32 of its size.

    Args:
        inputs: channels of the image.
        width: factor on the number of channels, which is rounded to multiples of 8.

    Attributes:
        channels: of the five features.
    """

    def __init__(self, inputs: int, width: float = 1.0) -> None:
        super().__init__()
        channels = _scaled(_STEM, width)
        self.features = nn.ModuleList([nn.Sequential(*_conv_norm(inputs, channels, 3, stride=2), nn.ReLU6(True))])
        widths = [channels]
        for expansion, outputs, blocks, first_stride in _STAGES:
            for block in range(blocks):
                stride = first_stride if block == 0 else 1
                inputs, channels = channels, _scaled(outputs, width)
                self.features.append(InvertedResidual(inputs, channels, stride, expansion))
                widths.append(channels)
        self.channels = tuple(widths[tap] for tap in _TAPS)

    def forward(self, image: Tensor) -> list[Tensor]:
        """(N, inputs, H, W) -> the five features, the largest first; sizes are rounded up."""
        taps = []
        features = image
        for index, layer in enumerate(self.features):
            features = layer(features)
            if index in _TAPS:
                taps.append(features)
        return taps


class InvertedResidual(nn.Module):
    """Widens by a 1x1 convolution, filters each channel by itself, and narrows again, around a shortcut (Fig. 3b)."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        widen = [*_conv_norm(inputs, hidden, 1), nn.ReLU6(True)] if expansion > 1 else []
        filter_channels = [*_conv_norm(hidden, hidden, 3, stride, groups=hidden), nn.ReLU6(True)]
        self.layers = nn.Sequential(*widen, *filter_channels, *_conv_norm(hidden, outputs, 1))
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, features: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, ceil(H / stride), ceil(W / stride))."""
        residual = self.layers(features)
        return features + residual if self.shortcut else residual


def _conv_norm(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(outputs)]


def _scaled(channels: int, width: float) -> int:
    """A multiple of 8 near ``channels * width``, and no less than 90 % of it, as in the authors' models."""
    rounded = max(8, int(channels * width + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * channels * width else rounded + 8
