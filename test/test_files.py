"""What is written is whole, and what cannot be written is told by name, before the work if possible."""

import os
import resource
from contextlib import contextmanager

import pytest

from depth_completion_ros.files import writable_folder, write_atomically


@contextmanager
def full_disk():
    """No file may grow beyond 10 bytes; that of this test's output neither."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_file_is_replaced_whole(tmp_path):
    for content in (b"first", b"second"):
        write_atomically(tmp_path / "file", content)
        assert (tmp_path / "file").read_bytes() == content
    assert os.listdir(tmp_path) == ["file"]


def test_on_a_full_disk_the_old_file_stays_and_the_error_names_it(tmp_path):
    write_atomically(tmp_path / "file", b"first")
    with pytest.raises(OSError) as raised, full_disk():
        write_atomically(tmp_path / "file", b"longer than that")
    assert raised.value.filename == str(tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"first"
    assert os.listdir(tmp_path) == ["file"]


def test_a_folder_is_made_and_left_empty(tmp_path):
    assert writable_folder(tmp_path / "a" / "b") == tmp_path / "a" / "b"
    assert not os.listdir(tmp_path / "a" / "b")


def test_a_folder_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below", "/proc"):
        with pytest.raises(OSError) as raised:
            writable_folder(path)
        assert str(raised.value.filename).startswith(str(path)[:5])
