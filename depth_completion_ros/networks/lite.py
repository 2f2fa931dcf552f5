"""What the lite networks that start from local planes share: layers that are told what is known, at every scale.

They look at the image from half its size on: full size is where a CPU spends its time. Depth is the logarithm of depth,
relative to the mean of the measurements (see :mod:`~depth_completion_ros.networks.planes`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from depth_completion_ros.networks.layers import conv_block, residual_stage
from depth_completion_ros.networks.propagation.recursive import spread
from depth_completion_ros.networks.registry import CompletionNetwork

_LUMA = (0.299, 0.587, 0.114)
_DARKEST = 0.02  # of the 0..1 range: what is darker looks alike
_REACHES = (2, 6, 18)  # around a cell of 4x4 pixels, in such cells
_FAINTEST = 0.1  # deviation of the logarithm that is noise rather than contrast
# How far a bounded correction goes: this many deviations of the measurements around, and this.
_DEVIATIONS, _LEAST = 2.0, 0.02
# Before training, of what spreads: it reaches some 10 pixels, measurements rule, and a pixel takes little of it.
_AFFINITY = (2.0,) * 4  # logits
_TRUST, _MOST_TRUST = (2.0, -8.0), 12.0  # logarithms
_CHOICE = (2.0, 0.0, 0.0)  # logits
_PAIRS = ((0, 0), (0, 1), (1, 0), (1, 1))  # rows and columns


class LiteNetwork(CompletionNetwork):
    """A network that is small enough for a CPU, and trained to state how sure it is."""

    confidence_meaning = "the probability that the depth is within 5 % of the truth, as far as training taught it"
    half_on_cpu = True
    channels_last = True
    widens_outlines = True


def contrasts(image: Tensor, mean: tuple[float, float, float], std: tuple[float, float, float]) -> Tensor:
    """What a picture shows, whatever its light and colours: how much brighter a pixel is than what is around it.

    That is the logarithm of the brightness, less its mean around the pixel and over its deviation there, for
    surroundings of three sizes.

    Synthetic pictures have other colours and contrasts than real ones, and a network that knows only one kind is led
    astray by the other.

    Args:
        image: (N, 3, H, W), H and W multiples of 4.
        mean: of the 0..1 range, that it was normalised with.
        std: likewise.

    Returns:
        (N, 3, H, W) float32; 0 for a picture of one colour, such as that of a dead camera.
    """
    weights = image.new_tensor(_LUMA, dtype=torch.float32) * image.new_tensor(std, dtype=torch.float32)
    offset = sum(luma * each for luma, each in zip(_LUMA, mean, strict=True))
    with torch.autocast(image.device.type, enabled=False):
        gray = torch.einsum("nchw,c->nhw", image.float(), weights)[:, None] + offset
        brightness = (gray.clamp(min=0) + _DARKEST).log()
        coarse = functional.avg_pool2d(torch.cat([brightness, brightness.square()], 1), 4)
        means, deviations = [], []
        for reach in _REACHES:
            mean_around, square = _around(coarse, reach).chunk(2, 1)
            means.append(mean_around)
            deviations.append((square - mean_around.square()).clamp(min=0).sqrt() + _FAINTEST)
        middle, deviation = functional.interpolate(
            torch.cat(means + deviations, 1), scale_factor=4, mode="bilinear", align_corners=False
        ).chunk(2, 1)
        return (brightness - middle).div_(deviation)


def _around(maps: Tensor, reach: int) -> Tensor:
    """Means of (N, C, H, W) float32 over squares that reach so many pixels to every side, less what is outside.

    By differences of running sums, which take the same time for every reach.
    """
    for _ in ("rows", "columns"):
        size = maps.shape[3]
        place = torch.arange(size, device=maps.device)
        first, behind = (place - reach).clamp(min=0), (place + reach + 1).clamp(max=size)
        sums = functional.pad(maps.cumsum(3), (1, 0))
        means = (sums.index_select(3, behind) - sums.index_select(3, first)) / (behind - first)
        maps = means.transpose(2, 3)
    return maps


class EncoderStage(nn.Module):
    """Halves the map and joins what is known of the depth at its new scale.

    Args:
        inputs: channels of the map.
        width: channels of what becomes of it.
        blocks: residual blocks; a convolution takes the place of none.
        told: maps that tell what is known.
    """

    def __init__(self, inputs: int, width: int, blocks: int, told: int) -> None:
        super().__init__()
        self.down = conv_block(inputs, width, stride=2)
        self.depth = nn.Conv2d(told, width, 3, padding=1)
        self.blocks: nn.Module = conv_block(width, width, activation=nn.ReLU(inplace=True))
        if blocks:
            self.blocks = residual_stage(width, width, blocks)

    def forward(self, features: Tensor, told: Tensor) -> Tensor:
        """(N, inputs, 2 h, 2 w) and (N, told, h, w) -> (N, width, h, w)."""
        return self.blocks(functional.relu(self.down(features) + self.depth(told)))


class DecoderStage(nn.Module):
    """Joins the coarser map, the encoder's of this scale, and maps that tell what was found so far.

    Args:
        below: channels of the coarser map.
        width: channels of the encoder's, and of the joined map.
        found: maps that tell what was found so far.
    """

    def __init__(self, below: int, width: int, found: int = 0) -> None:
        super().__init__()
        self.below = nn.Conv2d(below, width, 1)
        self.state = nn.Conv2d(found, width, 3, padding=1) if found else None
        self.refine = conv_block(width, width, activation=nn.ReLU(inplace=True))

    def forward(self, below: Tensor, skip: Tensor, found: Tensor | None = None) -> Tensor:
        """(N, below, h, w), (N, width, 2 h, 2 w) and (N, found, 2 h, 2 w) -> (N, width, 2 h, 2 w)."""
        joined = functional.interpolate(self.below(below), scale_factor=2, mode="nearest") + skip
        if self.state is not None and found is not None:
            joined = joined + self.state(found.to(joined.dtype))
        return self.refine(joined)


class GuidedUpsample(nn.Module):
    """Doubles maps: each new pixel combines the four old ones nearest to it.

    That keeps edges sharp (after Teed and Deng, "RAFT", ECCV 2020).

    Args:
        width: channels of the features that tell how.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.head = nn.Conv2d(width, 4 * 4, 3, padding=1)

    def forward(self, features: Tensor, maps: Tensor) -> Tensor:
        """Features (N, width, h, w) and maps (N, C, h, w) -> (N, C, 2 h, 2 w), float32."""
        return self.combine(self.head(features), maps)

    def combine(self, answer: Tensor, maps: Tensor) -> Tensor:
        """The same, of what the ``head`` answered, (N, 16, h, w)."""
        height, width = maps.shape[-2:]
        weights = _by_maps(answer).unflatten(1, (4, 4)).softmax(2)
        padded = functional.pad(maps, (1, 1, 1, 1), mode="replicate")
        quarters = []
        for part, (down, right) in enumerate(_PAIRS):  # of an old pixel
            taps = [padded[..., down + y : down + y + height, right + x : right + x + width] for y, x in _PAIRS]
            quarters.append(sum(weights[:, part, tap, None] * old for tap, old in enumerate(taps)))
        return functional.pixel_shuffle(torch.stack(quarters, 2).flatten(1, 2), 2)


