import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import depth_completion_ros
from depth_completion_ros.datasets import open_source
from depth_completion_ros.datasets.synthetic import HDL_64E, KITTI_CAMERA, SyntheticStreet
from depth_completion_ros.datasets.synthetic.scene import open3d

try:
    open3d()
except ImportError as error:
    pytest.skip(str(error), allow_module_level=True)

SMALL = KITTI_CAMERA.resize(310, 94)
IDEAL = replace(HDL_64E, range_noise=0.0, loses_pulses=False)


@pytest.fixture(scope="module")
def street():
    return SyntheticStreet(frames=12, camera=SMALL, lidar=IDEAL)


@pytest.fixture(scope="module")
def frame(street):
    return street[0]


def digest(frame):
    parts = (frame.image, frame.points, frame.rings, frame.ground_truth, frame.extrinsic)
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()


def in_camera(frame):
    """The points in the camera's frame that fall into the image, and the pixels they fall on."""
    points = frame.points @ frame.extrinsic[:3, :3].T + frame.extrinsic[:3, 3]
    pixels = frame.camera.project(points)
    with np.errstate(invalid="ignore"):
        inside = (pixels > 0).all(axis=1) & (pixels < (frame.camera.width - 1, frame.camera.height - 1)).all(
            axis=1
        )
    return points[inside], pixels[inside]


def test_a_source_like_the_others():
    source = open_source("synthetic", frames=3, seed=5, camera=SMALL)
    frames = list(source)
    assert len(source) == len(frames) == 3
    assert source.name == "synthetic_5"
    assert [f.name for f in frames] == ["0000000000", "0000000001", "0000000002"]
    assert np.diff([f.stamp for f in frames]).tolist() == [100_000_000] * 2
    assert frames[0].stamp > 0
    assert all(f.camera == SMALL for f in frames)
    with pytest.raises(IndexError, match="frame 3 of a drive of 3"):
        source[3]
    # In another order.
    assert digest(source[2]) == digest(frames[2])
    assert digest(source[0]) == digest(frames[0])


def test_another_seed_is_another_street(frame):
    other = SyntheticStreet(frames=1, seed=1, camera=SMALL, lidar=IDEAL)[0]
    assert not np.array_equal(other.image, frame.image)
    assert not np.array_equal(other.ground_truth, frame.ground_truth)


def test_the_same_arguments_give_the_same_bits_in_another_process(street):
    script = (
        "from test_drive import IDEAL, SMALL, SyntheticStreet, digest;"
        "print(digest(SyntheticStreet(frames=12, camera=SMALL, lidar=IDEAL)[7]))"
    )
    folders = str(Path(depth_completion_ros.__file__).parents[1]), str(Path(__file__).parent)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((*folders, os.environ.get("PYTHONPATH", "")))}
    answer = subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    assert answer.stdout.split()[-1] == digest(street[7])


@pytest.mark.parametrize("arguments", [{"frames": 0}, {"seed": -1}])
def test_refuses_what_makes_no_drive(arguments):
    with pytest.raises(ValueError, match="synthetic"):
        SyntheticStreet(**arguments)


def test_a_missing_open3d_is_named_with_its_cure(monkeypatch):
    monkeypatch.setitem(sys.modules, "open3d", None)
    with pytest.raises(ImportError, match=r"pip install open3d.*libusb-1\.0-0 libgl1 libegl1 libgomp1"):
        SyntheticStreet()


def test_road_has_the_depth_of_a_plane_below_the_camera(frame):
    camera = frame.camera
    rows = np.arange(camera.height)
    with np.errstate(divide="ignore"):
        expected = 1.65 * camera.fy / (rows - camera.cy)
    near = (rows > camera.cy) & (expected < 14)  # before the car ahead
    assert near.sum() > 10
    measured = frame.ground_truth[near][:, round(camera.cx) - 10 : round(camera.cx) + 10]
    # Paint and patches lie up to 4 mm above the asphalt.
    np.testing.assert_allclose(measured, np.broadcast_to(expected[near][:, None], measured.shape), rtol=0.004)


def test_lidar_agrees_with_the_dense_depth(frame):
    points, pixels = in_camera(frame)
    column, row = np.floor(pixels).astype(int).T
    right, down = (pixels - np.floor(pixels)).T
    with np.errstate(divide="ignore"):
        inverse = 1 / frame.ground_truth.astype(np.float64)
    a, b, c, d = (inverse[row + k, column + n] for k in (0, 1) for n in (0, 1))
    # Planes are linear in inverse depth; where the four pixels are not of one plane there is an edge.
    with np.errstate(invalid="ignore"):
        flat = (np.abs(a + d - b - c) < 0.002 * a) & (np.abs(a - d) < 0.1 * a) & (np.abs(b - c) < 0.1 * a)
        between = (1 - down) * ((1 - right) * a + right * b) + down * ((1 - right) * c + right * d)
        error = points[:, 2] * between - 1
    assert flat.sum() > 2000
    assert (np.abs(error[flat]) < 0.01).mean() > 0.9
    # What disagrees is what the LiDAR, higher up, sees behind things.
    assert (error[flat] < -0.01).mean() < 0.02


def test_sensor_sits_where_kittis_does(frame):
    # Its origin is 0.27 m behind, 0.08 m above and 0.06 m to the right of the camera.
    np.testing.assert_allclose(frame.extrinsic[:3, 3], (0.06, -0.08, -0.27))
    np.testing.assert_array_equal(frame.extrinsic[:3, :3], [[0, -1, 0], [0, 0, -1], [1, 0, 0]])
    lowest = frame.points[frame.rings == 63]
    assert np.median(lowest[:, 2]) == pytest.approx(-1.73, abs=0.005)


def test_sky_has_no_depth_and_ground_truth_ends_at_the_range(frame):
    camera = frame.camera
    assert frame.ground_truth[0, round(camera.cx)] == 0
    assert 0.02 < (frame.ground_truth == 0).mean() < 0.5
    assert frame.ground_truth[round(camera.cy) + 10 :].min() > 0
    assert frame.ground_truth.max() < 120


def test_the_car_ahead_keeps_its_distance_and_the_houses_come_nearer(street, frame):
    later = street[10]
    camera = frame.camera
    row, column = (
        round(camera.cy + 0.9 / 17 * camera.fy),
        round(camera.cx),
    )  # 0.75 m above the road, 17 m ahead
    before, after = frame.ground_truth[row, column], later.ground_truth[row, column]
    assert 15 < before < 19
    assert after == pytest.approx(before, abs=0.01)
    # Still walls, seen by the sideways beams of the LiDAR, have moved back by the 10 m that the car went.
    street_now, street_then = (
        set(map(tuple, _wall_cells(f, offset))) for f, offset in ((frame, 0.0), (later, 10.0))
    )
    shared = len(street_now & street_then) / len(street_now)
    assert shared > 0.5


def _wall_cells(frame, driven):
    """The 0.5 m cells, in street coordinates, in which the scan meets walls above the pavement."""
    points = frame.points + np.array([driven, 0, 0])
    tall = (points[:, 2] > 0.3) & (np.abs(points[:, 1]) > 8) & (np.abs(points[:, 0] - 15) < 15)
    return np.floor(points[tall][:, :2] / 0.5).astype(int)


def test_image_has_contrast_colour_and_little_clipping(frame):
    image = frame.image.astype(float)
    assert image.std() > 35
    assert np.ptp(image, axis=2).mean() > 5
    assert ((image == 0).mean() < 0.02) and ((image == 255).mean() < 0.1)
