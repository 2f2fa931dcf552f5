"""test/launch has the whole of it, with `ros2 launch`."""

import sys

import pytest

from depth_completion_ros.ros.command_line import is_launched_itself, refuse_unknown_arguments


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "live.launch.py"
    path.touch()
    return path


def typed(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["/opt/ros/bin/ros2", "launch", *map(str, words)])


def test_a_launch_file_is_known_by_its_package_or_its_path(monkeypatch, file, tmp_path):
    typed(monkeypatch, "depth_completion_ros", "live.launch.py", "rviz:=true")
    assert is_launched_itself(file)
    typed(monkeypatch, "depth_completion_ros", "--noninteractive", "live.launch.py", "rviz:=true")
    assert is_launched_itself(file)
    monkeypatch.chdir(tmp_path)
    typed(monkeypatch, "./live.launch.py")
    assert is_launched_itself(file)


def test_the_arguments_of_one_that_includes_it_are_no_affair_of_it(monkeypatch, file, tmp_path):
    other = tmp_path / "robot" / "live.launch.py"
    other.parent.mkdir()
    other.touch()
    for words in (("my_robot", "live.launch.py"), ("depth_completion_ros", "kitti.launch.py"), (other,)):
        typed(monkeypatch, *words, "robot:=left")
        assert not is_launched_itself(file)
        refuse_unknown_arguments(file, ["robot:=left"], ["config"])


def test_unknown_names_are_refused_but_not_those_that_launch_itself_reads(monkeypatch, file):
    typed(monkeypatch, file)
    refuse_unknown_arguments(file, ["config:=a:=b", "launch-prefix:=gdb", "sigterm_timeout:=10"], ["config"])
    with pytest.raises(RuntimeError, match=r"^live.launch.py has no argument confg; it has config, image$"):
        refuse_unknown_arguments(file, ["config:=a", "confg:=b"], ["config", "image"])
