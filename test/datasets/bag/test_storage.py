"""Damaged bags: what is wrong is named, and what can be read is read."""

import os
import struct

import numpy as np
import pytest
from messages import Bag
from recordings import lidar_frames
from rosbags.rosbag2 import StoragePlugin

from depth_completion_ros.datasets import DamagedFrame
from depth_completion_ros.datasets.bag import BagSource, write_bag
from depth_completion_ros.datasets.bag.storage import Recorded, Storage


@pytest.fixture
def recorded(tmp_path):
    """Writes twenty frames; returns the folder and the file in it."""

    def write(storage):
        frames = lidar_frames(20)
        write_bag(tmp_path / "bag", frames, storage)
        return tmp_path / "bag", next(path for path in (tmp_path / "bag").iterdir() if path.suffix != ".yaml")

    return write


def outcome(path):
    """The stamps of the frames that can be read, and what is said of the rest."""
    items = list(BagSource(path).read())
    return (
        [item.stamp for item in items if not isinstance(item, DamagedFrame)],
        [str(item.error) for item in items if isinstance(item, DamagedFrame)],
    )


STAMPS = [frame.stamp for frame in lidar_frames(20)]


def unchunked(path):
    """Rewrites an mcap file with its messages outside of chunks, as small recordings have them."""
    data = path.read_bytes()
    position, records = 8, []
    while data[position] != 0x0F:
        opcode, length = struct.unpack_from("<BQ", data, position)
        content = data[position + 9 : position + 9 + length]
        if opcode == 0x06:  # the records of a chunk follow its 28 bytes, the name of its compression, and its size
            records.append(content[28 + 4 + 8 :])
        elif opcode in (0x01, 0x03, 0x04):
            records.append(data[position : position + 9 + length])
        position += 9 + length
    footer = struct.pack("<BQQQI", 0x02, 20, 0, 0, 0)
    path.write_bytes(data[:8] + b"".join(records) + footer + data[:8])


@pytest.mark.parametrize("kept", [0.4, 0.8])
def test_an_mcap_file_that_broke_off_is_read_up_to_there(recorded, kept):
    folder, file = recorded("mcap")
    unchunked(file)
    size = int(kept * file.stat().st_size)
    os.truncate(file, size)
    for path in (folder, file):
        stamps, errors = outcome(path)
        assert 0.8 * kept * 20 < len(stamps) < 20 and stamps == STAMPS[: len(stamps)]
        assert len(errors) == 1 and str(file) in errors[0] and "damaged or truncated" in errors[0]
        with pytest.raises(ValueError, match="damaged or truncated"):
            list(BagSource(path))


def test_an_mcap_file_without_its_end_mark_is_whole(recorded):
    folder, file = recorded("mcap")
    os.truncate(file, file.stat().st_size - 3)
    stamps, errors = outcome(folder)
    assert stamps == STAMPS and len(errors) == 1


def test_damage_in_the_middle_of_an_mcap_file(tmp_path):
    """Chunks of one message each, one of which has a checksum that does not fit."""
    with Bag(tmp_path / "bag") as bag:
        for index in range(10):
            bag.camera_info("/info", index * 100_000_000, size=(index + 1, 1))
            bag.writer.storage.close_chunk()
    file = tmp_path / "bag" / "bag.mcap"
    data = bytearray(file.read_bytes())
    position, chunks = 8, []
    while data[position] != 0x0F:
        opcode, length = struct.unpack_from("<BQ", data, position)
        chunks += [position] if opcode == 0x06 else []
        position += 9 + length
    struct.pack_into("<I", data, chunks[4] + 9 + 24, 12345)
    file.write_bytes(data)
    items = list(Storage(tmp_path / "bag").messages(["/info"]))
    assert [item.message.width for item in items if isinstance(item, Recorded)] == [1, 2, 3, 4, 6, 7, 8, 9, 10]
    (error,) = (item for item in items if not isinstance(item, Recorded))
    assert str(tmp_path / "bag") in str(error) and "checksum" in str(error)


def test_damage_in_the_middle_of_an_sqlite_file(tmp_path):
    """Images of many pages each, so that the damage hits one of them and not the tree that holds them together."""
    with Bag(tmp_path / "bag", StoragePlugin.SQLITE3) as bag:
        for index in range(11):
            bag.image("/image", np.full((100, 1000), index, np.uint8), "mono8", index * 100_000_000)
    file = tmp_path / "bag" / "bag.db3"
    with file.open("r+b") as stream:
        stream.seek(file.stat().st_size // 2)
        stream.write(b"\xff" * 4096)
    items = list(Storage(tmp_path / "bag").messages(["/image"]))
    assert [item.message.data[0] for item in items if isinstance(item, Recorded)] == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10]
    (error,) = (item for item in items if not isinstance(item, Recorded))
    assert str(tmp_path / "bag") in str(error) and "malformed" in str(error)


def test_an_sqlite_file_that_broke_off(recorded):
    folder, file = recorded("sqlite3")
    os.truncate(file, file.stat().st_size // 2)
    with pytest.raises(ValueError, match=rf"{file}: damaged or truncated .*\.recover"):
        Storage(folder)


def test_a_ros_1_bag_that_broke_off(tmp_path):
    with Bag(tmp_path / "old.bag") as bag:
        for index in range(10):
            bag.camera_info("/info", index)
    os.truncate(bag.path, bag.path.stat().st_size // 2)
    with pytest.raises(ValueError, match=r"old\.bag: damaged or truncated .*reindex"):
        Storage(bag.path)


@pytest.mark.parametrize("content", [b"", b"something else entirely"])
@pytest.mark.parametrize("name", ["a.mcap", "a.db3", "a.bag"])
def test_a_file_that_is_no_bag(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"{name}: damaged or truncated"):
        Storage(tmp_path / name)


def test_a_folder_without_metadata(recorded):
    folder, _ = recorded("mcap")
    (folder / "metadata.yaml").unlink()
    assert outcome(folder) == (STAMPS, [])


def test_damaged_metadata(recorded):
    folder, _ = recorded("mcap")
    (folder / "metadata.yaml").write_text("rosbag2: [")
    stamps, errors = outcome(folder)
    assert stamps == STAMPS
    assert len(errors) == 1 and "metadata.yaml" in errors[0] and "\n" not in errors[0]


def test_the_readable_files_of_a_bag_in_several(recorded):
    folder, _ = recorded("mcap")
    (folder / "metadata.yaml").unlink()
    (folder / "bag_1.mcap").write_bytes(b"")
    stamps, errors = outcome(folder)
    assert stamps == STAMPS
    assert len(errors) == 1 and "bag_1.mcap" in errors[0]


def test_no_bag(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"bag .*nowhere does not exist"):
        Storage(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"empty: it holds no \.mcap or \.db3 file"):
        Storage(tmp_path / "empty")


def test_no_topics_are_no_messages(recorded):
    folder, _ = recorded("mcap")
    assert list(Storage(folder).messages([])) == []
