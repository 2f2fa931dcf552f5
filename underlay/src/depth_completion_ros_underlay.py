"""What the packages of the underlay share: where they belong, and where they do not."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# Each of these leaves this marker in the prefix it is installed to; the underlay leaves none.
_MARKERS = Path("share", "ament_index", "resource_index", "packages")
_REAL_PACKAGES = ("launch", "launch_ros", "message_filters", "ros2cli", "sensor_msgs_py")


def refuse_beside_ros(package: str) -> None:
    """Step aside where a ROS 2 installation is in use, which brings the real packages.

    Args:
        package: the name of the package that is being imported, for the message.

    Raises:
        ImportError: AMENT_PREFIX_PATH leads to one of the real packages.
    """
    for prefix in filter(None, os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)):
        real = [name for name in _REAL_PACKAGES if Path(prefix, _MARKERS, name).exists()]
        if real:
            raise ImportError(
                f"the pip stand-in for {package} is not for use beside ROS 2, but {prefix} (in AMENT_PREFIX_PATH) "
                f"has the real {', '.join(real)}: use ROS 2's own Python there, or start a shell in which no "
                "setup.bash was sourced"
            )


def use_pip_environment() -> None:
    """Let ament find what pip installed: the packages of this environment, unless AMENT_PREFIX_PATH names others."""
    if not os.environ.get("AMENT_PREFIX_PATH"):
        os.environ["AMENT_PREFIX_PATH"] = sys.prefix
