"""The nine errors against hand-computed cases and a slow, independent implementation in plain loops."""

import math
from dataclasses import asdict

import numpy as np
import pytest

from depth_completion_ros.evaluation.metrics import DepthErrors, depth_errors, fill_background, mean_errors

NAN = math.nan


def test_errors_of_two_pixels_by_hand():
    # |4 - 2| and |5 - 10|; the third pixel has no ground truth and does not count.
    errors = depth_errors(np.array([[4.0, 5.0, 99.0]]), np.array([[2.0, 10.0, 0.0]]))
    assert errors.mae_mm == pytest.approx(3500)
    assert errors.rmse_mm == pytest.approx(1000 * math.sqrt((4 + 25) / 2))
    assert errors.imae_per_km == pytest.approx(1000 * (0.25 + 0.1) / 2)
    assert errors.irmse_per_km == pytest.approx(1000 * math.sqrt((0.25**2 + 0.1**2) / 2))
    assert errors.log_mae == pytest.approx(math.log(2))
    assert errors.log_rmse == pytest.approx(math.log(2))
    assert errors.silog == pytest.approx(math.log(2))  # +ln 2 and -ln 2: their mean is 0
    assert errors.abs_rel == pytest.approx((1.0 + 0.5) / 2)
    assert errors.sq_rel == pytest.approx((1.0 + 0.25) / 2)


def test_a_common_scale_is_no_scale_invariant_error():
    truth = np.random.default_rng(0).uniform(1, 80, (20, 30))
    errors = depth_errors(1.1 * truth, truth)
    assert errors.silog == pytest.approx(0, abs=1e-12)
    assert errors.log_mae == pytest.approx(math.log(1.1))


def test_perfect_prediction_has_no_error():
    truth = np.random.default_rng(0).uniform(1, 80, (20, 30)).astype(np.float32)
    assert set(asdict(depth_errors(truth, truth)).values()) == {0.0}


@pytest.mark.parametrize("unknown", [NAN, 0.0, -1.0, math.inf])
@pytest.mark.parametrize("density", [1.0, 0.7, 0.05])
def test_errors_equal_the_slow_implementation(unknown, density):
    rng = np.random.default_rng(int(100 * density))
    truth = rng.uniform(1, 80, (37, 53)) * (rng.random((37, 53)) < 0.3)
    prediction = rng.uniform(1, 80, (37, 53))
    prediction[rng.random((37, 53)) > density] = unknown
    prediction[:, 20] = 7.0  # no row is entirely unknown
    prediction[[0, 1, 36]] = unknown  # but the outer ones, which are filled from the next
    errors = asdict(depth_errors(prediction.astype(np.float32), truth.astype(np.float32)))
    assert errors == pytest.approx(slow_errors(prediction.astype(np.float32), truth.astype(np.float32)), rel=1e-9)


def test_predictions_without_ground_truth_do_not_count():
    truth = np.array([[0.0, 4.0, 0.0]])
    assert depth_errors(np.array([[1.0, 5.0, 2.0]]), truth) == depth_errors(np.array([[9.0, 5.0, 9.0]]), truth)


def test_far_depth_is_not_capped():
    assert depth_errors(np.array([[250.0]]), np.array([[240.0]])).mae_mm == pytest.approx(10_000)


@pytest.mark.parametrize(
    ("depth", "filled"),
    [
        ([[3, 0, 0, 5]], [[3, 3, 3, 5]]),  # a gap takes the smaller end
        ([[5, 0, 0, 3]], [[5, 3, 3, 3]]),
        ([[0, 0, 7, 0]], [[7, 7, 7, 7]]),  # row ends are extended
        ([[0, 2, 0, 8, 0, 4, 0]], [[2, 2, 2, 8, 4, 4, 4]]),
        ([[0, 0], [6, 0], [0, 0]], [[6, 6], [6, 6], [6, 6]]),  # rows above and below copy the nearest
        ([[1, 0], [0, 0], [0, 2]], [[1, 1], [NAN, NAN], [2, 2]]),  # rows between stay unknown
    ],
)
def test_background_filling_by_hand(depth, filled):
    depth = np.array(depth, np.float32)
    np.testing.assert_array_equal(fill_background(depth), np.array(filled, np.float32))
    np.testing.assert_array_equal(fill_background(np.where(depth > 0, depth, np.nan)), filled)


