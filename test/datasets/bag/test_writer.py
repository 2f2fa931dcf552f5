"""What goes into a bag comes out again."""

from dataclasses import replace

import numpy as np
import pytest
from recordings import depth_picture, lidar_frames

from depth_completion_ros.datasets.bag import BagSource, write_bag
from depth_completion_ros.geometry.camera import Camera


def assert_same(frame, original):
    assert frame.stamp == original.stamp
    assert frame.camera == original.camera and frame.depth_camera == original.depth_camera
    for name in ("image", "points", "rings", "depth", "ground_truth"):
        array, expected = getattr(frame, name), getattr(original, name)
        assert (array is None) == (expected is None), name
        if expected is not None:
            np.testing.assert_array_equal(array, expected, err_msg=name)
    np.testing.assert_allclose(frame.extrinsic, original.extrinsic, atol=1e-15)


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_lidar_recording(tmp_path, frames, storage):
    assert write_bag(tmp_path / "bag", frames, storage) == 5
    source = BagSource(tmp_path / "bag")
    assert source.name == "bag" and len(source) == 5
    for _ in range(2):  # a source can be read again
        read = list(source)
        assert len(read) == 5
        for frame, original in zip(read, frames, strict=True):
            assert_same(frame, original)


def test_a_cloud_without_rings_and_without_ground_truth(tmp_path, frames):
    plain = [replace(frame, rings=None, ground_truth=None) for frame in frames]
    write_bag(tmp_path / "bag", plain)
    for frame, original in zip(BagSource(tmp_path / "bag"), plain, strict=True):
        assert_same(frame, original)


def test_points_that_are_not_numbers(tmp_path, frames):
    points = frames[0].points.copy()
    points[3] = np.nan
    write_bag(tmp_path / "bag", [replace(frames[0], points=points)])
    assert_same(next(iter(BagSource(tmp_path / "bag"))), replace(frames[0], points=points))


def test_points_of_no_ring_are_left_out(tmp_path, frames):
    points, rings = frames[0].points.copy(), frames[0].rings.astype(np.int64)
    points[3], rings[3] = np.nan, -1
    write_bag(tmp_path / "bag", [replace(frames[0], points=points, rings=rings)])
    known = replace(frames[0], points=np.delete(points, 3, 0), rings=np.delete(rings, 3))
    assert_same(next(iter(BagSource(tmp_path / "bag"))), known)


def test_registered_depth_with_a_camera_of_its_own_for_every_frame(tmp_path, frames):
    registered = [
        replace(
            frame,
            points=None,
            rings=None,
            extrinsic=np.eye(4),
            depth=depth_picture(index),
            camera=replace(frame.camera, fx=20.0 + index),
        )
        for index, frame in enumerate(frames)
    ]
    write_bag(tmp_path / "bag", registered)
    for frame, original in zip(BagSource(tmp_path / "bag"), registered, strict=True):
        assert_same(frame, original)


def test_depth_in_the_view_of_its_own_distorted_camera(tmp_path, frames):
    lens = ("rational_polynomial", (0.1, -0.2, 0.001, 0.002, 0.03, 0.4, -0.1, 0.05))
    depth_camera = Camera(20, 12, 18, 18, 10, 6, *lens)
    camera = Camera(20, 12, 15, 16, 9.5, 5.5, "equidistant", (0.1, 0.02, 0.003, 0.0))
    unregistered = [
        replace(frame, points=None, rings=None, camera=camera, depth=depth_picture(index), depth_camera=depth_camera)
        for index, frame in enumerate(frames)
    ]
    write_bag(tmp_path / "bag", unregistered)
    for frame, original in zip(BagSource(tmp_path / "bag"), unregistered, strict=True):
        assert_same(frame, original)


def test_an_existing_path_is_left_alone(tmp_path, frames):
    (tmp_path / "bag").mkdir()
    with pytest.raises(FileExistsError, match="bag exists already"):
        write_bag(tmp_path / "bag", frames)
    assert (tmp_path / "bag").exists()


def test_an_unknown_storage(tmp_path, frames):
    with pytest.raises(ValueError, match="unknown bag storage 'zip'; available: mcap, sqlite3"):
        write_bag(tmp_path / "bag", frames, "zip")


def damaged_frames():
    yield lidar_frames()[0]
    raise ValueError("1.png: damaged")


def moved_sensor():
    first, second, *_ = lidar_frames()
    return [first, replace(second, extrinsic=np.eye(4))]


def test_a_sensor_that_rounding_moves_stands_still(tmp_path):
    first, second, *_ = lidar_frames()
    frames = [first, replace(second, extrinsic=second.extrinsic + np.array([[0, 0, 0, 1e-15]] * 3 + [[0] * 4]))]
    assert not np.array_equal(frames[1].extrinsic, second.extrinsic)
    assert write_bag(tmp_path / "bag", frames) == 2


@pytest.mark.parametrize(
    ("frames", "complaint"),
    [
        (damaged_frames, r"1\.png: damaged"),
        (moved_sensor, "frame 1 has another extrinsic"),
        (lambda: [replace(lidar_frames()[0], image=None)], "frame 0 has no image"),
        (list, "no frame to write"),
    ],
)
def test_an_unfinished_bag_is_removed(tmp_path, frames, complaint):
    with pytest.raises(ValueError, match=complaint):
        write_bag(tmp_path / "bag", frames())
    assert not (tmp_path / "bag").exists()
