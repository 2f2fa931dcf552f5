"""Bags: rosbag2 (mcap, sqlite3) to read and write, ROS 1 to read, through ``rosbags`` and without ROS."""

try:
    import rosbags  # noqa: F401
except ImportError as error:
    raise ImportError("bags are read and written with the package rosbags: pip install rosbags") from error

from depth_completion_ros.datasets.bag.source import BagSource
from depth_completion_ros.datasets.bag.topics import BagTopics
from depth_completion_ros.datasets.bag.writer import write_bag

__all__ = ["BagSource", "BagTopics", "write_bag"]
