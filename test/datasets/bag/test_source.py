"""Frames from bags as other people record them."""

import cv2
import numpy as np
import pytest
from messages import Bag
from recordings import depth_picture, picture, scan

from depth_completion_ros.datasets import DamagedFrame, open_source
from depth_completion_ros.datasets.bag import BagSource
from depth_completion_ros.geometry.camera import Camera

SECOND = 1_000_000_000
START = 1_600_000_000 * SECOND
STRAIGHT = (0, 0, 0, 1)
# x forward, y left, z up to x right, y down, z forward
OPTICAL = (-0.5, 0.5, -0.5, 0.5)


def points(seed):
    return scan(seed)[:, :3].copy()


def stamps(count=4):
    return [START + index * SECOND // 10 for index in range(count)]


@pytest.fixture(params=["recording.bag", "recording"])
def robot(tmp_path, request):
    """A ROS 1 or ROS 2 bag: camera and LiDAR on a base, the LiDAR 4 ms late, with names of their own."""
    with Bag(tmp_path / request.param) as bag:
        edges = [("base", "lidar", (0, 0, 1), STRAIGHT), ("base", "camera", (2, 0, 0), OPTICAL)]
        bag.transforms("/tf_static", START, *edges)
        for index, stamp in enumerate(stamps()):
            bag.camera_info("/front/camera_info", stamp, d=(0.1, -0.1, 0, 0, 0))
            bag.image("/front/image_raw", picture(index)[..., ::-1], "bgr8", stamp)
            bag.cloud("/scan", points(index), stamp + 4_000_000)
    return bag.path


def test_a_robot_with_names_of_its_own(robot):
    source = BagSource(robot)
    assert source.name == "recording" and len(source) == 4
    for index, frame in enumerate(source):
        assert frame.stamp == stamps()[index] and frame.name == str(frame.stamp)
        assert frame.camera == Camera(20, 12, 15, 16, 9.5, 5.5, "plumb_bob", (0.1, -0.1, 0, 0, 0))
        np.testing.assert_array_equal(frame.image, picture(index))
        np.testing.assert_array_equal(frame.points, points(index))
        assert frame.rings is None and frame.ground_truth is None
        # The LiDAR is 2 m behind and 1 m above the camera.
        np.testing.assert_allclose(frame.extrinsic @ (10, 0, 0, 1), (0, -1, 8, 1), atol=1e-12)
        np.testing.assert_allclose(frame.extrinsic @ (10, 3, 0, 1), (-3, -1, 8, 1), atol=1e-12)


def test_images_whose_scan_is_too_far_off_are_left_out_aloud(robot, caplog):
    assert list(BagSource(robot, slop=0.003)) == []
    assert "4 image(s) left out, no message of /scan is within 0.003 s" in caplog.text


def test_an_extrinsic_of_ones_own(robot):
    extrinsic = [[0, -1, 0, 0.5], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]]
    np.testing.assert_array_equal(next(iter(BagSource(robot, extrinsic=extrinsic))).extrinsic, extrinsic)


def test_without_a_transform_there_is_a_clear_error(tmp_path):
    with Bag(tmp_path / "bag") as bag:
        bag.transforms("/tf_static", START, ("base", "lidar", (0, 0, 1), STRAIGHT))
        bag.camera_info("/camera_info", START)
        bag.image("/image", picture(0), "rgb8", START)
        bag.cloud("/points", points(0), START)
    with pytest.raises(ValueError, match=r"no transform from frame 'lidar' to 'camera'.*transforms: base -> lidar"):
        BagSource(bag.path)
    assert len(list(BagSource(bag.path, extrinsic=np.eye(4)))) == 1
    matrix = np.eye(4)
    matrix[0, 3] = 0.25
    of_text = open_source(bag.path, extrinsic=" ".join(map(str, matrix.ravel())))
    np.testing.assert_array_equal(next(iter(of_text)).extrinsic, matrix)
    for wrong, complaint in (("1 0 0", "'1 0 0' is not 16 numbers"), ("1 " * 16, "not a rotation and a translation")):
        with pytest.raises(ValueError, match=complaint):
            BagSource(bag.path, extrinsic=wrong)


