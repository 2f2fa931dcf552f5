"""`ros2 launch depth_completion_ros ...` as a user types it: real processes over real DDS."""

import json
import os
import runpy
import signal
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from depth_completion_ros.datasets.bag import write_bag
from depth_completion_ros.datasets.synthetic import SyntheticStreet
from depth_completion_ros.frame import Frame
from depth_completion_ros.geometry.camera import Camera

FRAMES = 4
LIVE, KITTI = (Path(__file__).parents[2] / "launch" / f"{name}.launch.py" for name in ("live", "kitti"))
INCLUDING = """
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess, IncludeLaunchDescription, RegisterEventHandler
from launch.event_handlers import OnProcessExit
from launch.launch_description_sources import PythonLaunchDescriptionSource

def generate_launch_description():
    live = PythonLaunchDescriptionSource("{file}")
    after = ExecuteProcess(cmd=["echo", "the others go on"], output="screen")
    return LaunchDescription([
        DeclareLaunchArgument("robot", default_value="right"),
        IncludeLaunchDescription(live, launch_arguments=[("config", "{config}")]),
        RegisterEventHandler(OnProcessExit(on_exit=[after], handle_once=True)),
    ])
"""
IN_NAMESPACE = f"""
from launch import LaunchDescription
from launch.actions import GroupAction, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch_ros.actions import PushRosNamespace

def generate_launch_description():
    kitti = IncludeLaunchDescription(PythonLaunchDescriptionSource("{KITTI}"))
    return LaunchDescription([GroupAction([PushRosNamespace("left"), kitti])])
"""


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    """A short drive with a small camera, in an mcap bag."""
    path = tmp_path_factory.mktemp("drive") / "drive"
    camera = Camera(width=160, height=48, fx=92.0, fy=92.0, cx=79.5, cy=22.0)
    write_bag(path, SyntheticStreet(frames=FRAMES, camera=camera))
    return path


class Launch:
    """A launch in a ROS domain of its own, its output read as it comes."""

    def __init__(self, *arguments: str, package: bool = True) -> None:
        domain = 101 + os.getpid() % 100
        self.popen = subprocess.Popen(
            ["ros2", "launch", *(["depth_completion_ros"] if package else []), *arguments],
            env={**os.environ, "ROS_DOMAIN_ID": str(domain), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.text = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.popen.stdout:
            self.text += line

    def nodes(self) -> dict[str, psutil.Process]:
        children = psutil.Process(self.popen.pid).children(recursive=True)
        return {name: child for child in children for name in [child.name()] if name.endswith("_node")}

    def wait_for(self, text: str, timeout: float = 60.0) -> None:
        end = time.monotonic() + timeout
        while text not in self.text:
            assert time.monotonic() < end and self.popen.poll() is None, f"no {text!r} in:\n{self.text}"
            time.sleep(0.05)

    def wait(self, timeout: float = 100.0) -> int:
        status = self.popen.wait(timeout)
        self._reader.join(5)
        return status


def metrics(folder) -> dict:
    return json.loads((folder / "metrics.json").read_text())


def test_a_bag_is_completed_and_scored_alike_also_in_a_namespace(bag, tmp_path):
    in_namespace = tmp_path / "in_namespace.launch.py"
    in_namespace.write_text(IN_NAMESPACE)
    for run, file in ("first", "kitti.launch.py"), ("second", str(in_namespace)):
        arguments = f"dataset:={bag},slop=0.01", "lines:=16", f"output:={tmp_path / run}"
        launch = Launch(file, *arguments, package=run == "first")
        assert launch.wait() == 0, launch.text
        assert f"{FRAMES} frames, 0 lost" in launch.text
    assert "left.replay" in launch.text  # the name of its logger
    summary = metrics(tmp_path / "first")
    assert (summary["frames"], summary["lost"], summary["scored"]) == (FRAMES, 0, FRAMES)
    assert 0 < summary["mae_mm"] < summary["rmse_mm"] < 50_000
    assert summary["run"]["lines"] == "16"
    assert (tmp_path / "first" / "metrics.csv").read_text() == (tmp_path / "second" / "metrics.csv").read_text()
    assert len(list((tmp_path / "first" / "previews").glob("*.png"))) == FRAMES


def test_sensor_topics_are_reliable_in_every_namespace():
    """What could lose a frame now and then, on a busy machine."""
    reliable = runpy.run_path(str(KITTI))["reliable"]
    assert reliable("")["qos_overrides./points.subscription.reliability"] == "reliable"
    assert reliable("") == reliable("/")
    assert reliable("/left")["qos_overrides./left/depth/camera_info.subscription.reliability"] == "reliable"


def test_real_time_counts_what_was_not_completed_in_time(bag, tmp_path):
    """How many frames a loaded machine completes in time is its own affair; none may go unmentioned."""
    launch = Launch("kitti.launch.py", f"dataset:={bag}", "rate:=0.1", f"output:={tmp_path}")
    status = launch.wait()
    summary = metrics(tmp_path)
    assert summary["frames"] >= 1 and summary["frames"] + summary["lost"] == FRAMES
    assert status == (1 if summary["lost"] else 0), launch.text


def test_a_frame_that_cannot_be_completed_is_lost_and_fails_the_launch(tmp_path):
    """The second frame's sensor saw nothing in view; the others are scored all the same."""
    camera = Camera(width=64, height=48, fx=40.0, fy=40.0, cx=31.5, cy=23.5)
    wall = np.stack([*np.meshgrid(np.linspace(-4, 4, 40), np.linspace(-3, 3, 30)), np.full((30, 40), 6.0)], -1)
    wall = wall.reshape(-1, 3).astype(np.float32)
    frames = [
        Frame(
            stamp=10**9 + 10**8 * i,
            camera=camera,
            image=np.zeros((48, 64, 3), np.uint8),
            points=-wall if i == 1 else wall,
            ground_truth=np.full((48, 64), 6.0, np.float32),
        )
        for i in range(3)
    ]
    write_bag(tmp_path / "bag", frames)
    launch = Launch(
        "kitti.launch.py", f"dataset:={tmp_path / 'bag'}", f"output:={tmp_path / 'out'}", "frame_timeout:=2.0"
    )
    assert launch.wait() == 1, launch.text
    assert "2 frames, 1 lost" in launch.text
    assert launch.text.count("holds no measurement") == 1
    assert metrics(tmp_path / "out")["lost_frames"] == ["1.100000000"]


def test_a_node_that_dies_ends_the_launch_with_an_error_and_no_orphans(bag, tmp_path):
    launch = Launch("kitti.launch.py", f"dataset:={bag}", "rate:=0.02", f"output:={tmp_path}")
    launch.wait_for("frame 1:")
    nodes = launch.nodes()
    assert set(nodes) == {"completion_node", "replay_node", "evaluation_node"}
    nodes["completion_node"].send_signal(signal.SIGKILL)
    assert launch.wait(40) == 1, launch.text
    assert "completion_node-2 ended with exit code -9" in launch.text
    assert not any(psutil.pid_exists(node.pid) and node.status() != psutil.STATUS_ZOMBIE for node in nodes.values())
    # What had been scored until then is not lost.
    assert metrics(tmp_path)["frames"] >= 1


def test_interrupting_keeps_what_was_scored(bag, tmp_path):
    launch = Launch("kitti.launch.py", f"dataset:={bag}", "rate:=0.02", f"output:={tmp_path}")
    launch.wait_for("frame 1:")
    launch.popen.send_signal(signal.SIGINT)
    assert launch.wait(40) == 0, launch.text
    assert metrics(tmp_path)["frames"] >= 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("dataset:=/nowhere",), "/nowhere does not exist"),
        (("dataset:=synthetic,frames=some",), "frames='some', expected int"),
        (("lines:=abc",), "lines:=abc is no number of type int"),
        (("model:=nonsense",), "unknown model 'nonsense'"),
    ],
)
def test_what_cannot_start_says_why(bag, tmp_path, arguments, message):
    launch = Launch("kitti.launch.py", f"dataset:={bag}", f"output:={tmp_path}", *arguments)
    assert launch.wait(60) == 1, launch.text
    assert message in launch.text
    assert "Traceback" not in launch.text


