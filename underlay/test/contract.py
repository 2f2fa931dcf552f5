"""What the contract tests share."""

import sys
from dataclasses import dataclass
from pathlib import Path

import launch

IS_UNDERLAY = (Path(launch.__file__).parents[1] / "depth_completion_ros_underlay.py").exists()

ROS2 = [sys.executable, "-c", "import sys; from ros2cli.cli import main; sys.exit(main())"]

IMPORTS = """
import os, signal, sys
from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument, EmitEvent, ExecuteProcess, GroupAction, IncludeLaunchDescription, LogInfo, OpaqueFunction,
    RegisterEventHandler, SetEnvironmentVariable, SetLaunchConfiguration, Shutdown, TimerAction)
from launch.conditions import IfCondition, UnlessCondition
from launch.event_handlers import OnProcessExit, OnProcessStart, OnShutdown
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import (
    EnvironmentVariable, LaunchConfiguration, PathJoinSubstitution, PythonExpression, TextSubstitution,
    ThisLaunchFileDir)

def python(code, **kwargs):
    kwargs = {"output": "screen", **kwargs}
    return ExecuteProcess(cmd=[sys.executable, "-u", "-c", code], **kwargs)

# Says that it is ready, waits, and says how it was told to end.
WAIT = '''
import time
try:
    print("ready")
    open("ready", "w").close()
    time.sleep(60)
except KeyboardInterrupt:
    print("interrupted")
'''

# Ends when another is ready.
UNTIL_READY = '''
import os, time
while not os.path.exists("ready"):
    time.sleep(0.05)
'''

def fail(context, *args):
    raise RuntimeError("for this reason")
"""


@dataclass
class Outcome:
    """What became of a command: its exit status, the lines it printed, and those about errors of its own."""

    returncode: int
    out: list[str]
    err: str

    def says(self, *words):
        """How many lines contain all of these words."""
        return sum(all(word in line for word in words) for line in self.out)
