"""KITTI's calibration files: the rectified cameras and where the LiDAR stands to them.

Source: A. Geiger, P. Lenz, C. Stiller, R. Urtasun, "Vision meets Robotics: The KITTI Dataset", IJRR 2013, and the
readmes of the development kits for raw data and objects.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from depth_completion_ros.geometry.camera import Camera
from depth_completion_ros.geometry.rotation import nearest_rotation


@dataclass(frozen=True, eq=False)
class KittiCalibration:
    """One rectified camera of a recording date, or of a frame.

    Attributes:
        matrix: (3, 3) float64 intrinsic matrix of the rectified images, pixels.
        extrinsic: (4, 4) float64 rigid transform, LiDAR -> this camera's optical frame, metres.
        size: width and height of the rectified images, pixels; None where the files do not tell.
    """

    matrix: NDArray[np.float64]
    extrinsic: NDArray[np.float64]
    size: tuple[int, int] | None = None

    def camera(self, path: Path, image: NDArray[np.uint8]) -> Camera:
        """The camera of an image (H, W, 3) that was read from ``path``.

        Raises:
            ValueError: the image has another size than those that the calibration is of.
        """
        height, width = image.shape[:2]
        if self.size not in (None, (width, height)):
            raise ValueError(
                f"{path} has {width}x{height} pixels, its calibration is of {self.size[0]}x{self.size[1]}: images that "
                "were resized or cropped need a calibration of their own (P_rect and S_rect in calib_cam_to_cam.txt)"
            )
        return Camera.from_matrix(self.matrix, width, height)


def calibration_files(date_folder: Path) -> tuple[Path, Path]:
    """Of the cameras and of the LiDAR."""
    return date_folder / "calib_cam_to_cam.txt", date_folder / "calib_velo_to_cam.txt"


def read_calibration(date_folder: Path, camera: int) -> KittiCalibration:
    """Reads ``calib_cam_to_cam.txt`` and ``calib_velo_to_cam.txt`` for camera 0..3 (2 is the left colour camera).

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file lacks a line, or a line does not hold its numbers.
    """
    cameras, velodyne = map(_read_lines, calibration_files(date_folder))
    to_camera_0 = np.column_stack([velodyne.matrix("R", 3, 3), velodyne.matrix("T", 3, 1)])
    found = _calibration(cameras.matrix(f"P_rect_{camera:02}", 3, 4), cameras.matrix("R_rect_00", 3, 3), to_camera_0)
    size = f"S_rect_{camera:02}"
    if size not in cameras:
        return found
    width, height = cameras.matrix(size, 1, 2)[0]
    return replace(found, size=(int(width), int(height)))


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

    def __contains__(self, key: str) -> bool:
        return key in self._lines

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
