"""The node that plays a recording: any data source as sensor topics, in real time or in lockstep."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import rclpy
from builtin_interfaces.msg import Time
from numpy.typing import NDArray
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.publisher import Publisher
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import UInt32

from depth_completion_ros.datasets import DamagedFrame, open_source, source_and_options
from depth_completion_ros.errors import describe
from depth_completion_ros.evaluation.holdout import hold_out_each
from depth_completion_ros.frame import Frame
from depth_completion_ros.geometry.rotation import is_same_pose
from depth_completion_ros.memory import reuse_freed_memory
from depth_completion_ros.ros.lockstep import COMPLETION, EVALUATION, LATCHED, Introduction, reaches
from depth_completion_ros.ros.messages import (
    camera_info_message,
    cloud_message,
    header,
    image_message,
    nanoseconds,
    transform_message,
    unknown_as_nan,
)
from depth_completion_ros.ros.parameters import declare, setting
from depth_completion_ros.ros.running import ros

_DELIVERY = 10.0  # seconds
# From ROS 2 Lyrical on, images and clouds go by a second writer of each publisher, which nobody can ask what it knows:
# it finds its listeners right after the first one does, and delivers by itself. How long that takes is a guess.
_SECOND_WRITER = 0.3  # seconds
_CLOCK_PERIOD = 0.01  # seconds of real time between two /clock messages


@dataclass(frozen=True)
class ReplaySettings:
    """See the descriptions."""

    source: str = setting(
        "synthetic",
        "a KITTI raw or depth completion folder, colour and depth pictures, a bag, or the word synthetic; options "
        "follow: PATH,raw_root=DIR,camera=3",
    )
    lines: int = setting(
        0, "LiDAR lines to publish, the others become ground truth; 0: publish all", minimum=0, maximum=1024
    )
    rate: float = setting(
        0.0,
        "speed as a factor of real time; 0: lockstep, the next frame leaves when the last one is completed",
        minimum=0.0,
        maximum=100.0,
    )
    camera_frame: str = setting("camera_color_left", "frame_id of the images")
    sensor_frame: str = setting("velo_link", "frame_id of the depth sensor")
    wait_for_evaluation: bool = setting(False, "start only when the evaluation node is ready")
    start_timeout: float = setting(60.0, "seconds to wait for listeners before the first frame", minimum=0.0)
    frame_timeout: float = setting(
        30.0, "lockstep: seconds to wait for a completion before its frame counts as lost", minimum=0.0
    )


class ReplayNode(Node):
    """Publishes ``image``, ``camera_info``, ``points`` or ``depth``, ``ground_truth``, ``/clock`` and the transform.

    At the end the latched topic ``finished`` says how many frames the source had, damaged ones included.

    Raises:
        ValueError, OSError: a parameter is out of range, or the source cannot be read.
    """

    def __init__(self) -> None:
        super().__init__("replay")
        self.settings = declare(self, ReplaySettings)
        path, options = source_and_options(self.settings.source)
        self._source = open_source(path, **options)
        pace = f"{self.settings.rate:g} times real time" if self.settings.rate else "lockstep"
        self.get_logger().info(f"playing {self._source.name} ({len(self._source)} frames) in {pace}")
        self._clock_publisher = self.create_publisher(Clock, "/clock", 10)
        self._image = self.create_publisher(Image, "image", 10)
        self._camera_info = self.create_publisher(CameraInfo, "camera_info", 10)
        self._points = self.create_publisher(PointCloud2, "points", 10)
        self._depth = self.create_publisher(Image, "depth", 10)
        self._depth_info = self.create_publisher(CameraInfo, "depth/camera_info", 10)
        self._ground_truth = self.create_publisher(Image, "ground_truth", 10)
        self._finished = self.create_publisher(UInt32, "finished", LATCHED)
        self._completed = 0
        self._completions = self.create_subscription(
            Image, f"{COMPLETION}/depth/image", self._take_completion, 10
        )
        self._transform: Publisher | None = None
        self._extrinsic: NDArray[np.float64] | None = None

    def run(self) -> int:
        """Plays the source once.

        Returns:
            How many frames were damaged or, in lockstep, not completed in time.

        Raises:
            TimeoutError: nobody listens.
            ValueError: no frame can be played, or the sensor is elsewhere in one frame than in those before, which no
                completion node expects.
        """
        lost = total = 0
        pace: _Pace | None = None
        for item in self._frames():
            total += 1
            if isinstance(item, DamagedFrame):
                self.get_logger().error(f"frame {item.name} cannot be played: {item.error}")
                lost += 1
                continue
            if pace is None or self._extrinsic is None:
                self._wait_for_listeners(item)
                pace, self._extrinsic = _Pace(self.settings.rate), item.extrinsic
            elif not is_same_pose(item.extrinsic, self._extrinsic):
                raise ValueError(
                    f"frame {item.name} has another extrinsic than those before it, which cannot be replayed; "
                    "`depth-completion complete` and `evaluate` take such frames"
                )
            if self.settings.rate > 0:
                self._wait_until(item.stamp, pace)
            self._publish(item)
            if self.settings.rate == 0 and not self._wait_for_completion(item.stamp):
                self.get_logger().error(
                    f"frame {item.name}: no completion within {self.settings.frame_timeout:g} s, going on without"
                )
                lost += 1
        if pace is None:  # so nobody was waited for, who could hear that this is the end
            raise ValueError(f"no frame of {self.settings.source} can be played")
        self._finished.publish(UInt32(data=total))
        self._wait_for_delivery()
        return lost

    def _frames(self) -> Iterator[Frame | DamagedFrame]:
        items = self._source.read()
        return hold_out_each(items, self.settings.lines) if self.settings.lines else items

    def _wait_for_listeners(self, frame: Frame) -> None:
        """Waits until all will get the first frame, and what becomes of it."""
        wanted = {self._camera_info: COMPLETION, self._points if frame.points is not None else self._depth: COMPLETION}
        if self.settings.wait_for_evaluation:
            wanted[self._ground_truth] = EVALUATION
        introduction = Introduction(self) if self.settings.rate == 0 else None

        def missing() -> str:
            for publisher, listener in wanted.items():
                if not reaches(publisher, self, listener):
                    return f"no node {listener} listens to {publisher.topic_name}"
            return "" if introduction is None or introduction.made() else f"the node {COMPLETION} does not answer"

        deadline = time.monotonic() + self.settings.start_timeout
        while reason := missing():
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"{reason} after {self.settings.start_timeout:g} s; is it running, in the same namespace?"
                )
            rclpy.spin_once(self, timeout_sec=0.05)
        time.sleep(_SECOND_WRITER)

    def _wait_for_delivery(self) -> None:
        """Waits until all has arrived: what has not when this process ends would be lost."""
        deadline = time.monotonic() + _DELIVERY
        for publisher in self.publishers:
            # In short steps: a wait does not notice that the listener it waits for has gone, a new one does.
            while rclpy.ok() and time.monotonic() < deadline:
                if publisher.wait_for_all_acked(Duration(seconds=0.1)):
                    break
        if rclpy.ok():
            time.sleep(_SECOND_WRITER)

    def _publish(self, frame: Frame) -> None:
        settings = self.settings
        self._clock_publisher.publish(Clock(clock=_time(frame.stamp)))
        camera_header = header(frame.stamp, settings.camera_frame)
        sensor_header = header(frame.stamp, settings.sensor_frame)
        self._publish_transform(frame)
        self._ground_truth.publish(image_message(_ground_truth(frame), camera_header))
        self._camera_info.publish(camera_info_message(frame.camera, camera_header))
        if frame.image is not None:
            self._image.publish(image_message(frame.image, camera_header))
        if frame.points is not None:
            self._points.publish(cloud_message(frame.points, sensor_header, rings=frame.rings))
        elif frame.depth is not None:
            own = frame.depth_camera is not None
            if frame.depth_camera is not None:
                self._depth_info.publish(camera_info_message(frame.depth_camera, sensor_header))
            self._depth.publish(image_message(frame.depth, sensor_header if own else camera_header))

    def _publish_transform(self, frame: Frame) -> None:
        """Latches the sensor's place on /tf_static, for RViz and tf2, where tf2 is installed."""
        if self._transform is not None:
            return
        try:
            messages = importlib.import_module("tf2_msgs.msg")
        except ImportError:
            return
        self._transform = self.create_publisher(messages.TFMessage, "/tf_static", LATCHED)
        camera_in_sensor = np.linalg.inv(frame.extrinsic)
        parent, child = header(frame.stamp, self.settings.sensor_frame), self.settings.camera_frame
        self._transform.publish(messages.TFMessage(transforms=[transform_message(camera_in_sensor, parent, child)]))

    def _wait_until(self, stamp: int, pace: _Pace) -> None:
        """Waits until a frame is due, and keeps /clock going meanwhile."""
        while (ahead := pace.seconds_until(stamp)) > 0:
            self._clock_publisher.publish(Clock(clock=_time(stamp - round(ahead * pace.rate * 1e9))))
            rclpy.spin_once(self, timeout_sec=0)
            time.sleep(min(ahead, _CLOCK_PERIOD))

    def _wait_for_completion(self, stamp: int) -> bool:
        deadline = time.monotonic() + self.settings.frame_timeout
        while self._completed != stamp:
            if time.monotonic() > deadline:
                return False
            rclpy.spin_once(self, timeout_sec=0.1)
        return True

    def _take_completion(self, message: Image) -> None:
        self._completed = nanoseconds(message.header.stamp)


class _Pace:
    """Maps stamps to real time; it starts with the first stamp it is asked for."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self._start: tuple[float, int] | None = None

    def seconds_until(self, stamp: int) -> float:
        now = time.monotonic()
        if self._start is None:
            self._start = now, stamp
        real, first = self._start
        return real + (stamp - first) * 1e-9 / self.rate - now


def _ground_truth(frame: Frame) -> NDArray[np.float32]:
    """(H, W) metres, NaN where unknown: everywhere for a frame without, so that each frame has its message."""
    if frame.ground_truth is None:
        return np.full((frame.camera.height, frame.camera.width), np.nan, np.float32)
    return unknown_as_nan(frame.ground_truth)


def _time(stamp: int) -> Time:
    return header(stamp, "").stamp


def main() -> int:
    """Plays the source: 1 if a frame was damaged or lost, 2 if it cannot play at all."""
    reuse_freed_memory()
    with ros():
        try:
            return 1 if ReplayNode().run() else 0
        except (ValueError, OSError, ImportError) as error:  # TimeoutError is an OSError
            print(f"replay_node: {describe(error)}", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
