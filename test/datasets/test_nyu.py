"""NYU Depth V2 in HDF5 files."""

import sys

import numpy as np
import pytest

from depth_completion_ros.datasets import open_source
from depth_completion_ros.datasets.nyu import NYU_CAMERA, NyuDepth


def write_frame(path, seed=0, **replaced):
    h5py = pytest.importorskip("h5py")
    rng = np.random.default_rng(seed)
    content = {
        "rgb": rng.integers(0, 255, (3, 480, 640)).astype(np.uint8),
        "depth": rng.uniform(0.7, 9.9, (480, 640)).astype(np.float32),
        **replaced,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for key, value in content.items():
            file[key] = value
    return content


def test_frames_of_all_scenes(tmp_path):
    second = write_frame(tmp_path / "train" / "kitchen_0001" / "00002.h5", 2)
    write_frame(tmp_path / "train" / "attic_0001" / "00001.h5", 1)
    source = open_source(tmp_path)
    assert isinstance(source, NyuDepth) and len(source) == 2
    frame = source[1]
    assert frame.name == "train_kitchen_0001_00002" and frame.camera == NYU_CAMERA
    np.testing.assert_array_equal(frame.image[5, 7], second["rgb"][:, 5, 7])
    np.testing.assert_array_equal(frame.ground_truth, second["depth"])
    np.testing.assert_array_equal(frame.depth, second["depth"])
    assert len(open_source(tmp_path / "train" / "attic_0001")) == 1


def test_the_first_pixel_is_0_0():
    """In the data set's toolbox it is (1, 1), and the principal point (325.5824, 253.7362)."""
    assert (NYU_CAMERA.cx, NYU_CAMERA.cy) == pytest.approx((324.5824, 252.7362))


def test_points_are_some_of_the_depth_and_always_the_same(tmp_path):
    depth = np.full((480, 640), 3, np.float32)
    depth[:, :600] = np.nan
    write_frame(tmp_path / "scene" / "1.h5", depth=depth)
    first, second = (open_source(tmp_path, points=500)[0] for _ in range(2))
    assert np.count_nonzero(first.depth) == 500 and not first.depth[:, :600].any()
    assert np.count_nonzero(first.ground_truth) == 480 * 40
    np.testing.assert_array_equal(first.depth, second.depth)
    with pytest.raises(ValueError, match="0 points"):
        NyuDepth(tmp_path, points=0)


def test_damaged_files_are_named(tmp_path):
    path = tmp_path / "scene" / "1.h5"
    write_frame(path, rgb=np.zeros((480, 640, 3), np.uint8))
    source = NyuDepth(tmp_path)
    with pytest.raises(ValueError, match=rf"{path}: rgb is \(480, 640, 3\) uint8"):
        source[0]
    path.write_bytes(b"no HDF5")
    with pytest.raises(ValueError, match=f"{path}: damaged"):
        source[0]
    path.unlink()
    with pytest.raises(FileNotFoundError):
        source[0]


def test_what_is_missing_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ImportError, match="pip install h5py"):
        NyuDepth(tmp_path)
