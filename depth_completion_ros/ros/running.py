"""The life of a node's process."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import rclpy
from ament_index_python.packages import get_package_share_directory
from rclpy.exceptions import NotInitializedException
from rclpy.executors import ExternalShutdownException
from rclpy.impl.implementation_singleton import rclpy_implementation

_WITH_FAST_DDS_2 = ("humble", "iron", "jazzy")
# What calls of rclpy raise after an interrupt has ended its context: it does so at any time, also within them.
_CUT_OFF = (NotInitializedException, rclpy_implementation.InvalidHandle, rclpy_implementation.RCLError)


@contextmanager
def ros() -> Iterator[None]:
    """ROS communication for as long as a node's process works; an interrupt ends the work, not the clean-up.

    Raises:
        SystemExit: ROS refuses the command line, a parameter file or the environment; the message is one line.
    """
    try:
        rclpy.init()
    except RuntimeError as error:  # rclpy's own are
        kind = "" if isinstance(error, rclpy_implementation.RCLError) else f"{type(error).__name__}: "
        raise SystemExit(f"{Path(sys.argv[0]).stem}: {kind}{' '.join(str(error).split())}") from None
    try:
        with interruptible():
            yield
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        # launch interrupts every process that is still there, also one that is about to end by itself.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        rclpy.try_shutdown()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # rclpy has put the handler back that it found


@contextmanager
def interruptible() -> Iterator[None]:
    """Raises what an interrupt means, wherever in a call of rclpy it came.

    Raises:
        ExternalShutdownException: a call failed because its context has ended.
    """
    try:
        yield
    except _CUT_OFF as error:
        if rclpy.ok():
            raise
        raise ExternalShutdownException from error


def fast_dds_profiles() -> dict[str, str]:
    """The environment that gives Fast DDS room for large images; nothing where the user has a file of his own.

    Its default shared-memory segment is smaller than one image: under load fragments are lost, and repaired seconds
    later. Other middlewares ignore the variable.
    """
    before, now = "FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"
    if before in os.environ or now in os.environ:
        return {}
    # Fast DDS 2 knows but the former name, Fast DDS 3 warns of it.
    name = before if os.environ.get("ROS_DISTRO") in _WITH_FAST_DDS_2 else now
    share = get_package_share_directory("depth_completion_ros")
    return {name: f"{share}/config/fastdds_large_images.xml"}
