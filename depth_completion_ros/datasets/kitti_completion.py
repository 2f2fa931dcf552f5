"""The KITTI depth completion benchmark: sparse depth images, registered, with accumulated ground truth.

Source: J. Uhrig, N. Schneider, L. Schneider, U. Franke, T. Brox, A. Geiger, "Sparsity Invariant CNNs", 3DV 2017,
and the readme of its development kit. Two layouts:

    val_selection_cropped/ or test_depth_completion_anonymous/
      image/  velodyne_raw/  intrinsics/  groundtruth_depth/ (not in the test set)
    train/ or val/
      2011_09_26_drive_0001_sync/proj_depth/{velodyne_raw,groundtruth}/image_02/0000000005.png
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from depth_completion_ros.datasets.base import IndexedSource, nominal_stamp, state_of
from depth_completion_ros.datasets.kitti_calibration import calibration_files, read_calibration
from depth_completion_ros.frame import Frame
from depth_completion_ros.geometry.camera import Camera
from depth_completion_ros.images import read_depth_png, read_image


@dataclass(frozen=True)
class _Files:
    """Where the parts of one frame lie; ``camera`` reads its calibration, from ``calibration``, for its image."""

    name: str
    image: Path
    depth: Path
    ground_truth: Path | None
    calibration: Path
    camera: Callable[[Path, NDArray[np.uint8]], Camera]


class KittiCompletion(IndexedSource):
    """Frames of the benchmark; ``depth`` is the sparse depth image, already registered to the camera.

    The frames have no time stamps, so they are played 0.1 s apart in the order of their names.

    Args:
        path: ``val_selection_cropped``, ``test_depth_completion_anonymous``, ``train``, ``val``, or one drive in the
            latter two.
        raw_root: for ``train`` and ``val``: the folder of KITTI raw, whose date folders hold the colour images and
            the calibration.
        camera: 2 or 3 for the left or right camera, None for both; of the anonymous set no file tells which it is of.

    Raises:
        FileNotFoundError: the folder has neither layout, or a folder that belongs to it is missing.
        ValueError: ``raw_root`` is needed and not given, or given and of no use, there is no such camera, or a
            calibration file is damaged.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        raw_root: str | os.PathLike[str] | None = None,
        camera: int | None = None,
    ) -> None:
        if camera not in (None, 2, 3):
            raise ValueError(f"KITTI's depth completion set has the cameras 2 and 3, camera {camera!r} was asked for")
        path = Path(os.path.abspath(path))
        self.name = path.name
        if (path / "velodyne_raw").is_dir() and (path / "image").is_dir():
            if raw_root is not None:
                raise ValueError(f"{path} has its own images and calibration: leave out raw_root={raw_root}")
            self._files = _selection_files(path, camera)
        else:
            self._files = _drive_files(path, raw_root, (2, 3) if camera is None else (camera,))
        if not self._files:
            raise FileNotFoundError(f"{path}: the folders of a KITTI depth completion set are there, but no frame is")

    def __len__(self) -> int:
        return len(self._files)

    def frame_name(self, index: int) -> str:
        """The name of the image file, for ``train`` and ``val`` with its drive and camera."""
        return self._files[index].name

    def origin(self, index: int) -> str:
        """Pictures and calibration."""
        files = self._files[index]
        return state_of(files.image, files.depth, files.ground_truth, files.calibration)

    def __getitem__(self, index: int) -> Frame:
        """Reads one frame, with ``depth`` and, where there is one, ``ground_truth``.

        Raises:
            IndexError: there is no such frame.
            ValueError, OSError: one of its files is damaged, of another size than the others or than the calibration
                says, or missing.
        """
        files = self._files[index]
        image = read_image(files.image)
        depth = read_depth_png(files.depth)
        ground_truth = None if files.ground_truth is None else read_depth_png(files.ground_truth)
        height, width = image.shape[:2]
        for path, array in ((files.depth, depth), (files.ground_truth, ground_truth)):
            if array is not None and array.shape != (height, width):
                raise ValueError(
                    f"{path} has {array.shape[1]} x {array.shape[0]} pixels, "
                    f"but its image {files.image} has {width} x {height}"
                )
        return Frame(
            stamp=nominal_stamp(index),
            camera=files.camera(files.image, image),
            image=image,
            depth=depth,
            ground_truth=ground_truth,
            name=files.name,
        )


def _selection_files(path: Path, camera: int | None) -> list[_Files]:
    """``val_selection_cropped`` names its files <drive>_sync_image_<number>_image_02, or the part's name for image."""
    has_truth = (path / "groundtruth_depth").is_dir()
    ending = "" if camera is None else f"_image_{camera:02}"
    images = sorted((path / "image").glob(f"*{ending}.png"))
    if ending and not images:
        raise ValueError(f"{path / 'image'}: no picture's name ends in {ending}.png, by which camera={camera} is known")

    def part(folder: str, image: Path) -> Path:
        return path / folder / image.name.replace("_sync_image_", f"_sync_{folder}_")

    return [
        _Files(
            name=image.stem,
            image=image,
            depth=part("velodyne_raw", image),
            ground_truth=part("groundtruth_depth", image) if has_truth else None,
            calibration=(intrinsics := path / "intrinsics" / f"{image.stem}.txt"),
            camera=partial(_read_camera, intrinsics),
        )
        for image in images
    ]


def _drive_files(path: Path, raw_root: str | os.PathLike[str] | None, cameras: tuple[int, ...]) -> list[_Files]:
    drives = [path] if (path / "proj_depth").is_dir() else sorted(p.parent for p in path.glob("*_sync/proj_depth"))
    if not drives:
        raise FileNotFoundError(
            f"{path} is no KITTI depth completion folder: looked for image/ with velodyne_raw/, for proj_depth/ "
            "and for *_sync/proj_depth/"
        )
    if raw_root is None:
        raise ValueError(
            f"{path} holds no colour images and no calibration: give raw_root, the folder of KITTI raw in which "
            f"{drives[0].name[:10]}/{drives[0].name}/image_02/data/ lies"
        )
    return [files for drive in drives for camera in cameras for files in _one_drive(drive, Path(raw_root), camera)]


def _one_drive(drive: Path, raw_root: Path, camera: int) -> list[_Files]:
    view = f"image_{camera:02}"
    depth_folder = drive / "proj_depth" / "velodyne_raw" / view
    truth_folder = drive / "proj_depth" / "groundtruth" / view
    date_folder = raw_root / drive.name[:10]
    image_folder = date_folder / drive.name / view / "data"
    for folder in (depth_folder, image_folder):
        if not folder.is_dir():
            raise FileNotFoundError(f"{folder} is missing: it belongs to {drive}")
    calibration = read_calibration(date_folder, camera)
    return [
        _Files(
            name=f"{drive.name}_image_{depth.stem}_{view}",
            image=image_folder / depth.name,
            depth=depth,
            ground_truth=truth_folder / depth.name if truth_folder.is_dir() else None,
            calibration=calibration_files(date_folder)[0],
            camera=calibration.camera,
        )
        for depth in sorted(depth_folder.glob("*.png"))
    ]


def _read_camera(intrinsics: Path, path: Path, image: NDArray[np.uint8]) -> Camera:
    """From nine numbers, row by row."""
    try:
        matrix = np.array(intrinsics.read_text().split(), np.float64).reshape(3, 3)
        return Camera.from_matrix(matrix, image.shape[1], image.shape[0])
    except ValueError as error:
        raise ValueError(f"{intrinsics}: damaged, expected the 9 numbers of an intrinsic matrix ({error})") from error
