"""MSPN small enough for embedded GPUs and CPUs: masked propagation runs at 1/8 of the image.

Ours, after Jun et al. (CVPR 2024, see :mod:`~depth_completion_ros.networks.mspn`). What differs from the paper:

* Depth is the logarithm of depth here, less that of the mean measurement, so that scale does not matter.
* Of the image it sees local contrasts, whatever its colours and light.
* It starts from local planes through the measurements (:mod:`~depth_completion_ros.networks.planes`), which every scale
  of the encoder is told, however sparse they are. The network predicts by what factor a pixel differs from them.
* The maps that propagate hold the predicted depth, corrected by what the measurements in a cell differ from it, each at
  its own pixel: where in its cell a measurement lies does not matter. The mask starts from how well it fits.
* Between the scales, every pixel takes a learned convex combination of the coarse ones nearest to it, which keeps edges
  sharp (after Teed and Deng, "RAFT", ECCV 2020).
* At half the image, every pixel chooses between what was propagated and the plane, which knows more where measurements
  are dense. Nothing is added to that: a last correction by the features alone served the data of the training and
  harmed all other.
* Above the highest measurements depth continues upright, unless an estimate tells more.
* Last, measurements spread along the lines of pixels (:mod:`~depth_completion_ros.networks.propagation.recursive`) up
  to the edges that the features know, and every pixel chooses how much it takes of that: the crown of a tree, above
  the top line of a LiDAR, takes the depth of its trunk. What spreads has a loss of its own: without it, it is of no
  use for long, and hardly ever chosen.
* The confidence is a further output, which training makes the probability that the depth is within 5 % of the truth.
"""

from __future__ import annotations

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
    contrasts,
    doubled,
    limited,
    start_at,
)
from depth_completion_ros.networks.planes import CELL, Surroundings, continue_upright, look_around
from depth_completion_ros.networks.propagation.masked import MaskedPropagation, iteration_count
from depth_completion_ros.networks.registry import CompletionNetwork, NetworkOutput

# Channels and residual blocks at 1/2, 1/4, 1/8, 1/16 and 1/32 of the image.
_WIDTHS = (24, 48, 80, 128, 160)
_BLOCKS = (0, 1, 2, 2, 2)
_EMBEDDING = 16
_CELL = 8  # pixels, of what propagates
_WINDOW = 9  # cells
_LEAST_ITERATIONS = 2
_LARGEST_CELL = 32  # pixels
_TRUST = 2.0  # logit, before training, of the trust in a measurement that fits the prediction
_SPREAD_ROOT = 4.0
_START_BLUR = 0.7  # cells
_CHOICE = (-1.0, 0.0)  # logits, before training, of what is propagated, and the plane


def check_initial_depth(network: CompletionNetwork, initial_depth: Tensor | None) -> Tensor | None:
    """The monocular estimate that mode ``sdr`` refines; None for mode ``conventional``, which does without.

    Raises:
        ValueError: it is missing.
    """
    if not network.uses_initial_depth:
        return None
    if initial_depth is None:
        raise ValueError(
            "mspn in mode 'sdr' refines a monocular depth estimate: pass it as initial_depth, "
            "or build the model in mode 'conventional'"
        )
    return initial_depth.float()


