"""Opening whatever lies at a path."""

import pytest
from recordings import lidar_frames, write_kitti_raw, write_selection

from depth_completion_ros.datasets import assignment, is_generated, open_source, source_and_options
from depth_completion_ros.datasets.bag import BagSource, write_bag
from depth_completion_ros.datasets.kitti_completion import KittiCompletion
from depth_completion_ros.datasets.kitti_raw import KittiRaw


def test_kitti_raw_at_any_level(tmp_path):
    drive = write_kitti_raw(tmp_path)
    for path in (drive, drive.parent, drive.parents[1], str(drive)):
        source = open_source(path)
        assert isinstance(source, KittiRaw) and len(source) == 4


def test_kitti_completion(tmp_path):
    write_selection(tmp_path, ["0000000000"])
    assert isinstance(open_source(tmp_path), KittiCompletion)
    raw = write_kitti_raw(tmp_path / "raw", numbers=[5]).parents[1]
    (tmp_path / "val/2011_09_26_drive_0052_sync/proj_depth/velodyne_raw/image_02").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match="no frame is"):
        open_source(tmp_path / "val", raw_root=raw, camera=2)


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_bags(tmp_path, storage):
    write_bag(tmp_path / "bag", lidar_frames(2), storage)
    file = next(path for path in (tmp_path / "bag").iterdir() if path.suffix != ".yaml")
    for path in (tmp_path / "bag", file):
        assert isinstance(open_source(path), BagSource)
    (tmp_path / "bag" / "metadata.yaml").unlink()
    assert len(open_source(tmp_path / "bag")) == 2


def test_the_synthetic_street():
    assert len(open_source("synthetic", frames=3)) == 3


def test_what_is_no_source(tmp_path):
    with pytest.raises(ValueError, match=r"(?s)no source of frames; looked for.*'synthetic'.*a bag.*KITTI raw"):
        open_source(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"nowhere does not exist"):
        open_source(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"frames": "many"}, "SyntheticStreet got frames='many', expected int"),
        ({"frames": 2.5}, "SyntheticStreet got frames=2.5"),
        ({"frames": 2, "camera": 3}, "SyntheticStreet got camera=3, expected Camera"),
    ],
)
def test_a_value_that_an_option_cannot_have(options, message):
    with pytest.raises(ValueError, match=message):
        open_source("synthetic", **options)


def test_a_value_that_a_recording_cannot_be_read_with(tmp_path):
    write_bag(tmp_path / "bag", lidar_frames(2))
    with pytest.raises(ValueError, match="BagSource got slop='fast', expected float"):
        open_source(tmp_path / "bag", slop="fast")
    with pytest.raises(ValueError, match="BagSource got rectified='no', expected bool"):
        open_source(tmp_path / "bag", rectified="no")
    assert len(list(open_source(tmp_path / "bag", slop=1, rectified=False))) == 2
    with pytest.raises(ValueError, match=r"KittiCompletion cannot be opened with raw_root=5"):
        (tmp_path / "val/2011_09_26_drive_0052_sync/proj_depth/velodyne_raw/image_02").mkdir(parents=True)
        open_source(tmp_path / "val", raw_root=5)


def test_what_is_generated_is_no_place(tmp_path):
    assert is_generated("synthetic") and is_generated("synthetic-rooms")
    assert not is_generated(write_kitti_raw(tmp_path))


def test_an_unknown_option(tmp_path):
    with pytest.raises(ValueError, match=r"KittiRaw .*'slop'; its options: camera"):
        open_source(write_kitti_raw(tmp_path), slop=0.1)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("-3", -3),
        ("0.1", 0.1),
        ("-.5", -0.5),
        ("2.", 2.0),
        ("1e-3", 0.001),
        ("true", True),
        ("True", True),
        ("FALSE", False),
        ("VLP-16", "VLP-16"),
        ("/image_raw", "/image_raw"),
        ("nan", "nan"),
        ("1.2.3", "1.2.3"),
        ("a=b", "a=b"),
        ("", ""),
    ],
)
def test_values_are_what_they_look_like(text, value):
    name, found = assignment(f"option={text}")
    assert (name, found, type(found)) == ("option", value, type(value))


def test_options_follow_the_path():
    assert source_and_options("/data/2011_09_26") == ("/data/2011_09_26", {})
    assert source_and_options("a.mcap,slop=0.1,points=/top") == ("a.mcap", {"slop": 0.1, "points": "/top"})
    with pytest.raises(ValueError, match="option 'slop' is not of the form NAME=VALUE"):
        source_and_options("a.mcap,slop")
