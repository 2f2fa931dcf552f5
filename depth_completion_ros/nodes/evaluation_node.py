"""The node that scores: pairs dense depth with ground truth by stamp and computes the KITTI errors."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import UInt32

from depth_completion_ros.errors import describe
from depth_completion_ros.evaluation.metrics import depth_errors
from depth_completion_ros.evaluation.preview import draw_preview
from depth_completion_ros.evaluation.report import Report
from depth_completion_ros.files import writable_folder
from depth_completion_ros.frame import Completion
from depth_completion_ros.memory import reuse_freed_memory
from depth_completion_ros.message_arrays import depth_array, image_array
from depth_completion_ros.ros.lockstep import COMPLETION, EVALUATION, LATCHED, Introduction
from depth_completion_ros.ros.messages import nanoseconds
from depth_completion_ros.ros.parameters import declare, setting
from depth_completion_ros.ros.running import interruptible, ros

# Scoring a frame takes longer than completing it at times; nothing that has arrived may be lost.
_ALL = QoSProfile(depth=200)
_OVERTAKEN = 5_000_000_000  # nanoseconds: what is older than a completion by so much comes no more


@dataclass(frozen=True)
class EvaluationSettings:
    """See the descriptions."""

    output: str = setting("output/evaluation", "folder for metrics.json, metrics.csv and previews")
    run: str = setting("{}", "JSON object that goes into metrics.json: what is evaluated")
    previews: int = setting(50, "how many frames to draw a preview picture of", minimum=0, maximum=100000)
    patience: float = setting(
        10.0, "seconds to wait, once the replay has finished, for completions still on their way", minimum=0.0
    )


class EvaluationNode(Node):
    """Scores every frame of a replay; what never came back is counted and reported.

    Hears ``image``, ``camera_info`` (one per frame that was sent), ``ground_truth`` and ``finished`` from the replay,
    and dense depth, confidence and sparse depth from the completion node.

    Raises:
        ValueError: a parameter is out of range.
        OSError: the folder ``output`` cannot be written to.
    """

    def __init__(self) -> None:
        super().__init__(EVALUATION)
        self.settings = declare(self, EvaluationSettings)
        writable_folder(self.settings.output)
        try:
            run = json.loads(self.settings.run)
        except json.JSONDecodeError as error:
            raise ValueError(f"parameter run is no JSON: {error}") from error
        self._report = Report(self.settings.output, run)
        self._records: dict[int, dict[str, Any]] = {}
        self._done: set[int] = set()
        self._can_draw = True
        self._total: int | None = None
        self._collect(Image, f"{COMPLETION}/depth/image", "depth")
        self._collect(Image, f"{COMPLETION}/confidence/image", "confidence")
        self._collect(Image, f"{COMPLETION}/sparse_depth/image", "sparse_depth")
        self._collect(Image, "image", "image")
        self._collect(CameraInfo, "camera_info", "camera_info")
        self.create_subscription(UInt32, "finished", self._finish, LATCHED)

    def listen(self) -> None:
        """Scores frames until the replay has finished and every one is back, or is not coming any more."""
        self._wait_for(Introduction(self).made)
        # The replay starts when we listen to the ground truth, the last of our subscriptions.
        self._collect(Image, "ground_truth", "ground_truth")
        self._wait_for(lambda: self._total is not None)
        self._wait_for(lambda: len(self._done) == self._total, self.settings.patience)

    @property
    def has_heard(self) -> bool:
        """Whether anything of a replay has come."""
        return bool(self._records or self._done or self._total is not None)

    def write(self) -> int:
        """Scores what is left, writes the report and says where; returns how many frames were lost.

        Raises:
            OSError: the report cannot be written; what is in it was printed.
        """
        for stamp in sorted(self._records):
            self._score(stamp)
        for stamp in sorted(self._records):
            self._report.add_lost(_name(stamp))
        for number in range((self._total or 0) - len(self._done) - len(self._records)):
            self._report.add_lost(f"unreadable {number + 1}")
        print(f"\n{self._report.table()}", flush=True)
        path = self._report.write()
        print(f"\nmetrics: {path}", flush=True)
        if self._report.frames and self.settings.previews:
            print(f"previews: {path.parent / 'previews'}", flush=True)
        return len(self._report.lost)

    def _collect(self, message_type: type, topic: str, part: str) -> None:
        self.create_subscription(message_type, topic, lambda message: self._take(part, message), _ALL)

    def _take(self, part: str, message: Any) -> None:
        stamp = nanoseconds(message.header.stamp)
        if stamp in self._done:
            return
        record = self._records.setdefault(stamp, {})
        record[part] = message
        if record.keys() >= {"depth", "confidence", "sparse_depth", "camera_info", "ground_truth"}:
            self._score(stamp)

    def _score(self, stamp: int) -> None:
        """Scores a frame that was completed, and forgets its messages."""
        record = self._records[stamp]
        if "depth" not in record:
            return
        depths = ("depth", "ground_truth", "sparse_depth")
        arrays = {part: depth_array(record[part]) for part in depths if part in record}
        depth, truth = arrays["depth"], arrays.get("ground_truth")
        errors, unknown = None, None
        try:
            errors = depth_errors(depth, truth) if truth is not None and truth.any() else None
        except ValueError as error:  # nothing in it is known, so there is nothing to score
            unknown = error
        self._done.add(stamp)
        del self._records[stamp]
        for other, overtaken in self._records.items():
            if other < stamp - _OVERTAKEN and "depth" not in overtaken:
                overtaken.clear()  # only its stamp counts, as lost; of a long drive the messages are gigabytes
        if unknown is not None:
            self.get_logger().error(f"frame {_name(stamp)} counts as lost: {unknown}")
            self._report.add_lost(_name(stamp))
            return
        self._report.add(_name(stamp), errors)
        score = "no ground truth" if errors is None else f"RMSE {errors.rmse_mm:.0f} mm, MAE {errors.mae_mm:.0f} mm"
        self.get_logger().info(f"frame {len(self._done)}: {score}")
        if len(self._done) <= self.settings.previews and self._can_draw:
            nothing = np.zeros_like(depth)
            confidence = depth_array(record["confidence"]) if "confidence" in record else nothing
            completion = Completion(depth, confidence, arrays.get("sparse_depth", nothing))
            image = image_array(record["image"]) if "image" in record else None
            try:
                self._report.add_preview(_name(stamp), draw_preview(completion, image, truth, errors))
            except OSError as error:
                self._can_draw = False
                self.get_logger().error(f"no more previews: {describe(error)}")

    def _finish(self, message: UInt32) -> None:
        self._total = message.data

    def _wait_for(self, condition: Callable[[], bool], seconds: float | None = None) -> None:
        """Handles messages until ``condition`` holds, at most for ``seconds`` of real time."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while not condition() and (deadline is None or time.monotonic() < deadline):
            rclpy.spin_once(self, timeout_sec=0.1)


def _name(stamp: int) -> str:
    return f"{stamp // 1_000_000_000}.{stamp % 1_000_000_000:09}"


def main() -> int:
    """Evaluates one replay; 1 if a frame was lost. Interrupted, it still writes what it has."""
    reuse_freed_memory()
    with ros():
        try:
            node = EvaluationNode()
        except (ValueError, OSError) as error:
            print(f"evaluation_node: {describe(error)}", file=sys.stderr)
            return 1
        interrupted = False
        try:
            with interruptible():
                node.listen()
        except (KeyboardInterrupt, ExternalShutdownException):
            interrupted = True
        if interrupted and not node.has_heard:  # another node could not start: results of an earlier run stay
            return 0
        # What is left takes seconds, and all that was evaluated would be lost.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            lost = node.write()
        except OSError as error:
            print(f"evaluation_node: {describe(error)}", file=sys.stderr)
            return 1
    return 1 if lost and not interrupted else 0


if __name__ == "__main__":
    sys.exit(main())
