"""The messages of a bag in the order in which they were recorded, also of a damaged one."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rosbags.highlevel import AnyReader
from rosbags.typesys import Stores, get_typestore

from depth_completion_ros.datasets.bag.mcap_recovery import IntactMcap

# After damage reading goes on this much later, nanoseconds; each further attempt is a quarter longer.
_FIRST_LEAP: Final = 10_000_000
_REMEDY: Final = {".db3": "; `sqlite3 FILE .recover` may save it", ".bag": "; `rosbag reindex FILE` may save it"}


@dataclass(frozen=True)
class Topic:
    """A topic of a bag: its message type, such as ``sensor_msgs/msg/Image``, and how many messages it has."""

    type: str
    count: int


@dataclass(frozen=True)
class Recorded:
    """One message: ``time`` is when it was recorded, nanoseconds; its content has the attributes of the ROS message."""

    topic: str
    time: int
    message: Any


class Storage:
    """A bag on disk, opened anew for every reading.

    A truncated mcap file is read up to where it breaks off, and of a bag in several files the readable ones.

    Args:
        path: a rosbag2 folder, or a .mcap, .db3 or ROS 1 .bag file.

    Attributes:
        topics: every topic that has one message type, by name.

    Raises:
        FileNotFoundError: there is no such path.
        PermissionError: it may not be read.
        ValueError: no part of the bag can be read; the message names each file and what is wrong.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._parts, self._damages = _readable_parts(path)
        with _reader(self._parts) as reader:
            self.topics = {
                name: Topic(info.msgtype, info.msgcount) for name, info in reader.topics.items() if info.msgtype
            }

    def messages(self, topics: Collection[str]) -> Iterator[Recorded | ValueError]:
        """Yields the messages of some topics; what is damaged between them as an error that names the bag."""
        with _reader(self._parts) as reader:
            connections = [connection for connection in reader.connections if connection.topic in topics]
            # rosbags takes an empty choice for all topics.
            start, leap = (reader.start_time if connections else reader.end_time), _FIRST_LEAP
            while start < reader.end_time:
                try:
                    for connection, time, data in reader.messages(connections, start=start):
                        start, leap = time + 1, _FIRST_LEAP
                        yield self._recorded(reader, connection, time, data)
                    break
                except Exception as error:  # each storage format and each compression has errors of its own
                    if leap == _FIRST_LEAP:
                        yield ValueError(f"{self.path}: damaged after time {start - 1}: {error}")
                    start, leap = start + leap, leap + leap // 4
        for damage in self._damages:
            yield ValueError(damage)

    def first_messages(self, topics: Collection[str]) -> dict[str, Any]:
        """The first readable message of each topic that has one."""
        found: dict[str, Any] = {}
        for item in self.messages(topics):
            if isinstance(item, Recorded):
                found.setdefault(item.topic, item.message)
            if len(found) == len(topics):
                break
        return found

    def _recorded(self, reader: AnyReader, connection: Any, time: int, data: bytes) -> Recorded | ValueError:
        try:
            return Recorded(connection.topic, time, reader.deserialize(data, connection.msgtype))
        except Exception as error:  # the decoder was generated from the bag's own, perhaps damaged, definitions
            return ValueError(f"{self.path}: damaged message of {connection.topic} at time {time}: {error}")


def _reader(parts: list[Any]) -> AnyReader:
    # rosbag2 before Iron stored no message definitions.
    return AnyReader(parts, default_typestore=get_typestore(Stores.LATEST))


def _readable_parts(path: Path) -> tuple[list[Any], list[str]]:
    """What to hand to ``rosbags``, and what is wrong with what was left out."""
    if not path.exists():
        raise FileNotFoundError(f"bag {path} does not exist")
    files = sorted([*path.glob("*.mcap"), *path.glob("*.db3")]) if path.is_dir() else [path]
    # A recorder writes metadata.yaml last, so it may be missing.
    whole = [path] if (path / "metadata.yaml").exists() else files
    error = _opening_error(whole)
    if error is None:
        return whole, []

    parts: list[Any] = []
    damages: list[str] = []
    for file in files:
        file_error = _opening_error([file])
        if file_error is None:
            parts.append(file)
            continue
        advice = _REMEDY.get(file.suffix, "")
        if (intact := _intact_mcap(file)) is not None:
            parts.append(intact)
            advice = f"; only its first {intact.end} bytes can be read"
        damages.append(f"{file}: damaged or truncated ({file_error}){advice}")
    if not parts:
        raise ValueError("; ".join(damages) or f"{path}: {error}")
    return parts, damages or [f"{path}: {error}"]


def _intact_mcap(file: Path) -> IntactMcap | None:
    if file.suffix != ".mcap":
        return None
    try:
        intact = IntactMcap(file)
    except ValueError:
        return None
    return intact if _opening_error([intact]) is None else None


def _opening_error(parts: list[Any]) -> str | None:
    if not parts:
        return "it holds no .mcap or .db3 file"
    try:
        with _reader(parts):
            return None
    except PermissionError:  # nothing is wrong with the bag
        raise
    except Exception as error:  # each storage format has errors of its own
        return (str(error) or type(error).__name__).splitlines()[0]
