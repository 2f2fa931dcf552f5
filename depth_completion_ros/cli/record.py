"""``depth-completion record``: any source of frames as a bag."""

from __future__ import annotations

import argparse
from typing import Any

from depth_completion_ros.cli._data import SOURCE_HELP, intact_frames, open_frames


def add_parser(subparsers: Any) -> None:
    """Adds the command to ``depth-completion``."""
    parser = subparsers.add_parser(
        "record",
        help="write a recording as a rosbag2",
        description="Writes the frames of a KITTI folder, a bag or the synthetic street as a rosbag2 with the topic "
        "names of KITTI bags: images, camera_info, point clouds with rings, /tf_static, and ground truth where there "
        "is some.",
    )
    parser.add_argument("source", metavar="SOURCE", help=SOURCE_HELP)
    parser.add_argument("output", metavar="BAG", help="the folder to make")
    parser.add_argument("--storage", choices=("mcap", "sqlite3"), default="mcap", help="default: %(default)s")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Writes the bag; the status is 1 if a frame could not be read and is missing in it."""
    from depth_completion_ros.datasets.bag import write_bag

    source = open_frames(options.source)
    damaged: list[str] = []
    count = write_bag(options.output, intact_frames(source.read(), len(source), damaged), options.storage)
    lost = f", without {len(damaged)} that could not be read" if damaged else ""
    print(f"{count} frames of {source.name} written to {options.output}{lost}")
    return 1 if damaged else 0
