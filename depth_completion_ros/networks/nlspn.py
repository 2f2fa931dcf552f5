"""NLSPN: an encoder-decoder predicts an initial depth and, for each pixel, where to take depth from to refine it.

Jinsun Park, Kyungdon Joo, Zhe Hu, Chi-Kuei Liu and In So Kweon, "Non-Local Spatial Propagation Network for Depth
Completion", ECCV 2020. The layers are those of the authors' public implementation, which the paper leaves open. Preset
``lite`` is another network, see :mod:`~depth_completion_ros.networks.nlspn_lite`.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from depth_completion_ros.networks.layers import (
    conv_block,
    conv_in_float32,
    crop_to,
    residual_stage,
    upsample_block,
)
from depth_completion_ros.networks.nlspn_lite import NLSPNLite
from depth_completion_ros.networks.propagation.neighbours import (
    GRID,
    GRID_STEPS,
    Affinity,
    AffinityNormalisation,
    Sampling,
    confidence_at,
    split_prediction,
)
from depth_completion_ros.networks.propagation.non_local import propagate
from depth_completion_ros.networks.registry import CompletionNetwork, NetworkOutput, register

Backbone = Literal["resnet34", "resnet18"]

# Channels; scales are 1, 1/2, 1/4, 1/8 and 1/16 of the image.
_IMAGE_STEM, _DEPTH_STEM = 48, 16
_ENCODER = (64, 128, 256, 512, 512)
_DECODER = (256, 128, 64, 64)  # from 1/8 up to 1
_DEPTH_HEAD, _GUIDANCE_HEAD, _CONFIDENCE_HEAD = 64, 64, 32
# Residual blocks of the first four scales.
_BLOCKS: dict[Backbone, tuple[int, int, int, int]] = {"resnet34": (3, 4, 6, 3), "resnet18": (2, 2, 2, 2)}
_STEPS = 18


@register(
    "nlspn",
    summary="non-local spatial propagation of an initial depth by learned neighbours, affinities and confidence",
    source="Park et al., Non-Local Spatial Propagation Network for Depth Completion, ECCV 2020",
    presets=("paper", "lite"),
)
def nlspn(
    preset: str = "paper",
    *,
    backbone: Backbone = "resnet34",
    affinity: Affinity = "TGASS",
    sampling: Sampling = "consistent",
    preserve_input: bool = False,
) -> NLSPN | NLSPNLite:
    """Builds NLSPN.

    Args:
        preset: ``paper``, or ``lite`` for embedded GPUs and CPUs, which has none of the other options.
        backbone: the encoder.
        affinity: normalisation of the affinities (section 4.1): Tanh-gamma-Abs-Sum* (``TGASS``), Tanh-C (``TC``),
            Abs-Sum* (``ASS``) or Abs-Sum (``AS``).
        sampling: where the confidence of a neighbour is read: where its depth is (``consistent``, Eq. 9), or as in
            the authors' implementation, without (``official``) or with (``legacy``) its flag of that name.
        preserve_input: put the measurements back before every step.

    Raises:
        ValueError: preset ``lite`` does not have an option.
    """
    if preset == "lite":
        given = {"backbone": backbone, "affinity": affinity, "sampling": sampling, "preserve_input": preserve_input}
        standard = inspect.signature(nlspn).parameters
        for name, option in given.items():
            if option != standard[name].default:
                raise ValueError(f"nlspn: {name} {option!r} is an option of preset 'paper', not of 'lite'")
        return NLSPNLite()
    return NLSPN(backbone, affinity, sampling, preserve_input)


@dataclass(kw_only=True)
class NLSPNOutput(NetworkOutput):
    """What NLSPN answers, with its neighbours.

    Attributes:
        displacement: (N, 8, 2, H, W) rows and columns, in pixels, from each pixel to where neighbours' depth is read.
        affinity: (N, 8, H, W) normalised affinities of the neighbours; the pixel's own is 1 minus their sum.
    """

    displacement: Tensor
    affinity: Tensor


class NLSPN(CompletionNetwork):
    """See the module. Takes images of any size; does not use ``initial_depth``, as it predicts its own."""

    grid: Tensor
    confidence_meaning = "how far the initial depth of a pixel may spread to others; learned, not calibrated"

    def __init__(self, backbone: Backbone, affinity: Affinity, sampling: Sampling, preserve_input: bool) -> None:
        super().__init__()
        self.sampling: Sampling = sampling
        self.preserve_input = preserve_input
        stem = _IMAGE_STEM + _DEPTH_STEM
        leaky = nn.LeakyReLU(0.2, inplace=True)

        self.image_stem = conv_block(3, _IMAGE_STEM, norm=False, activation=leaky)
        self.depth_stem = conv_block(1, _DEPTH_STEM, norm=False, activation=leaky)
        full, half, quarter, eighth, sixteenth = _ENCODER
        blocks = _BLOCKS[backbone]
        self.encoder = nn.ModuleList(
            [
                residual_stage(stem, full, blocks[0]),
                residual_stage(full, half, blocks[1], stride=2),
                residual_stage(half, quarter, blocks[2], stride=2),
                residual_stage(quarter, eighth, blocks[3], stride=2),
                conv_block(eighth, sixteenth, stride=2, activation=leaky),
            ]
        )
        skips = (0, eighth, quarter, half)
        inputs = (sixteenth, *_DECODER[:-1])
        self.decoder = nn.ModuleList(
            upsample_block(below + skip, outputs, nn.BatchNorm2d(outputs), leaky)
            for below, skip, outputs in zip(inputs, skips, _DECODER, strict=True)
        )
        last = _DECODER[-1] + full
        self.depth_head = _Head(last, _DEPTH_HEAD, stem, 1)
        self.guidance_head = _Head(last, _GUIDANCE_HEAD, stem, len(GRID))
        self.confidence_head = _Head(last, _CONFIDENCE_HEAD, stem, 1)

        # Predicts for each neighbour its row and column offset, and after all of these its affinity.
        self.neighbours = nn.Conv2d(len(GRID), 3 * len(GRID), 3, padding=1)
        nn.init.zeros_(self.neighbours.weight)
        nn.init.zeros_(self.neighbours.bias)  # type: ignore[arg-type]
        self.normalise_affinity = AffinityNormalisation(affinity)
        self.register_buffer("grid", torch.tensor(GRID, dtype=torch.float32).view(-1, 2, 1, 1), persistent=False)

    def forward(
        self, image: Tensor | None, sparse_depth: Tensor, initial_depth: Tensor | None = None
    ) -> NLSPNOutput:
        """See :class:`~depth_completion_ros.networks.registry.CompletionNetwork`."""
        assert image is not None
        dtype = self.neighbours.weight.dtype
        stem = torch.cat([self.image_stem(image.to(dtype)), self.depth_stem(sparse_depth.to(dtype))], 1)
        features = self._features(stem)
        initial = functional.leaky_relu(self.depth_head(features, stem, float32=True), 0.2)
        confidence = torch.sigmoid(self.confidence_head(features, stem))
        guidance = self.guidance_head(features, stem)

        displacement, affinity = self._neighbourhood(self.neighbours(guidance).float(), confidence.float())
        measured = sparse_depth if self.preserve_input else None
        depth = propagate(initial, displacement, affinity, _STEPS, measured).clamp(min=0)
        return NLSPNOutput(depth, confidence, initial_depth=initial, displacement=displacement, affinity=affinity)

    def _features(self, stem: Tensor) -> Tensor:
        """The decoder's features at full size, beside the encoder's."""
        features = stem
        skips = []
        for stage in self.encoder:
            features = stage(features)
            skips.append(features)
        skips.pop()
        for upsample in self.decoder:
            skip = skips.pop()
            features = torch.cat([crop_to(upsample(features), skip), skip], 1)
        return features

    def _neighbourhood(self, predicted: Tensor, confidence: Tensor) -> tuple[Tensor, Tensor]:
        """Displacement and normalised affinity of the neighbours, see :class:`NLSPNOutput`."""
        offset, affinity = split_prediction(predicted)
        confidence_steps, depth_steps = GRID_STEPS[self.sampling]
        neighbour_confidence = confidence_at(confidence, offset + confidence_steps * self.grid)
        return offset + depth_steps * self.grid, self.normalise_affinity(affinity, neighbour_confidence)


class _Head(nn.Module):
    """Refines the decoder's features, joins them with those of the stem and estimates a map from both."""

    def __init__(self, inputs: int, hidden: int, stem: int, outputs: int) -> None:
        super().__init__()
        self.refine = conv_block(inputs, hidden, activation=nn.LeakyReLU(0.2, inplace=True))
        self.estimate = nn.Conv2d(hidden + stem, outputs, 3, padding=1)

    def forward(self, features: Tensor, stem: Tensor, *, float32: bool = False) -> Tensor:
        joined = torch.cat([self.refine(features), stem], 1)
        return conv_in_float32(self.estimate, joined) if float32 else self.estimate(joined)