class Spreading(nn.Module):
    """Lets measurements spread, along the lines of pixels, and every pixel choose what it takes of that.

    It chooses between what was found without that; this, corrected by what measurements that reach the pixel differ
    from it; and their depth itself. Behind an edge, what was found is often a mixture of what is on its two sides, and
    so are corrections of it; a wall or a road goes on as it was found. The features tell across which pixels something
    spreads, and how far the measurements are to be trusted, and what was found where there are none.

    Args:
        width: channels of the features.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.head = nn.Conv2d(width, 4 + 2 + 3, 3, padding=1)
        start_at(self.head, [*_AFFINITY, *_TRUST, *_CHOICE])

    def forward(self, answer: Tensor, found: Tensor, measured: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
        """What the pixels choose, and the depth that spreads.

        Args:
            answer: (N, 9, h, w), what the ``head`` answered to the features.
            found: (N, 1, h, w) depth, of any kind that has a mean.
            measured: (N, 1, h, w) depth of the same kind; what stands where there is none does not matter.
            there: (N, 1, h, w) bool, where it was measured.

        Returns:
            (N, 1, h, w) float32 each.
        """
        affinity, of_measured, of_found, choice = _by_maps(answer).split([4, 1, 1, 3], 1)
        trust = torch.where(there, of_measured, of_found).clamp(-_MOST_TRUST, _MOST_TRUST).exp()
        depth = torch.where(there, measured, found)
        depth, difference = spread(torch.cat([depth, depth - found], 1), trust, affinity.sigmoid()).split(1, 1)
        choices = torch.cat([found, found + difference, depth], 1)
        return (choice.softmax(1) * choices).sum(1, keepdim=True), depth


def answers(features: Tensor, *heads: nn.Conv2d) -> tuple[Tensor, ...]:
    """What each of several 3x3 convolutions answers to the same features, found in one convolution.

    With a few channels each, one by one they take about as long as all together: a CPU computes with more at once.
    """
    weight = torch.cat([head.weight for head in heads])
    bias = torch.cat([cast("Tensor", head.bias) for head in heads])
    return functional.conv2d(features, weight, bias, padding=1).split([head.out_channels for head in heads], 1)


def _by_maps(answer: Tensor) -> Tensor:
    """In float32 and one map after the other, which what follows a head is faster with."""
    return answer.to(torch.float32, memory_format=torch.contiguous_format)


def start_at(head: nn.Conv2d, values: Sequence[float]) -> None:
    """Lets the last channels of a head, one for each of ``values``, answer these before training."""
    assert head.bias is not None
    outputs = len(values)
    nn.init.zeros_(head.weight[-outputs:])
    with torch.no_grad():
        head.bias[-outputs:] = torch.tensor(values)


def limited(correction: Tensor) -> Tensor:
    """What a predicted correction adds to the log depth, float32.

    A tenth of it: a head of hundreds of weights that start from 0 moves by more than the planes are wrong, in a room,
    in a single step of Adam.
    """
    return (0.1 * correction.float()).clamp(-3, 3)


def bounded(correction: Tensor, deviation: Tensor) -> Tensor:
    """What a predicted correction adds to the log depth of planes, within the spread of the measurements around.

    Where these agree there is nothing to correct. Without that bound, the features of synthetic data are trusted where
    those of real data mislead.

    Args:
        correction: any number.
        deviation: of the measurements around from the plane, see
            :class:`~depth_completion_ros.networks.planes.Surroundings`.
    """
    return (_DEVIATIONS * deviation + _LEAST) * correction.float().tanh()


def doubled(maps: Tensor) -> Tensor:
    """(N, C, h, w) -> (N, C, 2 h, 2 w) float32, interpolated."""
    return functional.interpolate(maps.float(), scale_factor=2, mode="bilinear", align_corners=False)
