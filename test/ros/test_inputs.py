"""Inputs on a node that is none: messages go straight to the callbacks of the subscriptions."""

from types import SimpleNamespace

import numpy as np
import pytest

from depth_completion_ros.geometry.camera import Camera
from depth_completion_ros.ros.inputs import Inputs
from depth_completion_ros.ros.messages import camera_info_message, cloud_message, header, image_message, nanoseconds
from depth_completion_ros.ros.settings import CompletionSettings

CAMERA = Camera(8, 6, 5.0, 5.0, 3.5, 2.5)
IMAGE = np.zeros((6, 8, 3), np.uint8)
POINTS = np.ones((3, 3), np.float32)
EXTRINSIC = tuple(np.eye(4).ravel())


class Robot:
    """A camera, and a LiDAR whose stamps are ``late`` by some nanoseconds; what comes of them."""

    def __init__(self, late=0, **settings):
        self.late = late
        self.frames = []  # (stamp of the frame, that of the header, its frame_id, whether there is an image)
        self.callbacks = {}
        node = SimpleNamespace(
            resolve_topic_name=lambda topic: topic,
            create_subscription=lambda _, topic, callback, *__, **___: self.callbacks.setdefault(topic, callback),
            destroy_subscription=lambda _: None,
            get_logger=lambda: SimpleNamespace(warning=lambda _: None),
        )
        diagnostics = SimpleNamespace(fault=lambda *_: None, cleared=lambda *_: None)
        self.inputs = Inputs(
            node,
            CompletionSettings(extrinsic=EXTRINSIC, queue_size=100, **settings),
            diagnostics,
            self.take,
            image_optional=True,
        )
        self.callbacks["camera_info"](camera_info_message(CAMERA, header(0, "camera")))

    def take(self, messages):
        frame, made = self.inputs.frame(messages)
        self.frames.append((frame.stamp, nanoseconds(made.stamp), made.frame_id, frame.image is not None))

    def send(self, nanos, image=True):
        if image:
            self.callbacks["image"](image_message(IMAGE, header(nanos, "camera")))
        self.callbacks["points"](cloud_message(POINTS, header(nanos + self.late, "lidar")))


@pytest.mark.parametrize("offset", [-3.0, 0.0, 0.25])
def test_stamps_go_on_while_the_camera_is_silent_whatever_the_offset_of_the_sensor(offset):
    robot = Robot(late=round(-offset * 1e9), depth_offset=offset)
    stamps = [100_000_000_000 + i * 100_000_000 for i in range(90)]
    for i, stamp in enumerate(stamps):
        robot.send(stamp, image=not 30 <= i < 60)
    assert {frame_id for *_, frame_id, _ in robot.frames} == {"camera"}
    assert all(stamp == made for stamp, made, *_ in robot.frames)
    seeing = [stamp for stamp, *_, image in robot.frames if image]
    blind = [stamp for stamp, *_, image in robot.frames if not image]
    # It takes half a second to tell, and one more frame where the image comes back.
    assert seeing[:30] == stamps[:30] and set(stamps[61:]) <= set(seeing)
    assert 20 < len(blind) < 30 and set(blind) <= set(stamps[30:61])
    assert robot.frames == sorted(robot.frames)


def test_without_a_camera_the_stamps_are_the_sensors_own():
    robot = Robot(use_image=False, depth_offset=0.25)
    robot.send(5_000_000_000, image=False)
    assert robot.frames == [(5_000_000_000, 5_000_000_000, "camera", False)]
