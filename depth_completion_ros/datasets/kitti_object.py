"""KITTI's object data set: single frames of many drives, each with a calibration of its own.

Source: A. Geiger, P. Lenz, R. Urtasun, "Are we ready for Autonomous Driving? The KITTI Vision Benchmark Suite", CVPR
2012, and the development kit.

    training/  (or testing/)
      calib/000000.txt  image_2/000000.png  velodyne/000000.bin
"""

from __future__ import annotations

import os
from pathlib import Path

from depth_completion_ros.datasets.base import IndexedSource, nominal_stamp, state_of
from depth_completion_ros.datasets.kitti_calibration import read_object_calibration
from depth_completion_ros.datasets.kitti_raw import paired_files, read_frame
from depth_completion_ros.frame import Frame


class KittiObject(IndexedSource):
    """The images of a camera with the LiDAR scans of the same number, for offline evaluation.

    Stamps are made up, 0.1 s apart. Frames have different cameras and extrinsics, as no robot has: the replay node
    refuses to play them on.

    Args:
        path: the folder with ``calib``, ``image_2`` and ``velodyne``.
        camera: 2 or 3 for the left or right colour camera.

    Raises:
        FileNotFoundError: there are no images, or no scans.
        ValueError: there is no such camera.
    """

    def __init__(self, path: str | os.PathLike[str], camera: int = 2) -> None:
        if camera not in (2, 3):
            raise ValueError(f"KITTI's object data set has the cameras 2 and 3, camera {camera!r} was asked for")
        self._root = Path(os.path.abspath(path))
        self.name = self._root.name
        self._camera = camera
        self._pairs = paired_files(self._root, self._root / f"image_{camera}", self._root / "velodyne")

    def __len__(self) -> int:
        return len(self._pairs)

    def frame_name(self, index: int) -> str:
        """The file number, as six digits."""
        return f"{self._pairs[index].number:06}"

    def origin(self, index: int) -> str:
        """Image, scan and calibration."""
        pair = self._pairs[index]
        return state_of(pair.image, pair.scan, self._calibration_file(index))

    def _calibration_file(self, index: int) -> Path:
        return self._root / "calib" / f"{self._pairs[index].image.stem}.txt"

    def __getitem__(self, index: int) -> Frame:
        """Reads one frame, with ``points`` and ``rings`` (0 = top).

        Raises:
            IndexError: there is no such frame.
            FileNotFoundError: its calibration is missing.
            ValueError: its image, scan or calibration is damaged; the message names the file.
        """
        pair = self._pairs[index]
        calibration = read_object_calibration(self._calibration_file(index), self._camera)
        return read_frame(pair, calibration, nominal_stamp(index), self.frame_name(index))
