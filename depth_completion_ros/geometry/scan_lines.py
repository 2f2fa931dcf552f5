"""The scan lines (rings) of a rotating LiDAR: find, count and sub-sample them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]

# Steps of the azimuth, in radians: a ring begins where it falls back further than this; around the x axis, where
# rings begin and end, noise can throw it forward by nearly a turn.
_BACKWARD = 0.1
_ALMOST_A_TURN = 2 * np.pi - 0.3
# No LiDAR has more rings; a cloud that is not in file order seems to have thousands.
_MOST_RINGS = 256

# Finding beams: how many points are enough, and the vertical offsets tried, in metres.
_SAMPLE = 20_000
_OFFSETS = np.arange(-30, 31) * 0.01
# Numbers of bands of elevation that may have an offset of their own, and the width, 0.02 degrees, in which points
# count as one beam.
_BANDS = (8, 16, 32)
_SHARP = 3.5e-4
# Bins that the elevations are gathered in before they are clustered.
_BINS = 1024


def rings_from_file_order(points: NDArray[np.floating]) -> NDArray[np.int64]:
    """The ring of every point of a KITTI velodyne file: 0, 1, 2, ... from the top one down.

    Those files hold one ring of the HDL-64E after the other, and in each the azimuth grows once from the x axis
    (ahead) counter-clockwise round to it, so a ring begins where the azimuth falls back. A full scan gives 64. A
    ring without any return leaves no trace: then there are fewer, and those below it are numbered one too low.

    Args:
        points: (N, 3+) x, y, z in the LiDAR's frame, in the order of the file.

    Raises:
        ValueError: ``points`` is not (N, 3) or more columns, or is not in such an order.
    """
    _check_points(points)
    azimuth = np.arctan2(points[:, 1], points[:, 0]) % (2 * np.pi)
    step = np.diff(azimuth, prepend=0.0)
    rings = np.maximum(np.cumsum(step < -_BACKWARD) - np.cumsum(step > _ALMOST_A_TURN), 0)
    if not len(rings):
        return rings
    if rings.max() >= _MOST_RINGS:
        raise ValueError(
            f"the azimuth of these {len(points)} points falls back {rings.max()} times: they are not stored ring by "
            "ring; use the cloud's ring field or rings_from_elevation"
        )
    last = rings == rings.max()
    if rings.max() > 0 and azimuth[last].max() < 2 * np.pi - _ALMOST_A_TURN:
        rings[last] -= 1  # the end of the last ring, thrown across the x axis
    return rings


def rings_from_elevation(points: NDArray[np.floating], count: int) -> NDArray[np.int64]:
    """The ring of every point of a cloud in any order, from the elevation angles: 0 = the top one.

    A beam keeps its angle but need not start at the sensor's origin (those of the HDL-64E start 0.1 to 0.2 m above
    it), so the elevation seen from the origin depends on the range: with x = 1 / range and y = z / range, both
    horizontal, the points of a beam lie on a line y = tan(angle) + offset * x. The offset is first taken as the
    one that makes the elevations around a point sharpest, then optimal one-dimensional k-means finds the beams,
    and at last lines are fitted and points assigned to them in turns. On shuffled KITTI scans every point gets the
    ring that the file order tells.

    Args:
        points: (N, 3+) x, y, z in the LiDAR's frame, z along the axis of rotation.
        count: how many beams the sensor has; each must have returns.

    Returns:
        (N,) ring of every point; -1 where a point is not finite or lies on the axis.

    Raises:
        ValueError: ``points`` is not (N, 3) or more columns, ``count`` is below 1 or more than the
            elevations that occur.
    """
    _check_points(points)
    distance = np.hypot(points[:, 0].astype(np.float64), points[:, 1])
    valid = np.flatnonzero(np.isfinite(points[:, :3]).all(1) & (distance > 0))
    if count < 1 or len(valid) < count:
        raise ValueError(f"cannot find {count} rings in {len(valid)} finite points; expected 1 to {len(valid)}")
    x = 1 / distance[valid]
    y = points[valid, 2] * x
    # every n-th point is as good for finding the lines
    sample = slice(None, None, -(-len(valid) // _SAMPLE))
    slope, offset = _fit_beams(x[sample], y[sample], count)
    rings = np.full(len(points), -1)
    rings[valid] = _nearest_beam(x, y, slope, offset)
    return rings


def count_rings(rings: NDArray[np.integer]) -> int:
    """How many different rings there are; -1 means "none" and does not count."""
    return len(np.unique(rings[rings >= 0]))


def keep_lines(rings: NDArray[np.integer], lines: int, total: int | None = None) -> NDArray[np.bool_]:
    """Which points stay when a LiDAR of ``total`` rings is thinned to ``lines``: rings 0, total/lines, ...

    Args:
        rings: (N,) ring of every point, from 0; points of ring -1 do not stay.
        lines: how many rings to keep.
        total: how many rings the sensor has; by default the highest ring + 1.

    Returns:
        (N,) True where the point's ring is kept.

    Raises:
        ValueError: ``rings`` is not (N,) integers or exceeds ``total``; ``lines`` is not in 1 ... ``total``.
    """
    if rings.ndim != 1 or not np.issubdtype(rings.dtype, np.integer):
        raise ValueError(f"rings are {rings.shape} {rings.dtype}, expected (N,) integers")
    highest = int(rings.max()) if len(rings) else -1
    total = highest + 1 if total is None else total
    if highest >= total:
        raise ValueError(f"the cloud has a ring {highest}, expected 0 to {total - 1} of {total} rings")
    if not 1 <= lines <= total:
        raise ValueError(f"asked for {lines} scan lines of a LiDAR with {total}, expected 1 to {total}")
    return np.isin(rings, np.arange(lines) * total // lines)


def _check_points(points: NDArray[np.floating]) -> None:
    if points.ndim != 2 or points.shape[1] < 3:
        raise ValueError(f"points are {points.shape}, expected (N, 3) or more columns, x y z first")


def _fit_beams(x: _Floats, y: _Floats, count: int) -> tuple[_Floats, _Floats]:
    """The (count,) slopes tan(angle) and offsets of the beams y = slope + offset * x, the steepest first."""
    # k-means can end with two beams in one cluster and one beam in two; from several starts, the tightest wins
    fits = [_refined(x, y, _offset_around(x, y, bands), count) for bands in _BANDS]
    slope, offset, _ = min(fits, key=lambda fit: fit[2])
    order = np.argsort(-slope)
    return slope[order], offset[order]


def _offset_around(x: _Floats, y: _Floats, bands: int) -> _Floats:
    """The offset that makes the elevations in the band around each point, and in the two next to it, sharpest."""
    around = np.empty_like(y)
    members = np.array_split(np.argsort(y), min(bands, len(y)))
    for i, band in enumerate(members):
        wide = np.concatenate(members[max(i - 1, 0) : i + 2])
        around[band] = max(_OFFSETS, key=lambda offset: _sharpness(y[wide] - offset * x[wide]))
    return around


def _refined(x: _Floats, y: _Floats, around: _Floats, count: int) -> tuple[_Floats, _Floats, float]:
    """Slopes, offsets and mean square distance of beams, starting from the offsets ``around`` the points."""
    beam = _clusters(y - around * x, count)
    for _ in range(20):
        # least squares per beam; a beam whose points have all one range keeps the offset of those around it
        n = np.maximum(np.bincount(beam, minlength=count), 1)
        mean_x, mean_y, prior = (np.bincount(beam, v, count) / n for v in (x, y, around))
        dx = x - mean_x[beam]
        offset = (np.bincount(beam, dx * y, count) + 1e-3 * prior) / (np.bincount(beam, dx * dx, count) + 1e-3)
        slope = mean_y - offset * mean_x
        previous, beam = beam, _nearest_beam(x, y, slope, offset)
        if np.array_equal(beam, previous):
            break
    return slope, offset, float(np.mean((y - slope[beam] - offset[beam] * x) ** 2))


def _nearest_beam(x: _Floats, y: _Floats, slope: _Floats, offset: _Floats) -> NDArray[np.int64]:
    beam, distance = np.zeros(len(x), np.int64), np.full(len(x), np.inf)
    for k in range(len(slope)):
        to_k = np.abs(y - slope[k] - offset[k] * x)
        closer = to_k < distance
        beam[closer], distance[closer] = k, to_k[closer]
    return beam


def _sharpness(values: _Floats) -> float:
    """How much values gather at few places: the sum of squares of their histogram."""
    bins = np.floor((values - values.min()) / _SHARP).astype(np.int64)
    return float(np.sum(np.bincount(bins).astype(np.float64) ** 2))


def _clusters(values: _Floats, count: int) -> NDArray[np.int64]:
    """Optimal one-dimensional k-means, by dynamic programming over the occupied bins of a histogram."""
    n, edges = np.histogram(values, _BINS)
    occupied = np.flatnonzero(n)
    bins = len(occupied)
    if bins < count:
        raise ValueError(f"asked for {count} rings, but the points have only {bins} different elevations")
    centre = (edges[occupied] + edges[occupied + 1]) / 2
    # sums over the first 0, 1, 2, ... bins; the cost of a cluster is its n times its variance
    moments = np.zeros((3, bins + 1))
    moments[:, 1:] = np.cumsum(n[occupied] * np.stack([np.ones(bins), centre, centre**2]), 1)
    weight, total, squares = moments[:, None, :] - moments[:, :, None]
    cost = np.full_like(weight, np.inf)
    np.divide(total**2, weight, out=cost, where=weight > 0)
    cost = np.where(weight > 0, squares - cost, np.inf)  # [i, j]: of a cluster of bins i, ..., j - 1
    best, starts = cost[0], []
    for _ in range(count - 1):
        costs = best[:, None] + cost
        starts.append(costs.argmin(0))
        best = costs.min(0)
    end, first = bins, []
    for start in reversed(starts):
        end = start[end]
        first.append(edges[occupied[end]])
    return np.searchsorted(np.sort(first), values, side="right")
