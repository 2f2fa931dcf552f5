"""The one interface of every source of frames."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from depth_completion_ros.frame import Frame

# Recordings without time stamps are played at the rate of KITTI's LiDAR, 10 frames a second.
_NOMINAL_PERIOD: Final = 100_000_000


@dataclass(frozen=True)
class DamagedFrame:
    """A frame that could not be read.

    Attributes:
        name: what its source calls this frame, or the place of damage that belongs to no frame; no other is called so.
        error: why; its message names the file.
    """

    name: str
    error: Exception


class FrameSource(ABC):
    """Frames in the order of time, read when they are asked for and never all held in memory.

    ``for frame in source`` yields every :class:`Frame` and raises at the first damaged one; ``for item in
    source.read()`` goes on after it. Both may be started any number of times. ``len(source)`` is the number of
    frames; a bag's is an upper bound, because which messages belong together shows only when they are read.

    Attributes:
        name: what people call this source: a drive, a bag.
    """

    name: str

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def read(self) -> Iterator[Frame | DamagedFrame]:
        """Yields every frame in order, one that cannot be read as a :class:`DamagedFrame`."""

    def __iter__(self) -> Iterator[Frame]:
        for item in self.read():
            if isinstance(item, DamagedFrame):
                raise item.error
            yield item


class IndexedSource(FrameSource):
    """A source whose frames can be had in any order: ``source[index]`` with 0 <= index < len(source).

    Attributes:
        version: of a source that makes its frames, one more whenever the same arguments make other frames than
            before, so that no cache mixes them.
    """

    version: int = 1

    @abstractmethod
    def __getitem__(self, index: int) -> Frame:
        """Reads one frame.

        Raises:
            IndexError: there is no such frame.
            ValueError, OSError: its files are damaged or gone; the message names the file.
        """

    def frame_name(self, index: int) -> str:
        """The name of a frame, known without reading it."""
        return str(index)

    def origin(self, index: int) -> str:
        """What a frame is read from, as it is now, so that no cache keeps what has changed; empty if it is made."""
        return ""

    def read(self) -> Iterator[Frame | DamagedFrame]:
        """Yields every frame in order, one that cannot be read as a :class:`DamagedFrame`."""
        return map(self.read_one, range(len(self)))

    def read_one(self, index: int) -> Frame | DamagedFrame:
        """One frame, or the :class:`DamagedFrame` in its place."""
        try:
            return self[index]
        except (ValueError, OSError) as error:
            return DamagedFrame(self.frame_name(index), error)


def state_of(*files: Path | None) -> str:
    """Names, sizes and times of files, for :meth:`IndexedSource.origin`; of one that is missing just the name."""
    return "\n".join(map(_state, filter(None, files)))


def _state(file: Path) -> str:
    try:
        found = file.stat()
    except OSError:
        return str(file)
    return f"{file} {found.st_size} {found.st_mtime_ns}"


def nominal_stamp(index: int) -> int:
    """The stamp, in nanoseconds, of a frame whose recording has none: 0.1 s apart.

    The first is 0.1 s, not 0, which means "no time" in ROS.
    """
    return (index + 1) * _NOMINAL_PERIOD
