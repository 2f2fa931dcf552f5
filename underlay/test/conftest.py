"""Contract tests: what the project relies on, true of ROS 2's packages and of the underlay alike.

They run against whatever ``launch``, ``launch_ros``, ``message_filters``, ``sensor_msgs_py`` and ``ros2cli`` can be
imported. Tests of the underlay alone are marked with ``only_underlay``.
"""

import os
import signal
import subprocess
import sys

import pytest
from contract import IMPORTS, IS_UNDERLAY, ROS2, Outcome


def pytest_configure(config):
    config.addinivalue_line("markers", "only_underlay: not part of the contract with ROS 2's packages")
    # A shell ignores Ctrl-C in what it runs in the background, and so would every process that is started from here.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    for item in items:
        if item.get_closest_marker("only_underlay") and not IS_UNDERLAY:
            item.add_marker(pytest.mark.skip(reason="a promise of the underlay alone"))


@pytest.fixture(scope="session")
def prefix(tmp_path_factory):
    """An installed package ``demo_nodes`` without executables."""
    root = tmp_path_factory.mktemp("prefix")
    (root / "share/ament_index/resource_index/packages").mkdir(parents=True)
    (root / "share/ament_index/resource_index/packages/demo_nodes").touch()
    (root / "share/demo_nodes/launch").mkdir(parents=True)
    (root / "lib/demo_nodes").mkdir(parents=True)
    return root


@pytest.fixture(scope="session", autouse=True)
def environment(prefix, tmp_path_factory):
    """Packages are found, and what is logged goes to a temporary folder."""
    with pytest.MonkeyPatch.context() as patch:
        installed = os.environ.get("AMENT_PREFIX_PATH") or sys.prefix
        patch.setenv("AMENT_PREFIX_PATH", f"{prefix}{os.pathsep}{installed}")
        patch.setenv("ROS_LOG_DIR", str(tmp_path_factory.mktemp("log")))
        patch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
        yield


@pytest.fixture(scope="session")
def executable(prefix):
    """Installs an executable Python program into ``demo_nodes``."""

    def install(name, code):
        path = prefix / "lib/demo_nodes" / name
        path.write_text(f"#!{sys.executable}\n{code}")
        path.chmod(0o755)
        return path

    return install


@pytest.fixture
def launch_file(tmp_path):
    """Writes a launch file of these entities."""

    def write(entities, name="demo.launch.py", before=""):
        path = tmp_path / name
        path.write_text(
            f"{IMPORTS}\n{before}\ndef generate_launch_description():\n    return LaunchDescription([{entities}])\n"
        )
        return path

    return write


@pytest.fixture(scope="session")
def ros2(tmp_path_factory):
    """Runs a ros2 command to its end, by default in a temporary folder."""
    folder = tmp_path_factory.mktemp("cwd")

    def run(*words, cwd=folder, **kwargs):
        process = subprocess.run(
            [*ROS2, *map(str, words)],
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            **kwargs,
        )
        print(process.stdout, process.stderr)
        return Outcome(process.returncode, process.stdout.splitlines(), process.stderr)

    return run
