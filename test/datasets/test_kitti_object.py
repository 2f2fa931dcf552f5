"""Folders of KITTI's object data set: every frame has a calibration of its own."""

import numpy as np
import pytest
from recordings import picture, scan, write_kitti_object, write_kitti_raw

from depth_completion_ros.datasets import DamagedFrame, open_source
from depth_completion_ros.datasets.kitti_object import KittiObject
from depth_completion_ros.datasets.kitti_raw import KittiRaw


@pytest.fixture
def folder(tmp_path):
    return write_kitti_object(tmp_path / "training")


def test_a_frame_is_that_of_a_drive_with_the_same_calibration(folder, tmp_path):
    source, drive = open_source(folder), KittiRaw(write_kitti_raw(tmp_path))
    assert isinstance(source, KittiObject) and source.name == "training" and len(source) == 3
    frame, other = source[2], drive[2]
    assert frame.name == "000002" and frame.stamp - source[1].stamp == 100_000_000
    np.testing.assert_array_equal(frame.image, picture(2))
    np.testing.assert_array_equal(frame.points, scan(2)[:, :3])
    np.testing.assert_array_equal(frame.rings, other.rings)
    assert frame.camera == other.camera
    np.testing.assert_allclose(frame.extrinsic, other.extrinsic, atol=1e-12)


def test_every_frame_has_its_own_calibration(folder):
    first, second = KittiObject(folder)[0], KittiObject(folder)[1]
    moved = second.extrinsic[:3, 3] - first.extrinsic[:3, 3]
    np.testing.assert_allclose(np.linalg.norm(moved), 1.0, atol=1e-9)


def test_damage_costs_one_frame(folder, caplog):
    (folder / "calib" / "000000.txt").unlink()
    (folder / "calib" / "000001.txt").write_text("P2: 1 2 3\n")
    (folder / "velodyne" / "000007.bin").write_bytes(b"")
    items = list(KittiObject(folder).read())
    assert [isinstance(item, DamagedFrame) for item in items] == [True, True, False]
    assert "000000.txt is missing" in str(items[0].error) and "of the object data set in calib/" in str(items[0].error)
    assert "line 'P2' should hold 12 numbers" in str(items[1].error)
    assert "training: 1 frame(s) left out for want of an image: 7" in caplog.text


def test_what_is_missing_is_named(folder):
    with pytest.raises(FileNotFoundError, match="image_3 is missing"):
        open_source(folder, camera=3)
    with pytest.raises(ValueError, match="camera 4 was asked for"):
        open_source(folder, camera=4)
