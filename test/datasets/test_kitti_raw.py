"""KITTI raw folders: what is paired with what, and what damage does."""

import os

import numpy as np
import pytest
from recordings import picture, scan, write_kitti_raw

from depth_completion_ros.datasets import DamagedFrame
from depth_completion_ros.datasets.kitti_raw import KittiRaw
from depth_completion_ros.images import write_image


@pytest.fixture
def drive(tmp_path):
    return write_kitti_raw(tmp_path / "raw")


def test_a_frame_holds_what_lies_in_the_files(drive):
    source = KittiRaw(drive)
    assert source.name == "2011_09_26_drive_0052_sync" and len(source) == 4
    frame = source[2]
    assert frame.name == "0000000002"
    np.testing.assert_array_equal(frame.image, picture(2))
    np.testing.assert_array_equal(frame.points, scan(2)[:, :3])
    np.testing.assert_array_equal(frame.rings, np.repeat([0, 1, 2], 6))
    assert (frame.camera.width, frame.camera.height) == (20, 12)
    assert (frame.camera.fx, frame.camera.fy, frame.camera.cx, frame.camera.cy) == (15, 16, 9.5, 5.5)
    assert not frame.camera.is_distorted
    assert frame.depth is None and frame.ground_truth is None


def test_the_cameras_stand_apart(tmp_path):
    drive = write_kitti_raw(tmp_path, cameras=(2, 3))
    left, right = (KittiRaw(drive, camera=camera)[0].extrinsic[:3, 3] for camera in (2, 3))
    np.testing.assert_allclose(left - right, (0.2 - 0.01 * 9.5 / 15 + 0.5, 0.01 - 0.01 * 5.5 / 16, 0.01), atol=1e-12)


@pytest.mark.parametrize("above", [0, 1, 2])
def test_a_folder_above_the_drive_will_do(drive, above):
    folder = drive if above == 0 else drive.parents[above - 1]
    assert [frame.name for frame in KittiRaw(folder)] == [f"{number:010}" for number in range(4)]


def test_the_working_directory_will_do(drive, monkeypatch):
    monkeypatch.chdir(drive)
    assert len(KittiRaw(".")) == 4
    assert len(KittiRaw("../..")) == 4


def test_of_several_drives_one_is_to_be_given(drive):
    root = drive.parents[1]
    write_kitti_raw(root, drive="0001")
    with pytest.raises(ValueError, match=r"holds 2 drives.*2011_09_26/2011_09_26_drive_0001_sync, 2011_09_26/"):
        KittiRaw(root)


def test_no_drive(tmp_path):
    with pytest.raises(FileNotFoundError, match="no KITTI drive: looked for"):
        KittiRaw(tmp_path)


def test_the_grey_cameras_are_there_too(tmp_path):
    drive = write_kitti_raw(tmp_path, range(1), cameras=(0,))
    grey = picture(0)[..., 0]
    write_image(drive / "image_00" / "data" / "0000000000.png", grey)
    frame = KittiRaw(drive, camera=0)[0]
    np.testing.assert_array_equal(frame.image, np.stack([grey] * 3, -1))


def test_an_unknown_camera(drive):
    with pytest.raises(ValueError, match="cameras 0 to 3, camera 4"):
        KittiRaw(drive, camera=4)
    with pytest.raises(FileNotFoundError, match=r"image_03/data is missing"):
        KittiRaw(drive, camera=3)


def test_without_time_stamps_frames_are_a_tenth_of_a_second_apart(tmp_path):
    source = KittiRaw(write_kitti_raw(tmp_path, numbers=[10, 11, 13]))
    assert [frame.stamp for frame in source] == [1_100_000_000, 1_200_000_000, 1_400_000_000]


def test_time_stamps_go_by_number(tmp_path):
    drive = write_kitti_raw(tmp_path, numbers=[1, 2])
    lines = [f"2011-09-26 13:02:2{second}.964389445\n" for second in range(3)]
    (drive / "image_02" / "timestamps.txt").write_text("".join(lines))
    # date -u -d "2011-09-26 13:02:21" +%s
    assert [frame.stamp for frame in KittiRaw(drive)] == [1317042141_964389445, 1317042142_964389445]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("2011-09-26 13:02:25.964389445\n", "it has 1 lines and no line for 3"),
        ("2011-09-26 13:02:25.964389445\n" * 3 + "2011-09-\n", "time data '2011-09-'"),
        ("2011-09-26 13:02:25\n" * 4, "no fraction of a second"),
    ],
)
def test_damaged_time_stamps(drive, text, complaint):
    (drive / "image_02" / "timestamps.txt").write_text(text)
    with pytest.raises(ValueError, match=rf"timestamps\.txt: damaged.*{complaint}"):
        KittiRaw(drive)


def test_numbers_without_a_scan_or_an_image_are_left_out_aloud(drive, caplog):
    (drive / "velodyne_points/data/0000000001.bin").unlink()
    (drive / "image_02/data/0000000002.png").unlink()
    assert [frame.name for frame in KittiRaw(drive)] == ["0000000000", "0000000003"]
    assert "1 frame(s) left out for want of a scan: 1" in caplog.text
    assert "1 frame(s) left out for want of an image: 2" in caplog.text


def test_nothing_that_belongs_together(drive):
    for number in range(4):
        (drive / f"velodyne_points/data/{number:010}.bin").unlink()
    with pytest.raises(FileNotFoundError, match="no number has both an image"):
        KittiRaw(drive)


@pytest.mark.parametrize(
    ("file", "size", "complaint"),
    [
        ("velodyne_points/data/0000000001.bin", 100, "100 bytes are not a whole number of 16-byte points"),
        ("velodyne_points/data/0000000001.bin", 0, "0 bytes"),
        ("image_02/data/0000000001.png", 200, "damaged"),
        ("image_02/data/0000000001.png", 0, "damaged"),
    ],
)
def test_a_damaged_file_is_named_and_the_rest_is_read(drive, file, size, complaint):
    os.truncate(drive / file, size)
    items = list(KittiRaw(drive).read())
    assert [item.name for item in items] == [f"{number:010}" for number in range(4)]
    assert [isinstance(item, DamagedFrame) for item in items] == [False, True, False, False]
    assert file in str(items[1].error) and complaint in str(items[1].error)
    with pytest.raises(ValueError, match=complaint):
        list(KittiRaw(drive))


@pytest.mark.parametrize("told", [True, False])
def test_images_that_were_resized_do_not_fit_the_calibration(drive, told):
    calibration = drive.parent / "calib_cam_to_cam.txt"
    if told:
        calibration.write_text(calibration.read_text() + "S_rect_02: 2.000000e+01 1.200000e+01\n")
    image = drive / "image_02" / "data" / "0000000001.png"
    write_image(image, picture(1)[:, :10])
    items = list(KittiRaw(drive).read())
    assert isinstance(items[1], DamagedFrame) == told
    assert sum(isinstance(item, DamagedFrame) for item in items) == told
    if told:
        assert f"{image} has 10x12 pixels, its calibration is of 20x12" in str(items[1].error)