def test_a_sensor_that_moves(tmp_path):
    with Bag(tmp_path / "bag") as bag:
        bag.transforms("/tf_static", START, ("base", "camera", (0, 0, 0), STRAIGHT))
        for index, stamp in enumerate(stamps()):
            bag.transforms("/tf", stamp, ("base", "lidar", (index, 0, 0), STRAIGHT))
            bag.camera_info("/camera_info", stamp)
            bag.image("/image", picture(0), "rgb8", stamp)
            bag.cloud("/points", points(0), stamp)
    source = BagSource(bag.path)
    for _ in range(2):
        assert [frame.extrinsic[0, 3] for frame in source] == [0, 1, 2, 3]


def test_kitti_bags_are_rectified_though_k_and_d_say_otherwise(tmp_path):
    with Bag(tmp_path / "kitti.bag") as bag:
        edges = [("imu_link", "velo_link", (0, 0, 1), STRAIGHT), ("imu_link", "camera_color_left", (2, 0, 0), OPTICAL)]
        bag.transforms("/tf_static", START, *edges)
        for camera in ("color_left", "color_right", "gray_left"):
            topic, frame = f"/kitti/camera_{camera}", f"camera_{camera}"
            lens = {"k": (18, 19, 10, 6), "p": (15, 16, 9.5, 5.5), "d": (-0.3, 0.2, 0, 0, 0)}
            bag.camera_info(f"{topic}/camera_info", START, frame, **lens)
            bag.image(f"{topic}/image_raw", picture(0), "rgb8", START, frame)
        bag.cloud("/kitti/velo/pointcloud", points(0), START, "velo_link")
    frame = next(iter(BagSource(bag.path)))
    assert frame.camera == Camera(20, 12, 15, 16, 9.5, 5.5)
    np.testing.assert_allclose(frame.extrinsic @ (10, 0, 0, 1), (0, -1, 8, 1), atol=1e-12)
    unrectified = next(iter(BagSource(bag.path, rectified=False))).camera
    assert (unrectified.fx, unrectified.distortion_model) == (18, "plumb_bob")


def test_compressed_pictures_and_compressed_depth(tmp_path):
    with Bag(tmp_path / "bag") as bag:
        for index, stamp in enumerate(stamps()):
            bag.camera_info("/rgb/camera_info", stamp)
            png = cv2.imencode(".png", picture(index)[..., ::-1])[1].tobytes()
            bag.compressed("/rgb/image_raw/compressed", png, "rgb8; png compressed bgr8", stamp)
            millimetres = np.round(depth_picture(index) * 500).astype(np.uint16)
            data = bytes(12) + cv2.imencode(".png", millimetres)[1].tobytes()
            bag.compressed("/rgb/registered/compressedDepth", data, "16UC1; compressedDepth png", stamp)
    source = BagSource(bag.path)
    assert len(source) == 4
    for index, frame in enumerate(source):
        np.testing.assert_array_equal(frame.image, picture(index))
        np.testing.assert_allclose(frame.depth, depth_picture(index) / 2, atol=6e-4)
        assert frame.points is None and frame.depth_camera is None


def test_a_depth_camera_beside_the_colour_camera(tmp_path):
    with Bag(tmp_path / "bag") as bag:
        bag.transforms("/tf_static", START, ("camera", "depth_camera", (0.05, 0, 0), STRAIGHT))
        bag.camera_info("/rgb/camera_info", START)
        bag.camera_info("/depth/camera_info", START, "depth_camera", k=(30, 30, 5, 4), size=(10, 8))
        bag.image("/rgb/image_raw", picture(0), "rgb8", START)
        bag.image("/depth/image_raw", depth_picture(0)[:8, :10], "32FC1", START, "depth_camera")
    frame = next(iter(BagSource(bag.path)))
    np.testing.assert_array_equal(frame.depth, depth_picture(0)[:8, :10])
    assert frame.depth_camera == Camera(10, 8, 30, 30, 5, 4)
    np.testing.assert_allclose(frame.extrinsic[:3, 3], (0.05, 0, 0))


@pytest.mark.parametrize(("rectified", "topic"), [(None, "/rgb/image_rect"), (True, "/rgb/image_raw")])
def test_rectified_pictures_do_not_take_the_lens_from_a_depth_camera_beside_them(tmp_path, rectified, topic):
    lens = {"k": (30, 30, 5, 4), "p": (25, 25, 5, 4), "d": (0.1, 0.01, 0, 0, 0)}
    with Bag(tmp_path / "bag") as bag:
        bag.transforms("/tf_static", START, ("camera", "depth_camera", (0.05, 0, 0), STRAIGHT))
        bag.camera_info("/rgb/camera_info", START, **lens)
        bag.camera_info("/depth/camera_info", START, "depth_camera", size=(10, 8), **lens)
        bag.image(topic, picture(0), "rgb8", START)
        bag.image("/depth/image_raw", depth_picture(0)[:8, :10], "32FC1", START, "depth_camera")
    frame = next(iter(BagSource(bag.path, rectified=rectified)))
    assert (frame.camera.fx, frame.camera.is_distorted) == (25, False)
    assert (frame.depth_camera.fx, frame.depth_camera.is_distorted) == (30, True)


