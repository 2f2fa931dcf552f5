"""Where a pixel takes depth from, and how much: what NLSPN predicts becomes places and affinities of neighbours.

Park et al., "Non-Local Spatial Propagation Network for Depth Completion", ECCV 2020, sections 3.2 and 4.1.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from depth_completion_ros.networks.propagation.non_local import sample

Affinity = Literal["TGASS", "TC", "ASS", "AS"]
Sampling = Literal["consistent", "official", "legacy"]

# The neighbours' places before the predicted offsets: the 3x3 grid around a pixel without the pixel, row by row.
GRID = [(row, column) for row in (-1, 0, 1) for column in (-1, 0, 1) if (row, column) != (0, 0)]
# How many grid displacements are added to an offset where (the confidence, the depth) of a neighbour is sampled.
GRID_STEPS: dict[Sampling, tuple[int, int]] = {"consistent": (1, 1), "official": (0, 1), "legacy": (1, 2)}


def split_prediction(predicted: Tensor) -> tuple[Tensor, Tensor]:
    """Of (N, 24, H, W), offsets (N, 8, 2, H, W), rows and columns of each neighbour, and affinities (N, 8, H, W)."""
    offset, affinity = predicted.split([2 * len(GRID), len(GRID)], 1)
    return offset.unflatten(1, (len(GRID), 2)), affinity


def confidence_at(confidence: Tensor, displacement: Tensor) -> Tensor:
    """(N, 8, H, W) confidence of the neighbours; (N, 1, H, W) that of pixels, (N, 8, 2, H, W) where neighbours are.

    The confidence teaches no offset.
    """
    # One neighbour at a time is faster: its samples stay in the cache.
    return torch.cat([sample(confidence, at) for at in displacement.detach().split(1, 1)], 1)


class AffinityNormalisation(nn.Module):
    """Raw affinities -> affinities weighted by the neighbours' confidence, whose magnitudes sum up to 1 at most."""

    def __init__(self, kind: Affinity) -> None:
        super().__init__()
        self.kind = kind
        initial = {"TGASS": 0.5 * len(GRID), "TC": len(GRID)}.get(kind, 1.0)
        self.scale = nn.Parameter(torch.tensor([float(initial)]), requires_grad=kind == "TGASS")

    def forward(self, affinity: Tensor, confidence: Tensor) -> Tensor:
        """(N, 8, H, W) twice -> (N, 8, H, W)."""
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
