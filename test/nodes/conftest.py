"""Every node test runs over real DDS, in a domain that only this test run uses."""

import os

import pytest
import rclpy
from robot import Robot


@pytest.fixture(scope="module")
def domain():
    """A ROS domain of our own, for this process and those it starts."""
    number = 1 + os.getpid() % 100
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ROS_DOMAIN_ID", str(number))
        environment.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
        rclpy.init()
        yield number
        rclpy.try_shutdown()


@pytest.fixture
def robot(domain):
    """A robot with default parameters, ready."""
    robot = Robot()
    robot.wait_until_ready()
    yield robot
    assert robot.close() == 0, robot.completion.log()


@pytest.fixture
def make_robot(domain):
    """Makes robots with the parameters given, and ends them."""
    robots = []

    def make(arguments: tuple[str, ...] = (), **parameters) -> Robot:
        robots.append(Robot(parameters, arguments))
        return robots[-1]

    yield make
    for robot in robots:
        assert robot.close() == 0, robot.completion.log()
