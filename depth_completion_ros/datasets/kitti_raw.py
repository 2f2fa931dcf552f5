"""KITTI raw recordings (synchronised and rectified), in the official folder layout.

Source: A. Geiger, P. Lenz, C. Stiller, R. Urtasun, "Vision meets Robotics: The KITTI Dataset", IJRR 2013.

    2011_09_26/
      calib_cam_to_cam.txt  calib_velo_to_cam.txt
      2011_09_26_drive_0052_sync/
        image_02/data/0000000010.png      image_02/timestamps.txt (optional)
        velodyne_points/data/0000000010.bin
"""

from __future__ import annotations

import logging
import os
from datetime import datetime, timezone
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from depth_completion_ros.datasets.base import IndexedSource, nominal_stamp, state_of
from depth_completion_ros.datasets.kitti_calibration import KittiCalibration, calibration_files, read_calibration
from depth_completion_ros.frame import Frame
from depth_completion_ros.geometry.scan_lines import rings_from_file_order
from depth_completion_ros.images import read_image

_POINT_BYTES: Final = 16  # float32 x, y, z, reflectance

_logger = logging.getLogger(__name__)


class Pair(NamedTuple):
    """The files of one frame."""

    number: int
    image: Path
    scan: Path


class KittiRaw(IndexedSource):
    """One drive: a camera's rectified images with the LiDAR scans of the same number.

    The scans are as the sensor gave them, not motion-compensated. A number of which the image or the scan is
    missing (as in the official drive 0009) is left out, and a warning says so.

    Args:
        path: the drive's folder, or a folder above that holds just this one: the date's, or the root above it.
        camera: 2 or 3 for the left or right colour camera, 0 or 1 for the grey ones.

    Raises:
        FileNotFoundError: there is no drive, or it lacks images, scans or calibration; the message says what.
        ValueError: there are several drives, or the calibration or the time stamps are damaged.
    """

    def __init__(self, path: str | os.PathLike[str], camera: int = 2) -> None:
        if camera not in range(4):
            raise ValueError(f"KITTI has the cameras 0 to 3, camera {camera!r} was asked for")
        drive = find_drive(path)
        self.name = drive.name
        self._date_folder = drive.parent
        self._calibration = read_calibration(drive.parent, camera)
        images = drive / f"image_{camera:02}" / "data"
        scans = drive / "velodyne_points" / "data"
        self._pairs = paired_files(drive, images, scans)
        self._stamps = _read_stamps(images.parent / "timestamps.txt", [pair.number for pair in self._pairs])

    def __len__(self) -> int:
        return len(self._pairs)

    def frame_name(self, index: int) -> str:
        """The file number, as ten digits."""
        return f"{self._pairs[index].number:010}"

    def origin(self, index: int) -> str:
        """Image, scan and calibration."""
        pair = self._pairs[index]
        return state_of(pair.image, pair.scan, *calibration_files(self._date_folder))

    def __getitem__(self, index: int) -> Frame:
        """Reads one frame, with ``points`` and ``rings`` (0 = top).

        Raises:
            IndexError: there is no such frame.
            ValueError: its image or scan is damaged, or the image is not of the calibration's size; the message names
                the file.
        """
        return read_frame(self._pairs[index], self._calibration, self._stamps[index], self.frame_name(index))


def read_frame(pair: Pair, calibration: KittiCalibration, stamp: int, name: str) -> Frame:
    """A frame of an image and a scan, with ``points`` and ``rings`` (0 = top).

    Raises:
        ValueError: the image or the scan is damaged, or the image not of the calibration's size; the message names the
            file.
    """
    image, points = read_image(pair.image), read_scan(pair.scan)
    return Frame(
        stamp=stamp,
        camera=calibration.camera(pair.image, image),
        image=image,
        points=points,
        rings=rings_from_file_order(points),
        extrinsic=calibration.extrinsic,
        name=name,
    )


