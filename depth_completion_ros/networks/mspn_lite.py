"""MSPN small enough for embedded GPUs and CPUs: its two masked propagations run at 1/8 and 1/4 of the image.

Ours, after Jun et al. (CVPR 2024, see :mod:`~depth_completion_ros.networks.mspn`). What differs from the paper:

* Depth is inverse depth here, over that of the mean measurement: planes are linear in it, and scale does not matter.
* A pyramid of the measurements, whose gaps are filled from its coarser levels, tells every scale of the encoder the
  depth around, however sparse they are. The network predicts by what factor a pixel differs from that.
* The maps that propagate hold the predicted depth, corrected by what the measurements in a cell differ from it, each at
  its own pixel: where in its cell a measurement lies does not matter. The mask starts from how well it fits.
* Between the scales, every pixel takes a learned convex combination of the coarse ones nearest to it, which keeps edges
  sharp (after Teed and Deng, "RAFT", ECCV 2020).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from depth_completion_ros.networks.layers import conv_block, residual_stage
from depth_completion_ros.networks.propagation.masked import MaskedPropagation, iteration_count
from depth_completion_ros.networks.registry import CompletionNetwork, NetworkOutput

# Channels and residual blocks at 1/2, 1/4, 1/8, 1/16 and 1/32 of the image.
_WIDTHS = (24, 48, 80, 128, 160)
_BLOCKS = (0, 1, 2, 2, 2)
_EMBEDDING = 16
_FINE_ITERATIONS = 3
_LEAST_ITERATIONS = 4
_COARSE_CELL = 8  # pixels
_LARGEST_CELL = 32
_TRUST = 2.0  # logit, before training, of the trust in a measurement that fits the prediction
_PAIRS = ((0, 0), (0, 1), (1, 0), (1, 1))  # rows and columns
_COARSE_WINDOW, _FINE_WINDOW = 9, 7  # cells


@dataclass
class MSPNOutput(NetworkOutput):
    """What MSPN answers.

    Attributes:
        initial_depth: (N, 1, H, W) metres before propagation.
    """

    initial_depth: Tensor


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


class MSPNLite(CompletionNetwork):
    """See the module. Takes images of any size, and at least one measurement."""

    confidence_meaning = (
        "how far measurements have spread to a pixel, by either propagation's mask after its last step; not calibrated"
    )

    def __init__(self, mode: str, rules: str) -> None:
        super().__init__()
        self.uses_initial_depth = mode == "sdr"
        depth_maps = 2 if mode == "conventional" else 3
        self.encoder = nn.ModuleList(
            _EncoderStage(inputs, width, blocks, depth_maps)
            for inputs, width, blocks in zip((3, *_WIDTHS), _WIDTHS, _BLOCKS, strict=False)
        )
        half, quarter, eighth, sixteenth, last = _WIDTHS
        self.decode_sixteenth = _DecoderStage(last, sixteenth)
        self.decode_eighth = _DecoderStage(sixteenth, eighth)
        self.coarse = _Propagation(eighth, _COARSE_WINDOW, keep_measured=rules == "nyu")
        self.coarse_upsample = _Upsample(eighth)
        self.decode_quarter = _DecoderStage(eighth, quarter, state=True)
        self.fine = _Propagation(quarter, _FINE_WINDOW, keep_measured=rules == "nyu")
        self.fine_upsample = _Upsample(quarter)
        self.decode_half = _DecoderStage(quarter, half, state=True)
        self.half_upsample = _Upsample(half)
        # Convolutions answer in the memory format of their weights, and on a CPU this one is the faster.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(
        self, image: Tensor | None, sparse_depth: Tensor, initial_depth: Tensor | None = None
    ) -> MSPNOutput:
        """See :class:`~depth_completion_ros.networks.registry.CompletionNetwork`.

        Raises:
            ValueError: an image has no measurement, or ``initial_depth`` is missing in mode ``sdr``.
        """
        assert image is not None
        initial_depth = check_initial_depth(self, initial_depth)
        height, width = sparse_depth.shape[-2:]
        padding = _padding(height, width)
        image = functional.pad(image, padding, mode="replicate")
        sparse_depth = functional.pad(sparse_depth.float(), padding)

        measured = sparse_depth > 0
        scale = _geometric_mean(sparse_depth, measured)
        pyramid = _pyramid(torch.where(measured, scale / sparse_depth, 0), measured.float())
        iterations = iteration_count(pyramid[2].covered, minimum=_LEAST_ITERATIONS, window=_COARSE_WINDOW)
        estimate = None
        if initial_depth is not None:
            estimate = scale / functional.pad(initial_depth, padding, mode="replicate").clamp(min=1e-3)
        skips = self._encode(image, pyramid, estimate)
        features = self.decode_sixteenth(skips[4], skips[3])
        features = self.decode_eighth(features, skips[2])
        base = pyramid[2].inverse if estimate is None else functional.avg_pool2d(estimate, _COARSE_CELL)
        initial, state = self.coarse(features, base, pyramid[0], iterations)

        state = self.coarse_upsample(features, state)
        features = self.decode_quarter(features, skips[1], state)
        inverse, spread = state.chunk(2, 1)
        _, state = self.fine(features, inverse, pyramid[0], _FINE_ITERATIONS)
        inverse, mask = state.chunk(2, 1)
        mask = 1 - (1 - spread) * (1 - mask)

        state = self.fine_upsample(features, torch.cat([inverse, mask], 1))
        features = self.decode_half(features, skips[0], state)
        inverse, mask = self.half_upsample(features, state).chunk(2, 1)
        initial = functional.interpolate(initial, inverse.shape[-2:], mode="bilinear", align_corners=False)
        depth, initial = scale / inverse, scale / initial
        return MSPNOutput(*(each[..., :height, :width] for each in (depth, mask.clamp(0, 1), initial)))

    def _encode(self, image: Tensor, pyramid: list[_Level], estimate: Tensor | None) -> list[Tensor]:
        """The maps at 1/2, 1/4, 1/8, 1/16 and 1/32."""
        dtype = self.decode_half.below.weight.dtype
        features = image.to(dtype)
        maps = []
        for stage, level in zip(self.encoder, pyramid, strict=False):
            depth = [level.inverse.log(), level.coverage.sqrt()]
            if estimate is not None:
                estimate = functional.avg_pool2d(estimate, 2, ceil_mode=True)
                depth.append(estimate.log())
            features = stage(features, torch.cat(depth, 1).to(dtype))
            maps.append(features)
        return maps


class _EncoderStage(nn.Module):
    """Halves the map and joins what is known of the depth at its new scale."""

    def __init__(self, inputs: int, width: int, blocks: int, depth_maps: int) -> None:
        super().__init__()
        self.down = conv_block(inputs, width, stride=2)
        self.depth = nn.Conv2d(depth_maps, width, 3, padding=1)
        self.blocks: nn.Module = conv_block(width, width, activation=nn.ReLU(inplace=True))
        if blocks:
            self.blocks = residual_stage(width, width, blocks)

    def forward(self, features: Tensor, depth: Tensor) -> Tensor:
        return self.blocks(functional.relu(self.down(features) + self.depth(depth)))


class _DecoderStage(nn.Module):
    """Joins the coarser map and the encoder's of this scale, and the depth and mask propagated so far."""

    def __init__(self, inputs: int, width: int, *, state: bool = False) -> None:
        super().__init__()
        self.below = nn.Conv2d(inputs, width, 1)
        self.state = nn.Conv2d(2, width, 3, padding=1) if state else None
        self.refine = conv_block(width, width, activation=nn.ReLU(inplace=True))

    def forward(self, below: Tensor, skip: Tensor, state: Tensor | None = None) -> Tensor:
        joined = _add_doubled(skip, self.below(below))
        if self.state is not None and state is not None:
            inverse, mask = state.chunk(2, 1)
            joined = joined + self.state(torch.cat([inverse.log(), mask], 1).to(skip.dtype))
        return self.refine(joined)


