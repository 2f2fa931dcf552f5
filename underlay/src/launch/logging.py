"""What launching reports: lines on the screen and in a log file."""

from __future__ import annotations

import datetime
import functools
import logging
import os
import socket
import sys
from pathlib import Path
from typing import Any, TextIO

__all__ = ["get_logger", "log_dir", "write_process_output"]


def get_logger(name: str = "launch") -> logging.Logger:
    """A logger for what launching has to say, to the screen (stdout) and to the log file."""
    logger = logging.getLogger(name)
    logger.propagate = False
    logger.handlers = [_screen(), _log_file()]
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)
    return logger


def write_process_output(line: str, *, screen: bool, log: bool) -> None:
    """Write a line of a process as it is."""
    record = logging.makeLogRecord({"msg": line, "verbatim": True})
    if screen:
        _screen().handle(record)
    if log:
        _log_file().handle(record)


@functools.cache
def log_dir() -> Path:
    """The folder of this launch's log file, which is made now.

    It lies in $ROS_LOG_DIR, else in $ROS_HOME/log, else in ~/.ros/log.
    """
    base = os.environ.get("ROS_LOG_DIR") or Path(os.environ.get("ROS_HOME") or "~/.ros", "log")
    name = f"{datetime.datetime.now():%Y-%m-%d-%H-%M-%S-%f}-{socket.gethostname()}-{os.getpid()}"
    path = Path(base, name).expanduser()
    path.mkdir(parents=True)
    return path


@functools.cache
def _screen() -> logging.Handler:
    handler = _ScreenHandler()
    handler.setFormatter(_Formatter("[{levelname}] [{name}]: {message}", "{message}"))
    return handler


@functools.cache
def _log_file() -> logging.Handler:
    handler = logging.FileHandler(log_dir() / "launch.log", encoding="utf-8")
    handler.setFormatter(
        _Formatter("{created:.7f} [{levelname}] [{name}]: {message}", "{created:.7f} {message}")
    )
    return handler


class _Formatter(logging.Formatter):
    """One format for our own words, another for those of processes."""

    def __init__(self, ours: str, verbatim: str) -> None:
        super().__init__(ours, style="{")
        self._verbatim = logging.Formatter(verbatim, style="{")

    def format(self, record: logging.LogRecord) -> str:
        """The line to write."""
        return self._verbatim.format(record) if hasattr(record, "verbatim") else super().format(record)


class _ScreenHandler(logging.StreamHandler):
    """Writes to what is stdout at the time of writing, which tests replace."""

    @property
    def stream(self) -> TextIO:
        return sys.stdout

    @stream.setter
    def stream(self, _: Any) -> None:
        pass
