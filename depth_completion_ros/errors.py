"""Errors in the words of whoever made them."""

from __future__ import annotations


def describe(error: Exception) -> str:
    """The message of an error; the operating system's own start with a number that helps nobody."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error)
