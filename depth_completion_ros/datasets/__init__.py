"""Sources of frames: each yields :class:`~depth_completion_ros.frame.Frame` objects in order."""

from __future__ import annotations

import importlib
import inspect
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from types import NoneType
from typing import Any, Final, get_args, get_origin, get_type_hints

from depth_completion_ros.datasets.base import DamagedFrame, FrameSource, IndexedSource

__all__ = [
    "DamagedFrame",
    "FrameSource",
    "IndexedSource",
    "assignment",
    "is_generated",
    "open_source",
    "source_and_options",
]


def open_source(path: str | os.PathLike[str], **options: Any) -> FrameSource:
    """Opens whatever recording lies at ``path``, or the ``synthetic`` street.

    Args:
        path: the word ``synthetic`` (a drive along a street), ``synthetic-streets`` or ``synthetic-rooms`` (single
            frames, each in a world of its own), a bag (a rosbag2 folder, or a .mcap, .db3 or .bag file), a KITTI depth
            completion folder, a KITTI raw drive or a folder above one, a part of KITTI's object data set, an NYU Depth
            V2 folder, or pictures of a depth camera.
        options: options of the source, as its class describes them: e.g. ``camera`` of KITTI, ``points`` of a bag.

    Raises:
        FileNotFoundError: nothing is there, or a part of it is missing.
        ValueError: what is there is no source of frames, damaged, or has no such option, or not with such a value.
    """
    kind = _recognise(path)
    module, _, name = kind.source.partition(":")
    source = getattr(importlib.import_module(f"{__package__}.{module}"), name)
    arguments = () if kind.is_generated else (path,)
    signature = inspect.signature(source)
    try:
        signature.bind(*arguments, **options)
    except TypeError as error:
        known = ", ".join(list(signature.parameters)[len(arguments) :])
        raise ValueError(f"{name} {error}; its options: {known}") from error
    _check_values(name, get_type_hints(source.__init__), options)
    try:
        opened: FrameSource = source(*arguments, **options)
    except TypeError as error:
        if not options:
            raise
        given = ", ".join(f"{option}={value!r}" for option, value in options.items())
        raise ValueError(f"{name} cannot be opened with {given}: {error}") from error
    return opened


def source_and_options(text: str) -> tuple[str, dict[str, Any]]:
    """``path,option=value,...``, as commands and launch files have it, for :func:`open_source`.

    Raises:
        ValueError: what follows the path is no option.
    """
    path, *assignments = text.split(",")
    return path, dict(assignment(each) for each in assignments)


def assignment(text: str) -> tuple[str, Any]:
    """``name=value`` with the value as the number or truth that it looks like.

    Raises:
        ValueError: it has no ``=``.
    """
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"option {text!r} is not of the form NAME=VALUE")
    if re.fullmatch(r"-?\d+", value):
        return name, int(value)
    if re.fullmatch(r"-?(\d+\.\d*|\.?\d+)(e[+-]?\d+)?", value, re.IGNORECASE):
        return name, float(value)
    return name, {"true": True, "false": False}.get(value.lower(), value)


def is_generated(path: str | os.PathLike[str]) -> bool:
    """Whether this is a word for frames that are made, and not a place where a recording lies.

    Raises:
        FileNotFoundError, ValueError: as :func:`open_source`.
    """
    return _recognise(path).is_generated


def _check_values(name: str, hints: dict[str, Any], options: dict[str, Any]) -> None:
    """Refuses a value of another type than the option's, which a source may notice only while it reads."""
    for option, value in options.items():
        kinds = [kind for kind in get_args(hints[option]) or (hints[option],) if kind is not NoneType]
        if not all(map(_is_class, kinds)):
            continue  # a sequence of something, say, is the source's to check
        if not any(_is_of(kind, value) for kind in kinds):
            raise ValueError(f"{name} got {option}={value!r}, expected {' or '.join(kind.__name__ for kind in kinds)}")


def _is_class(kind: Any) -> bool:
    """Whether values can be told to be of this kind; to Python 3.10 a list of something is a class, too."""
    return isinstance(kind, type) and get_origin(kind) is None and not getattr(kind, "_is_protocol", False)


def _is_of(kind: type, value: Any) -> bool:
    if isinstance(value, bool):
        return kind is bool
    numbers: dict[type, type] = {int: Integral, float: Real}
    return isinstance(value, numbers.get(kind, kind))


@dataclass(frozen=True)
class _Kind:
    """A kind of source: what it is, how a path of it is recognised, and module:class that reads it."""

    description: str
    is_at: Callable[[Path], bool]
    source: str
    is_generated: bool = False


def _holds(*patterns: str) -> Callable[[Path], bool]:
    """Whether a folder holds any of these."""
    return lambda path: path.is_dir() and any(next(path.glob(pattern), None) is not None for pattern in patterns)


def _is_bag(path: Path) -> bool:
    return path.suffix in (".mcap", ".db3", ".bag") or _holds("metadata.yaml", "*.mcap", "*.db3")(path)


# In the order in which they are tried: a KITTI raw drive may hold the benchmark's proj_depth as well.
_KINDS: Final = (
    _Kind("the word 'synthetic'", lambda path: str(path) == "synthetic", "synthetic:SyntheticStreet", True),
    _Kind("'synthetic-streets'", lambda path: str(path) == "synthetic-streets", "synthetic:SyntheticFrames", True),
    _Kind("'synthetic-rooms'", lambda path: str(path) == "synthetic-rooms", "synthetic:SyntheticRooms", True),
    _Kind("a bag (a folder with metadata.yaml, *.mcap or *.db3; a .mcap, .db3 or .bag file)", _is_bag, "bag:BagSource"),
    _Kind(
        "a KITTI raw drive, or a folder one or two levels above one (velodyne_points/)",
        _holds("velodyne_points", "*_drive_*_sync/velodyne_points", "*/*_drive_*_sync/velodyne_points"),
        "kitti_raw:KittiRaw",
    ),
    _Kind(
        "a part of KITTI's object data set (velodyne/ and image_2/ or image_3/)",
        lambda path: (path / "velodyne").is_dir() and _holds("image_2", "image_3")(path),
        "kitti_object:KittiObject",
    ),
    _Kind(
        "a KITTI depth completion folder (velodyne_raw/, proj_depth/ or *_sync/proj_depth/)",
        _holds("velodyne_raw", "proj_depth", "*_sync/proj_depth"),
        "kitti_completion:KittiCompletion",
    ),
    _Kind(
        "an NYU Depth V2 folder, or one above or in it (*.h5)",
        _holds("*.h5", "*/*.h5", "*/*/*.h5"),
        "nyu:NyuDepth",
    ),
    _Kind(
        "pictures of a depth camera (depth/ and color/, rgb/ or image/)",
        lambda path: (path / "depth").is_dir(),
        "rgbd:RgbdPictures",
    ),
)


def _recognise(path: str | os.PathLike[str]) -> _Kind:
    kind = next((kind for kind in _KINDS if kind.is_at(Path(path))), None)
    if kind is None:
        looked_for = "".join(f"\n  - {kind.description}" for kind in _KINDS)
        if not Path(path).exists():
            raise FileNotFoundError(f"{path} does not exist; a source of frames is{looked_for}")
        raise ValueError(f"{path} is no source of frames; looked for{looked_for}")
    return kind
