"""How much of a frame is given, and what is scored then."""

from dataclasses import replace

import numpy as np
import pytest
from walls import CAMERA, wall

from depth_completion_ros.evaluation.given import EVERYTHING, Given
from depth_completion_ros.evaluation.holdout import drop_occluded, hold_out
from depth_completion_ros.frame import Frame
from depth_completion_ros.pipeline import sparse_depth_of


def of(given, frame):
    return given.of(frame, np.random.default_rng(0))


def tof(truth=False):
    """A ramp that a depth sensor in the camera's view measures but for its left quarter."""
    depth = np.broadcast_to(np.linspace(1, 3, 64, dtype=np.float32), (48, 64)).copy()
    measured = np.where(np.arange(64) < 16, np.float32(0), depth)
    return Frame(0, CAMERA, depth=measured, ground_truth=depth if truth else None)


def test_lines():
    frame = wall()
    assert of(EVERYTHING, frame) is frame
    assert np.unique(of(Given(lines=4), frame).rings).tolist() == [0, 4, 8, 12]
    np.testing.assert_array_equal(of(Given(lines=4), frame).ground_truth, frame.ground_truth)
    without_truth = wall(truth=False)
    expected = hold_out(without_truth, 4).ground_truth
    np.testing.assert_array_equal(of(Given(lines=4), without_truth).ground_truth, expected)


@pytest.mark.parametrize("given", [Given(points=300), Given(holes=0.4)])
@pytest.mark.parametrize("frame", [tof(), tof(truth=True), wall(truth=False)])
def test_what_is_withheld_is_the_truth_unless_there_is_one(given, frame):
    measured = sparse_depth_of(frame)
    found = of(given, frame)
    kept = sparse_depth_of(found) > 0
    np.testing.assert_array_equal(sparse_depth_of(found)[kept], measured[kept])
    if given.points:
        assert np.count_nonzero(kept) == 300
    else:
        assert 0.35 < 1 - np.count_nonzero(kept) / np.count_nonzero(measured) < 0.8
    expected = frame.ground_truth
    if expected is None:
        expected = np.where(kept, np.float32(0), measured)
    if frame.points is not None:
        expected = drop_occluded(expected, found.depth)
    np.testing.assert_array_equal(found.ground_truth, expected)


def test_what_hides_behind_given_points_is_not_scored():
    frame = wall(truth=False)
    behind = np.array([[0.0, 0.0, 40.0]], np.float32)  # through a gap between the wall's points
    frame = replace(frame, points=np.concatenate([frame.points, behind]), rings=None)
    assert sparse_depth_of(frame).max() == 40
    assert of(Given(points=100), frame).ground_truth.max() < 12


def test_a_sensor_beside_the_camera_is_thinned_in_its_view():
    aside = np.eye(4)
    aside[0, 3] = 0.1
    frame = replace(tof(), depth_camera=CAMERA, extrinsic=aside)
    measured = sparse_depth_of(frame)
    found = of(Given(points=100), frame)
    assert found.depth_camera is None and np.array_equal(found.extrinsic, np.eye(4))
    both = sparse_depth_of(found) + found.ground_truth
    np.testing.assert_array_equal(both, measured)


@pytest.mark.parametrize(
    ("frame", "given"),
    [
        (wall(), Given(lines=17)),  # the LiDAR has 16
        (wall(truth=False), EVERYTHING),  # nothing to score with
        (wall(truth=False), Given(lines=16)),  # and no line left over
        (replace(wall(), rings=None), Given(lines=4)),
        (tof(truth=True), Given(lines=4)),
        (replace(wall(), points=wall().points * np.float32(-1)), EVERYTHING),  # behind the camera
        (tof(truth=True), Given(points=48 * 48 + 1)),
        (tof(), Given(points=48 * 48)),  # no point left over
    ],
)
def test_frames_that_cannot_be_scored(frame, given):
    assert of(given, frame) is None


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int64])
def test_rings_of_any_integer_type(dtype):
    frame = replace(wall(), rings=wall().rings.astype(dtype))  # bags store them in 16 bits without a sign
    assert np.unique(of(Given(lines=4), frame).rings).tolist() == [0, 4, 8, 12]
    assert of(Given(lines=17), frame) is None
    empty = replace(frame, points=frame.points[:0], rings=frame.rings[:0])
    assert of(Given(lines=1), empty) is None


def test_a_frame_may_have_just_enough_points():
    np.testing.assert_array_equal(of(Given(points=48 * 48), tof(truth=True)).depth, tof().depth)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"lines": 0}, "^0 lines cannot be given, expected 1 or more$"),
        ({"points": -1}, "^-1 points cannot be given, expected 1 or more$"),
        *(({"holes": share}, "share of the image, above 0 and at most 0.9; got") for share in (0.0, 0.95, 15, np.nan)),
    ],
)
def test_impossible_amounts_are_refused(numbers, message):
    with pytest.raises(ValueError, match=message):
        Given(**numbers)
    with pytest.raises(ValueError, match="exclude"):
        Given(lines=4, points=100)


def test_names():
    names = [str(given) for given in (EVERYTHING, Given(lines=4), Given(points=500), Given(holes=0.15))]
    assert names == ["everything", "4 lines", "500 points", "15 % holes"]
