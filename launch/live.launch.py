"""Starts the completion node for a robot, from a config file.

ros2 launch depth_completion_ros live.launch.py config:=my_robot.yaml image:=/camera/image_raw \
    camera_info:=/camera/camera_info points:=/lidar/points
"""

import os

from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, EmitEvent, OpaqueFunction, RegisterEventHandler
from launch.conditions import IfCondition
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.events.process import ProcessExited
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from depth_completion_ros.ros.command_line import PACKAGE, is_launched_itself, refuse_unknown_arguments


def generate_launch_description() -> LaunchDescription:
    """The node, its topics and parameters from the arguments."""
    share = get_package_share_directory(PACKAGE)
    arguments = {
        "config": (f"{share}/config/live.yaml", "parameters of the node; copy config/live.yaml and edit it"),
        "image": ("image", "topic of the camera's images"),
        "camera_info": ("camera_info", "topic of the camera's calibration"),
        "points": ("points", "topic of the LiDAR's clouds, where the config says sensor: points"),
        "depth": ("depth", "topic of the ToF camera's depth, where the config says sensor: depth"),
        "depth_camera_info": ("depth/camera_info", "topic of the ToF camera's calibration, if it is not registered"),
        "initial_depth": ("initial_depth", "topic of a dense estimate, where the config says initial_depth: topic"),
        "rviz": ("false", "show image, depth, confidence and cloud in RViz"),
        "frame": ("camera", "for RViz: the frame_id of the images"),
    }
    remapped = ("image", "camera_info", "points", "depth", "initial_depth")
    completion = Node(
        package=PACKAGE,
        executable="completion_node",
        name="depth_completion",
        output="screen",
        parameters=[LaunchConfiguration("config")],
        remappings=[
            *((topic, LaunchConfiguration(topic)) for topic in remapped),
            ("image/compressed", [LaunchConfiguration("image"), "/compressed"]),
            ("depth/compressedDepth", [LaunchConfiguration("depth"), "/compressedDepth"]),
            ("depth/camera_info", LaunchConfiguration("depth_camera_info")),
        ],
    )
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(name, default_value=default, description=description)
                for name, (default, description) in arguments.items()
            ),
            OpaqueFunction(function=check, args=[list(arguments)]),
            completion,
            RegisterEventHandler(OnProcessExit(target_action=completion, on_exit=end)),
            Node(
                package="rviz2",
                executable="rviz2",
                name="rviz",
                arguments=["-d", f"{share}/rviz/depth_completion.rviz", "-f", LaunchConfiguration("frame")],
                remappings=[(f"/{topic}", LaunchConfiguration(topic)) for topic in ("image", "points")],
                condition=IfCondition(LaunchConfiguration("rviz")),
            ),
        ]
    )


def check(context: LaunchContext, declared: list[str]) -> None:
    """Refuses what launch would pass over, and start the robot with what was not meant.

    Misspelt arguments are ignored; with a config that is not there, the built-in defaults count.
    """
    refuse_unknown_arguments(__file__, context.argv, declared)
    config = LaunchConfiguration("config").perform(context)
    if not os.path.isfile(config):
        raise RuntimeError(f"config:={config}: no such file")


def end(event: ProcessExited, context: LaunchContext) -> list:
    """The node has ended by itself, and so does the launch: as a failure, if the node failed.

    A robot that includes this launch file among others is not to stop altogether: there launch only reports it.
    """
    if context.is_shutdown or not is_launched_itself(__file__):
        return []
    if event.returncode:  # launch returns a failure when a handler raises
        raise RuntimeError(f"{event.process_name} ended with exit code {event.returncode}: see its messages above")
    return [EmitEvent(event=Shutdown(reason=f"{event.process_name} has ended"))]