class _Propagation(nn.Module):
    """Predicts the inverse depth, compares it with the measurements, and spreads these from cell to cell."""

    def __init__(self, width: int, window: int, *, keep_measured: bool) -> None:
        super().__init__()
        self.keep_measured = keep_measured
        self.head = nn.Conv2d(width, _EMBEDDING + 2, 3, padding=1)
        self.layer = MaskedPropagation(_EMBEDDING, window)
        # How fast trust in a measurement falls with the logarithm of its ratio to the prediction.
        self.doubt = nn.Parameter(torch.tensor(2.0))
        _start_at_zero(self.head, 2)

    def forward(self, features: Tensor, base: Tensor, points: _Level, iterations: int) -> tuple[Tensor, Tensor]:
        """The inverse depth before, (N, 1, h, w), and inverse depth and mask after propagation, (N, 2, h, w)."""
        guidance, correction, trust = self.head(features).split([_EMBEDDING, 1, 1], 1)
        inverse = base * _factor(correction)
        cell = points.inverse.shape[-1] // inverse.shape[-1]
        predicted = functional.interpolate(inverse, points.inverse.shape[-2:], mode="bilinear", align_corners=False)
        known = points.covered.float()
        difference, known = functional.avg_pool2d(
            torch.cat([known * (points.inverse - predicted), known], 1), cell
        ).chunk(2, 1)
        measured = (inverse + difference / known.clamp(min=1 / (2 * cell) ** 2)).clamp(min=1e-3)
        doubt = functional.softplus(self.doubt) * (measured / inverse).log().abs()
        mask = (known > 0) * torch.sigmoid(trust.float() + _TRUST - doubt)
        refined, mask = self.layer(
            guidance,
            torch.lerp(inverse, measured, mask),
            measured * (known > 0),
            mask,
            iterations,
            blend=True,
            keep_measured=self.keep_measured,
        )
        return inverse, torch.cat([refined, mask], 1)


