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
    words = [word for each in parameters for word in ("-p", each)]
    context.init(["--ros-args", *words], domain_id=1 + os.getpid() % 100)
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


def test_whole_numbers_are_floats_where_floats_are_expected():
    with node_with("slop:=1", "extrinsic:=[1, 0, 0]") as node:
        settings = declare(node, Settings)
        assert (settings.slop, settings.extrinsic) == (1.0, (1.0, 0.0, 0.0))
        assert isinstance(settings.slop, float)
        assert node.get_parameter("slop").type_ is rclpy.Parameter.Type.DOUBLE


@pytest.mark.parametrize(
    ("parameter", "message"),
    [
        ("slop:=-1", "parameter slop .*seconds.*range"),
        ("slop:=fast", "parameter slop"),
        ("slop:=true", "parameter slop"),
        ("lines:=1.5", "parameter lines"),
        ("extrinsic:=[1, 0]", "parameter extrinsic has 2 elements, expected 0 or 3"),
    ],
)
def test_what_is_still_refused(parameter, message):
    with node_with(parameter) as node, pytest.raises(ValueError, match=message):
        declare(node, Settings)
