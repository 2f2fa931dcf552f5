"""The score of frames held out, against the pipeline's completions and the benchmark's errors."""

from dataclasses import replace

import numpy as np
import pytest
from planes import CAMERA, Blind, Planes, Registered

from depth_completion_ros.evaluation.holdout import hold_out
from depth_completion_ros.evaluation.metrics import depth_errors, mean_errors
from depth_completion_ros.frame import Completion
from depth_completion_ros.pipeline import DepthCompleter, EmptySparseDepthError
from depth_completion_ros.training.held_out import score


@pytest.fixture(scope="module")
def completer():
    return DepthCompleter("classical", "cpu")


def test_lidars_are_scored_by_lines_and_others_as_they_are(completer):
    lidar, registered = Planes(3, name="lidar"), Registered(2, name="registered")
    found = {(each.source, each.lines): each for each in score(completer, [lidar, registered])}
    assert list(found) == [("lidar", 16), ("lidar", 8), ("lidar", 4), ("registered", None)]
    for (name, lines), each in found.items():
        frames = [hold_out(frame, lines) for frame in lidar] if name == "lidar" else list(registered)
        expected = mean_errors([depth_errors(completer.complete(f).depth, f.ground_truth) for f in frames])
        assert (each.frames, each.rmse_mm) == (len(frames), pytest.approx(expected.rmse_mm))
        assert each.mae_mm == pytest.approx(expected.mae_mm)


def test_withheld_lines_are_the_truth_of_frames_without_one(completer):
    few, many = score(completer, [Blind(2)])[0], score(completer, [Planes(2)])[0]
    assert few.lines == many.lines == 16 and few.frames == 2
    assert few.rmse_mm < 100

    class Unknown(Registered):
        def __getitem__(self, index):
            return replace(super().__getitem__(index), ground_truth=None)

    with pytest.raises(ValueError, match="planes/plane 0 has neither ground truth nor rings"):
        score(completer, [Unknown()])


def test_unknown_depth_counts_as_none_at_all():
    class Knows:
        """A model that knows some rows only, or nothing."""

        def __init__(self, rows):
            self.rows = rows

        def complete(self, frame):
            depth = np.full((CAMERA.height, CAMERA.width), np.nan, np.float32)
            depth[self.rows] = frame.ground_truth[self.rows]
            return Completion(depth, np.zeros_like(depth), frame.depth)

    truth = Registered()[0].ground_truth.astype(np.float64)
    nothing = score(Knows([]), [Registered(1)])[0]
    assert nothing.mae_mm == pytest.approx(1e3 * truth.mean())
    assert nothing.rmse_mm == pytest.approx(1e3 * np.sqrt((truth**2).mean()))
    # Rows above and below are filled, those between are not.
    rows = [0, CAMERA.height - 1]
    between = score(Knows(rows), [Registered(1)])[0]
    assert between.mae_mm == pytest.approx(1e3 * truth[1:-1].sum() / truth.size)


def test_frames_of_which_nothing_is_left_do_not_count():
    class Fussy:
        def complete(self, frame):
            if frame.name == "plane 0":
                raise EmptySparseDepthError("nothing")
            return Completion(frame.ground_truth, np.ones_like(frame.ground_truth), frame.ground_truth)

    class Unseen(Registered):
        def __getitem__(self, index):
            frame = super().__getitem__(index)
            return replace(frame, ground_truth=frame.ground_truth * (index != 1))

    (found,) = score(Fussy(), [Unseen(4)])
    assert (found.frames, found.rmse_mm) == (2, 0)
