"""Frames that cost much to make, kept on disk in a compact form that many processes can read and fill at once."""

from __future__ import annotations

import io
import json
import os
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from depth_completion_ros.datasets.base import IndexedSource
from depth_completion_ros.files import write_atomically
from depth_completion_ros.frame import Frame
from depth_completion_ros.geometry.camera import Camera
from depth_completion_ros.images import decode_picture

_LABEL: Final = "cache.json"
_FORMAT: Final = 2
_POINT_UNIT: Final = 0.004  # metres; 16 bits reach 131 m
_DEPTH_UNIT: Final = 1 / 256  # metres; 16 bits reach 256 m, as in KITTI's files
_NEAR_UNIT: Final = 1 / 2048  # metres; 16 bits reach 32 m, for the exact sensors of rooms
_JPEG_QUALITY: Final = 95
_DEPTHS: Final = ("depth", "initial_depth", "ground_truth")


class CachedSource(IndexedSource):
    """A source whose frames are kept in a folder from the first time on that they are asked for.

    Also that first time, a frame comes as the cache holds it: images compressed as by a camera (JPEG), depth in
    1/2048 m where all of it is nearer than 32 m, else in 1/256 m, and points in 4 mm. Points that the camera does not
    see are left out, but one of the highest ring, by which the LiDAR's lines are counted.

    Args:
        source: makes the frames.
        folder: one file per frame; may be filled by several processes at a time.
        label: says which frames the folder holds, such as the source's options.

    Raises:
        ValueError: the folder holds frames of another label, or of another version of the source.
    """

    def __init__(self, source: IndexedSource, folder: str | os.PathLike[str], label: str) -> None:
        self.name, self.version, self.label = source.name, source.version, label
        self._source = source
        self._folder = Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        header = {"format": _FORMAT, "frames": label, "version": source.version}
        path = self._folder / _LABEL
        if not path.exists():
            write_atomically(path, json.dumps(header).encode())
        found = json.loads(path.read_text())
        if found != header:
            raise ValueError(
                f"{self._folder} caches {_describe(found)}, not {_describe(header)}: choose another folder or delete it"
            )

    def __len__(self) -> int:
        return len(self._source)

    def frame_name(self, index: int) -> str:
        """As the source names it."""
        return self._source.frame_name(index)

    def origin(self, index: int) -> str:
        """As of the source."""
        return self._source.origin(index)

    def __getitem__(self, index: int) -> Frame:
        """Reads a frame, which is made before if it is not there yet, or if the files that it was read from changed.

        Raises:
            IndexError: there is no such frame.
            ValueError, OSError: the file is damaged, or the source cannot make the frame.
        """
        path = self._folder / f"{index:08}.npz"
        origin = self._source.origin(index)
        if path.exists():
            frame, kept_from = _read_frame(path)
            if kept_from == origin:
                return frame
        _write_frame(path, self._source[index], origin)
        return _read_frame(path)[0]


def keep_frames(source: IndexedSource, cache: Path, label: str) -> CachedSource:
    """The source with its frames kept in a folder of ``cache`` that is named after the label.

    Raises:
        ValueError: as for :class:`CachedSource`.
    """
    folder = "".join(c if c.isalnum() or c in "=-." else "_" for c in label).strip("_")
    return CachedSource(source, cache / folder, label)


def _write_frame(path: Path, frame: Frame, origin: str) -> None:
    """Stores a frame in a file that is there completely or not at all."""
    parts: dict[str, Any] = {"extrinsic": frame.extrinsic}
    units = {}
    if frame.image is not None:
        parts["image"] = _encode(".jpg", frame.image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    for name in _DEPTHS:
        depth = getattr(frame, name)
        if depth is not None:
            known = np.nan_to_num(depth)
            if known.max(initial=0) < 65535 * _NEAR_UNIT:
                units[name] = _NEAR_UNIT
            pixels = np.rint(known / units.get(name, _DEPTH_UNIT))
            parts[name] = _encode(".png", np.clip(pixels, 0, 65535).astype(np.uint16), [])
    if frame.points is not None:
        storable = np.all(np.abs(frame.points) < 32767 * _POINT_UNIT, axis=1)
        kept = storable & _in_view(frame.points, frame)
        if frame.rings is not None and storable.any():
            kept[np.argmax(np.where(storable, frame.rings, -2))] = True
        parts["points"] = np.rint(frame.points[kept] / _POINT_UNIT).astype(np.int16)
        if frame.rings is not None:
            parts["rings"] = frame.rings[kept].astype(np.int16)
    cameras = {"camera": frame.camera, "depth_camera": frame.depth_camera}
    parts["header"] = json.dumps(
        {
            "stamp": frame.stamp,
            "name": frame.name,
            "units": units,
            "origin": origin,
            **{key: None if camera is None else asdict(camera) for key, camera in cameras.items()},
        }
    )
    file = io.BytesIO()
    np.savez(file, **parts)
    write_atomically(path, file.getvalue())


def _read_frame(path: Path) -> tuple[Frame, str]:
    """Reads a frame that :func:`_write_frame` stored, and its origin.

    Raises:
        ValueError: the file is damaged.
        OSError: it cannot be read.
    """
    try:
        with np.load(path) as parts:
            content: dict[str, Any] = {name: parts[name] for name in parts.files}
        header = json.loads(str(content.pop("header")))
        units, origin = header.pop("units"), header.pop("origin", "")
        for name in _DEPTHS:
            if name in content:
                unit = np.float32(units.get(name, _DEPTH_UNIT))
                content[name] = decode_picture(content[name], cv2.IMREAD_UNCHANGED, name) * unit
        if "image" in content:
            bgr = decode_picture(content["image"], cv2.IMREAD_COLOR, "image")
            content["image"] = np.ascontiguousarray(bgr[..., ::-1])
        if "points" in content:
            content["points"] = content["points"] * np.float32(_POINT_UNIT)
        for key in ("camera", "depth_camera"):
            if header[key] is not None:
                header[key] = Camera(**header[key])
        return Frame(**header, **content), origin
    except (ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: damaged cache file, delete it to have the frame made again ({error})") from error


def _describe(header: dict[str, Any]) -> str:
    return f"{header['frames']!r} of version {header.get('version', 1)} in format {header['format']}"


def _in_view(points: NDArray[np.float32], frame: Frame) -> NDArray[np.bool_]:
    """Which points the camera sees, with a margin of a tenth of the image."""
    optical = points.astype(np.float64) @ frame.extrinsic[:3, :3].T + frame.extrinsic[:3, 3]
    pixels = frame.camera.project(optical)
    size = np.array((frame.camera.width, frame.camera.height))
    with np.errstate(invalid="ignore"):
        return np.asarray(np.all((pixels > -0.1 * size) & (pixels < 1.1 * size), axis=1))


def _encode(ending: str, pixels: NDArray, options: list[int]) -> NDArray[np.uint8]:
    good, data = cv2.imencode(ending, np.ascontiguousarray(pixels), options)
    if not good:
        raise ValueError(f"a picture of {pixels.shape} {pixels.dtype} could not be stored as {ending}")
    return np.asarray(data, np.uint8).ravel()
