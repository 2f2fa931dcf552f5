"""NLSPN small enough for embedded GPUs and CPUs: it propagates at half the image, from local planes on.

Ours, after Park et al. (ECCV 2020, see :mod:`~depth_completion_ros.networks.nlspn`). What differs from the paper:

* Depth is the logarithm of depth here, less that of the mean measurement, so that scale does not matter.
* Of the image it sees local contrasts, whatever its colours and light.
* The initial depth is that of local planes through the measurements (:mod:`~depth_completion_ros.networks.planes`),
  which every scale of the encoder is told, corrected by what is predicted.
* It propagates at half the image, in 6 steps instead of 18, and takes no depth from outside of it: neighbours there are
  those at its border.
* Above the highest measurements depth continues upright. Then measurements spread along the lines of pixels
  (:mod:`~depth_completion_ros.networks.propagation.recursive`), and every pixel chooses how much it takes of that.
* To full size, every pixel takes a learned convex combination of the coarse ones nearest to it.
* The confidence that steers the propagation stays inside. The one that is answered is a further output, which training
  makes the probability that the depth is within 5 % of the truth.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from depth_completion_ros.networks.layers import padded
from depth_completion_ros.networks.lite import (
    DecoderStage,
    EncoderStage,
    GuidedUpsample,
    LiteNetwork,
    Spreading,
    answers,
    bounded,
    contrasts,
    doubled,
    start_at,
)
from depth_completion_ros.networks.planes import Surroundings, continue_upright, look_around
from depth_completion_ros.networks.propagation.neighbours import (
    GRID,
    AffinityNormalisation,
    confidence_at,
    split_prediction,
)
from depth_completion_ros.networks.propagation.non_local import propagate
from depth_completion_ros.networks.registry import NetworkOutput

# Channels and residual blocks at 1/2, 1/4, 1/8, 1/16 and 1/32 of the image.
_WIDTHS = (24, 48, 80, 128, 160)
_BLOCKS = (0, 1, 2, 2, 2)
_STEPS = 6
_STRIDE = 32  # of the encoder's last map
_TOLD = 5


class NLSPNLite(LiteNetwork):
    """See the module. Takes images of any size; the depth of one without any measurement is 0."""

    grid: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.ModuleList(
            EncoderStage(inputs, width, blocks, _TOLD)
            for inputs, width, blocks in zip((3, *_WIDTHS), _WIDTHS, _BLOCKS, strict=False)
        )
        self.decoder = nn.ModuleList(DecoderStage(below, width) for below, width in pairwise(_WIDTHS[::-1]))
        half = _WIDTHS[0]
        # Of the initial depth its correction and its confidence, and of every neighbour the offset and the affinity.
        self.head = nn.Conv2d(half, 2 + 3 * len(GRID), 3, padding=1)
        start_at(self.head, [0.0] * self.head.out_channels)
        self.normalise_affinity = AffinityNormalisation("TGASS")
        self.spreading = Spreading(half)
        self.upsample = GuidedUpsample(half)
        self.confidence = nn.Conv2d(half, 1, 3, padding=1)
        self.confidence_of_doubts = nn.Conv2d(4, 1, 3, padding=1, bias=False)
        self.register_buffer("grid", torch.tensor(GRID, dtype=torch.float32).view(-1, 2, 1, 1), persistent=False)

    def forward(self, image: Tensor | None, sparse_depth: Tensor, initial_depth: Tensor | None = None) -> NetworkOutput:
        """See :class:`~depth_completion_ros.networks.registry.CompletionNetwork`."""
        assert image is not None
        height, width = sparse_depth.shape[-2:]
        known = look_around(padded(sparse_depth.float(), _STRIDE))
        features = self._features(padded(image, _STRIDE, "replicate"), known)

        found, spreading, upsampling, logit = answers(
            features, self.head, self.spreading.head, self.upsample.head, self.confidence
        )
        correction, spread, predicted = found.float().split([1, 1, 3 * len(GRID)], 1)
        initial = known.plane + bounded(correction, known.deviation)
        spread = spread.sigmoid()
        offset, affinity = split_prediction(predicted)
        displacement = _inside(offset + self.grid.float())
        affinity = self.normalise_affinity(affinity, confidence_at(spread, displacement)).float()
        measured = known.count > 0
        depth = continue_upright(propagate(initial, displacement, affinity, _STEPS), measured)
        depth, spread_depth = self.spreading(spreading, depth, known.measured, measured)

        doubts = torch.cat([known.doubts(), spread], 1).to(features.dtype)
        logit = doubled(logit + self.confidence_of_doubts(doubts))
        maps = known.metres(self.upsample.combine(upsampling, depth)), known.anything * logit.sigmoid(), logit
        output = NetworkOutput(*(each[..., :height, :width] for each in maps))
        if self.training:  # for the loss
            output.initial_depth, output.spread_depth = (
                known.metres(doubled(each))[..., :height, :width] for each in (initial, spread_depth)
            )
        return output

    def _features(self, image: Tensor, known: Surroundings) -> Tensor:
        """The decoder's, at half size."""
        dtype = self.head.weight.dtype
        features = contrasts(image, self.image_mean, self.image_std).to(dtype)
        told = known.told().to(dtype)
        skips = []
        for stage in self.encoder:
            features = stage(features, told)
            skips.append(features)
            told = functional.avg_pool2d(told, 2, ceil_mode=True)
        skips.pop()
        for stage in self.decoder:
            features = stage(features, skips.pop())
        return features


def _inside(displacement: Tensor) -> Tensor:
    """Moves the neighbours (N, 8, 2, h, w) that lie outside to the border of the map."""
    height, width = displacement.shape[-2:]
    rows = torch.arange(height, device=displacement.device)[:, None]
    columns = torch.arange(width, device=displacement.device)
    row, column = displacement.unbind(2)
    return torch.stack([row.clamp(-rows, height - 1 - rows), column.clamp(-columns, width - 1 - columns)], 2)