class MSPNLite(LiteNetwork):
    """See the module. Takes images of any size, and at least one measurement."""

    def __init__(self, mode: str, rules: str) -> None:
        super().__init__()
        self.uses_initial_depth = mode == "sdr"
        depth_maps = 5 if mode == "conventional" else 6
        self.encoder = nn.ModuleList(
            EncoderStage(inputs, width, blocks, depth_maps)
            for inputs, width, blocks in zip((3, *_WIDTHS), _WIDTHS, _BLOCKS, strict=False)
        )
        half, quarter, eighth, sixteenth, last = _WIDTHS
        self.decode_sixteenth = DecoderStage(last, sixteenth)
        self.decode_eighth = DecoderStage(sixteenth, eighth)
        self.propagation = _Propagation(eighth, keep_measured=rules == "nyu")
        self.upsample_eighth = _CorrectingUpsample(eighth)
        self.decode_quarter = DecoderStage(eighth, quarter, found=2)
        self.upsample_quarter = _CorrectingUpsample(quarter)
        self.decode_half = DecoderStage(quarter, half, found=2)
        self.choice = nn.Conv2d(half, len(_CHOICE), 3, padding=1)
        start_at(self.choice, _CHOICE)
        self.spreading = Spreading(half)
        self.upsample_half = GuidedUpsample(half)
        self.confidence = nn.Conv2d(half, 1, 3, padding=1)
        self.confidence_of_doubts = nn.Conv2d(4, 1, 3, padding=1, bias=False)

    def forward(self, image: Tensor | None, sparse_depth: Tensor, initial_depth: Tensor | None = None) -> NetworkOutput:
        """See :class:`~depth_completion_ros.networks.registry.CompletionNetwork`.

        Raises:
            ValueError: an image has no measurement, or ``initial_depth`` is missing in mode ``sdr``.
        """
        assert image is not None
        initial_depth = check_initial_depth(self, initial_depth)
        height, width = sparse_depth.shape[-2:]
        image = _padded(image, "replicate")
        sparse_depth = _padded(sparse_depth.float())
        known = look_around(sparse_depth)
        scale = known.scale
        iterations = iteration_count(known.covered(_CELL), minimum=_LEAST_ITERATIONS, window=_WINDOW)
        estimate = None
        if initial_depth is not None:
            estimate = _padded(initial_depth, "replicate").clamp(min=1e-3).log() - scale
        skips = self._encode(image, known, estimate)
        features = self.decode_sixteenth(skips[4], skips[3])
        features = self.decode_eighth(features, skips[2])
        if estimate is None:
            base = functional.avg_pool2d(known.plane, _CELL // CELL)
        else:
            base = functional.avg_pool2d(estimate, _CELL)
        initial, state = self.propagation(features, base, known, iterations)

        state = self.upsample_eighth(features, state)
        features = self.decode_quarter(features, skips[1], state)
        state = self.upsample_quarter(features, state)
        features = self.decode_half(features, skips[0], state)
        propagated, mask = state.chunk(2, 1)
        shares, spreading, upsampling, logit = answers(
            features, self.choice, self.spreading.head, self.upsample_half.head, self.confidence
        )
        shares = shares.float().softmax(1)
        depth = (shares * torch.cat([propagated, known.plane], 1)).sum(1, keepdim=True)
        measured = known.count > 0
        if estimate is None:
            depth = continue_upright(depth, measured)
        depth, spread = self.spreading(spreading, depth, known.measured, measured)
        logit = logit + self.confidence_of_doubts(torch.cat([known.doubts(), mask], 1).to(features.dtype))
        logit = doubled(logit)[..., :height, :width]

        def metres(log_depth: Tensor) -> Tensor:
            return (scale + log_depth).exp()[..., :height, :width]

        output = NetworkOutput(metres(self.upsample_half.combine(upsampling, depth)), logit.sigmoid(), logit)
        if self.training:  # for the loss
            initial = functional.interpolate(initial, image.shape[-2:], mode="bilinear", align_corners=False)
            output.initial_depth, output.propagated_depth = metres(initial), metres(doubled(propagated))
            output.spread_depth = metres(doubled(spread))
        return output

    def _encode(self, image: Tensor, known: Surroundings, estimate: Tensor | None) -> list[Tensor]:
        """The maps at 1/2, 1/4, 1/8, 1/16 and 1/32."""
        dtype = self.decode_half.below.weight.dtype
        features = contrasts(image, self.image_mean, self.image_std).to(dtype)
        depth = known.told()
        maps = []
        for stage in self.encoder:
            told = depth
            if estimate is not None:
                estimate = functional.avg_pool2d(estimate, 2)
                told = torch.cat([depth, estimate], 1)
            features = stage(features, told.to(dtype))
            maps.append(features)
            depth = functional.avg_pool2d(depth, 2, ceil_mode=True)
        return maps


class _CorrectingUpsample(GuidedUpsample):
    """Corrects the depth before it doubles the maps, of which that is the first, as a logarithm."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.correction = nn.Conv2d(width, 1, 3, padding=1)
        start_at(self.correction, [0.0])

    def forward(self, features: Tensor, maps: Tensor) -> Tensor:
        answer, correction = answers(features, self.head, self.correction)
        return self.combine(answer, torch.cat([maps[:, :1] + limited(correction), maps[:, 1:]], 1))


class _Propagation(nn.Module):
    """Predicts the depth, compares it with the measurements, and spreads these from cell to cell."""

    def __init__(self, width: int, *, keep_measured: bool) -> None:
        super().__init__()
        self.keep_measured = keep_measured
        self.head = nn.Conv2d(width, _EMBEDDING + 2, 3, padding=1)
        self.layer = MaskedPropagation(_EMBEDDING, _WINDOW)
        # Depth is to spread only as far as training has shown it may: it starts from a narrow blur.
        near = -0.5 * ((torch.arange(2 * _WINDOW - 1) - (_WINDOW - 1)) / _START_BLUR) ** 2
        self.layer.position_bias = nn.Parameter((near[:, None] + near)[None])
        # How fast trust in a measurement falls with the logarithm of its ratio to the prediction.
        self.doubt = nn.Parameter(torch.tensor(2.0))
        start_at(self.head, [0.0] * 2)

    def forward(self, features: Tensor, base: Tensor, known: Surroundings, iterations: int) -> tuple[Tensor, Tensor]:
        """The depth before, (N, 1, h, w), and depth and mask after propagation, (N, 2, h, w)."""
        guidance, correction, trust = self.head(features).split([_EMBEDDING, 1, 1], 1)
        depth = base + limited(correction)
        cell = _CELL // CELL
        predicted = functional.interpolate(depth, known.measured.shape[-2:], mode="bilinear", align_corners=False)
        covered = (known.count > 0).float()
        difference, covered = functional.avg_pool2d(
            torch.cat([covered * (known.measured - predicted), covered], 1), cell
        ).chunk(2, 1)
        difference = difference / covered.clamp(min=1 / (2 * cell) ** 2)
        doubt = functional.softplus(self.doubt) * difference.abs()
        mask = (covered > 0) * torch.sigmoid(trust.float() + _TRUST - doubt)
        refined, mask = self.layer(
            guidance,
            _spreadable(depth + mask * difference),
            _spreadable(depth + difference) * (covered > 0),
            mask,
            iterations,
            blend=True,
            keep_measured=self.keep_measured,
        )
        return depth, torch.cat([-_SPREAD_ROOT * refined.log(), mask], 1)


def _spreadable(log_depth: Tensor) -> Tensor:
    """Positive numbers to propagate, whose means are nearly those of log depth, and nearer is larger."""
    return (-log_depth / _SPREAD_ROOT).exp()


def _padded(maps: Tensor, mode: str = "constant") -> Tensor:
    """To whole cells of every scale, and to one window."""
    return padded(maps, _LARGEST_CELL, mode, least=_CELL * _WINDOW)