class _Upsample(nn.Module):
    """Corrects the inverse depth, then doubles the maps: each new pixel combines the four old ones nearest to it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.head = nn.Conv2d(width, 4 * 4 + 1, 3, padding=1)
        _start_at_zero(self.head, 1)

    def forward(self, features: Tensor, state: Tensor) -> Tensor:
        """Features (N, width, h, w) and inverse depth and mask (N, 2, h, w) -> (N, 2, 2h, 2w)."""
        height, width = state.shape[-2:]
        weights, correction = self.head(features).float().contiguous().split([4 * 4, 1], 1)
        weights = weights.unflatten(1, (4, 4)).softmax(2)
        inverse, mask = state.chunk(2, 1)
        padded = functional.pad(torch.cat([inverse * _factor(correction), mask], 1), (1, 1, 1, 1), mode="replicate")
        quarters = []
        for part, (down, right) in enumerate(_PAIRS):  # of an old pixel
            taps = [padded[..., down + y : down + y + height, right + x : right + x + width] for y, x in _PAIRS]
            quarters.append(sum(weights[:, part, tap, None] * old for tap, old in enumerate(taps)))
        return functional.pixel_shuffle(torch.stack(quarters, 2).flatten(1, 2), 2)


@dataclass(frozen=True)
class _Level:
    """One scale of the measurements.

    Attributes:
        inverse: (N, 1, h, w) mean inverse depth of a cell, taken from coarser scales where it has no measurement.
        coverage: (N, 1, h, w) share of measured pixels.
    """

    inverse: Tensor
    coverage: Tensor

    @property
    def covered(self) -> Tensor:
        return self.coverage > 0


def _pyramid(inverse: Tensor, measured: Tensor) -> list[_Level]:
    """Scales 1/2, 1/4 and so on down to a single row or column, each filled from the next."""
    pooled = torch.cat([inverse * measured, measured], 1)
    scales: list[Tensor] = []
    while not scales or min(pooled.shape[-2:]) > 1:
        pooled = functional.avg_pool2d(pooled, 2, ceil_mode=True)
        scales.append(pooled)
    total, share = pooled.mean((2, 3), keepdim=True).chunk(2, 1)
    filled = total / share
    levels: list[_Level] = []
    for scale in reversed(scales):
        total, share = scale.chunk(2, 1)
        size = share.shape[-2:]
        if levels:
            filled = functional.interpolate(filled, size, mode="bilinear", align_corners=False)
        filled = torch.where(share > 0, total / share, filled)
        levels.append(_Level(filled, share))
    return levels[::-1]


def _geometric_mean(depth: Tensor, measured: Tensor) -> Tensor:
    """(N, 1, 1, 1) over the measured pixels of each image."""
    logarithms = torch.where(measured, depth, 1).log()
    return (logarithms.sum((1, 2, 3), keepdim=True) / measured.sum((1, 2, 3), keepdim=True)).exp()


def _add_doubled(fine: Tensor, coarse: Tensor) -> Tensor:
    """``fine`` (N, C, 2h, 2w) plus ``coarse`` (N, C, h, w) repeated 2x2, without making the repeated map."""
    pairs = fine.unflatten(3, (-1, 2)).unflatten(2, (-1, 2))
    return (pairs + coarse[:, :, :, None, :, None]).flatten(4).flatten(2, 3)


def _start_at_zero(head: nn.Conv2d, outputs: int) -> None:
    """Lets the last ``outputs`` channels answer 0 before training."""
    assert head.bias is not None
    nn.init.zeros_(head.weight[-outputs:])
    nn.init.zeros_(head.bias[-outputs:])


def _factor(correction: Tensor) -> Tensor:
    """What a predicted correction multiplies the inverse depth with, float32."""
    return correction.float().clamp(-3, 3).exp()


def _padding(height: int, width: int) -> tuple[int, int, int, int]:
    """Right and below, so that no pixel moves: to whole cells of every scale, and to one window of the coarse map."""
    least = _COARSE_CELL * _COARSE_WINDOW
    right, below = (-(-max(size, least) // _LARGEST_CELL) * _LARGEST_CELL - size for size in (width, height))
    return 0, right, 0, below
