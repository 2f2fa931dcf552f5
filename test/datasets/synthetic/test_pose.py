import numpy as np
import pytest

from depth_completion_ros.datasets.synthetic.pose import LOOKING_AHEAD, Pose

ORIGIN = np.zeros(3)


def seen(pose, point):
    """A point of the world in the axes of a sensor."""
    return pose.axes @ (np.asarray(point) - pose.position)


def test_cameras_turn_left_up_and_clockwise():
    np.testing.assert_array_equal(Pose.of_camera(ORIGIN).axes, LOOKING_AHEAD)
    assert seen(Pose.of_camera(ORIGIN, yaw=0.1), (1, 0, 0))[0] > 0.09  # what is ahead moves to the right
    assert seen(Pose.of_camera(ORIGIN, pitch=0.1), (1, 0, 0))[1] > 0.09  # and down
    right, down, _ = seen(Pose.of_camera(ORIGIN, roll=0.1), (1, 0, 1))  # and what is above, to the left
    assert right < -0.09
    assert down < -0.9


def test_lidars_turn_left_and_up():
    np.testing.assert_array_equal(Pose.of_lidar(ORIGIN).axes, np.eye(3))
    assert seen(Pose.of_lidar(ORIGIN, yaw=0.1), (1, 0, 0))[1] < -0.09
    assert seen(Pose.of_lidar(ORIGIN, pitch=0.1), (1, 0, 0))[2] < -0.09


def test_extrinsic_takes_points_from_sensor_to_camera():
    camera = Pose.of_camera(np.array([1.0, 2, 3]), 0.3, -0.2, 0.1)
    lidar = Pose.of_lidar(np.array([0.5, 2.2, 3.1]), -0.4, 0.15)
    extrinsic = camera.extrinsic(lidar)
    point = np.array([20.0, 3, 1])
    np.testing.assert_allclose(extrinsic @ [*seen(lidar, point), 1], [*seen(camera, point), 1], atol=1e-12)
    assert np.linalg.det(extrinsic) == pytest.approx(1)


def test_shift_is_in_the_sensors_axes():
    camera = Pose.of_camera(np.array([1.0, 2, 3]), yaw=np.pi / 2)
    np.testing.assert_allclose(camera.shifted(np.array([0, 0, 2.0])).position, (1, 4, 3), atol=1e-12)


def test_directions_in_the_world_are_those_that_the_axes_see():
    camera = Pose.of_camera(ORIGIN, 0.3, -0.2, 0.1)
    local = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    world = camera.to_world(local)
    assert world.dtype == np.float32
    np.testing.assert_allclose([seen(camera, direction) for direction in world], local, atol=1e-6)
