"""The ros2 command besides ``launch``, and what keeps the underlay away from a ROS 2 installation."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from contract import IS_UNDERLAY, ROS2

SAY = """
import sys
print(sys.argv[1:], flush=True)
sys.exit(3)
"""

WAIT = """
import time
try:
    print("ready", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    pass
"""


def test_run(ros2, executable):
    executable("say", SAY)
    outcome = ros2("run", "demo_nodes", "say", "--ros-args", "-p", "x:=1", "--help")
    assert "['--ros-args', '-p', 'x:=1', '--help']" in outcome.out
    assert outcome.returncode == 3


def test_run_ends_with_ctrl_c(executable):
    executable("wait", WAIT)
    process = subprocess.Popen(
        [*ROS2, "run", "demo_nodes", "wait"], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout.readline() == "ready\n"
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(10) == 0
    process.stdout.close()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "demo_nodes", "nothing"], "No executable found"),
        (["run", "no_such_package", "x"], "Package 'no_such_package' not found"),
        (["pkg", "prefix", "no_such_package"], "Package not found"),
        (["pkg", "executables", "no_such_package"], "Package 'no_such_package' not found"),
    ],
)
def test_what_is_not_there(ros2, words, message):
    outcome = ros2(*words)
    assert outcome.returncode == 1
    assert outcome.err.strip().splitlines()[-1] == message


def test_packages(ros2, prefix, executable):
    path = executable("say", SAY)
    (prefix / "lib/demo_nodes/data.txt").touch()
    assert {"demo_nodes", "rclpy"} <= set(ros2("pkg", "list").out)
    assert ros2("pkg", "prefix", "demo_nodes").out == [str(prefix)]
    assert ros2("pkg", "prefix", "--share", "demo_nodes").out == [str(prefix / "share/demo_nodes")]
    executables = ros2("pkg", "executables", "demo_nodes").out
    assert "demo_nodes say" in executables
    assert "demo_nodes data.txt" not in executables
    assert str(path) in ros2("pkg", "executables", "demo_nodes", "--full-path").out


def test_without_a_command_help_is_shown(ros2):
    outcome = ros2()
    assert outcome.returncode == 0
    assert outcome.says("launch") >= 1


def test_unknown_commands(ros2):
    outcome = ros2("no_such_command")
    assert outcome.returncode == 2
    assert "no_such_command" in outcome.err
    if IS_UNDERLAY:
        assert "need a ROS 2 installation" in outcome.err


# --- looking at what runs

TALKER = """
import rclpy
from rcl_interfaces.msg import FloatingPointRange, ParameterDescriptor
from rclpy.lifecycle import LifecycleNode
from std_msgs.msg import Float32MultiArray
rclpy.init()
node = LifecycleNode(NAME)
limits = [FloatingPointRange(from_value=0.0, to_value=1.0)]
slop = ParameterDescriptor(description="Seconds apart.", floating_point_range=limits)
node.declare_parameter("slop", 0.05, slop)
node.declare_parameter("names", ["a", "b"])
node.declare_parameter("fixed", 1, ParameterDescriptor(read_only=True))
publisher = node.create_publisher(Float32MultiArray, NAME + "/out", 10)
node.create_timer(0.1, lambda: publisher.publish(Float32MultiArray(data=[float(i) for i in range(200)])))
print("ready", flush=True)
try:
    rclpy.spin(node)
except (KeyboardInterrupt, rclpy.executors.ExternalShutdownException):
    pass
"""


@pytest.fixture(scope="module")
def talker():
    """The full name of a node that publishes, has parameters and a state."""
    name = f"underlay_talker_{os.getpid()}"
    process = subprocess.Popen([sys.executable, "-c", f"NAME = {name!r}{TALKER}"], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    yield f"/{name}"
    process.send_signal(signal.SIGINT)
    process.wait(10)
    process.stdout.close()


@pytest.mark.only_underlay
def test_node_and_topic_list(ros2, talker):
    def listed(what, *words):
        return any(what in ros2(*words).out for _ in range(5))  # a busy machine may hear of others too late

    assert listed(talker, "node", "list")
    assert listed(f"{talker}/out [std_msgs/msg/Float32MultiArray]", "topic", "list", "-t")


@pytest.mark.only_underlay
@pytest.mark.parametrize(("appears_at", "listed_after"), [(0.0, 1.0), (4.0, 5.0), (9.0, 5.0)])
def test_who_hears_of_nobody_waits_longer(monkeypatch, appears_at, listed_after):
    from ros2cli import graph

    class Node:
        now = 0.0

        def get_node_names(self):
            return ["_ros2cli_1", *(["talker"] if self.now >= appears_at else [])]

    def spin(node, seconds):
        node.now += seconds

    node = Node()
    monkeypatch.setattr(graph, "_spin", spin)
    monkeypatch.setattr(graph.time, "monotonic", lambda: node.now)
    assert ("talker" in graph._settled(node, node.get_node_names)) == (appears_at < 5.0)
    assert node.now == pytest.approx(listed_after, abs=0.25)


@pytest.mark.only_underlay
def test_topic_hz(talker):
    process = subprocess.Popen([*ROS2, "topic", "hz", f"{talker}/out"], stdout=subprocess.PIPE, text=True)
    lines = [process.stdout.readline() for _ in range(2)]
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == signal.SIGINT
    process.stdout.close()
    assert 5 < float(re.fullmatch(r"average rate: (\d+\.\d{3})\n", lines[0])[1]) < 20
    assert re.fullmatch(r"\tmin: [\d.]+s max: [\d.]+s std dev: [\d.]+s window: \d+\n", lines[1])


@pytest.mark.only_underlay
def test_topic_echo(ros2, talker):
    outcome = ros2("topic", "echo", "--once", f"{talker}/out")
    assert outcome.returncode == 0
    assert outcome.out[:2] == ["layout:", "  dim: []"]
    assert outcome.out[-3:] == ["- 127.0", "- '...'", "---"]


@pytest.mark.only_underlay
def test_parameters(ros2, talker):
    assert "  slop" in ros2("param", "list", talker).out
    assert ros2("param", "get", talker, "names").out == ["String values are: ['a', 'b']"]
    assert ros2("param", "set", talker, "slop", "0.25").out == ["Set parameter successful"]
    assert ros2("param", "get", talker.lstrip("/"), "slop").out == ["Double value is: 0.25"]
    outcome = ros2("param", "set", talker, "fixed", "2")
    assert outcome.returncode == 1
    assert "Setting parameter failed: " in outcome.err
    assert "read-only" in outcome.err
    described = "\n".join(ros2("param", "describe", talker, "slop").out)
    for words in ("Parameter name: slop", "Type: double", "Description: Seconds apart.", "Max value: 1.0"):
        assert words in described


@pytest.mark.only_underlay
def test_lifecycle(ros2, talker):
    assert ros2("lifecycle", "set", talker, "configure").out == ["Transitioning successful"]
    assert ros2("lifecycle", "get", talker).out == ["inactive [2]"]
    outcome = ros2("lifecycle", "set", talker, "configure")
    assert outcome.returncode == 1
    assert "available now are: cleanup, activate, shutdown" in outcome.err


@pytest.mark.only_underlay
def test_a_node_that_is_not_there(ros2):
    start = time.monotonic()
    outcome = ros2("param", "list", "/no_such_node")
    assert outcome.returncode == 1
    assert "Node not found" in outcome.err
    assert time.monotonic() - start < 20


# --- beside ROS 2


@pytest.mark.only_underlay
@pytest.mark.parametrize("package", ["launch", "launch_ros", "message_filters", "sensor_msgs_py", "ros2cli"])
def test_refuses_to_work_beside_ros(tmp_path, package):
    markers = tmp_path / "share/ament_index/resource_index/packages"
    markers.mkdir(parents=True)
    (markers / "launch").touch()
    process = subprocess.run(
        [sys.executable, "-c", f"import {package}"],
        env={**os.environ, "AMENT_PREFIX_PATH": f"{tmp_path}{os.pathsep}{sys.prefix}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 1
    assert f"ImportError: the pip stand-in for {package} is not for use beside ROS 2" in process.stderr
    assert str(tmp_path) in process.stderr


@pytest.mark.only_underlay
@pytest.mark.skipif(not Path(sys.prefix, "share/ament_index").exists(), reason="rclpy is not from this environment")
def test_finds_what_pip_installed_without_being_told(ros2):
    environment = {name: value for name, value in os.environ.items() if name != "AMENT_PREFIX_PATH"}
    assert ros2("pkg", "prefix", "rclpy", env=environment).out == [sys.prefix]
