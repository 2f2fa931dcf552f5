"""The life of a node's process."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import rclpy
from rclpy.executors import ExternalShutdownException


@contextmanager
def ros() -> Iterator[None]:
    """ROS communication for as long as a node's process works; an interrupt ends the work, not the clean-up."""
    rclpy.init()
    try:
        yield
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        # launch interrupts every process that is still there, also one that is about to end by itself.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        rclpy.try_shutdown()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # rclpy has put the handler back that it found
