"""KITTI's calibration files against its projection equation."""

import numpy as np
import pytest
from recordings import CAMERAS, VELODYNE

from depth_completion_ros.datasets.kitti_calibration import read_calibration
from depth_completion_ros.geometry.rotation import quaternion_of, rotation_of


def write(folder, cameras=CAMERAS, velodyne=VELODYNE):
    (folder / "calib_cam_to_cam.txt").write_text(cameras)
    (folder / "calib_velo_to_cam.txt").write_text(velodyne)
    return folder


def row(text, key):
    return np.array(next(line for line in text.splitlines() if line.startswith(f"{key}:")).split()[1:], float)


@pytest.mark.parametrize("camera", [0, 2, 3])
def test_points_land_where_the_development_kit_projects_them(tmp_path, camera):
    points = np.random.default_rng(0).uniform((3, -2, -1), (30, 2, 1), (50, 3))
    homogeneous = np.column_stack([points, np.ones(50)])
    rectification, to_camera_0 = np.eye(4), np.eye(4)
    rectification[:3, :3] = row(CAMERAS, "R_rect_00").reshape(3, 3)
    to_camera_0[:3, :3] = row(VELODYNE, "R").reshape(3, 3)
    to_camera_0[:3, 3] = row(VELODYNE, "T")
    projection = row(CAMERAS, f"P_rect_{camera:02}").reshape(3, 4)
    expected = homogeneous @ (projection @ rectification @ to_camera_0).T

    calibration = read_calibration(write(tmp_path), camera)
    projected = homogeneous @ calibration.extrinsic[:3].T @ calibration.matrix.T
    np.testing.assert_allclose(projected, expected, rtol=1e-5, atol=1e-4)


def test_the_extrinsic_is_rigid_to_the_last_digit(tmp_path):
    rotation = read_calibration(write(tmp_path), 2).extrinsic[:3, :3]
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-15)
    np.testing.assert_allclose(rotation_of(quaternion_of(rotation)), rotation, atol=1e-15)


def test_a_missing_file_is_named(tmp_path):
    write(tmp_path)
    (tmp_path / "calib_velo_to_cam.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"calib_velo_to_cam\.txt is missing.*date folder"):
        read_calibration(tmp_path, 2)


@pytest.mark.parametrize(
    ("cameras", "complaint"),
    [
        (CAMERAS[: CAMERAS.index("P_rect_02")], r"calib_cam_to_cam\.txt: damaged, there is no line 'P_rect_02'"),
        (CAMERAS[: CAMERAS.index("P_rect_02") + 60], r"calib_cam_to_cam\.txt: damaged, line 'P_rect_02' .* 12 numbers"),
        (CAMERAS.replace("R_rect_00: 9.9", "R_rect_00: oops"), r"damaged, line 'R_rect_00' .* 9 numbers"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, cameras, complaint):
    with pytest.raises(ValueError, match=complaint):
        read_calibration(write(tmp_path, cameras), 2)
