"""Frames from a bag."""

from __future__ import annotations

import copy
import logging
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from depth_completion_ros.datasets.bag.calibration import Calibration
from depth_completion_ros.datasets.bag.matching import StampMatcher
from depth_completion_ros.datasets.bag.storage import Recorded, Storage
from depth_completion_ros.datasets.bag.topics import IMAGE, BagTopics, choose_topics
from depth_completion_ros.datasets.base import DamagedFrame, FrameSource
from depth_completion_ros.frame import Frame
from depth_completion_ros.message_arrays import (
    cloud_points,
    compressed_depth_array,
    compressed_image_array,
    depth_array,
    image_array,
)

_logger = logging.getLogger(__name__)

_SENSORS: Final = ("points", "depth")


class BagSource(FrameSource):
    """Frames from a rosbag2 (mcap or sqlite3) or a ROS 1 bag: each image with the nearest scan or depth image.

    Images that have none within the slop are left out, and a warning says how many. The extrinsic comes from the
    transforms in the bag; when those are not all static, the latest recorded before the frame counts.

    Args:
        path: a rosbag2 folder, or a .mcap, .db3 or .bag file.
        image, camera_info, points, depth, depth_camera_info, ground_truth: topics, see :class:`BagTopics`. What is
            not given is found as :func:`choose_topics` says.
        slop: largest difference between the stamps of an image and its scan, seconds.
        rectified: whether the images are rectified, so that P of camera_info counts and not K and D; None decides as
            :func:`is_rectified` says, which always does for a depth camera in another place.
        extrinsic: (4, 4) rigid transform, depth sensor -> camera, or its 16 numbers by rows as a text with blanks
            between; None takes it from the bag.

    Raises:
        FileNotFoundError: there is no such bag.
        ValueError: the bag is damaged beyond reading, or lacks a topic, a calibration or a transform that it takes.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        image: str = "",
        camera_info: str = "",
        points: str = "",
        depth: str = "",
        depth_camera_info: str = "",
        ground_truth: str = "",
        slop: float = 0.05,
        rectified: bool | None = None,
        extrinsic: ArrayLike | str | None = None,
    ) -> None:
        path = Path(os.path.abspath(path))
        self.name = path.stem
        self._storage = Storage(path)
        given = BagTopics(image, camera_info, points, depth, depth_camera_info, ground_truth)
        self.topics = choose_topics(self._storage, given)
        self._slop = slop
        matrix = _matrix(extrinsic) if isinstance(extrinsic, str) else extrinsic
        self._calibration = Calibration(self._storage, self.topics, rectified, matrix)
        # The topics whose messages are matched by stamp -> what they are in a frame.
        self._roles = {
            topic: role
            for role, topic in vars(self.topics).items()
            if topic and role in ("image", *_SENSORS, "ground_truth")
        }

    def __len__(self) -> int:
        counts = (self._storage.topics[topic].count for topic, role in self._roles.items() if role != "ground_truth")
        return min(counts)

    def read(self) -> Iterator[Frame | DamagedFrame]:
        """Yields every frame in order; what cannot be read as a :class:`DamagedFrame`."""
        calibration = copy.deepcopy(self._calibration)
        unpaired = damages = 0
        met: Counter[int] = Counter()  # stamps come again where a recording was played twice
        for item in self._matches(calibration):
            if isinstance(item, ValueError):
                damages += 1
                yield DamagedFrame(f"{self.name} damage {damages}", item)
            elif not item.keys() & set(_SENSORS):
                unpaired += 1
            else:
                stamp = _stamp(item["image"])
                met[stamp] += 1
                name = str(stamp) if met[stamp] == 1 else f"{stamp}_{met[stamp]}"
                yield self._frame(item, calibration, stamp, name)
        if unpaired:
            sensor = self.topics.points or self.topics.depth
            _logger.warning(
                "%s: %d image(s) left out, no message of %s is within %g s", self.name, unpaired, sensor, self._slop
            )

    def _matches(self, calibration: Calibration) -> Iterator[dict[str, Recorded] | ValueError]:
        """What belongs to one instant, by role, while ``calibration`` is kept up to date; errors in between."""
        matcher = StampMatcher("image", [r for r in self._roles.values() if r != "image"], round(self._slop * 1e9))
        for item in self._storage.messages([*self._roles, *calibration.topics]):
            if isinstance(item, ValueError):
                yield item
            elif item.topic in self._roles:
                yield from matcher.add(self._roles[item.topic], _stamp(item), item)
            else:
                try:
                    calibration.update(item)
                except ValueError as error:
                    yield error
        yield from matcher.finish()

    def _frame(
        self, match: dict[str, Recorded], calibration: Calibration, stamp: int, name: str
    ) -> Frame | DamagedFrame:
        try:
            points, rings = cloud_points(match["points"].message) if "points" in match else (None, None)
            return Frame(
                stamp=stamp,
                camera=calibration.camera,
                image=self._picture(match["image"]),
                points=points,
                rings=rings,
                extrinsic=calibration.extrinsic,
                depth=self._depth(match["depth"]) if "depth" in match else None,
                depth_camera=calibration.depth_camera,
                ground_truth=self._depth(match["ground_truth"]) if "ground_truth" in match else None,
                name=name,
            )
        except ValueError as error:
            return DamagedFrame(name, ValueError(f"{self._storage.path}: frame {name}: {error}"))

    def _picture(self, item: Recorded) -> NDArray[np.uint8]:
        decode = image_array if self._storage.topics[item.topic].type == IMAGE else compressed_image_array
        return decode(item.message)

    def _depth(self, item: Recorded) -> NDArray[np.float32]:
        decode = depth_array if self._storage.topics[item.topic].type == IMAGE else compressed_depth_array
        return decode(item.message)


def _matrix(text: str) -> NDArray[np.float64]:
    numbers = text.split()
    try:
        return np.array(numbers, np.float64).reshape(4, 4)
    except ValueError as error:
        raise ValueError(f"extrinsic {text!r} is not 16 numbers with blanks between") from error


def _stamp(item: Recorded) -> int:
    stamp = item.message.header.stamp
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)
