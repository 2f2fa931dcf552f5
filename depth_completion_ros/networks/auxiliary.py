"""Depth from depth alone, by a network that learns to see the image in it: auxiliary image reconstruction.

Kaiyue Lu, Nick Barnes, Saeed Anwar and Liang Zheng, "From Depth What Can You See? Depth Completion via Auxiliary Image
Reconstruction", CVPR 2020. There is no public implementation. Preset ``paper`` follows the paper, with these choices
where that leaves them open:

* The encoder has four branches, of kernels 3, 5, 7 and 9, whose four strided convolutions are 32 to 256 channels wide.
* N_t = 3 layers lead from 1/16 to 1/2. The operator Phi is a transposed convolution to twice the size and a 3x3
  convolution, 256, 128 and 64 channels wide; each use of it has weights of its own.
* A decoder is a Phi of 32 channels and a 3x3 convolution to one. Batch norm and ReLU follow all convolutions but that.
* Depth is relative to the mean measurement of an image, and positive by softplus. Grey values are those of 0..255, for
  which the paper's weight of 1e-4 on the loss of the image makes sense.

Preset ``lite``, for CPUs, is ours and keeps the parts but not their sizes:

* It gets local planes through the measurements (:mod:`~depth_completion_ros.networks.planes`) and what tells how far
  they may be wrong, and corrects them within the spread of the measurements around: four lines then say something
  everywhere, too.
* To the encoder's last map is added what residual blocks at 1/32 find: of a few lines, the next may be far away.
* The maps of the encoder are added to the features of their size.
* The decoders end at half size: full size is where a CPU spends its time. There measurements spread along the lines of
  pixels (:mod:`~depth_completion_ros.networks.propagation.recursive`), and every pixel chooses how much it takes of
  that. A learned convex combination of the nearest leads to full size.
* The confidence is a further output, which training makes the probability that the depth is within 5 % of the truth.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from depth_completion_ros.networks.gaps import fill_gaps, mean_measurement
from depth_completion_ros.networks.layers import conv_block, conv_in_float32, padded, residual_stage, upsample_block
from depth_completion_ros.networks.lite import (
    GuidedUpsample,
    LiteNetwork,
    Spreading,
    answers,
    bounded,
    doubled,
    start_at,
)
from depth_completion_ros.networks.planes import Surroundings, continue_upright, look_around
from depth_completion_ros.networks.registry import CompletionNetwork, NetworkOutput, register

_STRIDE = 16  # of the encoder's last map
_LITE_STRIDE = 32  # of the preset lite
_CONTEXT = 128  # channels at this stride
_KERNELS = (3, 5, 7, 9)
_CELL = 4  # pixels, in each direction, that share one confidence
_FADE = 0.8
_TOLD = 6


@dataclass(frozen=True)
class Size:
    """Widths of a branch from 1/2 to 1/16, of the feature extractors from 1/8 to 1/2, and of the decoders."""

    branch: tuple[int, int, int, int]
    extractor: tuple[int, int, int]
    decoder: int


_SIZES = {
    "paper": Size((32, 64, 128, 256), (256, 128, 64), 32),
    "lite": Size((8, 12, 16, 24), (64, 40, 24), 24),
}


@register(
    "auxiliary",
    summary="depth from depth alone, by features that learned to reconstruct the image in training",
    source="Lu et al., Depth Completion via Auxiliary Image Reconstruction, CVPR 2020",
    presets=tuple(_SIZES),
    uses_image=False,
)
def auxiliary(preset: str = "paper") -> AuxiliaryReconstruction | AuxiliaryLite:
    """Builds depth completion via auxiliary image reconstruction.

    Args:
        preset: ``paper``, or ``lite`` for embedded GPUs and CPUs.
    """
    size = _SIZES[preset]
    return AuxiliaryLite(size) if preset == "lite" else AuxiliaryReconstruction(size)


@dataclass
class AuxiliaryOutput(NetworkOutput):
    """What the network answers, with the image while it is trained.

    Attributes:
        gray: (N, 1, H, W) the reconstructed image, grey values of 0..255 but without bounds.
    """

    gray: Tensor | None = None


class AuxiliaryReconstruction(CompletionNetwork):
    """See the module. Takes images of any size; uses neither ``image`` nor ``initial_depth``.

    The measurements are what gives an image its scale: the depth of one without any is 0.
    """

    uses_image = False
    confidence_meaning = (
        "how well the depth agrees with the measurements next to a pixel: the smaller of both over the larger, times "
        f"{_FADE} for each doubling of the block around the pixel that holds some; not calibrated"
    )

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.encoder = MultiScaleEncoder(1, size.branch)
        self.extractors = FeatureExtractors(len(_KERNELS) * size.branch[-1], size.extractor, [0, 0, 0])
        self.depth_decoder = _Decoder(2 * size.extractor[-1], size.decoder)
        self.image_decoder = _Decoder(2 * size.extractor[-1], size.decoder)

    def forward(
        self, image: Tensor | None, sparse_depth: Tensor, initial_depth: Tensor | None = None
    ) -> AuxiliaryOutput:
        """See :class:`~depth_completion_ros.networks.registry.CompletionNetwork`."""
        height, width = sparse_depth.shape[-2:]
        sparse_depth = padded(sparse_depth.float(), _STRIDE)
        scale = mean_measurement(sparse_depth)
        relative = sparse_depth / scale.clamp(min=1e-3)
        maps = self.encoder(relative.to(self.depth_decoder.head.weight.dtype))
        depth_features, image_features = self.extractors(*maps)
        depth = scale * functional.softplus(self.depth_decoder(depth_features))
        gray = None
        if image_features is not None:
            gray = 255 * self.image_decoder(image_features)[..., :height, :width]
        confidence = _agreement(depth.detach(), sparse_depth)
        return AuxiliaryOutput(depth[..., :height, :width], confidence[..., :height, :width], gray=gray)


class AuxiliaryLite(LiteNetwork):
    """Preset ``lite``, see the module. Takes what the larger preset takes, and answers the same."""

    uses_image = False

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.encoder = MultiScaleEncoder(_TOLD, size.branch)
        *skips, deepest = (len(_KERNELS) * width for width in size.branch)
        self.context = _Context(deepest, _CONTEXT)
        self.extractors = FeatureExtractors(deepest, size.extractor, skips[::-1])
        self.decoder = conv_block(2 * size.extractor[-1], size.decoder, activation=nn.ReLU(inplace=True))
        self.head = nn.Conv2d(size.decoder, 2, 3, padding=1)  # a correction, and the logit of the confidence
        start_at(self.head, [0.0, 0.0])
        self.spreading = Spreading(size.decoder)
        self.upsample = GuidedUpsample(size.decoder)
        self.image_decoder = _LiteImageDecoder(2 * size.extractor[-1], size.decoder)

    def forward(
        self, image: Tensor | None, sparse_depth: Tensor, initial_depth: Tensor | None = None
    ) -> AuxiliaryOutput:
        """See :class:`~depth_completion_ros.networks.registry.CompletionNetwork`."""
        height, width = sparse_depth.shape[-2:]
        sparse_depth = padded(sparse_depth.float(), _LITE_STRIDE)
        known = look_around(sparse_depth)
        last, skips = self.encoder(_tell(sparse_depth, known).to(self.head.weight.dtype))
        depth_features, image_features = self.extractors(self.context(last), skips)
        features = self.decoder(depth_features)
        found, spreading, upsampling = answers(features, self.head, self.spreading.head, self.upsample.head)
        correction, logit = found.split(1, 1)
        measured = known.count > 0
        depth = continue_upright(known.plane + bounded(correction, known.deviation), measured)
        depth, spread = self.spreading(spreading, depth, known.measured, measured)
        logit = doubled(logit)
        confidence = known.anything * logit.sigmoid()
        maps = known.metres(self.upsample.combine(upsampling, depth)), confidence, logit
        output = AuxiliaryOutput(*(each[..., :height, :width] for each in maps))
        if image_features is not None:  # for the loss
            output.gray = 255 * self.image_decoder(image_features)[..., :height, :width]
            output.spread_depth = known.metres(doubled(spread))[..., :height, :width]
        return output


def _tell(sparse_depth: Tensor, known: Surroundings) -> Tensor:
    """(N, _TOLD, H, W): planes, their doubts, where and how far off them depth was measured."""
    maps = torch.cat([known.plane, known.doubts()], 1)
    maps = functional.interpolate(maps, sparse_depth.shape[-2:], mode="bilinear", align_corners=False)
    measured = sparse_depth > 0
    off = torch.where(measured, sparse_depth, 1).log() - known.scale - maps[:, :1]
    return torch.cat([maps, measured, (measured * off).clamp(-1, 1)], 1)


class MultiScaleEncoder(nn.Module):
    """Branches of strided convolutions, each of one kernel size, side by side."""

    def __init__(self, inputs: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.ModuleList(_halving(*shape, kernel) for shape in zip((inputs, *widths), widths, strict=False))
            for kernel in _KERNELS
        )

    def forward(self, inputs: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The branches' last maps, at 1/16, joined, and so those at 1/8, 1/4 and 1/2."""
        maps = [inputs] * len(self.branches)
        joined = []
        for layers in zip(*self.branches, strict=True):
            maps = [layer(features) for layer, features in zip(layers, maps, strict=True)]
            joined.append(torch.cat(maps, 1))
        *skips, last = joined
        return last, skips[::-1]


