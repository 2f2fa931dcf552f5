"""EMDC small enough for embedded GPUs and CPUs: its branches correct local planes, at half the image.

Ours, after Hou et al. (ECCV 2022, see :mod:`~depth_completion_ros.networks.emdc`). What differs from the paper:

* Depth is the logarithm of depth here, less that of the mean measurement, so that scale does not matter.
* Of the image it sees local contrasts, whatever its colours and light.
* Both branches start from local planes through the measurements (:mod:`~depth_completion_ros.networks.planes`) and are
  told how far these may be wrong. The global depth differs from them by what a MobileNetV2 of half the width predicts,
  the local one also by what its branch does, which is told how far the measurements are off that.
* Before the funnel, whose reach is short where spots are few, measurements spread along the lines of pixels
  (:mod:`~depth_completion_ros.networks.propagation.recursive`), and every pixel chooses how much it takes of that.
* Branches, blend and propagation work at half the image, where every pixel takes a learned convex combination from.
* The funnel has three stages, which start out by keeping most of the depth that they get. Outside of the image there is
  the depth at its border.
* The weight of the local depth is a sigmoid, without another factor. The confidence is a further output, which training
  makes the probability that the depth is within 5 % of the truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from depth_completion_ros.networks.layers import conv_block, padded
from depth_completion_ros.networks.lite import (
    DecoderStage,
    GuidedUpsample,
    LiteNetwork,
    Spreading,
    answers,
    bounded,
    contrasts,
    doubled,
    start_at,
)
from depth_completion_ros.networks.mobilenet import MobileNetV2
from depth_completion_ros.networks.planes import Surroundings, look_around
from depth_completion_ros.networks.propagation.funnel import TAPS, FunnelPropagation
from depth_completion_ros.networks.registry import NetworkOutput

_STRIDE = 32  # of the encoder's last features
_WIDTH = 0.5  # factor on the widths of MobileNetV2
_DECODER = (96, 64, 48, 32)  # channels from 1/16 up to 1/2
_LOCAL = 16
_FUNNEL = ((3, (1, 2, 3)), (2, (1, 2)), (2, (1,)))
_REACH = 3  # its largest dilation
_KEPT = 4.0  # logit, before training, of the share that a pixel keeps in a step of the propagation
_NEAREST = 0.02  # of the mean measurement
_TOLD = 5
_DOUBTS = 3


@dataclass
class EMDCLiteOutput(NetworkOutput):
    """What EMDC answers in preset ``lite``, with the depths of its branches while it is trained.

    Attributes:
        local_depth: (N, 1, H, W) metres, of the branch that refines around the measurements.
        global_depth: likewise, of the branch that sees the whole image.
    """

    local_depth: Tensor | None = None
    global_depth: Tensor | None = None


class EMDCLite(LiteNetwork):
    """See the module. Takes images of any size; the depth of one without any measurement is 0."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = MobileNetV2(3 + _TOLD, _WIDTH)
        *skips, last = self.encoder.channels
        self.skips = nn.ModuleList(nn.Conv2d(skip, width, 1) for skip, width in zip(skips[::-1], _DECODER, strict=True))
        self.decoder = nn.ModuleList(DecoderStage(below, width) for below, width in pairwise((last, *_DECODER)))
        features = _DECODER[-1]
        self.global_head = nn.Conv2d(features, 1, 3, padding=1)
        start_at(self.global_head, [0.0])

        relu = nn.ReLU(inplace=True)
        self.local_branch = nn.Sequential(
            conv_block(features + 2 + _DOUBTS, _LOCAL, activation=relu), conv_block(_LOCAL, _LOCAL, activation=relu)
        )
        self.local_head = nn.Conv2d(_LOCAL, 1, 3, padding=1)
        start_at(self.local_head, [0.0])

        self.fusion = nn.Conv2d(_LOCAL + features, 1, 3, padding=1)
        self.propagation = FunnelPropagation(features, _FUNNEL)
        _keep_most(self.propagation)
        self.spreading = Spreading(features)
        self.upsample = GuidedUpsample(features)
        self.confidence = nn.Conv2d(_LOCAL + features, 1, 3, padding=1)
        self.confidence_of_doubts = nn.Conv2d(_DOUBTS, 1, 3, padding=1, bias=False)

    def forward(
        self, image: Tensor | None, sparse_depth: Tensor, initial_depth: Tensor | None = None
    ) -> EMDCLiteOutput:
        """See :class:`~depth_completion_ros.networks.registry.CompletionNetwork`."""
        assert image is not None
        height, width = sparse_depth.shape[-2:]
        known = look_around(padded(sparse_depth.float(), _STRIDE))
        features = self._features(padded(image, _STRIDE, "replicate"), known)
        correction, spreading, upsampling = answers(features, self.global_head, self.spreading.head, self.upsample.head)
        global_depth = known.plane + bounded(correction, known.deviation)

        measured = known.count > 0
        off = measured * (known.measured - global_depth).clamp(-1, 1)
        told = torch.cat([off, measured, known.doubts()], 1).to(features.dtype)
        local = self.local_branch(torch.cat([features, told], 1))
        local_depth = global_depth + bounded(self.local_head(local), known.deviation)
        fusion, logit = answers(torch.cat([features, local], 1), self.fusion, self.confidence)
        local_weight = fusion.float().sigmoid()
        blended = torch.lerp(global_depth, local_depth, local_weight)
        # Means of depth: those of its logarithm come out nearer than what they are to fill.
        chosen, spread = self.spreading(spreading, blended.exp(), known.measured.exp(), measured)
        depth = self._propagate(features, chosen.clamp(min=_NEAREST).log(), measured)

        logit = doubled(logit + self.confidence_of_doubts(told[:, 2:]))
        maps = known.metres(self.upsample.combine(upsampling, depth)), known.anything * logit.sigmoid(), logit
        output = EMDCLiteOutput(*(each[..., :height, :width] for each in maps))
        if self.training:  # for the loss
            output.local_depth, output.global_depth, output.spread_depth = (
                known.metres(doubled(each))[..., :height, :width] for each in (local_depth, global_depth, spread.log())
            )
        return output

    def _features(self, image: Tensor, known: Surroundings) -> Tensor:
        """The decoder's, at half size."""
        seen = torch.cat([contrasts(image, self.image_mean, self.image_std), doubled(known.told())], 1)
        *skips, features = self.encoder(seen.to(self.global_head.weight.dtype))
        for stage, skip in zip(self.decoder, self.skips, strict=True):
            features = stage(features, skip(skips.pop()))
        return features

    def _propagate(self, features: Tensor, depth: Tensor, measured: Tensor) -> Tensor:
        """Through the funnel, within a frame of the depth at the border, which stays as it is."""
        frame = (_REACH,) * 4
        features, depth = (functional.pad(each, frame, mode="replicate") for each in (features, depth))
        kept = functional.pad(measured, frame, value=True)
        return self.propagation(features, depth, kept)[..., _REACH:-_REACH, _REACH:-_REACH]


def _keep_most(propagation: FunnelPropagation) -> None:
    """Lets a pixel keep most of its depth before training, instead of the mean of all around it."""
    for name, conv in propagation.named_modules():
        if isinstance(conv, nn.Conv2d) and ".kernels." in name:
            assert conv.bias is not None
            nn.init.normal_(conv.weight, std=1e-3)
            nn.init.zeros_(conv.bias)
            with torch.no_grad():
                conv.bias[TAPS.index((0, 0))] = _KEPT
