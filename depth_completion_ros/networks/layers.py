"""Building blocks that several networks share.

:class:`BasicBlock` names its children as torchvision does, whose ImageNet weights then load as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional


def conv_block(
    inputs: int, outputs: int, *, stride: int = 1, norm: bool = True, activation: nn.Module | None = None
) -> nn.Sequential:
    """3x3 convolution, batch norm (or a bias in its place), activation where one is given."""
    layers: list[nn.Module] = [nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=not norm)]
    if norm:
        layers.append(nn.BatchNorm2d(outputs))
    if activation is not None:
        layers.append(activation)
    return nn.Sequential(*layers)


def upsample_block(inputs: int, outputs: int, norm: nn.Module, activation: nn.Module) -> nn.Sequential:
    """Transposed 3x3 convolution to twice the size, normalisation, activation."""
    conv = nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1, bias=False)
    return nn.Sequential(conv, norm, activation)


class BasicBlock(nn.Module):
    """Residual block of ResNet-18 and -34 (He et al., CVPR 2016): two 3x3 convolutions around a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(outputs))

    def forward(self, features: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, ceil(H / stride), ceil(W / stride))."""
        residual = functional.relu(self.bn1(self.conv1(features)), inplace=True)
        residual = self.bn2(self.conv2(residual))
        return functional.relu(residual + self.downsample(features), inplace=True)


def residual_stage(inputs: int, outputs: int, blocks: int, stride: int = 1) -> nn.Sequential:
    """A stage of a ResNet: ``blocks`` basic blocks, the first of which changes the width and the size."""
    widths = [inputs] + [outputs] * blocks
    strides = [stride] + [1] * blocks
    return nn.Sequential(*(BasicBlock(widths[i], outputs, strides[i]) for i in range(blocks)))


def crop_to(features: Tensor, reference: Tensor) -> Tensor:
    """Cuts the last rows and columns of ``features`` (N, C, h, w) down to the size of ``reference``.

    An odd size that was halved and doubled is one too large; cutting at the end moves no pixel.
    """
    return features[..., : reference.shape[-2], : reference.shape[-1]]


def padded(maps: Tensor, stride: int, mode: str = "constant", *, least: int = 1) -> Tensor:
    """Pads (N, C, H, W) to whole cells of ``stride`` pixels, and ``least`` pixels, at the end, so that no pixel moves.

    What is added is 0, or with ``mode`` "replicate" what is at the border.
    """
    bottom, right = (-(-max(size, least) // stride) * stride - size for size in maps.shape[-2:])
    return functional.pad(maps, (0, right, 0, bottom), mode)


# What tells cuDNN to convolve in float32. PyTorch 2.9 and later have two names for it; the old one raises where a user
# has set the new one.
_CONVOLUTIONS: tuple[object, str, object] = (
    (torch.backends.cudnn.conv, "fp32_precision", "ieee")
    if hasattr(torch.backends.cudnn, "conv")
    else (torch.backends.cudnn, "allow_tf32", False)
)


@contextmanager
def exact(device: torch.device) -> Iterator[None]:
    """What is computed from float32 inside stays float32: without autocast, and on a GPU without TF32.

    TF32 has the 10 bits of half precision, and PyTorch lets cuDNN convolve in it unless it is told otherwise, by a
    setting of the whole process: networks must not run in two threads of one process at a time. Once used, PyTorch's
    setting for convolutions no longer follows that for all backends.
    """
    place, name, value = _CONVOLUTIONS
    before = getattr(place, name)
    setattr(place, name, value)
    try:
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        setattr(place, name, before)


def conv_in_float32(conv: nn.Conv2d, features: Tensor) -> Tensor:
    """``conv(features)`` in float32, also under autocast and with half weights.

    For convolutions that answer metres: at 80 m half precision counts in steps of 6 cm, bfloat16 in steps of 50 cm.
    """
    bias = None if conv.bias is None else conv.bias.float()
    with exact(features.device):
        return functional.conv2d(features.float(), conv.weight.float(), bias, conv.stride, conv.padding)
