"""Masked spatial propagation: each pixel becomes an attention-weighted mean of the window around it.

Jun, Lee and Kim: Masked Spatial Propagation Network for Sparsity-Adaptive Depth Refinement (CVPR 2024), section 3.4.
The mask says how far the measurements have spread so far: it damps the keys of pixels that nothing has reached yet,
and grows with the same attention as the depth.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from depth_completion_ros.networks.propagation import masked_tiles
from depth_completion_ros.networks.propagation.availability import fast_path

# One step of attention: (depth, mask), each (N, 1, H, W), to their attention-weighted means (N, 2, H, W).
AttentionStep = Callable[[Tensor, Tensor], Tensor]

_NORM_EPS = 1e-6


class MaskedPropagation(nn.Module):
    """One MSPN layer: ``iterations`` times, attention over the window x window pixels around every pixel.

    Queries and keys are a 1x1 convolution of the layer-normalised guidance and the current depth. The guidance does not
    change, so what depends on it alone is computed once per call. Everything runs in float32 at least.

    Args:
        channels: channels E of the guidance and of the embedding.
        window: odd side of the window.
    """

    def __init__(self, channels: int, window: int = 13) -> None:
        super().__init__()
        self.window = window
        self.norm = nn.LayerNorm(channels, eps=_NORM_EPS)
        self.projection = nn.Conv2d(channels + 1, 2 * channels, 1)
        self.position_bias = nn.Parameter(torch.empty(1, 2 * window - 1, 2 * window - 1))  # of one head
        nn.init.trunc_normal_(self.position_bias, std=0.02)

    def forward(
        self,
        guidance: Tensor,
        depth: Tensor,
        sparse_depth: Tensor,
        mask: Tensor,
        iterations: int,
        *,
        blend: bool = False,
        keep_measured: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """Spreads the measurements.

        Args:
            guidance: (N, E, H, W) features of the scene.
            depth: (N, 1, H, W) estimate to refine.
            sparse_depth: (N, 1, H, W), 0 where nothing was measured.
            mask: (N, 1, H, W) in [0, 1], how much of each pixel is known; stays as it is at measured pixels.
            iterations: number of steps.
            blend: move each pixel towards its refined depth only as far as its mask says (equation 10).
            keep_measured: write the measurements back after every step (equation 6).

        Returns:
            the refined depth and the mask after the last step, each (N, 1, H, W).

        Raises:
            ValueError: the map is smaller than the window.
        """
        height, width = guidance.shape[-2:]
        if min(height, width) < self.window:
            raise ValueError(
                f"masked propagation needs maps of at least {self.window}x{self.window} pixels, got {width}x{height}"
            )
        measured = sparse_depth > 0
        with torch.autocast(guidance.device.type, enabled=False):
            attend = self._attention(guidance, depth, mask)
            for _ in range(iterations):
                refined, spread = attend(depth, mask).chunk(2, 1)
                if blend:
                    refined = mask * refined + (1 - mask) * depth
                depth = torch.where(measured, sparse_depth, refined) if keep_measured else refined
                mask = torch.where(measured, mask, spread)
        return depth, mask

    def _attention(self, guidance: Tensor, depth: Tensor, mask: Tensor) -> AttentionStep:
        """Triton for inference on a GPU where it runs; tiles elsewhere, and for training."""
        arguments = self.normalised(guidance), *self.weights(guidance), self.window
        if fast_path(guidance, depth, mask, *self.parameters()) == "triton":
            from depth_completion_ros.networks.propagation import masked_triton

            return masked_triton.attention_step(*arguments, features=guidance.dtype)
        return masked_tiles.attention_step(*arguments)

    def normalised(self, guidance: Tensor) -> Tensor:
        """(N, E, H, W) guidance -> (N, H, W, E) layer-normalised over its channels, float32 at least."""
        count, channels, height, width = guidance.shape
        dtype = _full_precision(guidance)
        norm = self.norm.weight.to(dtype), self.norm.bias.to(dtype)
        result = torch.empty(count, height, width, channels, dtype=dtype, device=guidance.device)
        for top in range(0, height, 16):  # in strips: the channels-last copy of a whole map need not exist twice
            strip = guidance[:, :, top : top + 16].permute(0, 2, 3, 1).to(dtype)
            result[:, top : top + 16] = functional.layer_norm(strip, (channels,), *norm, _NORM_EPS)
        return result

    def weights(self, guidance: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The projection's (2E, E + 1) matrix and (2E,) bias, and the position bias, in the guidance's precision."""
        dtype = _full_precision(guidance)
        assert self.projection.bias is not None
        return (
            self.projection.weight.flatten(1).to(dtype),
            self.projection.bias.to(dtype),
            self.position_bias[0].to(dtype),
        )


def reference_step(
    guidance: Tensor, weight: Tensor, bias: Tensor, position_bias: Tensor, window: int
) -> AttentionStep:
    """The definition, tap by tap; the fast steps of this folder take the same arguments and must equal it.

    Args:
        guidance: (N, H, W, E) normalised guidance.
        weight: (2E, E + 1) query and key rows over the guidance's channels and the depth.
        bias: (2E,).
        position_bias: (2 window - 1, 2 window - 1), indexed by key minus query pixel, plus window - 1.
        window: side of the window.
    """
    height, width = guidance.shape[1:3]
    rows, columns = _window_starts(height, window)[:, None], _window_starts(width, window)
    row_bias = rows - torch.arange(height)[:, None] + window - 1
    column_bias = columns - torch.arange(width) + window - 1

    def step(depth: Tensor, mask: Tensor) -> Tensor:
        features = torch.cat([guidance.permute(0, 3, 1, 2), depth], 1)
        query, key = functional.conv2d(features, weight[:, :, None, None], bias).chunk(2, 1)
        key = key * mask
        taps = [(i, j) for i in range(window) for j in range(window)]
        scores = [
            (query * key[:, :, rows + i, columns + j]).sum(1, keepdim=True)
            + position_bias[row_bias + i, column_bias + j]
            for i, j in taps
        ]
        attention = torch.cat(scores, 1).softmax(1)
        values = torch.cat([depth, mask], 1)
        result = torch.zeros_like(values)
        for tap, (i, j) in enumerate(taps):
            result = result + attention[:, tap : tap + 1] * values[:, :, rows + i, columns + j]
        return result

    return step


def iteration_count(measured: Tensor, *, minimum: int = 6, window: int = 13) -> int:
    """Steps until evenly spread measurements have reached the whole image, twice over (equations 12 and 13).

    The authors' code divides by window // 2 and adds one, where the paper divides by window / 2 - 1.

    Args:
        measured: (N, 1, H, W), true where there is a measurement; the sparsest image of the batch decides.
        minimum: the least number.
        window: side of the window.

    Raises:
        ValueError: an image has no measurement, so no number of steps would do.
    """
    steps = minimum
    for index, count in enumerate(measured.flatten(1).sum(1).tolist()):
        if not count:
            raise ValueError(f"sparse_depth of image {index} of the batch has no measurement (> 0) to propagate")
        distance = math.sqrt(measured[index].numel() / count) - 1
        steps = max(steps, math.floor(distance * 2 / (window // 2)) + 1)
    return steps


def _full_precision(tensor: Tensor) -> torch.dtype:
    return torch.promote_types(tensor.dtype, torch.float32)


def _window_starts(length: int, window: int) -> Tensor:
    """First position of each pixel's window along one axis; near a border the window moves to stay inside."""
    return (torch.arange(length) - window // 2).clamp(0, length - window)
