"""A fitted confidence comes true on frames that it was not fitted to."""

import math
from dataclasses import replace

import numpy as np
import pytest

from depth_completion_ros import Camera, DepthCompleter
from depth_completion_ros.evaluation.calibration import calibrate
from depth_completion_ros.evaluation.given import EVERYTHING, Given
from depth_completion_ros.evaluation.reliability import Reliability
from depth_completion_ros.frame import Frame

CAMERA = Camera(96, 64, 60.0, 60.0, 47.5, 31.5)


def rough(number):
    """A surface that is smooth on the left and rough on the right, measured at 300 pixels."""
    rng = np.random.default_rng(number)
    relief = rng.normal(0, 1, (64, 96)) * np.linspace(0, 0.25, 96)
    truth = (15 * np.exp(relief)).astype(np.float32)
    depth = np.where(rng.random(truth.shape) < 0.05, truth, 0).astype(np.float32)
    return Frame(number, CAMERA, depth=depth, ground_truth=truth)


def reliability(completer, numbers):
    gathered = Reliability()
    for frame in map(rough, numbers):
        completion = completer.complete(frame)
        gathered.add(completion.depth, completion.confidence, completion.sparse_depth, frame.ground_truth)
    return gathered


def test_a_calibrated_confidence_comes_true_and_sorts():
    completer = DepthCompleter("classical", device="cpu")
    before = reliability(completer, range(8, 12))
    kept = completer.calibration
    fitted = calibrate(completer, map(rough, range(8)), [EVERYTHING])
    assert completer.calibration is kept
    completer.calibration = fitted
    after = reliability(completer, range(8, 12))
    assert after.calibration_error < 0.05 < before.calibration_error
    assert after.ause("abs_rel") < after.ause("abs_rel", "distance")
    again = calibrate(completer, map(rough, range(8)), [EVERYTHING])  # fits the model's own confidence, whatever it has
    assert again.curves == fitted.curves


def test_what_its_camera_sees_counts_for_a_model_that_looks_at_it():
    image = np.random.default_rng(0).integers(0, 255, (64, 96, 3), dtype=np.uint8)
    frames = [replace(rough(number), image=image) for number in range(30)]
    looks, blind = (DepthCompleter(name, device="cpu", preset="lite") for name in ("mspn", "auxiliary"))
    contrasts = [calibrate(each, frames, [EVERYTHING]).curves["contrast"]["knots"] for each in (looks, blind)]
    assert contrasts[0][0] == 0 and contrasts[0][-1] == pytest.approx(math.log(21), abs=1e-4)
    assert len(contrasts[0]) > 2  # and some in the dark
    assert contrasts[1] == [0]


def test_frames_without_truth_or_lines_are_no_use():
    completer = DepthCompleter("classical", device="cpu")
    with pytest.raises(ValueError, match="no frame has a ground truth and as many measurements"):
        calibrate(completer, [rough(0)], [Given(lines=16)])