def find_drive(path: str | os.PathLike[str]) -> Path:
    """The folder of the one drive that ``path`` is or holds.

    Raises:
        FileNotFoundError: there is none.
        ValueError: there are several; the message lists them.
    """
    path = Path(os.path.abspath(path))  # the calibration lies in the parent, which "." would hide
    if (path / "velodyne_points").is_dir():
        return path
    drives = sorted([*path.glob("*_drive_*_sync"), *path.glob("*/*_drive_*_sync")])
    if not drives:
        raise FileNotFoundError(
            f"{path} is and holds no KITTI drive: looked for velodyne_points/, *_drive_*_sync/ and */*_drive_*_sync/"
        )
    if len(drives) > 1:
        names = ", ".join(str(drive.relative_to(path)) for drive in drives)
        raise ValueError(f"{path} holds {len(drives)} drives, give the path of one: {names}")
    return drives[0]


def read_scan(path: Path) -> NDArray[np.float32]:
    """Reads a velodyne file as (N, 3) float32 x, y, z in metres, in the order of the file.

    Raises:
        ValueError: the file is empty or ends within a point.
    """
    data = path.read_bytes()
    if not data or len(data) % _POINT_BYTES:
        raise ValueError(
            f"{path}: damaged or truncated, {len(data)} bytes are not a whole number of {_POINT_BYTES}-byte points"
        )
    return np.frombuffer(data, "<f4").reshape(-1, 4)[:, :3].astype(np.float32)


def paired_files(root: Path, images: Path, scans: Path) -> list[Pair]:
    """Image and scan of every number, in order; a warning tells of numbers that have but one of them.

    Raises:
        FileNotFoundError: a folder is missing, or no number has both.
    """
    image_files, scan_files = _numbered_files(images, (".png", ".jpg")), _numbered_files(scans, (".bin",))
    numbers = sorted(image_files.keys() & scan_files.keys())
    if not numbers:
        raise FileNotFoundError(f"{root}: no number has both an image in {images} and a scan in {scans}")
    _warn_of_missing(root, "a scan", image_files.keys() - scan_files.keys())
    _warn_of_missing(root, "an image", scan_files.keys() - image_files.keys())
    return [Pair(number, image_files[number], scan_files[number]) for number in numbers]


def _numbered_files(folder: Path, suffixes: tuple[str, ...]) -> dict[int, Path]:
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is missing: not a complete KITTI recording")
    return {int(path.stem): path for path in folder.iterdir() if path.suffix in suffixes and path.stem.isdigit()}


def _warn_of_missing(root: Path, what: str, numbers: set[int]) -> None:
    if numbers:
        shown = ", ".join(map(str, sorted(numbers)[:8])) + (", ..." if len(numbers) > 8 else "")
        _logger.warning("%s: %d frame(s) left out for want of %s: %s", root.name, len(numbers), what, shown)


def _read_stamps(path: Path, numbers: list[int]) -> list[int]:
    """The stamp of every file number, in nanoseconds; nominal ones where there is no ``timestamps.txt``."""
    if not path.is_file():
        return [nominal_stamp(number) for number in numbers]
    lines = path.read_text(errors="replace").splitlines()
    if numbers[-1] >= len(lines):
        raise ValueError(f"{path}: damaged or truncated, it has {len(lines)} lines and no line for {numbers[-1]}")
    try:
        return [_parse_stamp(lines[number]) for number in numbers]
    except ValueError as error:
        raise ValueError(f"{path}: damaged, {error}") from error


def _parse_stamp(text: str) -> int:
    """Nanoseconds since the epoch of e.g. ``2011-09-26 13:02:25.964389445``, taken as UTC."""
    seconds, _, fraction = text.strip().partition(".")
    time = datetime.strptime(seconds, "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc)
    if not fraction.isdigit():
        raise ValueError(f"time stamp {text!r} has no fraction of a second")
    return int(time.timestamp()) * 10**9 + int(f"{fraction:0<9}"[:9])
