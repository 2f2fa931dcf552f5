"""The choice of a data source and of how much of its depth is given, which several commands offer."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from depth_completion_ros.datasets import DamagedFrame, FrameSource
    from depth_completion_ros.evaluation.given import Given
    from depth_completion_ros.frame import Frame

# Of --source; --data tells of itself.
SOURCE_HELP = (
    "a KITTI raw, object or depth completion folder, an NYU folder, colour and depth pictures, a bag, or one of "
    "'synthetic', 'synthetic-streets', 'synthetic-rooms'; options of it follow: PATH,raw_root=DIR,camera=3"
)


def add_data_options(parser: argparse._ActionsContainer) -> None:
    """Adds --cache, --frames, --lines, --points and --holes; --data is each command's own.

    What the last three say is told by :func:`amounts_given`.
    """
    parser.add_argument("--cache", type=Path, metavar="DIR", help="keep frames there once they are made or read")
    parser.add_argument("--frames", type=frame_range, metavar="A:B", help="frames A to B-1 only")
    for unit, example in (
        ("lines", "LiDAR lines that the models get, e.g. 32,16,8,4; 'all' for everything that was measured"),
        ("points", "or so many of the measured pixels, at random, e.g. 1000,500,200"),
        ("holes", "or all but random holes over this share of the image, e.g. 0.15,0.4"),
    ):
        numbers = partial(_amounts, unit)
        parser.add_argument(f"--{unit}", dest="given", action="extend", type=numbers, metavar="N,N,...", help=example)


def open_data(text: str, cache: Path | None) -> tuple[FrameSource, float | None]:
    """Opens a source given as ``path,option=value,...``, and says which weight it was given, if any.

    Raises:
        ValueError: it is no source of frames, has no such option, or its frames cannot be cached.
        OSError: it is not there.
    """
    from depth_completion_ros.datasets import IndexedSource, is_generated, open_source, source_and_options
    from depth_completion_ros.datasets.cache import keep_frames

    path, options = source_and_options(text)
    weight = options.pop("weight", None)
    source = open_source(path, **options)
    if cache is not None:
        if not isinstance(source, IndexedSource):
            raise ValueError(f"{path} can only be read in order, which no cache can hold")
        place = path if is_generated(path) else str(Path(path).resolve())
        label = ",".join([place, *(f"{key}={value}" for key, value in sorted(options.items()))])
        source = keep_frames(source, cache, label)
    return source, None if weight is None else float(weight)


def open_frames(text: str, cache: Path | None = None) -> FrameSource:
    """Opens a source as :func:`open_data` does, which has no weight.

    Raises:
        ValueError: it has one, or as there.
        OSError: as there.
    """
    source, weight = open_data(text, cache)
    if weight is not None:
        raise ValueError(f"{text}: only the data of a training are weighted; leave out weight={weight:g}")
    return source


def read_frames(options: argparse.Namespace) -> Iterator[Frame]:
    """The frames of all sources of --data that ``options`` ask for and that can be read.

    A bar shows how far each source is. What is not there is told at once, before the first frame is read.

    Raises:
        ValueError: as :func:`open_frames` and :func:`choose_frames`.
        OSError: as :func:`open_frames`.
    """
    sources = [open_frames(text, options.cache) for text in options.data]
    return chain.from_iterable([intact_frames(*choose_frames(source, options.frames), []) for source in sources])


def choose_frames(source: FrameSource, chosen: slice | None) -> tuple[Iterator[Frame | DamagedFrame], int]:
    """A range of a source's frames, with what is damaged among them, and how many there should be; None is all.

    Of a bag, what is damaged counts for no frame, and without an end to the range all of it is read.

    Raises:
        ValueError: none of its frames is in the range.
    """
    from depth_completion_ros.datasets import IndexedSource

    chosen = chosen or slice(0, None)
    numbers = range(len(source))[chosen]
    if not numbers:
        raise ValueError(f"{source.name} has {len(source)} frames, none of those asked for with --frames")
    if isinstance(source, IndexedSource):
        return map(source.read_one, numbers), len(numbers)
    return _between(source.read(), chosen.start, chosen.stop), len(numbers)


def _between(items: Iterable[Frame | DamagedFrame], start: int, stop: int | None) -> Iterator[Frame | DamagedFrame]:
    from depth_completion_ros.frame import Frame

    number = 0
    for item in items:
        if number >= start:
            yield item
        number += isinstance(item, Frame)
        if number == stop:
            return


def intact_frames(items: Iterable[Frame | DamagedFrame], total: int, damaged: list[str]) -> Iterator[Frame]:
    """The frames among ``total`` items, with a bar that shows how far it is.

    The names of what is damaged go to ``damaged``, and the errors to the terminal.
    """
    from tqdm import tqdm

    from depth_completion_ros.datasets import DamagedFrame

    for item in tqdm(items, total=total, unit="frame", disable=None):
        if isinstance(item, DamagedFrame):
            damaged.append(item.name)
            tqdm.write(f"{item.name}: {item.error}", file=sys.stderr)
        else:
            yield item


def frame_range(text: str) -> slice:
    """``10:20``, ``:20`` or ``10:`` as a slice."""
    match = re.fullmatch(r"(\d*):(\d*)", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is no range of frames, expected e.g. 10:20, :20 or 10:")
    first, last = match.groups()
    return slice(int(first or 0), int(last) if last else None)


def count(text: str) -> int:
    """A whole number, 1 or more."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r}, expected a whole number, 1 or more")
    return int(text)


def amounts_given(options: argparse.Namespace, otherwise: str) -> list[Given]:
    """What --lines, --points and --holes asked for, each once, in order; else ``otherwise``, as --lines takes it."""
    return list(dict.fromkeys(options.given or _amounts("lines", otherwise)))


def _amounts(unit: str, text: str) -> list[Given]:
    """``32,16`` of ``lines``, ``points`` or ``holes``; ``all``, as in ``all,32,16``, is everything."""
    try:
        return [_amount(unit, word) for word in text.split(",")]
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} are no numbers of {unit}: {error}") from error


def _amount(unit: str, word: str) -> Given:
    from depth_completion_ros.evaluation.given import EVERYTHING, Given

    if word == "all":
        return EVERYTHING
    return Given(holes=float(word)) if unit == "holes" else Given(**{unit: int(word)})
