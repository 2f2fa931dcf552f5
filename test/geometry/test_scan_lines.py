"""Scan lines of a synthetic HDL-64E, whose rings are known."""

import numpy as np
import pytest

from depth_completion_ros.geometry.scan_lines import (
    count_rings,
    keep_lines,
    rings_from_elevation,
    rings_from_file_order,
)

# Its 32 upper and 32 lower lasers leave the sensor at different heights above the origin of the KITTI scans.
ANGLES = np.radians(np.concatenate([np.linspace(2, -8.33, 32), np.linspace(-8.83, -24.33, 32)]))
HEIGHTS = np.repeat([0.2, 0.12], 32)


def hdl64(seed=0, angles=ANGLES, heights=HEIGHTS, step=0.01):
    """A scan in a street between houses, ring by ring from the top, and the ring of every point."""
    rng = np.random.default_rng(seed)
    clouds, rings = [], []
    for ring, (angle, height) in enumerate(zip(angles, heights, strict=True)):
        azimuth = np.arange(0, 2 * np.pi - step, step) + rng.uniform(0, step)
        house = 8 / np.maximum(np.abs(np.sin(azimuth)), 0.15) * rng.uniform(0.8, 1.0, len(azimuth))
        ground = (1.73 + height) / np.tan(-angle) if angle < 0 else np.inf
        distance = np.minimum(house, ground) + rng.normal(0, 0.02, len(azimuth))
        x, y, z = distance * np.cos(azimuth), distance * np.sin(azimuth), distance * np.tan(angle) + height
        returned = rng.uniform(size=len(azimuth)) < 0.9
        clouds.append(np.stack([x, y, z], 1)[returned])
        rings.append(np.full(returned.sum(), ring))
    return np.concatenate(clouds).astype(np.float32), np.concatenate(rings)


def test_file_order_tells_the_rings():
    points, rings = hdl64()
    found = rings_from_file_order(points)
    np.testing.assert_array_equal(found, rings)
    assert count_rings(found) == 64


def test_jitter_where_rings_begin_makes_no_rings():
    points, rings = hdl64()
    turned = []
    for ring in range(64):
        # the first and last points of each ring scatter to both sides of the x axis
        of_ring = points[rings == ring].copy()
        for i, y in ((0, 0.01), (1, -0.01), (2, 0.02), (-3, -0.02), (-2, 0.01), (-1, -0.01)):
            of_ring[i, :2] = (10, y)
        turned.append(of_ring)
    found = rings_from_file_order(np.concatenate(turned))
    assert count_rings(found) == 64
    assert (found != rings).sum() < 64 * 6
    assert (np.abs(found - rings) <= 1).all()


def test_gaps_larger_than_half_a_turn_make_no_rings():
    points, rings = hdl64()
    azimuth = np.arctan2(points[:, 1], points[:, 0]) % (2 * np.pi)
    open_sky = (rings < 20) & (azimuth > 0.4) & (azimuth < 5.0)
    np.testing.assert_array_equal(rings_from_file_order(points[~open_sky]), rings[~open_sky])


def test_a_ring_that_did_not_return_is_not_counted():
    points, rings = hdl64()
    found = rings_from_file_order(points[rings != 5])
    assert count_rings(found) == 63
    assert found.max() == 62


def test_points_in_no_order_are_refused():
    points, _ = hdl64()
    with pytest.raises(ValueError, match=r"falls back \d+ times: they are not stored ring by ring"):
        rings_from_file_order(np.random.default_rng(0).permutation(points))


@pytest.mark.parametrize("seed", range(3))
def test_elevation_tells_the_rings_in_any_order(seed):
    points, rings = hdl64(seed)
    order = np.random.default_rng(seed).permutation(len(points))
    np.testing.assert_array_equal(rings_from_elevation(points[order], 64), rings[order])


