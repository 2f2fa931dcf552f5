"""`colcon build` and `source install/setup.bash`, as in any ROS 2 workspace, with the real colcon."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def in_workspace(tmp_path_factory):
    """Runs a command in a shell that has sourced a workspace with the package built in it."""
    workspace = tmp_path_factory.mktemp("workspace")
    places = [f"--{kind}-base={workspace / kind}" for kind in ("build", "install")]
    build = ["colcon", f"--log-base={workspace / 'log'}", "build", "--base-paths", str(ROOT), *places]
    result = subprocess.run(build, capture_output=True, text=True, timeout=100)
    assert result.returncode == 0, result.stdout + result.stderr

    def run(command: str) -> str:
        shell = f"source {workspace / 'install' / 'setup.bash'} && {command}"
        result = subprocess.run(["bash", "-c", shell], cwd=workspace, capture_output=True, text=True, timeout=100)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    run.install = workspace / "install" / "depth_completion_ros"
    return run


def test_ros2_finds_the_executables_and_the_launch_files(in_workspace):
    assert in_workspace("ros2 pkg prefix depth_completion_ros").split() == [str(in_workspace.install)]
    executables = in_workspace("ros2 pkg executables depth_completion_ros").split()[1::2]
    assert set(executables) == {"completion_node", "depth-completion", "evaluation_node", "replay_node"}
    for file, argument in (("kitti.launch.py", "dataset"), ("live.launch.py", "config")):
        assert f"'{argument}'" in in_workspace(f"ros2 launch depth_completion_ros {file} --show-args")


def test_the_trained_weights_are_installed_where_the_package_is_imported_from(in_workspace):
    imported = Path(
        in_workspace("python3 -c 'import depth_completion_ros; print(depth_completion_ros.__file__)'").strip()
    )
    assert in_workspace.install in imported.parents
    models = imported.parent / "models"
    installed = {path.relative_to(models) for path in models.rglob("*") if path.is_file()}
    assert installed == {path.relative_to(ROOT / "models") for path in (ROOT / "models").glob("*/*")}
