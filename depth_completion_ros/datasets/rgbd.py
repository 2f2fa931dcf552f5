"""Pictures of a depth camera: folders of colour and of registered 16-bit depth images.

TUM RGB-D's sequences (J. Sturm et al., "A Benchmark for the Evaluation of RGB-D SLAM Systems", IROS 2012), which list
the stamps of their pictures, and the layout of Open3D, Redwood and many others, where the pictures of a frame have one
name:

    rgbd_dataset_freiburg1_desk/                      living_room/
      rgb.txt    rgb/1305031452.791720.png              color/00000.jpg
      depth.txt  depth/1305031452.803611.png            depth/00000.png
                                                        camera_intrinsic.json, as Open3D writes it, if there is one
"""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from depth_completion_ros.datasets.base import IndexedSource, nominal_stamp, state_of
from depth_completion_ros.frame import Frame
from depth_completion_ros.geometry.camera import Camera
from depth_completion_ros.images import read_depth_png, read_image

_COLOR_FOLDERS: Final = ("color", "rgb", "image")

_TUM_UNITS: Final = 5000.0  # per metre
_UNITS: Final = 1000.0  # millimetres, of all others
_KINECT: Final = 525 / 640  # focal length, in widths of the image
_APART: Final = 20_000_000  # nanoseconds; both of TUM's cameras take 30 pictures a second
_COLOR_FILES: Final = (".png", ".jpg", ".jpeg")

_logger = logging.getLogger(__name__)


class _Pair(NamedTuple):
    name: str
    stamp: int
    color: Path
    depth: Path


class RgbdPictures(IndexedSource):
    """Frames with ``image`` and ``depth``, registered to each other.

    Args:
        path: the folder with ``depth`` and one of ``color``, ``rgb`` and ``image``.
        units: of the depth files per metre; 0 takes 5000 for TUM's, which have a ``depth.txt``, and 1000 for others.
        focal_length: pixels, the principal point being the middle; 0 takes both from ``camera_intrinsic.json``.
            Without that it is a Kinect's, 525 for images 640 pixels wide, and a warning says so.

    Raises:
        FileNotFoundError: there are no folders like these, or no colour and depth image belong together.
        ValueError: ``units`` or ``focal_length`` is below 0, or a list of stamps or the intrinsics are damaged.
    """

    def __init__(self, path: str | os.PathLike[str], units: float = 0.0, focal_length: float = 0.0) -> None:
        if units < 0 or focal_length < 0:
            raise ValueError(f"units are {units}, focal_length is {focal_length}; expected 0 (not known) or more")
        root = Path(os.path.abspath(path))
        self.name = root.name
        color = next((root / name for name in _COLOR_FOLDERS if (root / name).is_dir()), None)
        if color is None or not (root / "depth").is_dir():
            raise FileNotFoundError(f"{root} needs a folder depth, and one of {', '.join(_COLOR_FOLDERS)}")
        listed = (root / f"{color.name}.txt").is_file() and (root / "depth.txt").is_file()
        self._units = units or (_TUM_UNITS if listed else _UNITS)
        self._focal_length = focal_length
        self._intrinsic = root / "camera_intrinsic.json"
        self._camera = None if focal_length or not self._intrinsic.is_file() else _read_camera(self._intrinsic)
        self._pairs = _by_stamp(root, color.name) if listed else _by_name(color, root / "depth")
        if not self._pairs:
            raise FileNotFoundError(f"{root}: no image in {color.name}/ belongs to one in depth/")
        alone = sum(path.suffix == ".png" for path in (root / "depth").iterdir()) - len(self._pairs)
        if alone:
            _logger.warning("%s: %d depth image(s) left out for want of a colour image", self.name, alone)
        if not focal_length and self._camera is None:
            _logger.warning("%s: the focal length is taken for a Kinect's; set the option focal_length", self.name)

    def __len__(self) -> int:
        return len(self._pairs)

    def frame_name(self, index: int) -> str:
        """The name of the depth file, without its ending."""
        return self._pairs[index].name

    def origin(self, index: int) -> str:
        """Both pictures, and the intrinsics if they count."""
        files = [self._pairs[index].color, self._pairs[index].depth]
        return state_of(*files) if self._camera is None else state_of(*files, self._intrinsic)

    def __getitem__(self, index: int) -> Frame:
        """Reads one frame.

        Raises:
            IndexError: there is no such frame.
            ValueError: a file is damaged, or colour, depth and intrinsics have different sizes; the message names it.
        """
        pair = self._pairs[index]
        image, depth = read_image(pair.color), read_depth_png(pair.depth, self._units)
        height, width = depth.shape
        if image.shape[:2] != (height, width):
            raise ValueError(
                f"{pair.depth} has {width}x{height} pixels, its colour image {image.shape[1]}x{image.shape[0]}: "
                "only registered depth can be read from pictures"
            )
        camera = self._camera
        if camera is None:
            focal_length = self._focal_length or _KINECT * width
            camera = Camera(width, height, focal_length, focal_length, (width - 1) / 2, (height - 1) / 2)
        elif (camera.width, camera.height) != (width, height):
            raise ValueError(
                f"{pair.depth} has {width}x{height} pixels, {self._intrinsic} is of {camera.width}x{camera.height}"
            )
        return Frame(stamp=pair.stamp, camera=camera, image=image, depth=depth, name=pair.name)


