"""NLSPN: an encoder-decoder predicts an initial depth and, for each pixel, where to take depth from to refine it.

Jinsun Park, Kyungdon Joo, Zhe Hu, Chi-Kuei Liu and In So Kweon, "Non-Local Spatial Propagation Network for Depth
Completion", ECCV 2020. The layers are those of the authors' public implementation, which the paper leaves open.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

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
from depth_completion_ros.networks.propagation.non_local import propagate, sample
from depth_completion_ros.networks.registry import CompletionNetwork, NetworkOutput, register

Affinity = Literal["TGASS", "TC", "ASS", "AS"]
Sampling = Literal["consistent", "official", "legacy"]

# The neighbours' places before the predicted offsets: the 3x3 grid around a pixel without the pixel, row by row.
_GRID = [(row, column) for row in (-1, 0, 1) for column in (-1, 0, 1) if (row, column) != (0, 0)]
# How many grid displacements are added to an offset where (the confidence, the depth) of a neighbour is sampled.
_GRID_STEPS: dict[Sampling, tuple[int, int]] = {"consistent": (1, 1), "official": (0, 1), "legacy": (1, 2)}


@dataclass(frozen=True)
class Size:
    """Widths and depths of the network; scales are 1, 1/2, 1/4, 1/8 and 1/16 of the image."""

    image_stem: int
    depth_stem: int
    encoder: tuple[int, int, int, int, int]
    blocks: tuple[int, int, int, int]
    decoder: tuple[int, int, int, int]  # from 1/8 up to 1
    depth_head: int
    guidance_head: int
    confidence_head: int
    steps: int


_RESNET34 = Size(
    48, 16, (64, 128, 256, 512, 512), (3, 4, 6, 3), (256, 128, 64, 64),
    depth_head=64, guidance_head=64, confidence_head=32, steps=18,
)  # fmt: skip
# Full resolution is what costs: it keeps only thin layers, and no residual block of its own.
_LITE = Size(
    12, 4, (16, 24, 48, 128, 256), (0, 1, 2, 1), (96, 48, 24, 8),
    depth_head=8, guidance_head=8, confidence_head=8, steps=6,
)  # fmt: skip
_SIZES = {"paper": _RESNET34, "lite": _LITE}


@register(
    "nlspn",
    summary="non-local spatial propagation of an initial depth by learned neighbours, affinities and confidence",
    source="Park et al., Non-Local Spatial Propagation Network for Depth Completion, ECCV 2020",
    presets=tuple(_SIZES),
)
def nlspn(
    preset: str = "paper",
    *,
    backbone: Literal["resnet34", "resnet18"] = "resnet34",
    affinity: Affinity = "TGASS",
    sampling: Sampling = "consistent",
    preserve_input: bool = False,
) -> NLSPN:
    """Builds NLSPN.

    Args:
        preset: ``paper``, or ``lite`` for embedded GPUs and CPUs.
        backbone: the encoder of preset ``paper``.
        affinity: normalisation of the affinities (section 4.1): Tanh-gamma-Abs-Sum* (``TGASS``), Tanh-C (``TC``),
            Abs-Sum* (``ASS``) or Abs-Sum (``AS``).
        sampling: where the confidence of a neighbour is read: where its depth is (``consistent``, Eq. 9), or as in
            the authors' implementation, without (``official``) or with (``legacy``) its flag of that name.
        preserve_input: put the measurements back before every step.

    Raises:
        ValueError: an option has none of these values.
    """
    for name, value, known in (
        ("backbone", backbone, ("resnet34", "resnet18")),
        ("affinity", affinity, get_args(Affinity)),
        ("sampling", sampling, get_args(Sampling)),
    ):
        if value not in known:
            raise ValueError(f"nlspn: unknown {name} {value!r}; available: {', '.join(known)}")
    size = _SIZES[preset]
    if backbone == "resnet18":
        if preset != "paper":
            raise ValueError(f"nlspn: backbone 'resnet18' is an option of preset 'paper', not of {preset!r}")
        size = replace(size, blocks=(2, 2, 2, 2))
    return NLSPN(size, affinity, sampling, preserve_input)


@dataclass
class NLSPNOutput(NetworkOutput):
    """What NLSPN answers.

    Attributes:
        initial_depth: (N, 1, H, W) metres before propagation; can be negative.
        displacement: (N, 8, 2, H, W) rows and columns, in pixels, from each pixel to where neighbours' depth is read.
        affinity: (N, 8, H, W) normalised affinities of the neighbours; the pixel's own is 1 minus their sum.
    """

    initial_depth: Tensor
    displacement: Tensor
    affinity: Tensor


class NLSPN(CompletionNetwork):
    """See the module. Takes images of any size; does not use ``initial_depth``, as it predicts its own."""

    grid: Tensor
    confidence_meaning = "how far the initial depth of a pixel may spread to others; learned, not calibrated"

    def __init__(self, size: Size, affinity: Affinity, sampling: Sampling, preserve_input: bool) -> None:
        super().__init__()
        self.sampling: Sampling = sampling
        self.preserve_input = preserve_input
        self.steps = size.steps
        stem = size.image_stem + size.depth_stem
        leaky = nn.LeakyReLU(0.2, inplace=True)

        self.image_stem = conv_block(3, size.image_stem, norm=False, activation=leaky)
        self.depth_stem = conv_block(1, size.depth_stem, norm=False, activation=leaky)
        full, half, quarter, eighth, sixteenth = size.encoder
        self.encoder = nn.ModuleList(
            [
                residual_stage(stem, full, size.blocks[0]),
                residual_stage(full, half, size.blocks[1], stride=2),
                residual_stage(half, quarter, size.blocks[2], stride=2),
                residual_stage(quarter, eighth, size.blocks[3], stride=2),
                conv_block(eighth, sixteenth, stride=2, activation=leaky),
            ]
        )
        skips = (0, eighth, quarter, half)
        inputs = (sixteenth, *size.decoder[:-1])
        self.decoder = nn.ModuleList(
            upsample_block(below + skip, outputs, nn.BatchNorm2d(outputs), leaky)
            for below, skip, outputs in zip(inputs, skips, size.decoder, strict=True)
        )
        last = size.decoder[-1] + full
        self.depth_head = _Head(last, size.depth_head, stem, 1)
        self.guidance_head = _Head(last, size.guidance_head, stem, len(_GRID))
        self.confidence_head = _Head(last, size.confidence_head, stem, 1)

        # Predicts for each neighbour its row and column offset, and after all of these its affinity.
        self.neighbours = nn.Conv2d(len(_GRID), 3 * len(_GRID), 3, padding=1)
        nn.init.zeros_(self.neighbours.weight)
        nn.init.zeros_(self.neighbours.bias)  # type: ignore[arg-type]
        self.normalise_affinity = _AffinityNormalisation(affinity)
        self.register_buffer("grid", torch.tensor(_GRID, dtype=torch.float32).view(-1, 2, 1, 1), persistent=False)

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
        depth = propagate(initial, displacement, affinity, self.steps, measured).clamp(min=0)
        return NLSPNOutput(depth, confidence, initial, displacement, affinity)

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
        offset, affinity = predicted.split([2 * len(_GRID), len(_GRID)], 1)
        offset = offset.unflatten(1, (len(_GRID), 2))
        confidence_steps, depth_steps = _GRID_STEPS[self.sampling]
        # The confidence teaches no offset. One neighbour at a time is faster: its samples stay in the cache.
        read_at = offset.detach() + confidence_steps * self.grid
        neighbour_confidence = torch.cat([sample(confidence, at) for at in read_at.split(1, 1)], 1)
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


class _AffinityNormalisation(nn.Module):
    """Raw affinities -> affinities weighted by the neighbours' confidence, whose magnitudes sum up to 1 at most."""

    def __init__(self, kind: Affinity) -> None:
        super().__init__()
        self.kind = kind
        initial = {"TGASS": 0.5 * len(_GRID), "TC": len(_GRID)}.get(kind, 1.0)
        self.scale = nn.Parameter(torch.tensor([float(initial)]), requires_grad=kind == "TGASS")

    def forward(self, affinity: Tensor, confidence: Tensor) -> Tensor:
        if self.kind == "TGASS":
            affinity = torch.tanh(affinity) / (self.scale + 1e-8)
        elif self.kind == "TC":
            affinity = torch.tanh(affinity) / self.scale
        affinity = affinity * confidence
        if self.kind == "TC":  # at most 8 neighbours of at most 1/8 each
            return affinity
        total = affinity.abs().sum(1, keepdim=True) + 1e-4
        # Abs-Sum* and its variant leave small sums as they are.
        return affinity / (total if self.kind == "AS" else total.clamp(min=1))
