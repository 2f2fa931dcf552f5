"""Calibration error and sparsification against slow implementations that share nothing with the module."""

import math
from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest

from depth_completion_ros.evaluation.reliability import BINS, STEPS, Reliability, sparsification

SPARSE = np.eye(1, 6, dtype=np.float32) * 5  # one measurement, in the first column


def frame(seed, size=(30, 40)):
    rng = np.random.default_rng(seed)
    truth = (rng.uniform(1, 80, size) * (rng.random(size) < 0.7)).astype(np.float32)
    confidence = rng.random(size).astype(np.float32)
    depth = (np.where(truth > 0, truth, 3) * (1 + 0.1 * (1 - confidence) * rng.normal(size=size))).astype(np.float32)
    depth[rng.random(size) < 0.05] = np.nan
    sparse = np.where(rng.random(size) < 0.05, 5, 0).astype(np.float32)
    return depth, confidence, sparse, truth


def gathered(*frames):
    reliability = Reliability()
    for each in frames:
        reliability.add(*each)
    return reliability


def test_bins_by_hand():
    truth = np.full((1, 6), 100, np.float32)
    depth = np.array([[100, 104, 110, 96, 90, np.nan]], np.float32)  # right, right, wrong, right, wrong, unknown
    confidence = np.array([[1.0, 0.97, 0.97, 0.32, 0.31, 0.9]], np.float32)
    reliability = gathered((depth, confidence, SPARSE, truth))
    rows = {round(row.low, 2): row for row in reliability.bins() if row.pixels}
    assert set(rows) == {0.3, 0.95}
    assert rows[0.95].pixels == 3 and rows[0.95].true == pytest.approx(2 / 3)
    assert rows[0.95].stated == pytest.approx((1 + 0.97 + 0.97) / 3)
    assert rows[0.3].pixels == 2 and rows[0.3].true == pytest.approx(0.5)
    assert reliability.stated == pytest.approx((1 + 0.97 + 0.97 + 0.32 + 0.31) / 5)
    assert reliability.true == pytest.approx(3 / 5)
    expected = (abs(1 + 0.97 + 0.97 - 2) + abs(0.32 + 0.31 - 1)) / 5
    assert reliability.calibration_error == pytest.approx(expected)
    assert len(reliability.bins()) == BINS and all(math.isnan(row.true) for row in reliability.bins() if not row.pixels)


def test_calibration_error_is_over_the_pixels_of_all_frames():
    frames = [frame(0), frame(1, (20, 20))]
    reliability = gathered(*frames)
    stated, right = [[] for _ in range(BINS)], [[] for _ in range(BINS)]
    for depth, confidence, _, truth in frames:
        for d, c, t in zip(depth.ravel(), confidence.ravel(), truth.ravel(), strict=True):
            if t > 0 and not math.isnan(d):
                bin_ = min(int(float(c) * BINS), BINS - 1)
                stated[bin_].append(float(c))
                right[bin_].append(abs(float(d) - float(t)) <= 0.05 * float(t))
    pixels = sum(map(len, stated))
    expected = sum(abs(sum(s) - sum(r)) for s, r in zip(stated, right, strict=True)) / pixels
    assert sum(row.pixels for row in reliability.bins()) == pixels
    assert reliability.calibration_error == pytest.approx(expected)


def test_sparsification_is_the_mean_of_what_remains():
    rng = np.random.default_rng(0)
    errors, sure = rng.exponential(1, 250), rng.random(250)
    curve = sparsification(errors, {"sure": sure})["sure"]
    assert len(curve) == STEPS
    by_sureness = [error for _, error in sorted(zip(sure, errors, strict=True), reverse=True)]
    for step in (0, 1, 37, 99):
        kept = by_sureness[: max(1, round(250 * (1 - step / STEPS)))]
        assert curve[step] == pytest.approx(math.fsum(kept) / len(kept))
    assert curve[0] == pytest.approx(errors.mean())


def test_oracle_is_below_every_order():
    rng = np.random.default_rng(1)
    errors = rng.exponential(1, 300)
    curves = sparsification(errors, {"any": rng.random(300), "perfect": -errors})
    assert (curves["oracle"] <= curves["any"] + 1e-12).all()
    np.testing.assert_allclose(curves["perfect"], curves["oracle"])


def test_equals_leave_in_random_order():
    """The mean over all orders in which pixels of the same confidence may leave, one by one."""
    errors, sure = [1.0, 5.0, 2.0, 7.0], [1, 0, 0, 0]
    curve = sparsification(np.array(errors), {"sure": np.array(sure)})["sure"]
    orders = [(0, *rest) for rest in permutations((1, 2, 3))]
    for step, kept in ((0, 4), (25, 3), (50, 2), (75, 1)):
        means = [Fraction(sum(int(errors[i]) for i in order[:kept]), kept) for order in orders]
        assert curve[step] == pytest.approx(float(sum(means) / len(means)))


def test_confidence_without_sense_is_chance_and_sense_is_less():
    depth, _, sparse, truth = frame(2, (200, 200))
    relative = np.abs(depth - truth) / np.where(truth > 0, truth, 1)
    order = np.clip(1 - np.nan_to_num(relative), 0, 1).astype(np.float32)
    assert gathered((depth, order, sparse, truth)).ause("abs_rel") == pytest.approx(0, abs=1e-6)
    constant = gathered((depth, np.full_like(depth, 0.5), sparse, truth))
    for error in ("abs_rel", "rmse_mm"):
        assert constant.ause(error) == pytest.approx(1, abs=1e-9)
    assert 0 < gathered(frame(2)).ause("abs_rel") < 0.9
    assert gathered(frame(2)).ause("abs_rel", "distance") == pytest.approx(1, abs=0.2)  # drawn by chance here


def test_distance_takes_away_the_farthest_first():
    truth = np.full((1, 6), 10, np.float32)
    depth = truth + np.arange(6, dtype=np.float32)[None]  # the error grows with the distance to column 0
    reliability = gathered((depth, np.full_like(truth, 0.5), SPARSE, truth))
    np.testing.assert_allclose(reliability.curve("rmse_mm", "distance"), reliability.curve("rmse_mm", "oracle"))
    assert reliability.ause("rmse_mm", "distance") == 0
    assert reliability.curve("rmse_mm", "oracle")[0] == pytest.approx(1000 * math.sqrt((1 + 4 + 9 + 16 + 25) / 6))


def test_curves_are_means_over_frames():
    first, second = frame(3), frame(4, (10, 11))
    both = gathered(first, second)
    for error in ("abs_rel", "rmse_mm"):
        for order in ("confidence", "distance", "oracle"):
            expected = (gathered(first).curve(error, order) + gathered(second).curve(error, order)) / 2
            np.testing.assert_allclose(both.curve(error, order), expected)


def test_frame_without_truth_changes_nothing():
    depth, confidence, sparse, truth = frame(5)
    reliability = gathered((depth, confidence, sparse, truth), (depth, confidence, sparse, np.zeros_like(truth)))
    assert reliability.calibration_error == gathered((depth, confidence, sparse, truth)).calibration_error
    assert reliability.ause("abs_rel") == gathered((depth, confidence, sparse, truth)).ause("abs_rel")