def _read_camera(file: Path) -> Camera:
    """The camera of an ``open3d.camera.PinholeCameraIntrinsic``, whose matrix goes column by column."""
    try:
        told = json.loads(file.read_bytes())
        matrix = np.reshape(told["intrinsic_matrix"], (3, 3)).T
        return Camera.from_matrix(matrix, told["width"], told["height"])
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{file}: damaged, {type(error).__name__}: {error}") from error


def _by_name(color: Path, depth: Path) -> list[_Pair]:
    pictures = {path.stem: path for path in sorted(color.iterdir()) if path.suffix.lower() in _COLOR_FILES}
    names = [path.stem for path in depth.glob("*.png") if path.stem in pictures]
    names.sort(key=lambda name: (len(name), name))  # 9 before 10
    return [
        _Pair(name, nominal_stamp(index), pictures[name], depth / f"{name}.png") for index, name in enumerate(names)
    ]


def _by_stamp(root: Path, color: str) -> list[_Pair]:
    """The images nearest to each other in time, each once, as the data set's own tool takes them."""
    colors, depths = _read_list(root, f"{color}.txt"), _read_list(root, "depth.txt")
    near = sorted(
        (abs(stamp - other), stamp, other) for stamp in depths for other in colors if abs(stamp - other) <= _APART
    )
    pairs = []
    for _, stamp, other in near:
        if stamp in depths and other in colors:
            path = depths.pop(stamp)
            pairs.append(_Pair(path.stem, other, colors.pop(other), path))
    return sorted(pairs, key=lambda pair: pair.stamp)


def _read_list(root: Path, name: str) -> dict[int, Path]:
    """The files by their stamps, nanoseconds, of ``1305031452.791720 rgb/1305031452.791720.png`` and the like."""
    entries = {}
    for line in map(str.strip, (root / name).read_text(errors="replace").splitlines()):
        if not line or line.startswith("#"):
            continue
        stamp, *path = line.split(maxsplit=1)
        seconds, _, fraction = stamp.partition(".")
        if not (path and f"{seconds}{fraction}".isdigit() and seconds):
            raise ValueError(f"{root / name}: damaged, {line!r} is no stamp and file")
        entries[int(seconds) * 10**9 + int(f"{fraction:0<9}"[:9])] = root / path[0]
    if not entries:
        raise ValueError(f"{root / name}: damaged, it lists no file")
    return entries
