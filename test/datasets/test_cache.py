"""Frames in a cache folder: nearly the same ones, made once."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from recordings import (
    depth_picture,
    lidar_frames,
    picture,
    write_kitti_object,
    write_kitti_raw,
    write_selection,
)

from depth_completion_ros.datasets.base import IndexedSource
from depth_completion_ros.datasets.cache import CachedSource
from depth_completion_ros.datasets.kitti_completion import KittiCompletion
from depth_completion_ros.datasets.kitti_object import KittiObject
from depth_completion_ros.datasets.kitti_raw import KittiRaw
from depth_completion_ros.datasets.nyu import NyuDepth
from depth_completion_ros.datasets.rgbd import RgbdPictures
from depth_completion_ros.evaluation.holdout import hold_out
from depth_completion_ros.frame import Frame
from depth_completion_ros.geometry.camera import Camera
from depth_completion_ros.geometry.projection import project_points
from depth_completion_ros.images import write_depth_png, write_image

PARTS = ("velodyne_raw", "groundtruth")


class Counting(IndexedSource):
    name = "counting"

    def __init__(self, frames):
        self.frames, self.made = frames, []

    def __len__(self):
        return len(self.frames)

    def __getitem__(self, index):
        self.made.append(index)
        return self.frames[index]


def same(first, second):
    return all(np.array_equal(value, getattr(second, key)) for key, value in vars(first).items())


def test_frames_are_made_once_and_come_alike_from_then_on(tmp_path):
    source = Counting(lidar_frames())
    cached = CachedSource(source, tmp_path, "five")
    first = [cached[k] for k in (3, 0, 1)]
    again = CachedSource(source, tmp_path, "five")
    assert all(same(frame, again[k]) for frame, k in zip(first, (3, 0, 1), strict=True))
    assert source.made == [3, 0, 1]
    assert len(again) == len(source)


def test_frames_whose_files_changed_are_read_again(tmp_path):
    drive = write_kitti_raw(tmp_path / "raw")
    frames = CachedSource(KittiRaw(drive), tmp_path / "cache", "drive")
    first, second = frames[0], frames[1]
    calibration = drive.parent / "calib_velo_to_cam.txt"
    calibration.write_text(calibration.read_text().replace("T: -4.0", "T: 9.96"))
    again = CachedSource(KittiRaw(drive), tmp_path / "cache", "drive")
    np.testing.assert_allclose(np.linalg.norm(again[0].extrinsic[:3, 3] - first.extrinsic[:3, 3]), 1e-3 * 13.96)
    assert same(frames[0], again[0])
    # A frame less before it: another frame has its place.
    (drive / "image_02" / "data" / "0000000000.png").unlink()
    left = CachedSource(KittiRaw(drive), tmp_path / "cache", "drive")[0]
    assert (left.name, left.stamp) == (second.name, second.stamp)
    np.testing.assert_array_equal(left.image, second.image)


@pytest.mark.parametrize("kind", ["raw", "object", "selection", "training", "nyu", "pictures"])
def test_every_file_of_a_frame_is_noticed(tmp_path, kind):
    if kind == "raw":
        source = KittiRaw(write_kitti_raw(tmp_path))
    elif kind == "object":
        source = KittiObject(write_kitti_object(tmp_path / "training"))
    elif kind == "selection":
        source = KittiCompletion(write_selection(tmp_path / "val", ["drive_sync_image_0_image_02"]))
    elif kind == "training":
        write_kitti_raw(tmp_path / "raw", range(1))
        folders = [tmp_path / f"val/2011_09_26_drive_0052_sync/proj_depth/{part}/image_02" for part in PARTS]
        for folder in folders:
            folder.mkdir(parents=True)
            write_depth_png(folder / "0000000000.png", depth_picture(0))
        source = KittiCompletion(tmp_path / "val", raw_root=tmp_path / "raw", camera=2)
    elif kind == "nyu":
        h5py = pytest.importorskip("h5py")
        with h5py.File(tmp_path / "1.h5", "w") as file:
            file["rgb"], file["depth"] = np.ones((3, 480, 640), np.uint8), np.ones((480, 640), np.float32)
        source = NyuDepth(tmp_path)
    else:
        for folder in ("color", "depth"):
            (tmp_path / folder).mkdir()
        write_image(tmp_path / "color" / "0.png", picture(0))
        write_depth_png(tmp_path / "depth" / "0.png", depth_picture(0))
        source = RgbdPictures(tmp_path)
    read = {line.split(" ")[0] for line in source.origin(0).splitlines()}
    frame = source[0]
    for path in filter(Path.is_file, tmp_path.rglob("*")):
        before, content = source.origin(0), path.read_bytes()
        path.write_bytes(b"other")
        try:
            changed = not same(frame, source[0])
        except ValueError:
            changed = True
        if changed:
            assert str(path) in read
            assert source.origin(0) != before
        path.write_bytes(content)


def test_what_is_kept_is_what_was_seen(tmp_path):
    for k, frame in enumerate(lidar_frames()):
        found = CachedSource(Counting([frame]), tmp_path / str(k), "one")[0]
        assert (found.stamp, found.name, found.camera) == (frame.stamp, frame.name, frame.camera)
        np.testing.assert_array_equal(found.extrinsic, frame.extrinsic)
        assert np.abs(found.ground_truth - frame.ground_truth).max() <= 1 / 512
        before, after = (project_points(f.points, f.camera, f.extrinsic) for f in (frame, found))
        both = (before > 0) & (after > 0)
        assert both.sum() > 0.9 * max((before > 0).sum(), 1)
        assert np.median(np.abs(before - after)[both]) < 0.004
        assert found.rings.shape == (len(found.points),)


def test_points_are_rounded_to_4_mm(tmp_path):
    points = np.random.default_rng(0).uniform((-1, -1, 5), (1, 1, 9), (50, 3)).astype(np.float32)
    frame = Frame(1, Camera(20, 20, 10, 10, 9.5, 9.5), points=points)
    found = CachedSource(Counting([frame]), tmp_path, "one")[0]
    np.testing.assert_allclose(found.points, points, rtol=0, atol=0.0021)


def test_depth_cameras_are_kept(tmp_path):
    rng = np.random.default_rng(0)
    depth_camera = Camera(20, 16, 15.0, 15.0, 10.0, 8.0, "plumb_bob", (0.1, 0.01, 0.0, 0.0))
    image = np.linspace(0, 255, 24 * 30 * 3).reshape(24, 30, 3).astype(np.uint8)
    frame = Frame(
        stamp=7,
        camera=Camera(30, 24, 25.0, 25.0, 15.0, 12.0),
        image=image,
        depth=rng.uniform(1, 200, (16, 20)).astype(np.float32),
        depth_camera=depth_camera,
        initial_depth=rng.uniform(1, 9, (24, 30)).astype(np.float32),
    )
    found = CachedSource(Counting([frame]), tmp_path, "one")[0]
    assert found.depth_camera == depth_camera
    assert np.abs(found.depth - frame.depth).max() <= 1 / 512
    assert np.abs(found.initial_depth - frame.initial_depth).max() <= 1 / 4096  # nearer than 32 m
    assert found.ground_truth is None and found.points is None
    assert np.abs(found.image.astype(int) - image).mean() < 3
    blind = CachedSource(Counting([replace(frame, image=None)]), tmp_path / "blind", "one")[0]
    assert blind.image is None


def test_another_sources_folder_is_refused(tmp_path):
    CachedSource(Counting(lidar_frames()), tmp_path, "five")
    with pytest.raises(ValueError, match=r"caches 'five' of version 1 .*, not 'six' .*: choose another"):
        CachedSource(Counting(lidar_frames()), tmp_path, "six")


def test_frames_of_another_version_of_their_source_are_refused(tmp_path):
    source = Counting(lidar_frames())
    CachedSource(source, tmp_path, "five")
    source.version = 2
    with pytest.raises(ValueError, match=r"caches 'five' of version 1 .*, not 'five' of version 2"):
        CachedSource(source, tmp_path, "five")
    assert CachedSource(source, tmp_path / "new", "five").version == 2


def test_folders_of_another_format_are_refused(tmp_path):
    (tmp_path / "cache.json").write_text('{"format": 1, "frames": "five"}')
    with pytest.raises(ValueError, match="of version 1 in format 1, not 'five' of version 1 in format 2"):
        CachedSource(Counting(lidar_frames()), tmp_path, "five")


def test_lines_that_the_camera_does_not_see_are_counted(tmp_path):
    camera = Camera(20, 10, 10, 10, 9, 4)
    x = np.linspace(-4, 4, 9)
    lines = [np.stack([x, np.full(9, y), np.full(9, 5.0)], 1) for y in (-50, -1, 0, 1, 2, 300, 400, 50)]
    frame = Frame(1, camera, points=np.concatenate(lines).astype(np.float32), rings=np.repeat(np.arange(8), 9))
    found = CachedSource(Counting([frame]), tmp_path, "one")[0]
    assert len(found.points) == 4 * 9 + 1
    before, after = (project_points(f.points, camera, f.extrinsic) for f in (hold_out(frame, 4), hold_out(found, 4)))
    assert np.count_nonzero(before) == 2 * 9
    np.testing.assert_array_equal(before > 0, after > 0)


def test_damaged_files_are_named(tmp_path):
    cached = CachedSource(Counting(lidar_frames()), tmp_path, "five")
    assert cached[2].points is not None
    file = next(tmp_path.glob("*2.npz"))
    content = file.read_bytes()
    for damage in (content[: len(content) // 2], b"", b"something else"):
        file.write_bytes(damage)
        with pytest.raises(ValueError, match=f"{file}: damaged cache file"):
            cached[2]