def test_arguments_are_described():
    launch = Launch("kitti.launch.py", "--show-args")
    assert launch.wait(30) == 0
    for name in ("dataset", "model", "device", "lines", "rate", "output", "rviz"):
        assert f"'{name}'" in launch.text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("live.launch.py", "config:=nowhere.yaml"), "config:=nowhere.yaml: no such file"),
        (("live.launch.py", "sensor:=depth"), "live.launch.py has no argument sensor; it has config, image, "),
        (("kitti.launch.py", "datset:=synthetic"), "kitti.launch.py has no argument datset; it has dataset, model, "),
        (("kitti.launch.py", "dataset:=synthetic", f"output:={LIVE}"), f"{LIVE}: File exists"),
    ],
)
def test_what_is_written_wrong_starts_nothing(arguments, message):
    launch = Launch(*arguments)
    assert launch.wait(60) == 1, launch.text
    assert message in launch.text
    assert "process started" not in launch.text and "Traceback" not in launch.text


def test_live_starts_a_node_for_a_robot_from_its_config(tmp_path):
    config = tmp_path / "robot.yaml"
    config.write_text("/**:\n  ros__parameters:\n    model: classical\n    slop: 0.025\n")
    launch = Launch("live.launch.py", f"config:={config}", "points:=/lidar/points", "image:=/camera/image")
    launch.wait_for("model classical on cpu")
    topics = ""
    end = time.monotonic() + 30
    while "/lidar/points" not in topics and time.monotonic() < end:
        environment = {**os.environ, "ROS_DOMAIN_ID": str(101 + os.getpid() % 100)}
        topics = subprocess.run(["ros2", "topic", "list"], env=environment, capture_output=True, text=True).stdout
    assert {"/lidar/points", "/camera/image", "/depth_completion/depth/image"} <= set(topics.split()), topics
    launch.popen.send_signal(signal.SIGINT)
    assert launch.wait(30) == 0, launch.text


def test_live_fails_with_its_node_unless_another_launch_file_includes_it(tmp_path):
    config = tmp_path / "robot.yaml"
    config.write_text("/**:\n  ros__parameters:\n    model: nonsense\n")
    launch = Launch("live.launch.py", f"config:={config}")
    assert launch.wait(60) == 1, launch.text
    assert "unknown model 'nonsense'" in launch.text
    assert "completion_node-1 ended with exit code 1" in launch.text

    others = tmp_path / "robot.launch.py"
    others.write_text(INCLUDING.format(file=LIVE, config=config))
    launch = Launch(str(others), "robot:=left", package=False)
    assert launch.wait(60) == 0, launch.text
    assert "unknown model 'nonsense'" in launch.text
    assert launch.text.index("process has died") < launch.text.index("the others go on")
