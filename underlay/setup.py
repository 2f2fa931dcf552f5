"""Builds the distribution described in pyproject.toml, but not where ROS 2 is installed."""

import sys
from pathlib import Path

from setuptools import setup

sys.path.insert(0, str(Path(__file__).parent / "src"))
from depth_completion_ros_underlay import refuse_beside_ros

try:
    refuse_beside_ros("packages of ROS 2")
except ImportError as error:
    raise SystemExit(str(error)) from None
setup()
