"""The scan lines (rings) of a rotating LiDAR: find, count and sub-sample them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def rings_from_file_order(points: NDArray[np.floating]) -> NDArray[np.int64]:
    """The ring of every point of a KITTI velodyne file, top ring 0.

    Those files hold one ring after the other, each counter-clockwise from the x axis round to it.
    """
    azimuth = np.arctan2(points[:, 1], points[:, 0]) % (2 * np.pi)
    step = np.diff(azimuth, prepend=azimuth[:1])
    return np.cumsum(step < -np.pi)


def count_rings(rings: NDArray[np.integer]) -> int:
    """How many different rings there are."""
    return len(np.unique(rings))


def keep_lines(rings: NDArray[np.integer], lines: int, total: int | None = None) -> NDArray[np.bool_]:
    """Which points stay when a LiDAR of ``total`` rings is thinned to ``lines``: rings 0, total/lines, ...

    Args:
        rings: (N,) ring of every point, from 0.
        lines: how many rings to keep.
        total: how many rings the sensor has; by default the highest ring + 1.

    Returns:
        (N,) True where the point's ring is kept.

    Raises:
        ValueError: ``lines`` is below 1 or above ``total``.
    """
    if total is None:
        total = int(rings.max()) + 1
    if not 1 <= lines <= total:
        raise ValueError(f"asked for {lines} scan lines, expected 1 to {total}")
    kept = np.zeros(max(total, int(rings.max()) + 1), bool)
    kept[np.arange(lines) * total // lines] = True
    return kept[rings]
