"""A node's process that is interrupted ends in peace, wherever it is; one that fails says so."""

import subprocess
import sys
from pathlib import Path

import pytest

from depth_completion_ros.ros import running
from depth_completion_ros.ros.running import fast_dds_profiles

PROFILES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")

PROGRAM = """
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from depth_completion_ros.ros.running import interruptible, ros

with ros():
    {}
print("over", rclpy.ok())
"""


def run(line, *arguments):
    program = [sys.executable, "-c", PROGRAM.format(line), *arguments]
    return subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    "line",
    [
        "Node('one')",
        "raise KeyboardInterrupt",
        "rclpy.shutdown(); Node('late')",
        "rclpy.shutdown(); raise rclpy_implementation.RCLError('error creating node: the given context is not valid')",
        "node = Node('one'); node.destroy_node(); rclpy.shutdown(); node.create_rate(1.0)",
    ],
)
def test_an_interrupt_ends_it_in_peace(line):
    result = run(line)
    assert (result.returncode, result.stdout, result.stderr) == (0, "over False\n", "")


def test_what_it_has_can_be_saved_where_it_was_cut_off():
    line = """try:
        with interruptible():
            rclpy.shutdown(); Node('late')
    except ExternalShutdownException:
        print("saved")"""
    result = run(line)
    assert (result.returncode, result.stdout, result.stderr) == (0, "saved\nover False\n", "")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("raise rclpy_implementation.RCLError('no memory')", "no memory"),
        ("rclpy.shutdown(); raise ValueError('no depth')", "no depth"),
    ],
)
def test_what_fails_says_so(line, message):
    result = run(line)
    assert result.returncode == 1 and message in result.stderr


def test_what_ros_refuses_at_the_start_is_one_line(tmp_path):
    file = tmp_path / "robot.yaml"
    file.write_text("/**:\n  ros__parameters:\n    model: auto\n    slop 0.05\n")
    for words, message in ((("--params-file", str(file)), f"{file}'. Error: "), (("--unheard-of",), "--unheard-of")):
        result = run("print('never')", "--ros-args", *words)
        assert (result.returncode, result.stdout) == (1, "")
        own = [line for line in result.stderr.splitlines() if "[rcl]" not in line]
        assert len(own) == 1 and own[0].startswith("-c: ") and message in own[0]


@pytest.mark.parametrize(("distribution", "name"), [("jazzy", PROFILES[0]), ("kilted", PROFILES[1]), ("", PROFILES[1])])
def test_fast_dds_gets_room_by_its_version_unless_the_user_has_a_file_of_his_own(monkeypatch, distribution, name):
    monkeypatch.setattr(running, "get_package_share_directory", lambda _: Path(__file__).parents[2])
    monkeypatch.setenv("ROS_DISTRO", distribution)
    for each in PROFILES:
        monkeypatch.delenv(each, raising=False)
    ((found, path),) = fast_dds_profiles().items()
    assert found == name and "<segment_size>" in Path(path).read_text()
    for each in PROFILES:
        monkeypatch.setenv(each, "/mine.xml")
        assert fast_dds_profiles() == {}
        monkeypatch.delenv(each)
