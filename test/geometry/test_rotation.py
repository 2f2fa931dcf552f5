"""Rotations against what they do to vectors, and against each other."""

import numpy as np
import pytest

from depth_completion_ros.geometry.rotation import is_same_pose, nearest_rotation, quaternion_of, rotation_of

SQRT_HALF = np.sqrt(0.5)


def random_rotations(count):
    matrices = np.random.default_rng(0).normal(size=(count, 3, 3))
    orthogonal = np.stack([np.linalg.qr(matrix)[0] for matrix in matrices])
    return orthogonal * np.linalg.det(orthogonal)[:, None, None]


@pytest.mark.parametrize(
    ("quaternion", "x_goes_to"),
    [
        ((0, 0, 0, 1), (1, 0, 0)),
        ((0, 0, SQRT_HALF, SQRT_HALF), (0, 1, 0)),  # a quarter turn about z
        ((0, SQRT_HALF, 0, SQRT_HALF), (0, 0, -1)),  # a quarter turn about y
        ((0, 0, 2, 0), (-1, 0, 0)),  # half a turn about z, not of unit length
    ],
)
def test_a_quaternion_turns_x_as_expected(quaternion, x_goes_to):
    np.testing.assert_allclose(rotation_of(quaternion) @ (1, 0, 0), x_goes_to, atol=1e-15)


@pytest.mark.parametrize("quaternion", [(0, 0, 0, 0), (np.nan, 0, 0, 1)])
def test_no_rotation(quaternion):
    with pytest.raises(ValueError, match="no rotation"):
        rotation_of(quaternion)


def test_the_way_through_a_quaternion_changes_nothing():
    for rotation in random_rotations(500):
        quaternion = quaternion_of(rotation)
        assert quaternion[3] >= 0
        np.testing.assert_allclose(rotation_of(quaternion), rotation, atol=2e-15)


@pytest.mark.parametrize("axis", range(3))
def test_half_a_turn_has_no_w_to_divide_by(axis):
    rotation = -np.eye(3)
    rotation[axis, axis] = 1
    np.testing.assert_allclose(rotation_of(quaternion_of(rotation)), rotation, atol=1e-15)


def test_the_nearest_rotation_undoes_rounding():
    for rotation in random_rotations(20):
        repaired = nearest_rotation(np.round(rotation, 6))
        np.testing.assert_allclose(repaired @ repaired.T, np.eye(3), atol=2e-15)
        np.testing.assert_allclose(repaired, rotation, atol=2e-6)
        assert np.linalg.det(repaired) > 0


def test_a_reflection_is_refused():
    with pytest.raises(ValueError, match="reflection"):
        nearest_rotation(np.diag([1, 1, -1]))


def test_poses_are_the_same_but_for_rounding():
    pose = np.eye(4)
    pose[:3, 3] = 1000, 0, -1
    for moved, same in ((1e-7, True), (1e-4, False)):
        other = pose.copy()
        other[0, 3] += moved
        assert is_same_pose(pose, other) is same
