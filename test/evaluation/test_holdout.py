"""Withheld scan lines as ground truth, on clouds whose pixels are known because they were made from pixels."""

from dataclasses import replace

import numpy as np
import pytest

from depth_completion_ros.datasets import DamagedFrame
from depth_completion_ros.evaluation.holdout import drop_occluded, hold_out, hold_out_each
from depth_completion_ros.frame import Frame
from depth_completion_ros.geometry.camera import Camera

CAMERA = Camera(40, 30, 30.0, 30.0, 19.5, 14.5)
# The sensor looks along x with z up, as LiDARs do, from the camera's own place.
EXTRINSIC = np.array([[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]])


def frame_of(returns, **others):
    """A frame whose points project to the given (row, column, depth, ring)."""
    row, column, depth, ring = np.array(returns, np.float64).T
    x, y = (column - CAMERA.cx) / CAMERA.fx * depth, (row - CAMERA.cy) / CAMERA.fy * depth
    points = np.stack([depth, -x, -y], -1).astype(np.float32)
    return Frame(7, CAMERA, points=points, rings=ring.astype(np.int64), extrinsic=EXTRINSIC, name="made", **others)


def wall(rings=8, depth=10.0):
    """One return in every second column; ring r in row 3 r + 2."""
    return [(3 * ring + 2, column, depth, ring) for ring in range(rings) for column in range(0, 40, 2)]


def test_every_nth_line_stays_and_the_others_become_the_ground_truth():
    frame = frame_of(wall(), image=np.zeros((30, 40, 3), np.uint8))
    thinned = hold_out(frame, 2)
    assert np.unique(thinned.rings).tolist() == [0, 4]
    np.testing.assert_array_equal(thinned.points, frame.points[np.isin(frame.rings, [0, 4])])
    expected = np.zeros((30, 40))
    for ring in (1, 2, 3, 5, 6, 7):
        expected[3 * ring + 2, ::2] = 10
    np.testing.assert_allclose(thinned.ground_truth, expected, rtol=1e-6)
    assert thinned.ground_truth.dtype == np.float32
    assert (thinned.stamp, thinned.camera, thinned.name) == (7, CAMERA, "made")
    assert thinned.image is frame.image
    np.testing.assert_array_equal(thinned.extrinsic, EXTRINSIC)


def test_the_nearest_of_the_withheld_returns_in_a_pixel_counts():
    thinned = hold_out(frame_of([(5, 5, 10, 0), (20, 30, 9.5, 1), (20, 30, 9.0, 1), (20, 30, 9.8, 1)]), 1)
    assert thinned.ground_truth[20, 30] == pytest.approx(9.0)
    assert np.count_nonzero(thinned.ground_truth) == 1


@pytest.mark.parametrize("hider_ring", [0, 1])
@pytest.mark.parametrize(
    ("down", "right", "hider", "hidden"),
    [
        (4, 3, 8.4, True),
        (-4, -3, 8.4, True),
        (5, 0, 8.4, False),  # too far above or below
        (0, 4, 8.4, False),  # too far beside
        (4, 3, 8.6, False),  # not near enough: the same surface
        (0, 0, 8.4, True),  # in the same pixel
    ],
)
def test_a_return_with_a_nearer_one_beside_it_is_left_out(hider_ring, down, right, hider, hidden):
    """Whether the nearer one was given to the model (ring 0) or withheld too (ring 1)."""
    returns = [(0, 39, 50, 0), (15, 20, 10, 1), (15 + down, 20 + right, hider, hider_ring)]
    truth = hold_out(frame_of(returns), 1).ground_truth
    if down == right == 0 and hider_ring == 1:
        assert truth[15, 20] == pytest.approx(hider)
    else:
        assert truth[15, 20] == pytest.approx(0 if hidden else 10)


def test_a_hider_at_the_border_counts_and_the_outside_of_the_image_does_not():
    depth = np.zeros((12, 9), np.float32)
    depth[0, 0], depth[11, 8] = 10, 10
    others = np.zeros_like(depth)
    others[11, 5] = 5
    left = drop_occluded(depth, others)
    assert left[0, 0] == 10
    assert np.count_nonzero(left) == 1