class _Context(nn.Module):
    """Adds what can be seen at half the size, from farther away: nothing before training."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.down = conv_block(width, inner, stride=2, activation=nn.ReLU(inplace=True))
        self.blocks = residual_stage(inner, inner, 2)
        self.back = nn.Conv2d(inner, width, 1)
        start_at(self.back, [0.0] * width)

    def forward(self, features: Tensor) -> Tensor:
        """(N, width, H, W), even -> the same."""
        seen = self.back(self.blocks(self.down(features)))
        return features + functional.interpolate(seen, scale_factor=2.0, mode="nearest")


class FeatureExtractors(nn.Module):
    """Those of depth and of image features, and the features both share (Eqs. 8 to 11, Fig. 4).

    Args:
        inputs: channels of the encoder's last map.
        widths: channels of each layer.
        skips: channels of the encoder's map of the same size that each layer adds, 0 to add none.
    """

    def __init__(self, inputs: int, widths: tuple[int, ...], skips: list[int]) -> None:
        super().__init__()
        shapes = list(zip((inputs, *widths), widths, skips, strict=False))
        self.depth = nn.ModuleList(Doubling(*shape) for shape in shapes)
        self.image = nn.ModuleList(Doubling(*shape) for shape in shapes)
        self.shared = nn.ModuleList(Doubling(below, width) for below, width, _ in shapes[1:])

    def forward(self, features: Tensor, skips: list[Tensor]) -> tuple[Tensor, Tensor | None]:
        """The features for the decoders of depth and, while training, of the image, each beside the shared ones."""
        depth, image = self.depth[0](features, skips[0]), self.image[0](features, skips[0])
        shared = image + depth
        *inner, (last_depth, last_image, last_shared, skip) = zip(
            self.depth[1:], self.image[1:], self.shared, skips[1:], strict=True
        )
        for of_depth, of_image, of_both, inner_skip in inner:
            depth, image = of_depth(depth, inner_skip), of_image(image, inner_skip)
            shared = image + depth + of_both(shared)
        shared = last_shared(shared)
        depth = torch.cat([last_depth(depth, skip), shared], 1)
        return depth, torch.cat([last_image(image, skip), shared], 1) if self.training else None


class Doubling(nn.Module):
    """Phi: makes a map of twice the size, adds that of the encoder where there is one, and convolves the sum."""

    def __init__(self, inputs: int, outputs: int, skip: int = 0) -> None:
        super().__init__()
        self.upsample = upsample_block(inputs, outputs, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))
        self.skip = nn.Conv2d(skip, outputs, 1) if skip else None
        self.refine = conv_block(outputs, outputs, activation=nn.ReLU(inplace=True))

    def forward(self, features: Tensor, skip: Tensor | None = None) -> Tensor:
        """(N, inputs, H, W) and, for a layer with a skip, (N, skip, 2 H, 2 W) -> (N, outputs, 2 H, 2 W)."""
        features = self.upsample(features)
        if self.skip is not None:
            features = features + self.skip(skip)
        return self.refine(features)


class _Decoder(nn.Module):
    """Features of half size -> a number per pixel, in float32."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.features = Doubling(inputs, width)
        self.head = nn.Conv2d(width, 1, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        return conv_in_float32(self.head, self.features(features))


class _LiteImageDecoder(nn.Module):
    """The same, doubled by the head alone."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.features = conv_block(inputs, width, activation=nn.ReLU(inplace=True))
        self.head = nn.Conv2d(width, 4, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, 1, 2 H, 2 W)."""
        return functional.pixel_shuffle(conv_in_float32(self.head, self.features(features)), 2)


def _halving(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, 2, kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


def _agreement(depth: Tensor, sparse_depth: Tensor) -> Tensor:
    """The confidence, (N, 1, H, W) with H and W multiples of a cell; see ``confidence_meaning``."""
    known = sparse_depth > 0
    ratio = torch.where(known, torch.minimum(depth, sparse_depth) / torch.maximum(depth, sparse_depth), 0)
    total, share = functional.avg_pool2d(torch.cat([ratio, known], 1), _CELL).chunk(2, 1)
    cells = fill_gaps(total / share, share > 0, _FADE)
    return functional.interpolate(cells, scale_factor=_CELL, mode="bilinear", align_corners=False)
