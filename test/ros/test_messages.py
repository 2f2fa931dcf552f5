import numpy as np
import pytest
from sensor_msgs_py import point_cloud2

from depth_completion_ros.geometry.camera import Camera
from depth_completion_ros.message_arrays import camera_of, cloud_points, depth_array, image_array, transform_matrix
from depth_completion_ros.ros.messages import (
    camera_info_message,
    cloud_message,
    coloured_cloud_message,
    header,
    image_message,
    nanoseconds,
    transform_message,
)

HEADER = header(12_345_678_901, "somewhere")


def test_stamps_survive():
    assert (HEADER.stamp.sec, HEADER.stamp.nanosec) == (12, 345_678_901)
    assert nanoseconds(HEADER.stamp) == 12_345_678_901


@pytest.mark.parametrize("shape", [(4, 6, 3), (1, 1, 3), (5, 3, 3)])
def test_colour_images_come_back(shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    message = image_message(pixels, HEADER)
    assert (message.encoding, message.height, message.width, message.step) == ("rgb8", *shape[:2], shape[1] * 3)
    np.testing.assert_array_equal(image_array(message), pixels)


def test_a_slice_of_an_array_is_sent_as_it_looks():
    pixels = np.arange(60, dtype=np.float32).reshape(6, 10)[::2, 1:9:3]
    np.testing.assert_array_equal(depth_array(image_message(pixels, HEADER)), pixels)


def test_millimetres_come_back_as_metres():
    message = image_message(np.array([[0, 1500]], np.uint16), HEADER)
    assert message.encoding == "16UC1"
    np.testing.assert_allclose(depth_array(message), [[0, 1.5]])


def test_an_array_without_encoding_is_refused():
    with pytest.raises(ValueError, match="float64"):
        image_message(np.zeros((2, 2)), HEADER)


@pytest.mark.parametrize(
    "camera",
    [
        Camera(640, 480, 500.0, 501.0, 320.5, 240.5),
        Camera(640, 480, 500.0, 501.0, 320.5, 240.5, "plumb_bob", (0.1, -0.2, 0.001, 0.002, 0.05)),
        Camera(640, 480, 500.0, 501.0, 320.5, 240.5, "rational_polynomial", (0.1, 0.2, 0.0, 0.0, 0.1, 0.3, 0.1, 0.2)),
        Camera(640, 480, 300.0, 301.0, 320.5, 240.5, "equidistant", (0.01, 0.02, 0.003, 0.004)),
    ],
)
def test_cameras_come_back(camera):
    message = camera_info_message(camera, HEADER)
    assert camera_of(message) == camera
    assert camera_of(message, rectified=True) == camera.undistorted()


@pytest.mark.parametrize("rings", [None, np.array([3, 0, 63])])
def test_clouds_come_back(rings):
    points = np.array([[1, 2, 3], [4, 5, np.nan], [7, 8, 9]], np.float32)
    message = cloud_message(points, HEADER, rings=rings)
    got_points, got_rings = cloud_points(message)
    np.testing.assert_array_equal(got_points, points)
    if rings is None:
        assert got_rings is None
    else:
        np.testing.assert_array_equal(got_rings, rings)
    # sensor_msgs_py, an implementation that is not ours where ROS is installed, reads the same.
    read = point_cloud2.read_points(message, field_names=["x", "y", "z"])
    np.testing.assert_array_equal(np.stack([read[name] for name in "xyz"], -1).reshape(-1, 3), points)


def test_points_of_no_ring_are_left_out():
    points = np.array([[1, 2, 3], [np.nan, np.nan, np.nan], [7, 8, 9]], np.float32)
    got_points, got_rings = cloud_points(cloud_message(points, HEADER, rings=np.array([3, -1, 0])))
    np.testing.assert_array_equal(got_points, points[[0, 2]])
    np.testing.assert_array_equal(got_rings, [3, 0])


def test_an_empty_cloud():
    points, _ = cloud_points(cloud_message(np.empty((0, 3), np.float32), HEADER))
    assert points.shape == (0, 3)


def test_the_coloured_cloud_packs_red_green_blue_as_rviz_reads_them():
    points = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
    colours = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [1, 2, 3]]], np.uint8)
    message = coloured_cloud_message(points, colours, HEADER)
    assert (message.height, message.width) == (2, 2)
    read = point_cloud2.read_points(message).reshape(-1)
    np.testing.assert_array_equal(np.stack([read[name] for name in "xyz"], -1), points.reshape(-1, 3))
    packed = np.ascontiguousarray(read["rgb"]).view(np.uint32) & 0xFFFFFF
    np.testing.assert_array_equal(packed, [0xFF0000, 0x00FF00, 0x0000FF, 0x010203])


def test_transforms_come_back():
    angle = 0.3
    pose = np.eye(4)
    pose[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    pose[:3, 3] = 1, 2, 3
    message = transform_message(pose, HEADER, "child")
    assert (message.header.frame_id, message.child_frame_id) == ("somewhere", "child")
    np.testing.assert_allclose(transform_matrix(message.transform), pose, atol=1e-15)
