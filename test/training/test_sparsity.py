"""How many lines or points are given, and which."""

from dataclasses import replace

import numpy as np
import pytest
from planes import CAMERA, RINGS, Planes

from depth_completion_ros.pipeline import sparse_depth_of
from depth_completion_ros.training.sparsity import (
    Sparsity,
    choose_lines,
    draw_lines,
    elevation_bands,
)


def test_whole_rings_stay_as_many_as_drawn():
    frame = Planes()[0]
    whole = sparse_depth_of(frame)
    rows = np.flatnonzero(whole.any(1))
    assert len(rows) == RINGS
    rng = np.random.default_rng(0)
    counts = set()
    for _ in range(200):
        sparse = draw_lines(frame, (4, 12), rng)
        kept = sparse.any(1)
        np.testing.assert_array_equal(sparse[kept], whole[kept])
        counts.add(int(kept.sum()))
    assert counts == set(range(4, 13))


def test_a_lidar_of_fewer_rings_gives_all_it_has():
    frame = Planes()[0]
    np.testing.assert_array_equal(draw_lines(frame, (64, 64), np.random.default_rng(0)), sparse_depth_of(frame))


def test_few_lines_are_as_frequent_as_many():
    rng = np.random.default_rng(0)
    counts = np.array([len(choose_lines(64, (4, 63), rng)) for _ in range(4000)])
    for low in (4, 8, 16, 32):
        assert np.mean((counts >= low) & (counts < 2 * low)) == pytest.approx(0.25, abs=0.03)
    assert set(counts) == set(range(4, 64))


def test_half_of_the_samples_have_evenly_spread_lines():
    rng = np.random.default_rng(0)
    starts, even = set(), 0
    for _ in range(2000):
        lines = choose_lines(46, (10, 10), rng)
        assert len(set(lines)) == 10 and min(lines) >= 0 and max(lines) < 46
        if set(np.diff(lines)) == {4, 5}:  # 4.6
            even += 1
            starts.add(lines[0])
            assert np.all(np.abs(lines - np.arange(10) * 4.6 - lines[0]) < 1)
    assert starts == set(range(5))
    assert even == pytest.approx(1000, abs=100)


def test_depth_images_lose_bands_of_equal_elevation():
    frame = replace(Planes()[0], points=None, rings=None)
    frame = replace(frame, depth=frame.ground_truth)
    bands = elevation_bands(frame.depth, CAMERA)
    # Of straight rows of pixels, those at the sides are seen at a smaller elevation.
    middle = round(CAMERA.cx)
    pitch = np.degrees(np.arctan((np.arange(96) - CAMERA.cy) / CAMERA.fy))
    steps = np.flatnonzero(np.diff(bands[:, middle]))
    assert bands[0, middle] == 0 and bands[-1, middle] == 63
    assert np.abs(np.diff(pitch[steps]) - (pitch[-1] - pitch[0]) / 64).max() < 0.6
    sparse = draw_lines(frame, (16, 16), np.random.default_rng(0))
    assert len(np.unique(bands[sparse > 0])) == 16
    assert np.array_equal(sparse > 0, np.isin(bands, np.unique(bands[sparse > 0])))


def test_a_cloud_without_lines_loses_points_of_any_place():
    frame = replace(Planes()[0], rings=None)
    whole, rng = sparse_depth_of(frame), np.random.default_rng(0)
    shares, places = [], np.zeros(whole.shape, bool)
    for _ in range(300):
        sparse = draw_lines(frame, (4, 64), rng)
        np.testing.assert_array_equal(sparse[sparse > 0], whole[sparse > 0])
        shares.append(np.count_nonzero(sparse) / np.count_nonzero(whole))
        places |= sparse > 0
    assert np.array_equal(places, whole > 0)
    np.testing.assert_array_equal(draw_lines(frame, (64, 64), rng), whole)
    for low in (1 / 16, 1 / 8, 1 / 4, 1 / 2):  # few are as frequent as many
        assert np.mean((np.array(shares) >= low) & (np.array(shares) < 2 * low)) == pytest.approx(0.25, abs=0.08)


def test_impossible_requests_are_refused():
    frame = replace(Planes()[0], points=None, rings=None)
    with pytest.raises(ValueError, match="plane 0 has neither points nor a depth image"):
        draw_lines(frame, (4, 8), np.random.default_rng(0))
    with pytest.raises(ValueError, match="from 0 to 5"):
        Sparsity(lines=(0, 5))
    with pytest.raises(ValueError, match="from 9 to 5"):
        Sparsity(points=(9, 5))
    with pytest.raises(ValueError, match=r"0\.2 to 1\.5 of the image"):
        Sparsity(holes=(0.2, 1.5))
