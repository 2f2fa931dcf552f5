"""KITTI's calibration files: the rectified cameras and where the LiDAR stands to them.

Source: A. Geiger, P. Lenz, C. Stiller, R. Urtasun, "Vision meets Robotics: The KITTI Dataset", IJRR 2013, and the
readmes of the development kits for raw data and objects.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from depth_completion_ros.geometry.rotation import nearest_rotation


@dataclass(frozen=True, eq=False)
class KittiCalibration:
    """One rectified camera of a recording date, or of a frame.

    Attributes:
        matrix: (3, 3) float64 intrinsic matrix of the rectified images, pixels.
        extrinsic: (4, 4) float64 rigid transform, LiDAR -> this camera's optical frame, metres.
    """

    matrix: NDArray[np.float64]
    extrinsic: NDArray[np.float64]


def read_calibration(date_folder: Path, camera: int) -> KittiCalibration:
    """Reads ``calib_cam_to_cam.txt`` and ``calib_velo_to_cam.txt`` for camera 0..3 (2 is the left colour camera).

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file lacks a line, or a line does not hold its numbers.
    """
    cameras = _read_lines(date_folder / "calib_cam_to_cam.txt")
    velodyne = _read_lines(date_folder / "calib_velo_to_cam.txt")
    to_camera_0 = np.column_stack([velodyne.matrix("R", 3, 3), velodyne.matrix("T", 3, 1)])
    return _calibration(cameras.matrix(f"P_rect_{camera:02}", 3, 4), cameras.matrix("R_rect_00", 3, 3), to_camera_0)


def read_object_calibration(path: Path, camera: int) -> KittiCalibration:
    """Reads the file of one frame of the object data set, such as ``calib/000000.txt``, for camera 2 or 3.

    Raises:
        FileNotFoundError: the file is missing.
        ValueError: it lacks a line, or a line does not hold its numbers.
    """
    lines = _read_lines(path)
    return _calibration(
        lines.matrix(f"P{camera}", 3, 4), lines.matrix("R0_rect", 3, 3), lines.matrix("Tr_velo_to_cam", 3, 4)
    )


def _calibration(
    projection: NDArray[np.float64], rectification: NDArray[np.float64], to_camera_0: NDArray[np.float64]
) -> KittiCalibration:
    """From P (3, 4) of the camera, R (3, 3) that rectifies camera 0, and T (3, 4), LiDAR -> camera 0.

    A rectified pixel is P R T x, and P = K [I | t]: the camera sees a point at t from where the rectified camera 0
    sees it. The files' rotations are rounded to 7 digits: taken as printed the extrinsic would not be rigid, and would
    change on its way through a quaternion.
    """
    matrix = projection[:, :3]
    from_camera_0, from_lidar = np.eye(4), np.eye(4)
    from_camera_0[:3, :3] = nearest_rotation(rectification)
    from_camera_0[:3, 3] = np.linalg.solve(matrix, projection[:, 3])
    from_lidar[:3, :3] = nearest_rotation(to_camera_0[:, :3])
    from_lidar[:3, 3] = to_camera_0[:, 3]
    return KittiCalibration(matrix, from_camera_0 @ from_lidar)


class _Lines:
    """The ``key: number number ...`` lines of one file."""

    def __init__(self, path: Path, lines: dict[str, str]) -> None:
        self._path = path
        self._lines = lines

    def matrix(self, key: str, rows: int, columns: int) -> NDArray[np.float64]:
        if key not in self._lines:
            raise ValueError(f"{self._path}: damaged, there is no line {key!r}")
        try:
            return np.array(self._lines[key].split(), np.float64).reshape(rows, columns)
        except ValueError as error:
            raise ValueError(
                f"{self._path}: damaged, line {key!r} should hold {rows * columns} numbers, "
                f"it is {self._lines[key].strip()!r}"
            ) from error


def _read_lines(path: Path) -> _Lines:
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is missing: KITTI's calibration files lie in the date folder, beside the drives; "
            "of the object data set in calib/, one for each frame"
        )
    parts = (line.partition(":") for line in path.read_text(errors="replace").splitlines())
    return _Lines(path, {key.strip(): value for key, _, value in parts})
