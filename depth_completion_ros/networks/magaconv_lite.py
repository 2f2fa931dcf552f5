"""MagaConv with BP-Fusion small enough for embedded GPUs and CPUs: it says where what was measured spreads to.

Ours, after Huang et al. (arXiv 2401.07439v1, see :mod:`~depth_completion_ros.networks.magaconv`). It keeps the parts of
the paper but not their sizes:

* Depth is the logarithm of depth here, less that of the mean measurement, so that scale does not matter.
* Of the image it sees local contrasts, whatever its colours and light.
* What was measured spreads by guided diffusion (:mod:`~depth_completion_ros.networks.propagation.diffusion`), at half
  size; the features say across which pixels, how far the measurements are to be trusted, and how far the planes
  through them (:mod:`~depth_completion_ros.networks.planes`). Depth itself spreads: holes filled with means of its
  logarithm, or of its inverse, come out nearer than they are.
* Full size combines the pixels of half size, so that edges stay sharp; where there are measurements it is a mean of a
  few, which has less noise. Both are corrected, pixel by pixel, within the spread of the measurements around.
* A head filters a third of the channels, each by itself (Tan and Le, "MixConv", BMVC 2019).
* Colour also reaches the decoder at each scale, which ends at half size and answers four pixels per place: full size is
  where a CPU spends its time.
* Colour has no residual block at half size, which would cost 4 % of the time.
* There is one Bid-Fusion block: a second one costs 8 % of the time and lowered the error by less than 1 %.
* The confidence is a further output, which training makes the probability that the depth is within 5 % of the truth.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from depth_completion_ros.networks.gaps import blurred, fill_gaps, gaussian
from depth_completion_ros.networks.layers import conv_in_float32, padded
from depth_completion_ros.networks.lite import (
    GuidedUpsample,
    LiteNetwork,
    bounded,
    contrasts,
    doubled,
    start_at,
)
from depth_completion_ros.networks.magaconv_layers import BidFusion, ColorEncoder, DepthEncoder, GatedUpsample
from depth_completion_ros.networks.planes import Surroundings, look_around
from depth_completion_ros.networks.propagation.diffusion import diffuse
from depth_completion_ros.networks.registry import NetworkOutput

_STRIDE = 8  # of the encoders' last features
_WIDTHS = (24, 48, 96)  # of both encoders at 1/2, 1/4 and 1/8 of the image
_NEURONS = 8
_TOLD = 4
_BLUR, _TAPS = 0.8, 5  # pixels, of what is measured
# Before training: links that hardly hinder, measurements that rule, planes that matter only far from all of these.
_LINKED, _TRUSTED, _FARTHEST = 2.0, 2.0, -8.0
_MOST_TRUSTED = 5.0  # logarithm


class MagaConvLite(LiteNetwork):
    """See the module. Takes images of any size; the depth of one without any measurement is 0."""

    widens_outlines = False  # it keeps what was measured

    def __init__(self) -> None:
        super().__init__()
        half, quarter, eighth = _WIDTHS
        self.depth_encoder = DepthEncoder(_WIDTHS, separable=True)
        self.color_encoder = ColorEncoder(_WIDTHS, first=False)
        self.fusion = BidFusion(eighth, slices=1, neurons=_NEURONS)
        self.to_quarter = GatedUpsample(2 * eighth, 2 * quarter, quarter)
        self.pixels = nn.Conv2d(5, half, 2, 2)
        self.to_half = GatedUpsample(quarter, 3 * half + _TOLD, half)
        self.spread = nn.Conv2d(half, 4, 3, padding=1)
        start_at(self.spread, [_LINKED, _LINKED, _TRUSTED, _FARTHEST])
        self.to_full = GuidedUpsample(half)
        self.head = nn.Conv2d(half, 2 * 4, 3, padding=1)
        start_at(self.head, [0.0] * 2 * 4)

    def forward(self, image: Tensor | None, sparse_depth: Tensor, initial_depth: Tensor | None = None) -> NetworkOutput:
        """See :class:`~depth_completion_ros.networks.registry.CompletionNetwork`."""
        assert image is not None
        height, width = sparse_depth.shape[-2:]
        dtype = self.head.weight.dtype
        image = contrasts(padded(image, _STRIDE, "replicate"), self.image_mean, self.image_std).to(dtype)
        sparse_depth = padded(sparse_depth.float(), _STRIDE, "replicate")  # with zeros, the border would be a hole
        known = look_around(sparse_depth)
        measured = sparse_depth > 0
        log_depth = torch.where(measured, torch.where(measured, sparse_depth, 1).log() - known.scale, 0)

        depth_maps, _ = self.depth_encoder(log_depth.to(dtype), (~measured).to(dtype))
        color_maps = self.color_encoder(image)
        fused, _ = self.fusion(depth_maps[-1], color_maps[-1])
        features = self.to_quarter(torch.cat([fused, depth_maps[2]], 1), torch.cat([depth_maps[1], color_maps[1]], 1))
        off = fill_gaps(known.measured - known.plane, known.count > 0)
        first = torch.where(measured, log_depth, doubled(known.plane + off))
        pixels = torch.cat([first, measured, image], 1)
        told = torch.cat([known.doubts(), known.count.clamp(max=1)], 1)
        told = told.to(dtype, memory_format=torch.channels_last)  # of one kind, maps are joined faster
        skips = depth_maps[0], color_maps[0], self.pixels(pixels.to(dtype)), told
        features = self.to_half(features, torch.cat(skips, 1))

        spread = self.to_full(features, self._spread(features, known).log())
        base = spread + torch.where(measured, _smoothed(log_depth - spread, measured), 0)
        outputs = functional.pixel_shuffle(conv_in_float32(self.head, features), 2)
        correction, logit = outputs.split(1, 1)
        anything = known.anything
        depth = anything * (known.scale + base + bounded(correction, doubled(known.deviation))).exp()
        maps = depth, anything * logit.sigmoid(), logit
        return NetworkOutput(*(each[..., :height, :width] for each in maps))

    def _spread(self, features: Tensor, known: Surroundings) -> Tensor:
        """(N, half, h, w) features -> (N, 1, h, w) depth, over that of the mean measurement, as far as it spreads."""
        right, down, measured, plane = conv_in_float32(self.spread, features).split(1, 1)
        there = known.count > 0
        trust = torch.where(there, measured, plane).clamp(max=_MOST_TRUSTED).exp()
        target = torch.where(there, known.measured, known.plane).exp()
        return diffuse(target, trust, right.sigmoid(), down.sigmoid())


def _smoothed(values: Tensor, known: Tensor) -> Tensor:
    """(N, 1, H, W), the mean of the known values at and next to each pixel; only where known is it of any use."""
    maps = torch.cat([torch.where(known, values, 0), known.float()], 1)
    total, share = blurred(maps, gaussian(_BLUR, _TAPS, maps.device)).chunk(2, 1)
    return total / share.clamp(min=torch.finfo(share.dtype).tiny)
