"""What becomes of what people write into parameter files; test/nodes has real ones."""

import contextlib
import os
from dataclasses import dataclass

import pytest
import rclpy
from rclpy.node import Node

from depth_completion_ros.ros.parameters import declare, setting


@dataclass(frozen=True)
class Settings:
    slop: float = setting(0.05, "largest stamp difference of a pair, seconds", minimum=0.0)
    lines: int = setting(0, "LiDAR lines")
    name: str = setting("", "what it is called")
    extrinsic: tuple[float, ...] = setting((), "a transform", lengths=(0, 3))


@contextlib.contextmanager
def node_with(*parameters):
    """A node that was started with ``-p`` and these."""
    context = rclpy.Context()
    context.init(["--ros-args", *(word for each in parameters for word in ("-p", each))], domain_id=1 + os.getpid() % 100)
    node = Node("settings", context=context, start_parameter_services=False, enable_rosout=False)
    try:
        yield node
    finally:
        node.destroy_node()
        context.try_shutdown()


@pytest.fixture
def warnings(monkeypatch):
    told = []

    class Logger:
        warning = staticmethod(told.append)

    monkeypatch.setattr(Node, "get_logger", lambda node: Logger)
    return told


def test_parameters_that_nobody_declares_are_warned_of(warnings):
    of_ros = "use_sim_time:=true", "start_type_description_service:=false"
    qos = "qos_overrides./points.subscription.reliability:=reliable"
    with node_with("slopp:=0.1", "slop:=0.2", "lidar.lines:=3", *of_ros, qos) as node:
        assert declare(node, Settings).slop == 0.2
    assert warnings == [f"unknown parameter {name}: it has no effect" for name in ("lidar.lines", "slopp")]