def test_background_filling_leaves_its_input_alone():
    depth = np.array([[3, 0, 5]], np.float32)
    fill_background(depth)
    np.testing.assert_array_equal(depth, [[3, 0, 5]])


@pytest.mark.parametrize(
    ("prediction", "truth", "message"),
    [
        (np.ones((2, 3)), np.ones((3, 2)), r"\(2, 3\).*\(3, 2\)"),
        (np.ones((2, 3)), np.zeros((2, 3)), "ground truth has no pixel"),
        (np.ones((2, 3)), np.full((2, 3), -1.0), "negative, NaN or infinite"),
        (np.ones((2, 3)), np.full((2, 3), NAN), "negative, NaN or infinite"),
        (np.full((2, 3), NAN), np.ones((2, 3)), "unknown at every pixel"),
        (np.array([[1.0], [0.0], [1.0]]), np.ones((3, 1)), "1 of 3 scored pixels"),
    ],
)
def test_what_cannot_be_scored_says_why(prediction, truth, message):
    with pytest.raises(ValueError, match=message):
        depth_errors(prediction, truth)


def test_mean_is_over_images_not_pixels():
    near = depth_errors(np.full((10, 10), 2.0), np.full((10, 10), 1.0))
    far = depth_errors(np.array([[9.0]]), np.array([[4.0]]))
    mean = mean_errors([near, far])
    assert mean.rmse_mm == pytest.approx((1000 + 5000) / 2)
    assert isinstance(mean, DepthErrors)
    with pytest.raises(ValueError, match="no scored image"):
        mean_errors([])


def slow_errors(prediction, truth):
    """The definitions, pixel by pixel, sharing nothing with the module under test."""
    height, width = truth.shape
    filled = [[float(depth) for depth in row] for row in prediction]
    for row in filled:
        anchors = [column for column in range(width) if 0 < row[column] < math.inf]
        if not anchors:
            row[:] = [None] * width
            continue
        for column in range(width):
            if column in anchors:
                continue
            before = [row[anchor] for anchor in anchors if anchor < column][-1:]
            after = [row[anchor] for anchor in anchors if anchor > column][:1]
            row[column] = min(before + after)
    full = [index for index in range(height) if filled[index][0] is not None]
    filled = [filled[min(max(index, full[0]), full[-1])] for index in range(height)]

    pairs = [
        (filled[v][u], float(truth[v, u])) for v in range(height) for u in range(width) if truth[v, u] != 0
    ]

    def mean(values):
        return math.fsum(values) / len(pairs)

    logs = [math.log(p / t) for p, t in pairs]
    return {
        "rmse_mm": 1000 * math.sqrt(mean((p - t) ** 2 for p, t in pairs)),
        "mae_mm": 1000 * mean(abs(p - t) for p, t in pairs),
        "irmse_per_km": 1000 * math.sqrt(mean((1 / p - 1 / t) ** 2 for p, t in pairs)),
        "imae_per_km": 1000 * mean(abs(1 / p - 1 / t) for p, t in pairs),
        "log_rmse": math.sqrt(mean(value**2 for value in logs)),
        "log_mae": mean(abs(value) for value in logs),
        "silog": math.sqrt(mean(value**2 for value in logs) - mean(logs) ** 2),
        "abs_rel": mean(abs(p - t) / t for p, t in pairs),
        "sq_rel": mean((p - t) ** 2 / t**2 for p, t in pairs),
    }