@pytest.mark.parametrize(
    ("angles", "height"),
    [
        (np.linspace(15, -15, 16), 0.0),  # like a VLP-16
        (np.concatenate([[15, 11, 8], np.linspace(5, -6, 66), [-8, -12, -19, -25]]), 0.0),  # dense ahead, like a Pandar
        ([3.0, -2.0], 0.05),
        ([-4.0], 0.0),
    ],
)
def test_elevation_tells_the_rings_of_other_lidars(angles, height):
    points, rings = hdl64(0, np.radians(angles), np.full(len(angles), height), 0.02)
    np.testing.assert_array_equal(rings_from_elevation(points, len(angles)), rings)


def test_points_without_an_elevation_have_no_ring():
    points, rings = hdl64(0, ANGLES[::8], HEIGHTS[::8])
    points[[3, 50, 99]] = [(np.nan, 1, 1), (0, 0, 0), (1, np.inf, 1)]
    found = rings_from_elevation(points, 8)
    assert (found[[3, 50, 99]] == -1).all()
    keeps_ring = np.setdiff1d(np.arange(len(points)), [3, 50, 99])
    np.testing.assert_array_equal(found[keeps_ring], rings[keeps_ring])
    assert count_rings(found) == 8
    assert not keep_lines(found, 8)[[3, 50, 99]].any()


@pytest.mark.parametrize(
    ("points", "count", "message"),
    [
        (np.ones((5, 2)), 2, r"points are \(5, 2\), expected \(N, 3\)"),
        (np.ones((5, 3)), 0, "cannot find 0 rings in 5 finite points"),
        (np.ones((5, 3)), 6, "cannot find 6 rings in 5 finite points"),
        (np.full((5, 3), np.nan), 1, "cannot find 1 rings in 0 finite points"),
        (np.ones((5, 3)), 2, "asked for 2 rings, but the points have only 1 different elevations"),
    ],
)
def test_more_rings_than_there_are_can_not_be_found(points, count, message):
    with pytest.raises(ValueError, match=message):
        rings_from_elevation(points, count)


@pytest.mark.parametrize(
    ("lines", "kept"),
    [(64, range(64)), (16, range(0, 64, 4)), (4, (0, 16, 32, 48)), (1, (0,)), (5, (0, 12, 25, 38, 51))],
)
def test_lines_are_kept_evenly_from_ring_zero(lines, kept):
    rings = np.random.default_rng(0).permutation(np.repeat(np.arange(64, dtype=np.uint16), 3))
    np.testing.assert_array_equal(keep_lines(rings, lines), np.isin(rings, kept))


def test_the_total_counts_rings_that_did_not_return():
    rings = np.array([0, 1, 2, 20, 32, 33])
    np.testing.assert_array_equal(keep_lines(rings, 2, total=64), [True, False, False, False, True, False])
    assert keep_lines(np.zeros(0, int), 4, total=64).shape == (0,)


@pytest.mark.parametrize(
    ("rings", "lines", "total", "message"),
    [
        (np.arange(64), 0, None, "asked for 0 scan lines of a LiDAR with 64, expected 1 to 64"),
        (np.arange(64), -4, 64, "asked for -4 scan lines"),
        (np.arange(16), 17, None, "asked for 17 scan lines of a LiDAR with 16"),
        (np.arange(64), 8, 32, "the cloud has a ring 63, expected 0 to 31"),
        (np.arange(64.0), 8, None, r"rings are \(64,\) float64, expected \(N,\) integers"),
        (np.zeros((8, 8), int), 8, None, r"rings are \(8, 8\) int64"),
    ],
)
def test_lines_that_are_not_there_can_not_be_kept(rings, lines, total, message):
    with pytest.raises(ValueError, match=message):
        keep_lines(rings, lines, total)


def test_rings_are_counted_once():
    assert count_rings(np.array([5, 5, 0, 63, -1, -1])) == 3
    assert count_rings(np.zeros(0, int)) == 0
