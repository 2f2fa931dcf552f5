"""The start of a replay: nothing leaves before everyone who has to hear it is known to hear it."""

import sys
import types

import numpy as np
import pytest
import rclpy
from robot import CAMERA, Process, plane
from sensor_msgs.msg import Image

from depth_completion_ros.datasets.bag import write_bag
from depth_completion_ros.frame import Frame
from depth_completion_ros.geometry.rotation import rotation_of
from depth_completion_ros.nodes.replay_node import ReplayNode, ReplaySettings
from depth_completion_ros.ros.lockstep import COMPLETION, Introduction, reaches


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    path = tmp_path_factory.mktemp("wall") / "bag"
    size = (CAMERA.height, CAMERA.width)
    frame = Frame(10**9, CAMERA, image=np.zeros((*size, 3), np.uint8), points=plane())
    write_bag(path, [frame])
    return path


def replay(bag, **parameters) -> Process:
    return Process("replay_node", parameters={"source": bag, "start_timeout": 2.0, **parameters})


def test_a_completion_node_that_never_comes_is_said_in_one_line(domain, bag):
    process = replay(bag)
    assert process.popen.wait(30) == 2
    process.wait_for_line(f"no node {COMPLETION} listens to /camera_info after 2 s")
    assert "Traceback" not in process.log()


def test_an_evaluation_that_never_comes_is_said_in_one_line(robot, bag):
    process = replay(bag, wait_for_evaluation="true", start_timeout=8.0)  # in which the completion node is found
    assert process.popen.wait(30) == 2
    process.wait_for_line("no node evaluation listens to /ground_truth after 8 s")


def test_somebody_else_who_listens_is_not_taken_for_the_completion_node(domain):
    node = rclpy.create_node("player")
    viewer = rclpy.create_node("viewer")
    try:
        publisher = node.create_publisher(Image, "image", 1)
        viewer.create_subscription(Image, "image", lambda message: None, 1)
        while not publisher.get_subscription_count():
            rclpy.spin_once(node, timeout_sec=0.05)
        assert reaches(publisher, node, "viewer")
        assert not reaches(publisher, node, COMPLETION)
    finally:
        node.destroy_node()
        viewer.destroy_node()


def test_a_node_that_is_introduced_gets_the_first_frame(make_robot):
    """The listener comes after the completion node, and its first set of messages is completed and comes back."""
    robot = make_robot()
    robot.wait_until_ready()
    robot.executor.spin_once(0.1)
    listener = rclpy.create_node("listener")
    heard = []
    try:
        listener.create_subscription(Image, f"{COMPLETION}/confidence/image", heard.append, 10)
        introduction = Introduction(listener)
        assert not introduction.made()  # nobody can have answered yet
        while not introduction.made():
            rclpy.spin_once(listener, timeout_sec=0.05)
        robot.send()
        for _ in range(100):
            rclpy.spin_once(listener, timeout_sec=0.05)
            if heard:
                break
        assert len(heard) == 1
    finally:
        listener.destroy_node()


def test_a_recording_of_which_no_frame_can_be_played_ends_with_an_error_at_once(domain, tmp_path):
    image = np.zeros((CAMERA.height, CAMERA.width, 3), np.uint8)
    write_bag(tmp_path / "bag", [Frame(10**9, CAMERA, image=image, points=plane(), rings=np.arange(len(plane())) % 2)])
    process = replay(tmp_path / "bag", lines=4, start_timeout=60.0)  # and nobody listens
    assert process.popen.wait(30) == 2
    process.wait_for_line(f"replay_node: no frame of {tmp_path / 'bag'} can be played")
    assert "Traceback" not in process.log()


def test_a_scan_with_fewer_lines_than_asked_for_is_left_out(robot, tmp_path):
    size = (CAMERA.height, CAMERA.width)
    frames = []
    for index, lines in enumerate((2, 8, 8)):
        rings = np.arange(len(plane())) % lines
        image = np.zeros((*size, 3), np.uint8)
        frames.append(Frame(10**9 * (index + 1), CAMERA, image=image, points=plane(), rings=rings))
    write_bag(tmp_path / "bag", frames)
    process = replay(tmp_path / "bag", start_timeout=20.0, rate=100.0, lines=4)
    assert process.popen.wait(40) == 1
    process.wait_for_line(f"frame {10**9} cannot be played: asked for 4 scan lines of a LiDAR with 2")
    assert process.log().count("cannot be played") == 1


def test_frames_of_sensors_in_other_places_are_refused(robot):
    process = replay("synthetic-streets", start_timeout=20.0, rate=100.0)
    assert process.popen.wait(60) == 2
    process.wait_for_line("frame 0000000001 has another extrinsic than those before it, which cannot be replayed")


def test_the_place_of_the_camera_is_latched_on_tf_static(monkeypatch):
    """tf2's messages are not among ROS 2's wheels: a stand-in takes their place."""
    module = types.ModuleType("tf2_msgs.msg")
    module.TFMessage = types.SimpleNamespace
    monkeypatch.setitem(sys.modules, "tf2_msgs.msg", module)
    topics, sent = [], []

    class Node:
        settings = ReplaySettings()
        _transform = None

        def create_publisher(self, _type, topic, _qos):
            topics.append(topic)
            return types.SimpleNamespace(publish=sent.append)

    extrinsic = np.array([[0, -1, 0, 0.1], [0, 0, -1, -0.2], [1, 0, 0, -0.3], [0, 0, 0, 1.0]])
    node = Node()
    for _ in range(2):
        ReplayNode._publish_transform(node, Frame(10**9, CAMERA, points=plane(), extrinsic=extrinsic))
    assert topics == ["/tf_static"]
    ((transform,),) = (message.transforms for message in sent)
    assert (transform.header.frame_id, transform.child_frame_id) == ("velo_link", "camera_color_left")
    place, turn = transform.transform.translation, transform.transform.rotation
    camera_in_sensor = np.eye(4)
    camera_in_sensor[:3, :3] = rotation_of((turn.x, turn.y, turn.z, turn.w))
    camera_in_sensor[:3, 3] = place.x, place.y, place.z
    np.testing.assert_allclose(extrinsic @ camera_in_sensor, np.eye(4), atol=1e-12)
