"""Files that are there whole or not at all, and folders that can be written to before hours of work end in them."""

from __future__ import annotations

import os
import tempfile
import uuid
from contextlib import suppress
from pathlib import Path


def write_atomically(path: Path, content: bytes) -> None:
    """Writes a file that other processes find complete or not at all, whatever happens meanwhile.

    Raises:
        OSError: it cannot be written; the error names the file. What was there before stays.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        # A full disk has no name of its own.
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        with suppress(OSError):  # it is gone, or its folder is
            temporary.unlink()


def writable_folder(path: str | os.PathLike[str]) -> Path:
    """Makes a folder, if it is not there, and finds out whether it can be written to.

    Raises:
        OSError: it cannot; the error names the folder.
    """
    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(folder)) from error
    return folder
