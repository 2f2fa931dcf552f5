"""Real nodes in processes of their own, and a robot around one: what the node tests drive."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

from depth_completion_ros.geometry.camera import Camera
from depth_completion_ros.message_arrays import depth_array
from depth_completion_ros.ros.messages import camera_info_message, cloud_message, header, image_message, nanoseconds

ROOT = Path(__file__).parents[2]
CAMERA = Camera(width=80, height=60, fx=60.0, fy=60.0, cx=39.5, cy=29.5)
TIMEOUT = 30.0


class Process:
    """A node in a process; its output is read as it comes."""

    def __init__(self, module: str, *arguments: str, parameters: dict | None = None) -> None:
        overrides = [part for key, value in (parameters or {}).items() for part in ("-p", f"{key}:={value}")]
        command = [sys.executable, "-m", f"depth_completion_ros.nodes.{module}", *arguments]
        self.popen = subprocess.Popen(
            [*command, "--ros-args", *overrides],
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "RCUTILS_LOGGING_BUFFERED_STREAM": "0"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.popen.stdout:
            self.lines.append(line.rstrip())

    def log(self, since: int = 0) -> str:
        return "\n".join(self.lines[since:])

    def wait_for_line(self, text: str, since: int = 0, timeout: float = TIMEOUT) -> None:
        until(lambda: text in self.log(since), timeout, lambda: f"no {text!r} in:\n{self.log(since)}")

    def stop(self) -> int:
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGINT)
        try:
            return self.popen.wait(10)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            raise AssertionError(f"the node did not stop:\n{self.log()}") from None


class Robot:
    """A camera, a LiDAR and a listener around one completion node."""

    def __init__(self, parameters: dict | None = None, arguments: tuple[str, ...] = ()) -> None:
        extrinsic = "[" + ", ".join(map(str, np.eye(4).ravel().tolist())) + "]"
        defaults = {"model": "classical", "extrinsic": extrinsic}
        remaps = ("--ros-args", *arguments) if arguments else ()
        self.completion = Process("completion_node", *remaps, parameters=defaults | (parameters or {}))
        self.node = rclpy.create_node("robot")
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.node)
        self.image = self.node.create_publisher(Image, "image", 10)
        self.info = self.node.create_publisher(CameraInfo, "camera_info", 10)
        self.points = self.node.create_publisher(PointCloud2, "points", 10)
        self.outputs: dict[str, dict[int, object]] = {}
        self.diagnostics: list[DiagnosticStatus] = []
        self.listen(Image, "depth/image")
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._take_diagnostics, 10)
        self._stamp = 100.0

    def listen(self, message_type: type, topic: str) -> None:
        received = self.outputs.setdefault(topic, {})
        self.node.create_subscription(
            message_type,
            f"depth_completion/{topic}",
            lambda message: received.__setitem__(nanoseconds(message.header.stamp), message),
            10,
        )

    def wait_until_ready(self) -> None:
        self.spin_until(
            lambda: self.image.get_subscription_count()
            and self.points.get_subscription_count()
            and self.info.get_subscription_count()
            and self.node.count_publishers("depth_completion/depth/image"),
            "the completion node did not appear",
        )

    def next_stamp(self) -> float:
        self._stamp = round(self._stamp + 0.1, 3)
        return self._stamp

    def send(self, stamp: float | None = None, **changes) -> int:
        """Publishes one set of messages: changes may give other messages, or None to leave one out."""
        stamp = self.next_stamp() if stamp is None else stamp
        self._stamp = stamp
        nanos = round(stamp * 1e9)
        messages = {"info": good_info(nanos), "image": good_image(nanos), "points": good_points(nanos), **changes}
        for name, message in messages.items():
            if message is not None:
                getattr(self, name).publish(message)
        return nanos

    def depth(self, nanos: int) -> np.ndarray:
        """Waits for the depth image of a stamp."""
        received = self.outputs["depth/image"]
        self.spin_until(lambda: nanos in received, f"no depth for {nanos}")
        return depth_array(received[nanos])

    def completes(self) -> np.ndarray:
        """Sends good data until a frame comes back: the node has recovered."""
        for _ in range(50):
            nanos = self.send()
            end = time.monotonic() + 0.5
            while time.monotonic() < end:
                self.executor.spin_once(0.02)
                if nanos in self.outputs["depth/image"]:
                    return depth_array(self.outputs["depth/image"][nanos])
        raise AssertionError(f"the node completes no more:\n{self.completion.log()}")

    def spin(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.executor.spin_once(0.02)

    def spin_until(self, condition, what: str, timeout: float = TIMEOUT) -> None:
        end = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < end, f"{what}:\n{self.completion.log()}"
            self.executor.spin_once(0.05)

    def _take_diagnostics(self, message: DiagnosticArray) -> None:
        self.diagnostics.append(message.status[0])

    def close(self) -> int:
        """Ends the node by an interrupt, if it is still there; what it answers. A second time it only answers."""
        self.executor.shutdown()
        self.node.destroy_node()
        return self.completion.stop()


def good_image(nanos: int) -> Image:
    return image_message(np.full((CAMERA.height, CAMERA.width, 3), 120, np.uint8), header(nanos, "camera"))


def good_info(nanos: int) -> CameraInfo:
    return camera_info_message(CAMERA, header(nanos, "camera"))


def plane(distance: float = 10.0) -> np.ndarray:
    """Points on a wall in front of the camera, on every fifth pixel."""
    v, u = np.mgrid[0 : CAMERA.height : 5, 0 : CAMERA.width : 5]
    x, y = (u - CAMERA.cx) / CAMERA.fx * distance, (v - CAMERA.cy) / CAMERA.fy * distance
    return np.stack([x, y, np.full_like(x, distance)], -1).reshape(-1, 3).astype(np.float32)


def good_points(nanos: int, distance: float = 10.0) -> PointCloud2:
    return cloud_message(plane(distance), header(nanos, "lidar"))


def until(condition, timeout: float, what) -> None:
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, what()
        time.sleep(0.02)
