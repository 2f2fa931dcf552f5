"""The intact beginning of a truncated mcap file, presented as a whole one.

A recorder that lost its power leaves a file without the index at its end, which readers refuse. The format
(mcap.dev/spec) is a chain of records, each an opcode byte, its length as uint64, and its content, so that all
complete records can be found from the start.
"""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

_MAGIC: Final = b"\x89MCAP0\r\n"
_RECORD_HEADER: Final = struct.Struct("<BQ")
_FOOTER, _DATA_END = 0x02, 0x0F
# A footer that says there is no index: opcode, length, summary start, summary offset start, checksum.
_TAIL: Final = _RECORD_HEADER.pack(_FOOTER, 20) + struct.pack("<QQI", 0, 0, 0) + _MAGIC


class IntactMcap:
    """Looks to a reader of ``rosbags`` like the path of a complete file.

    Attributes:
        end: where the damage begins, bytes.

    Raises:
        ValueError: the file is no mcap file at all.
    """

    def __init__(self, path: Path) -> None:
        self.suffix = path.suffix
        self.stem = path.stem
        self.end = _end_of_intact_records(path)
        self._path = path

    def __str__(self) -> str:
        return str(self._path)

    def exists(self) -> bool:
        """Yes, as ``pathlib.Path`` says it."""
        return True

    def is_dir(self) -> bool:
        """No, as ``pathlib.Path`` says it."""
        return False

    def open(self, *_args: Any, **_kwargs: Any) -> BinaryIO:
        """The intact records and an end mark, to be read in binary."""
        return cast(BinaryIO, io.BufferedReader(_Spliced(self._path, self.end, _TAIL)))


class _Spliced(io.RawIOBase):
    """The first ``end`` bytes of a file, then ``tail``."""

    def __init__(self, path: Path, end: int, tail: bytes) -> None:
        self._file = path.open("rb")
        self._end = end
        self._tail = tail
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._end + len(self._tail)}[whence]
        self._position = origin + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        if self._position < self._end:
            self._file.seek(self._position)
            data = self._file.read(min(len(buffer), self._end - self._position))
        else:
            start = self._position - self._end
            data = self._tail[start : start + len(buffer)]
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


def _end_of_intact_records(path: Path) -> int:
    size = path.stat().st_size
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise ValueError(f"{path}: no mcap file, it does not start with the format's mark")
        position = len(_MAGIC)
        while position + _RECORD_HEADER.size <= size:
            file.seek(position)
            opcode, length = _RECORD_HEADER.unpack(file.read(_RECORD_HEADER.size))
            following = position + _RECORD_HEADER.size + length
            if not 0 < opcode < _DATA_END or opcode == _FOOTER or following > size:
                break
            position = following
    return position
