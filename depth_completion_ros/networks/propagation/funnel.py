"""Funnel propagation: stage by stage, depth spreads from ever nearer neighbours, by kernels that are made anew.

Hou, Du, Zhao and Zhao, "Learning an Efficient Multimodal Depth Completion Model", ECCV 2022 workshops, section 3.2.
A step filters the depth with a 3x3 kernel of its own for every pixel, once per dilation, and blends the results.
A stage is a few steps with the same kernels; the next stage makes its kernels out of these and of the depth so far
("reweighting"), and drops the widest dilation when the funnel narrows.

:func:`propagate` runs a stage on the fast path of its device. On the CPU, kernels and blend become one weight per
neighbour, once per stage, and a step is a sum of shifted images; for the GPU see
:mod:`depth_completion_ros.networks.propagation.funnel_triton`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from depth_completion_ros.networks.propagation.availability import fast_path

# (steps, dilations) of a stage.
Stage = tuple[int, tuple[int, ...]]

TAPS = [(row, column) for row in (-1, 0, 1) for column in (-1, 0, 1)]
_CENTRE = TAPS.index((0, 0))
# Pixels of a band for each thread: they fit into its cache, and with fewer PyTorch would not use all threads.
_BAND = 1 << 15


class FunnelPropagation(nn.Module):
    """The funnel: predicts the kernels of every stage and propagates the depth through all of them.

    Args:
        channels: of the guidance.
        stages: from the widest to the narrowest; a stage has the first dilations of the one before it.
    """

    def __init__(self, channels: int, stages: Sequence[Stage]) -> None:
        super().__init__()
        self.schedule = tuple(stages)
        branches = [len(dilations) for _, dilations in stages]
        first = _FirstKernels(channels, channels, branches[0])
        later = [_NextKernels(len(TAPS) + 1, before + 1, now) for before, now in pairwise(branches)]
        self.stages = nn.ModuleList([first, *later])

    def forward(self, guidance: Tensor, depth: Tensor, measured: Tensor) -> Tensor:
        """Refines ``depth``.

        Args:
            guidance: (N, C, H, W) features of the scene.
            depth: (N, 1, H, W) float32 estimate.
            measured: (N, 1, H, W) bool, the pixels that keep their estimate.

        Returns:
            (N, 1, H, W) float32, in the unit of ``depth``.
        """
        first, *later = self.stages
        kernels, blend = first(guidance)
        (steps, dilations), *narrower = self.schedule
        depth = propagate(depth, kernels, blend, dilations, steps, measured)
        for stage, (steps, dilations) in zip(later, narrower, strict=True):
            kernels, blend = stage(kernels, blend, depth.to(guidance.dtype))
            depth = propagate(depth, kernels, blend, dilations, steps, measured)
        return depth


class _Kernels(nn.Module):
    """The convolutions that predict the kernels of every dilation and, where there are several, their blend."""

    def __init__(self, kernel_inputs: int, blend_inputs: int, branches: int) -> None:
        super().__init__()
        self.kernels = nn.ModuleList(nn.Conv2d(kernel_inputs, len(TAPS), 3, padding=1) for _ in range(branches))
        self.blend = nn.Conv2d(blend_inputs, branches, 3, padding=1) if branches > 1 else None


class _FirstKernels(_Kernels):
    """Logits of kernels and blend out of the guidance; by one convolution, which is faster than several."""

    def forward(self, guidance: Tensor) -> tuple[Sequence[Tensor], Tensor | None]:
        convs = [*self.kernels] if self.blend is None else [*self.kernels, self.blend]
        weight, bias = (torch.cat([getattr(conv, name) for conv in convs]) for name in ("weight", "bias"))
        logits = functional.conv2d(guidance, weight, bias, padding=1)
        parts = logits.split([conv.out_channels for conv in convs], 1)
        return (parts, None) if self.blend is None else (parts[:-1], parts[-1])


class _NextKernels(_Kernels):
    """Logits of kernels and blend out of those of the stage before and of the depth that it led to."""

    def forward(
        self, kernels: Sequence[Tensor], blend: Tensor | None, depth: Tensor
    ) -> tuple[Sequence[Tensor], Tensor | None]:
        # A narrower stage goes on without the last kernels.
        kernels = [conv(torch.cat([before, depth], 1)) for conv, before in zip(self.kernels, kernels, strict=False)]
        if self.blend is None or blend is None:
            return kernels, None
        return kernels, self.blend(torch.cat([blend, depth], 1))


def propagate(
    depth: Tensor,
    kernels: Sequence[Tensor],
    blend: Tensor | None,
    dilations: Sequence[int],
    steps: int,
    measured: Tensor,
) -> Tensor:
    """Propagates ``depth`` through one stage, in float32, also under autocast.

    Args:
        depth: (N, 1, H, W).
        kernels: for each dilation the logits (N, 9, H, W) of the weights of the 3x3 neighbours, row by row.
        blend: (N, B, H, W) logits of the shares of the B dilations; None for a single one.
        dilations: distance of the neighbours, in pixels; beyond the image there is depth 0.
        steps: how often.
        measured: (N, 1, H, W) bool, the pixels that keep the depth they enter with.

    Returns:
        (N, 1, H, W) float32.
    """
    run: Callable[..., Tensor] = propagate_reference
    path = fast_path(depth, *kernels, *(() if blend is None else (blend,)))
    if path == "cpu":
        run = _propagate_bands
    elif path == "triton":
        from depth_completion_ros.networks.propagation.funnel_triton import propagate_triton

        run = propagate_triton
    with torch.autocast(depth.device.type, enabled=False):
        return run(depth.float(), kernels, blend, dilations, steps, measured)


def propagate_reference(
    depth: Tensor,
    kernels: Sequence[Tensor],
    blend: Tensor | None,
    dilations: Sequence[int],
    steps: int,
    measured: Tensor,
) -> Tensor:
    """What :func:`propagate` answers, step by step as in the paper; differentiable, on any device."""
    weights = [kernel.to(depth.dtype).softmax(1) for kernel in kernels]
    shares = torch.ones_like(depth) if blend is None else blend.to(depth.dtype).softmax(1)
    for _ in range(steps):
        branches = [
            (weight * functional.unfold(depth, 3, dilation, dilation).view_as(weight)).sum(1)
            for weight, dilation in zip(weights, dilations, strict=True)
        ]
        blended = (shares * torch.stack(branches, 1)).sum(1, keepdim=True)
        depth = torch.where(measured, depth, blended)
    return depth


def _propagate_bands(
    depth: Tensor,
    kernels: Sequence[Tensor],
    blend: Tensor | None,
    dilations: Sequence[int],
    steps: int,
    measured: Tensor,
) -> Tensor:
    """Goes down the image once, in bands of rows whose weights stay in the cache until the last step has used them.

    Every step is ``reach`` rows behind the one before, so that it finds the rows below its own. Images lie flat in
    memory, between zeros: ``reach`` columns after each row, which are also those before the next, and ``reach`` rows
    above and below. A step is then a sum of products of pieces of memory: weights and shifted image.
    """
    height, width = depth.shape[-2:]
    reach = max(dilations)
    stride = width + reach
    first = reach * stride + reach  # place of the first pixel
    shifts = [dilation * (row * stride + column) for dilation in dilations for row, column in TAPS]
    delay = steps * reach
    rows = max(1, delay, _BAND * torch.get_num_threads() // width)

    images = depth.new_zeros(steps + 1, first + height * stride + first)
    inner = images[:, first:-first].view(steps + 1, height, stride)[:, :, :width]
    # Those of the last rows of the band before, which steps still need, and of a band.
    weights = depth.new_zeros(len(shifts), delay + rows, stride)
    result = torch.empty_like(depth, memory_format=torch.contiguous_format)
    kernels_of = list(zip(*kernels, strict=True))
    blend_of = [None] * len(depth) if blend is None else blend
    for n in range(len(depth)):
        inner[0] = depth[n, 0]
        for top in range(0, height + delay, rows):
            weights[:, :delay] = weights[:, rows:]
            _fill_weights(weights[:, delay:, :width], kernels_of[n], blend_of[n], measured[n, 0], top)
            for step in range(steps):
                lag = (step + 1) * reach
                start, stop = max(0, top - lag), min(height, top - lag + rows)
                if start < stop:
                    pixels = slice(first + start * stride, first + stop * stride)
                    shares = weights[:, start - top + delay : stop - top + delay].flatten(1)
                    _step(images[step], images[step + 1], pixels, shifts, shares)
        result[n, 0] = inner[steps]
    return result


def _step(source: Tensor, target: Tensor, pixels: slice, shifts: Sequence[int], weights: Tensor) -> None:
    """Sets ``pixels`` of ``target`` to the sums of those of ``source`` around them."""
    total = target[pixels]
    neighbours = [source[pixels.start + shift : pixels.stop + shift] for shift in shifts]
    torch.mul(weights[0], neighbours[0], out=total)
    for weight, neighbour in zip(weights[1:], neighbours[1:], strict=True):
        total.addcmul_(weight, neighbour)


def _fill_weights(
    weights: Tensor, kernels: Sequence[Tensor], blend: Tensor | None, measured: Tensor, top: int
) -> None:
    """Writes what each pixel of a band takes of each neighbour; a measured pixel takes all of itself.

    ``weights`` is (9 B, h, W) from row ``top`` on; the others are of the whole image: (9, H, W), (B, H, W), (H, W).
    """
    band = slice(top, min(top + weights.shape[1], len(measured)))
    weights = weights[:, : max(0, band.stop - top)]
    kept = measured[band].float()
    shares = (1 - kept)[None]
    if blend is not None:
        shares = shares * blend[:, band].softmax(0, dtype=torch.float32)
    for branch, (taps, kernel) in enumerate(zip(weights.split(len(TAPS)), kernels, strict=True)):
        torch.mul(kernel[:, band].softmax(0, dtype=torch.float32), shares[branch], out=taps)
    weights[_CENTRE] += kept