def test_a_ground_truth_that_the_frame_brings_is_kept():
    own = np.full((30, 40), 3, np.float32)
    thinned = hold_out(frame_of(wall(), ground_truth=own), 4)
    assert thinned.ground_truth is own
    assert np.unique(thinned.rings).tolist() == [0, 2, 4, 6]


def test_all_lines_leave_nothing_to_score():
    frame = frame_of(wall())
    thinned = hold_out(frame, 8)
    np.testing.assert_array_equal(thinned.points, frame.points)
    assert not thinned.ground_truth.any()


def test_in_a_pixel_measured_twice_the_nearer_hides():
    depth, others = np.zeros((2, 12, 9), np.float32)
    depth[5, 4:6] = 10, 5
    others[5, 5] = 50
    assert drop_occluded(depth, others)[5, 4] == 0


def test_what_has_no_lines_is_refused():
    camera_only = Frame(7, CAMERA, name="000042")
    with pytest.raises(ValueError, match="frame 000042 has no points: scan lines"):
        hold_out(camera_only, 4)
    with pytest.raises(ValueError, match="frame 12 has no rings: scan lines"):
        hold_out(Frame(12, CAMERA, points=np.ones((5, 3), np.float32)), 4)
    with pytest.raises(ValueError, match="9 scan lines of a LiDAR with 8"):
        hold_out(frame_of(wall()), 9)


def test_what_is_beside_can_be_taken_wider():
    depth = np.zeros((40, 40), np.float32)
    depth[20, 20], depth[28, 26] = 10, 5
    for columns, rows, kept in ((3, 4, 10), (6, 7, 10), (5, 8, 10), (6, 8, 0)):
        assert drop_occluded(depth, np.zeros_like(depth), columns, rows)[20, 20] == kept


def test_a_scan_with_fewer_lines_comes_out_as_damaged_and_the_next_follows():
    full, few, none = frame_of(wall(8)), frame_of(wall(2)), Frame(7, CAMERA, name="made")
    unread = DamagedFrame("unread", ValueError("truncated"))
    few_first = [few, full, none, unread, full]
    first, second, third, fourth, fifth = hold_out_each(few_first, 4)
    np.testing.assert_array_equal(second.points, hold_out(full, 4).points)
    np.testing.assert_array_equal(fifth.points, second.points)
    assert fourth is unread
    assert isinstance(first, DamagedFrame) and first.name == "made"
    assert "asked for 4 scan lines of a LiDAR with 2" in str(first.error)
    assert "frame made has no points" in str(third.error)


def test_a_recording_without_lines_is_refused():
    with pytest.raises(ValueError, match="frame 7 has no points"):
        next(hold_out_each([Frame(7, CAMERA)], 4))


def test_a_ring_without_return_still_counts():
    full, last_is_missing, none = frame_of(wall(8)), frame_of(wall(7)), frame_of([(1, 1, 5, 3)])
    found = list(hold_out_each([full, last_is_missing, none, full], 4))
    assert [np.unique(each.rings).tolist() for each in (found[0], found[1], found[3])] == [[0, 2, 4, 6]] * 3
    assert isinstance(found[2], DamagedFrame) and "frame made has no return on 4 scan lines" in str(found[2].error)
    _, all_that_came_back = hold_out_each([full, last_is_missing], 8)
    np.testing.assert_array_equal(all_that_came_back.points, last_is_missing.points)


def test_the_rings_of_another_lidar_are_counted_anew():
    elsewhere = EXTRINSIC.copy()
    elsewhere[2, 3] = 0.2
    full, few = frame_of(wall(8)), frame_of(wall(4))
    others = [replace(few, extrinsic=elsewhere), replace(few, camera=replace(CAMERA, fx=31.0))]
    for other in others:
        _, found = hold_out_each([full, other], 4)
        np.testing.assert_array_equal(found.points, few.points)


def test_a_ring_that_no_lidar_has_counts_for_its_own_frame_only():
    full, wild = frame_of(wall()), frame_of([*wall(), (2, 1, 10.0, 65535)])
    before, during, after = hold_out_each([full, wild, full], 4)
    assert len(during.points) < len(before.points) == len(after.points) == 80
