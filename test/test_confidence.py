"""The calibrated confidence: clues by hand, and a fit that finds the probabilities that the data were drawn with."""

import json
import math

import numpy as np
import pytest
import torch

from depth_completion_ros.confidence import CLUES, Calibration, clues, fit


def scene(height=24, width=40):
    """A wall at 10 m with a step to 20 m in column 20, measured once at (8, 8)."""
    depth = torch.full((height, width), 10.0)
    depth[:, 20:] = 20.0
    sparse = np.zeros((height, width), np.float32)
    sparse[8, 8] = 5.0
    return depth, torch.full((height, width), 0.25), sparse


def test_clues_by_hand():
    depth, confidence, sparse = scene()
    found = clues(depth, confidence, sparse)
    assert tuple(found) == CLUES
    assert found["confidence"] is confidence
    assert found["distance"][8, 8] == 0
    assert found["distance"][8, 18].item() == pytest.approx(10, rel=0.01)
    assert found["distance"][20, 8].item() == pytest.approx(12, rel=0.01)
    assert found["distance"][20, 20].item() == pytest.approx(math.hypot(12, 12), rel=0.02)
    # 10 m where 5 m were measured; the only measurement speaks for every block.
    torch.testing.assert_close(found["residual"], torch.full((6, 10), math.log(0.01 + math.log(2))))
    # Column 20 is in block 5, so that the step is seen by blocks 4 to 5; blocks 2 and 8 see a flat wall.
    assert found["variation"][3, 4].item() == pytest.approx(math.log(0.01 + math.log(2)), rel=1e-5)
    assert found["variation"][3, 2].item() == found["variation"][3, 8].item() == pytest.approx(math.log(0.01))
    assert found["depth"][0, 0].item() == pytest.approx(math.log(10)) and found["depth"].shape == (6, 10)
    assert found["density"].item() == pytest.approx(math.log(1 / (24 * 40)))
    assert found["contrast"] == 0


def test_contrast_is_of_the_picture():
    image = np.zeros((24, 40, 3), np.uint8)
    image[:, 20:] = 0, 30, 0
    assert clues(*scene(), image)["contrast"].item() == pytest.approx(math.log(1 + 15))
    assert clues(*scene(), 8 * image)["contrast"].item() == pytest.approx(math.log(1 + 20))
    assert clues(*scene(), np.full_like(image, 200))["contrast"] == 0


@pytest.mark.parametrize("size", [(24, 40), (25, 43), (3, 5), (1, 1)])
def test_any_size_and_unknown_depth_give_probabilities(size):
    rng = np.random.default_rng(0)
    sparse = np.where(rng.random(size) < 0.2, 7.0, 0.0).astype(np.float32)
    depth = torch.from_numpy(rng.uniform(1, 80, size).astype(np.float32))
    depth[0, 0] = torch.nan
    depth[-1, -1] = -1.0
    calibration = Calibration({name: {"knots": [-5.0, 0.0, 5.0], "log_odds": [-1.0, 0.5, 1.0]} for name in CLUES})
    probability = calibration(depth, torch.rand(size), sparse)
    assert probability.shape == size and probability.dtype == torch.float32
    assert ((probability >= 0) & (probability <= 1)).all()


def test_curves_are_interpolated_between_knots_and_constant_beyond():
    calibration = Calibration({"confidence": {"knots": [0.2, 0.6], "log_odds": [-1.0, 3.0]}})
    sparse = np.ones((1, 5), np.float32)
    stated = calibration(torch.ones(1, 5), torch.tensor([[0.0, 0.2, 0.4, 0.6, 1.0]]), sparse)
    expected = torch.sigmoid(torch.tensor([[-1.0, -1.0, 1.0, 3.0, 3.0]]))
    torch.testing.assert_close(stated, expected, atol=1e-3, rtol=0)


def test_log_odds_of_clues_add_up():
    depth, confidence, sparse = scene()
    curves = {name: {"knots": [0.0], "log_odds": [0.1 * (i + 1)]} for i, name in enumerate(CLUES)}
    stated = Calibration(curves)(depth, confidence, sparse)
    torch.testing.assert_close(stated, torch.full_like(depth, 2.8).sigmoid())


@pytest.mark.parametrize(
    ("curves", "message"),
    [
        ({"weather": {"knots": [0.0], "log_odds": [0.0]}}, "rests on 'weather'; this version knows confidence, dist"),
        ({"depth": {"knots": [0.0, 0.0], "log_odds": [0.0, 1.0]}}, "curve of 'depth'"),
        ({"depth": {"knots": [0.0, 1.0], "log_odds": [0.0]}}, "curve of 'depth'"),
        ({"depth": {"knots": [], "log_odds": []}}, "curve of 'depth'"),
    ],
)
def test_what_is_no_calibration_is_refused(curves, message):
    with pytest.raises(ValueError, match=message):
        Calibration(curves)


def test_fit_finds_the_probabilities_that_samples_were_drawn_with():
    rng = np.random.default_rng(0)
    confidence, distance = rng.random(60_000), rng.exponential(10, 60_000)
    truth = 1 / (1 + np.exp(-(3 * confidence - 0.2 * distance)))
    calibration = fit({"confidence": confidence, "distance": distance}, rng.random(60_000) < truth)
    sum_of_curves = sum(
        np.interp(values, curve["knots"], curve["log_odds"])
        for values, curve in zip((confidence, distance), calibration.curves.values(), strict=True)
    )
    found = 1 / (1 + np.exp(-sum_of_curves))
    usual = distance < np.quantile(distance, 0.95)
    assert np.abs(found - truth)[usual].mean() < 0.015
    assert json.loads(json.dumps(calibration.curves)) == calibration.curves


def test_fit_takes_a_clue_that_never_changes():
    rng = np.random.default_rng(0)
    right = rng.random(5000) < 0.3
    calibration = fit({"confidence": np.full(5000, 0.5), "density": np.full(5000, -3.0)}, right)
    stated = calibration(torch.ones(2, 2), torch.rand(2, 2), np.ones((2, 2), np.float32))
    torch.testing.assert_close(stated, torch.full((2, 2), right.mean(), dtype=torch.float32), atol=2e-3, rtol=0)


@pytest.mark.parametrize("right", [np.zeros(10, bool), np.ones(10, bool), np.zeros(0, bool)])
def test_fit_needs_right_and_wrong(right):
    with pytest.raises(ValueError, match="nothing to tell apart"):
        fit({"confidence": np.linspace(0, 1, len(right))}, right)
