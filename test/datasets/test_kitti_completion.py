"""The folders of the KITTI depth completion benchmark."""

import os
import pickle

import numpy as np
import pytest
from recordings import depth_picture, picture, write_kitti_raw, write_selection

from depth_completion_ros.datasets import DamagedFrame
from depth_completion_ros.datasets.kitti_completion import KittiCompletion
from depth_completion_ros.images import write_depth_png

NAMES = [
    "2011_09_26_drive_0002_sync_image_0000000005_image_02",
    "2011_09_26_drive_0002_sync_image_0000000008_image_02",
    "2011_10_03_drive_0047_sync_image_0000000791_image_03",
]


@pytest.fixture
def selection(tmp_path):
    return write_selection(tmp_path / "val_selection_cropped", NAMES)


def test_the_validation_selection(selection):
    source = KittiCompletion(selection)
    assert source.name == "val_selection_cropped" and len(source) == 3
    frame = source[2]
    assert frame.name == NAMES[2]
    np.testing.assert_array_equal(frame.image, picture(2))
    np.testing.assert_array_equal(frame.depth, depth_picture(2))
    np.testing.assert_array_equal(frame.ground_truth, depth_picture(102))
    np.testing.assert_array_equal(frame.camera.matrix, [[17, 0, 9.5], [0, 16, 5.5], [0, 0, 1]])
    assert frame.depth_camera is None and frame.points is None


def test_every_frame_has_a_stamp_of_its_own(selection):
    stamps = [frame.stamp for frame in KittiCompletion(selection)]
    assert stamps == sorted(set(stamps)) and stamps[0] > 0


def test_the_test_set_has_no_ground_truth(tmp_path):
    names = ["0000000000", "0000000001"]
    source = KittiCompletion(write_selection(tmp_path / "test_depth_completion_anonymous", names, truth=False))
    assert [frame.name for frame in source] == names
    np.testing.assert_array_equal(source[1].depth, depth_picture(1))
    assert source[1].ground_truth is None


@pytest.mark.parametrize("folder", ["image", "velodyne_raw", "groundtruth_depth", "intrinsics"])
def test_a_damaged_file_is_named_and_the_rest_is_read(selection, folder):
    file = sorted((selection / folder).iterdir())[1]
    os.truncate(file, file.stat().st_size // 2)
    items = list(KittiCompletion(selection).read())
    assert [isinstance(item, DamagedFrame) for item in items] == [False, True, False]
    assert items[1].name == NAMES[1] and str(file) in str(items[1].error)


def test_a_missing_file_is_named(selection):
    file = sorted((selection / "velodyne_raw").iterdir())[0]
    file.unlink()
    with pytest.raises(FileNotFoundError, match=file.name):
        list(KittiCompletion(selection))


def test_a_depth_image_of_another_size(selection):
    file = sorted((selection / "groundtruth_depth").iterdir())[0]
    write_depth_png(file, np.ones((4, 5), np.float32))
    with pytest.raises(ValueError, match=rf"{file.name} has 5 x 4 pixels, but its image .* has 20 x 12"):
        list(KittiCompletion(selection))


@pytest.fixture
def training(tmp_path):
    """Two drives of the training set beside their KITTI raw recordings; the second has no ground truth."""
    for drive, first in (("0001", 5), ("0009", 7)):
        write_kitti_raw(tmp_path / "raw", range(first + 2), drive=drive, cameras=(2, 3))
        for camera in (2, 3):
            for kind in ("velodyne_raw", "groundtruth") if drive == "0001" else ("velodyne_raw",):
                folder = tmp_path / f"train/2011_09_26_drive_{drive}_sync/proj_depth/{kind}/image_{camera:02}"
                folder.mkdir(parents=True)
                for number in (first, first + 1):
                    write_depth_png(folder / f"{number:010}.png", depth_picture(number + 1000 * len(kind)))
    return tmp_path / "train"


def test_the_training_set_finds_its_images_in_the_raw_recordings(training):
    source = KittiCompletion(training, raw_root=training.parent / "raw", camera=3)
    assert [frame.name for frame in source] == [
        "2011_09_26_drive_0001_sync_image_0000000005_image_03",
        "2011_09_26_drive_0001_sync_image_0000000006_image_03",
        "2011_09_26_drive_0009_sync_image_0000000007_image_03",
        "2011_09_26_drive_0009_sync_image_0000000008_image_03",
    ]
    np.testing.assert_array_equal(source[1].image, picture(6))
    np.testing.assert_array_equal(source[1].depth, depth_picture(12006))
    np.testing.assert_array_equal(source[1].ground_truth, depth_picture(11006))
    assert source[2].ground_truth is None
    assert source[0].camera.fx == 15


def test_both_cameras_or_one_drive(training):
    raw = training.parent / "raw"
    assert len(KittiCompletion(training, raw_root=raw)) == 8
    assert len(KittiCompletion(training / "2011_09_26_drive_0009_sync", raw_root=raw, camera=2)) == 2


def test_without_the_raw_recordings(training):
    with pytest.raises(ValueError, match=r"give raw_root.*2011_09_26/2011_09_26_drive_0001_sync/image_02/data"):
        KittiCompletion(training)
    with pytest.raises(FileNotFoundError, match=r"2011_09_26_drive_0001_sync/image_02/data is missing"):
        KittiCompletion(training, raw_root=training)


def test_another_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="no KITTI depth completion folder: looked for"):
        KittiCompletion(tmp_path)


def test_it_goes_to_the_processes_that_make_training_samples(training):
    source = KittiCompletion(training, raw_root=training.parent / "raw", camera=2)
    copy = pickle.loads(pickle.dumps(source))
    assert copy[1].camera == source[1].camera
    np.testing.assert_array_equal(copy[1].depth, source[1].depth)


def test_the_validation_selection_of_one_camera(selection):
    assert [frame.name for frame in KittiCompletion(selection, camera=3)] == NAMES[2:]
    assert [frame.name for frame in KittiCompletion(selection, camera=2)] == NAMES[:2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"camera": 7}, "has the cameras 2 and 3, camera 7 was asked for"),
        ({"raw_root": "/nowhere"}, "has its own images and calibration: leave out raw_root=/nowhere"),
    ],
)
def test_options_that_the_validation_selection_does_not_have(selection, options, message):
    with pytest.raises(ValueError, match=message):
        KittiCompletion(selection, **options)


def test_nobody_knows_the_camera_of_the_test_set(tmp_path):
    folder = write_selection(tmp_path / "test_depth_completion_anonymous", ["0000000000"], truth=False)
    with pytest.raises(ValueError, match=r"no picture's name ends in _image_02.png, by which camera=2 is known"):
        KittiCompletion(folder, camera=2)


def test_images_of_another_size_than_the_calibration_says(training):
    calibration = training.parent / "raw" / "2011_09_26" / "calib_cam_to_cam.txt"
    calibration.write_text(calibration.read_text() + "S_rect_03: 2.100000e+01 1.200000e+01\n")
    source = KittiCompletion(training, raw_root=training.parent / "raw")
    damaged = [item.name for item in source.read() if isinstance(item, DamagedFrame)]
    assert damaged == [name for name in map(source.frame_name, range(len(source))) if name.endswith("_03")]
