"""Replays a recording through the completion node and scores it; ends by itself, non-zero if anything went wrong.

ros2 launch depth_completion_ros kitti.launch.py dataset:=/data/kitti/2011_09_26 lines:=16
"""

import json

from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
)
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.events.process import ProcessExited
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from depth_completion_ros.datasets import open_source, source_and_options
from depth_completion_ros.errors import describe
from depth_completion_ros.files import writable_folder
from depth_completion_ros.frame import Frame
from depth_completion_ros.ros.command_line import PACKAGE, refuse_unknown_arguments
from depth_completion_ros.ros.running import fast_dds_profiles
from depth_completion_ros.shipped import AUTO, default_model, sensors_of

ARGUMENTS = {
    "dataset": (
        "synthetic",
        "KITTI raw or depth completion folder, colour and depth pictures, bag (mcap, sqlite3, ROS 1), or 'synthetic'; "
        "options of it follow: PATH,raw_root=DIR,camera=3",
    ),
    "model": (AUTO, "completion model, see `depth-completion models`; auto: by the sensors of the dataset"),
    "preset": ("", "size of the model, such as lite; empty: that of its weights"),
    "checkpoint": ("", "folder of the model's weights; empty: those that ship with the package"),
    "device": ("auto", "auto, cpu, cuda or cuda:N"),
    "decimation": ("1", "complete at this part of the resolution; 2: half of it"),
    "lines": ("0", "LiDAR lines to complete from, the others become ground truth; 0: all lines"),
    "rate": ("0.0", "speed as a factor of real time; 0: lockstep, every frame is completed"),
    "frame_timeout": ("30.0", "lockstep: seconds to wait for a completion before its frame counts as lost"),
    "output": ("output/kitti", "folder for metrics.json, metrics.csv and previews"),
    "rviz": ("false", "show image, depth, confidence and cloud in RViz"),
}


def generate_launch_description() -> LaunchDescription:
    """Declares the arguments; the nodes follow from their values."""
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, (default, description) in ARGUMENTS.items()
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=launch_nodes)])


def launch_nodes(context: LaunchContext) -> list:
    """Replay, completion and evaluation, with RViz if it was asked for.

    Raises:
        RuntimeError: an argument is no use; launch ends with this message before anything has started.
    """
    try:
        return nodes(context)
    except OSError as error:
        raise RuntimeError(describe(error)) from error


def nodes(context: LaunchContext) -> list:
    """See :func:`launch_nodes`; the data set and the folder to write to may raise an OSError, too."""
    refuse_unknown_arguments(__file__, context.argv, ARGUMENTS)
    value = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    # What a parameter must say where tf2 is not installed: where the sensor is, and of what kind.
    path, options = source_and_options(value["dataset"])
    frame = None
    for frame in open_source(path, **options).read():
        if isinstance(frame, Frame):
            break
    if not isinstance(frame, Frame):
        why = "" if frame is None else f": {frame.error}"
        raise RuntimeError(f"dataset {value['dataset']} has no frame that can be read{why}")
    if value["model"] == AUTO and not value["checkpoint"]:
        value["model"] = default_model(*sensors_of(frame))
    sim_time = {"use_sim_time": True}
    replay = Node(
        package=PACKAGE,
        executable="replay_node",
        name="replay",
        output="screen",
        parameters=[
            {
                "source": text(value["dataset"]),
                "lines": number(int, "lines", value),
                "rate": number(float, "rate", value),
                "frame_timeout": number(float, "frame_timeout", value),
                "wait_for_evaluation": True,
            }
        ],
    )
    completion = Node(
        package=PACKAGE,
        executable="completion_node",
        name="depth_completion",
        output="screen",
        parameters=[
            sim_time,
            reliable(context.launch_configurations.get("ros_namespace", "")),
            {
                "model": text(value["model"]),
                "preset": text(value["preset"]),
                "checkpoint": text(value["checkpoint"]),
                "device": text(value["device"]),
                "decimation": number(int, "decimation", value),
                "sensor": "points" if frame.points is not None else "depth",
                "use_image": frame.image is not None,
                "extrinsic": frame.extrinsic.ravel().tolist(),
            },
        ],
    )
    told = ("dataset", "model", "preset", "checkpoint", "device", "decimation", "lines", "rate")
    run = {name: value[name] for name in told}
    evaluation = Node(
        package=PACKAGE,
        executable="evaluation_node",
        name="evaluation",
        output="screen",
        parameters=[{"output": text(value["output"]), "run": text(json.dumps(run))}],
    )
    writable_folder(value["output"])
    actions = [
        *(SetEnvironmentVariable(name, path) for name, path in fast_dds_profiles().items()),
        replay,
        completion,
        evaluation,
        RegisterEventHandler(OnProcessExit(target_action=evaluation, on_exit=finish)),
        RegisterEventHandler(OnProcessExit(target_action=completion, on_exit=fail)),
        RegisterEventHandler(OnProcessExit(target_action=replay, on_exit=fail_if_died)),
    ]
    if value["rviz"].lower() in ("true", "1"):
        arguments = ["-d", f"{get_package_share_directory(PACKAGE)}/rviz/depth_completion.rviz"]
        actions.append(
            Node(package="rviz2", executable="rviz2", name="rviz", arguments=arguments, parameters=[sim_time])
        )
    return actions


def reliable(namespace: str) -> dict[str, str]:
    """Parameters that make the sensor topics reliable: lockstep must not lose a message between processes.

    They name the topics in full, so they depend on the namespace of the group that includes this launch file.
    """
    outer = f"/{namespace.strip('/')}".rstrip("/")
    topics = ("image", "camera_info", "points", "depth", "depth/camera_info")
    return {f"qos_overrides.{outer}/{topic}.subscription.reliability": "reliable" for topic in topics}


def number(kind: type, name: str, value: dict[str, str]) -> float:
    """An argument as a number of a kind, int or float."""
    try:
        return kind(value[name])
    except ValueError as error:
        raise RuntimeError(f"{name}:={value[name]} is no number of type {kind.__name__}") from error


def text(value: str) -> ParameterValue:
    """A string parameter; launch would read one like 2011_09_26 as a number."""
    return ParameterValue(value, value_type=str)


def finish(event: ProcessExited, context: LaunchContext) -> list:
    """The evaluation is done: everything else stops; lost frames make the launch fail."""
    if event.returncode:
        fail(event, context)
    return [EmitEvent(event=Shutdown(reason="evaluation finished"))]


def fail_if_died(event: ProcessExited, context: LaunchContext) -> None:
    """The replay ends before the evaluation; 1 means lost frames, which the evaluation reports and fails with."""
    if event.returncode < 0 or event.returncode > 1:
        fail(event, context)


def fail(event: ProcessExited, context: LaunchContext) -> None:
    """Ends the launch with a non-zero exit code: launch does so when a handler raises."""
    if not context.is_shutdown:
        raise RuntimeError(f"{event.process_name} ended with exit code {event.returncode}: see its messages above")
