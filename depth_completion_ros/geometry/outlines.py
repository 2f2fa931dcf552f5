"""Outlines as sensors see them: a pixel or a beam sees a disc, of which the nearer surface mostly answers.

Renderings, which networks learn from, see along a line. Of the returns of KITTI's LiDAR that lie one pixel outside of
an outline as the default network finds it, 58 % are of the surface inside (``benchmarks/outlines.py``).
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

_NEARER: Final = 0.9  # part of a pixel's depth: what is less is another surface than the one that it shows


def widen(depth: Tensor) -> Tensor:
    """Gives the pixels beside an outline, above and below it to the nearer surface.

    Args:
        depth: (H, W) metres; 0 and NaN are unknown.

    Returns:
        (H, W), nowhere larger; slopes, and what is unknown, stay as they are.
    """
    known = torch.where(depth > 0, depth, torch.inf)
    nearest = known.clone()
    but_first, but_last = slice(1, None), slice(None, -1)
    for here, beside in ((but_first, but_last), (but_last, but_first)):
        torch.minimum(nearest[here], known[beside], out=nearest[here])
        torch.minimum(nearest[:, here], known[:, beside], out=nearest[:, here])
    return torch.where(nearest < _NEARER * depth, nearest, depth)