def test_unregistered_depth_without_its_camera(tmp_path):
    with Bag(tmp_path / "bag") as bag:
        bag.camera_info("/rgb/camera_info", START)
        bag.image("/rgb/image_raw", picture(0), "rgb8", START)
        bag.image("/depth/image_raw", depth_picture(0), "32FC1", START, "depth_camera")
    with pytest.raises(ValueError, match=r"/depth/image_raw is in frame 'depth_camera'.*give depth_camera_info"):
        BagSource(bag.path)


def test_ground_truth_of_some_frames(tmp_path):
    with Bag(tmp_path / "bag") as bag:
        for index, stamp in enumerate(stamps()):
            bag.camera_info("/camera_info", stamp)
            bag.image("/image", picture(0), "rgb8", stamp)
            bag.cloud("/points", points(0), stamp, "camera")
            if index % 2:
                bag.image("/truth", depth_picture(index), "32FC1", stamp)
    frames = list(BagSource(bag.path, ground_truth="/truth"))
    assert [frame.ground_truth is not None for frame in frames] == [False, True, False, True]
    np.testing.assert_array_equal(frames[3].ground_truth, depth_picture(3))
    assert all(frame.ground_truth is None for frame in BagSource(bag.path))


def test_damaged_messages_are_named_and_the_rest_is_read(tmp_path):
    with Bag(tmp_path / "bag") as bag:
        for index, stamp in enumerate(stamps(6)):
            bag.camera_info("/camera_info", stamp, k=(0, 0, 0, 0) if index == 5 else (15, 16, 9.5, 5.5))
            size = slice(0, 5) if index == 1 else slice(None)
            bag.image("/image", picture(0)[size], "nv21" if index == 2 else "rgb8", stamp)
            bag.cloud("/points", points(0), stamp, "camera")
    items = list(BagSource(bag.path).read())
    assert [isinstance(item, DamagedFrame) for item in items] == [False, True, True, False, False, True, False]
    errors = [str(item.error) for item in items if isinstance(item, DamagedFrame)]
    assert "Frame.image is (5, 20, 3) uint8, expected (12, 20, 3)" in errors[0]
    assert "'nv21'" in errors[1]
    assert "/camera_info: camera_info is uncalibrated" in errors[2]
    assert all(str(bag.path) in error for error in errors)


def test_no_two_damages_have_one_name(tmp_path):
    with Bag(tmp_path / "bag") as bag:
        for index, stamp in enumerate(stamps(4)):
            bag.camera_info("/camera_info", stamp, k=(15, 16, 9.5, 5.5) if index == 0 else (0, 0, 0, 0))
            bag.image("/image", picture(0), "rgb8", stamp)
            bag.cloud("/points", points(0), stamp, "camera")
    source = BagSource(bag.path)
    for _ in range(2):
        names = [item.name for item in source.read() if isinstance(item, DamagedFrame)]
        assert names == ["bag damage 1", "bag damage 2", "bag damage 3"]


def test_an_uncalibrated_camera(tmp_path):
    with Bag(tmp_path / "bag") as bag:
        bag.camera_info("/camera_info", START, k=(0, 0, 0, 0))
        bag.image("/image", picture(0), "rgb8", START)
        bag.cloud("/points", points(0), START, "camera")
    with pytest.raises(ValueError, match=r"bag: /camera_info: camera_info is uncalibrated"):
        BagSource(bag.path)


def test_frames_of_a_recording_that_was_played_twice_have_names_of_their_own(tmp_path):
    with Bag(tmp_path / "bag") as bag:
        bag.camera_info("/camera_info", START)
        for late in (0, 10 * SECOND):
            for index, stamp in enumerate(stamps(40)):
                bag.image("/image", picture(index), "rgb8", stamp, time=stamp + late)
                bag.cloud("/points", points(index), stamp, "camera", time=stamp + late)
    frames = list(BagSource(bag.path))
    once = [str(stamp) for stamp in stamps(40)]
    assert [frame.name for frame in frames] == [*once, *(f"{name}_2" for name in once)]
    assert [frame.stamp for frame in frames] == 2 * stamps(40)
