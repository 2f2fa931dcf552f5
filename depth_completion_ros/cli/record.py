"""``depth-completion record``: any source of frames as a bag."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from depth_completion_ros.datasets import FrameSource
    from depth_completion_ros.frame import Frame


def add_parser(subparsers: Any) -> None:
    """Adds the command to ``depth-completion``."""
    parser = subparsers.add_parser(
        "record",
        help="write a recording as a rosbag2",
        description="Writes the frames of a KITTI folder, a bag or the synthetic street as a rosbag2 with the topic "
        "names of KITTI bags: images, camera_info, point clouds with rings, /tf_static, and ground truth where there "
        "is some.",
    )
    parser.add_argument("source", metavar="SOURCE", help="a KITTI folder, a bag, or the word 'synthetic'")
    parser.add_argument("output", metavar="BAG", help="the folder to make")
    parser.add_argument("--storage", choices=("mcap", "sqlite3"), default="mcap", help="default: %(default)s")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Writes the bag; the status is 1 if a frame could not be read and is missing in it."""
    from depth_completion_ros.datasets import open_source
    from depth_completion_ros.datasets.bag import write_bag

    source = open_source(options.source)
    damaged: list[str] = []
    count = write_bag(options.output, _intact_frames(source, damaged), options.storage)
    lost = f", without {len(damaged)} that could not be read" if damaged else ""
    print(f"{count} frames of {source.name} written to {options.output}{lost}")
    return 1 if damaged else 0


def _intact_frames(source: FrameSource, damaged: list[str]) -> Iterator[Frame]:
    """The frames that can be read; the names of the others go to ``damaged``, and their errors to the terminal."""
    from tqdm import tqdm

    from depth_completion_ros.datasets import DamagedFrame

    for item in tqdm(source.read(), total=len(source), unit="frame", disable=None):
        if isinstance(item, DamagedFrame):
            damaged.append(item.name)
            tqdm.write(str(item.error), file=sys.stderr)
        else:
            yield item
