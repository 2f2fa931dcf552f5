"""Errors by distance, by hand."""

import math

import numpy as np
import pytest

from depth_completion_ros.evaluation import accuracy as accuracy_module
from depth_completion_ros.evaluation import metrics
from depth_completion_ros.evaluation.accuracy import RANGES, Accuracy
from depth_completion_ros.evaluation.metrics import depth_errors, fill_background


def test_pixels_of_all_frames_are_sorted_into_ranges_by_true_depth():
    accuracy = Accuracy()
    accuracy.add(np.array([[6.0, 12.0, 0.5]]), np.array([[5.0, 10.0, 0.0]]))  # the third has no truth
    accuracy.add(np.array([[5.0, 100.0]]), np.array([[8.0, 90.0]]))
    near, next_, middle, far, farthest = accuracy.by_range()
    assert near == (2, pytest.approx(1000 * math.sqrt((1 + 9) / 2)), pytest.approx(2000))
    assert next_ == (1, pytest.approx(2000), pytest.approx(2000))  # 10 m belongs to the second range
    assert farthest == (1, pytest.approx(10_000), pytest.approx(10_000))
    for empty in (middle, far):
        assert empty[0] == 0 and math.isnan(empty[1]) and math.isnan(empty[2])
    assert list(RANGES) == [0, 10, 20, 40, 80, math.inf]


def test_frames_are_scored_as_by_the_benchmark():
    rng = np.random.default_rng(0)
    truth = rng.uniform(1, 80, (10, 12))
    prediction = rng.uniform(1, 80, (10, 12))
    prediction[3:5, 4] = np.nan
    accuracy = Accuracy()
    accuracy.add(prediction, truth)
    assert accuracy.errors == [depth_errors(prediction, truth)]
    pixels, rmse, mae = np.array(accuracy.by_range()).T
    assert pixels.sum() == truth.size
    assert np.nansum(pixels * mae) / truth.size == pytest.approx(accuracy.errors[0].mae_mm)
    assert math.sqrt(np.nansum(pixels * rmse**2) / truth.size) == pytest.approx(accuracy.errors[0].rmse_mm)


def test_holes_are_filled_once(monkeypatch):
    """The second time finds nothing unknown."""
    unknown = []

    def fill(depth):
        unknown.append(np.count_nonzero(np.isnan(depth)))
        return fill_background(depth)

    monkeypatch.setattr(accuracy_module, "fill_background", fill)
    monkeypatch.setattr(metrics, "fill_background", fill)
    accuracy_module.Accuracy().add(np.array([[6.0, np.nan, 5.0]]), np.full((1, 3), 5.0))
    assert unknown == [1, 0]
