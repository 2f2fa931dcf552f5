"""launch_ros: real nodes report what reached them."""

import json
import os

import pytest
from contract import IMPORTS as COMMON
from launch import LaunchContext
from launch.substitutions import LaunchConfiguration, SubstitutionFailure
from launch_ros.parameter_descriptions import ParameterFile, ParameterValue
from launch_ros.substitutions import ExecutableInPackage, FindPackagePrefix, FindPackageShare

IMPORTS = """
from pathlib import Path
from typing import List
from launch_ros.actions import Node, PushRosNamespace, SetParameter
from launch_ros.parameter_descriptions import ParameterFile, ParameterValue
from launch_ros.substitutions import FindPackagePrefix, FindPackageShare
"""

# A node that takes all parameters it is given, and says what it got.
PROBE = """
import json, sys
import rclpy
rclpy.init()
node = rclpy.create_node("probe", automatically_declare_parameters_from_overrides=True)
plain = lambda value: value.tolist() if hasattr(value, "tolist") else value
parameters = {p.name: [p.type_.name, plain(p.value)] for p in node._parameters.values()}
print("PROBE " + json.dumps({
    "name": node.get_fully_qualified_name(),
    "topic": node.resolve_topic_name("image"),
    "argv": rclpy.utilities.remove_ros_args(sys.argv)[1:],
    "env": __import__("os").environ.get("OF_THE_NODE"),
    "parameters": parameters}), flush=True)
rclpy.shutdown()
"""

NODES = """
    DeclareLaunchArgument("device", default_value="cpu"),
    DeclareLaunchArgument("rate", default_value="2.5"),
    DeclareLaunchArgument("lines", default_value="16"),
    DeclareLaunchArgument("looped", default_value="false"),
    Node(package="demo_nodes", executable="probe", name="plain", output="screen", parameters=[{"text": "1e3"}]),
    Node(package="demo_nodes", executable="probe", exec_name="typed", output="screen", parameters=[{
        "flag": True, "count": 3, "gain": 1e-7, "text": "a b", "whole": 2.0, "quoted": "12", "on": "on", "empty": "",
        "utf": "\\u00e4\\u20ac", "flags": [True, False], "counts": [1, 2], "gains": [1, 2.5],
        "texts": ["a", "1"], "nested": {"deep": {"er": 1}, "flat": "x"},
        "device": LaunchConfiguration("device"), "rate": LaunchConfiguration("rate"),
        "lines": LaunchConfiguration("lines"), "looped": LaunchConfiguration("looped"),
        "joined": ["/", LaunchConfiguration("device"), "/1"],
        ("name_", LaunchConfiguration("device")): 1,
        "lines_text": ParameterValue(LaunchConfiguration("lines"), value_type=str),
        "lines_float": ParameterValue(LaunchConfiguration("lines"), value_type=float),
        "yaml": ParameterValue([LaunchConfiguration("lines"), "5"]),
        "list_of_float": ParameterValue(["[1.0, ", LaunchConfiguration("rate"), "]"], value_type=List[float]),
        "of_substitutions": [[LaunchConfiguration("lines")], ["1", LaunchConfiguration("lines")]],
    }]),
    Node(package="demo_nodes", executable="probe", name=["n", LaunchConfiguration("lines")], namespace="ns",
         exec_name="named", output="screen", remappings=[("image", ["/cam/", LaunchConfiguration("device")])],
         arguments=["--path", LaunchConfiguration("device"), "--", "x"], additional_env={"OF_THE_NODE": "set"},
         parameters=[{"a": 1, "b": 1, "c": 1},
                     [FindPackageShare("demo_nodes"), "/", LaunchConfiguration("file", default="params.yaml")],
                     FILE2, {"c": 4}]),
    Node(package="demo_nodes", executable="probe", namespace="/abs/olute", exec_name="absolute", output="screen",
         condition=IfCondition("true")),
    Node(package="demo_nodes", executable="probe", exec_name="never", condition=IfCondition("false")),
    Node(package="demo_nodes", executable="probe", namespace="", exec_name="root", output="screen",
         parameters=["/no/such/file.yaml", ParameterFile(FILE3, allow_substs=True)],
         ros_arguments=["-p", "given:=7"]),
    GroupAction([
        SetParameter("use_sim_time", True), SetParameter("set", LaunchConfiguration("lines")),
        Node(package="demo_nodes", executable="probe", exec_name="timed", output="screen",
             parameters=[{"own": 1}]),
        Node(package="demo_nodes", executable="probe", exec_name="own_time", output="screen",
             parameters=[{"set": 3}]),
    ]),
    GroupAction([
        PushRosNamespace("/outer"), PushRosNamespace(["of_", LaunchConfiguration("device")]),
        Node(package="demo_nodes", executable="probe", exec_name="pushed", output="screen"),
        Node(package="demo_nodes", executable="probe", exec_name="pushed_deep", namespace="deep", output="screen"),
        Node(package="demo_nodes", executable="probe", exec_name="pushed_root", namespace="/abs", output="screen"),
    ]),
    Node(package="demo_nodes", executable="probe", exec_name="untimed", output="screen"),
"""

BOOKKEEPING = {"use_sim_time", "start_type_description_service"}  # what every node has


@pytest.fixture(scope="module")
def outcome(tmp_path_factory, executable, prefix, ros2):
    """What became of the nodes above, all in one launch."""
    executable("probe", PROBE)
    folder = tmp_path_factory.mktemp("launch")
    share = prefix / "share/demo_nodes"
    (share / "params.yaml").write_text(
        "/**:\n  ros__parameters: {a: 2, from_file: [1.5, 2.5]}\n/other:\n  ros__parameters: {b: 2}\n"
    )
    (folder / "second.yaml").write_text("/ns/n16:\n  ros__parameters: {c: 3, e: {f: text}}\n")
    (folder / "third.yaml").write_text(
        "/**:\n  ros__parameters:\n    device: $(var device)\n    share: $(find-pkg-share demo_nodes)/x\n"
        "    home: $(env NO_SUCH_VARIABLE none)\n    lines: $(var lines)\n"
    )
    file = folder / "nodes.launch.py"
    nodes = NODES.replace("FILE2", f"Path({str(folder / 'second.yaml')!r})")
    nodes = nodes.replace("FILE3", repr(str(folder / "third.yaml")))
    file.write_text(
        f"{COMMON}\n{IMPORTS}\ndef generate_launch_description():\n    return LaunchDescription([{nodes}])\n"
    )
    temporary = tmp_path_factory.mktemp("temporary")
    result = ros2("launch", file, "looped:=True", env={**os.environ, "TMPDIR": str(temporary)})
    result.left = list(temporary.glob("launch_params*"))
    assert result.returncode == 0
    return result


@pytest.fixture(scope="module")
def nodes(outcome):
    """What each node said, by the name of its process."""
    said = [line.split("] PROBE ") for line in outcome.out if "] PROBE " in line]
    return {process.lstrip("[").rsplit("-", 1)[0]: json.loads(words) for process, words in said}


def given(nodes, name):
    return {key: value for key, value in nodes[name]["parameters"].items() if key not in BOOKKEEPING}


def test_nodes_that_ran(nodes):
    pushed = {"pushed", "pushed_deep", "pushed_root"}
    assert set(nodes) == {"probe", "typed", "named", "absolute", "root", "timed", "own_time", "untimed"} | pushed


def test_names(nodes):
    assert nodes["probe"]["name"] == "/plain"
    assert nodes["typed"]["name"] == "/probe"
    assert nodes["named"]["name"] == "/ns/n16"
    assert nodes["absolute"]["name"] == "/abs/olute/probe"
    assert nodes["root"]["name"] == "/probe"
    assert nodes["pushed"]["name"] == "/outer/of_cpu/probe"
    assert nodes["pushed_deep"]["name"] == "/outer/of_cpu/deep/probe"
    assert nodes["pushed_root"]["name"] == "/abs/probe"
    assert nodes["untimed"]["name"] == "/probe"


def test_remappings_and_arguments(nodes):
    assert nodes["named"]["topic"] == "/cam/cpu"
    assert nodes["named"]["argv"] == ["--path", "cpu", "--", "x"]
    assert nodes["named"]["env"] == "set"
    assert nodes["absolute"]["topic"] == "/abs/olute/image"
    assert nodes["probe"]["argv"] == []
    assert nodes["probe"]["env"] is None


def test_parameters_keep_their_types(nodes):
    assert given(nodes, "typed") == {
        "flag": ["BOOL", True],
        "count": ["INTEGER", 3],
        "gain": ["DOUBLE", 1e-7],
        "text": ["STRING", "a b"],
        "whole": ["DOUBLE", 2.0],
        "quoted": ["STRING", "12"],
        "on": ["STRING", "on"],
        "empty": ["STRING", ""],
        "utf": ["STRING", "ä€"],
        "flags": ["BOOL_ARRAY", [True, False]],
        "counts": ["INTEGER_ARRAY", [1, 2]],
        "gains": ["DOUBLE_ARRAY", [1.0, 2.5]],
        "texts": ["STRING_ARRAY", ["a", "1"]],
        "nested.deep.er": ["INTEGER", 1],
        "nested.flat": ["STRING", "x"],
        "device": ["STRING", "cpu"],
        "rate": ["DOUBLE", 2.5],
        "lines": ["INTEGER", 16],
        "looped": ["BOOL", True],
        "joined": ["STRING", "/cpu/1"],
        "name_cpu": ["INTEGER", 1],
        "lines_text": ["STRING", "16"],
        "lines_float": ["DOUBLE", 16.0],
        "yaml": ["INTEGER", 165],
        "list_of_float": ["DOUBLE_ARRAY", [1.0, 2.5]],
        "of_substitutions": ["INTEGER_ARRAY", [16, 116]],
    }


def test_later_parameters_win(nodes):
    assert given(nodes, "named") == {
        "a": ["INTEGER", 2],
        "b": ["INTEGER", 1],
        "c": ["INTEGER", 4],
        "e.f": ["STRING", "text"],
        "from_file": ["DOUBLE_ARRAY", [1.5, 2.5]],
    }


def test_substitutions_in_a_file_and_a_file_that_is_not_there(nodes, outcome, prefix):
    assert given(nodes, "root") == {
        "device": ["STRING", "cpu"],
        "share": ["STRING", f"{prefix}/share/demo_nodes/x"],
        "home": ["STRING", "none"],
        "lines": ["INTEGER", 16],
        "given": ["INTEGER", 7],
    }
    assert outcome.says("[WARNING]", "Parameter file path is not a file: /no/such/file.yaml") == 1


def test_parameters_for_all_nodes_of_a_group(nodes):
    assert nodes["timed"]["parameters"]["use_sim_time"] == ["BOOL", True]
    assert given(nodes, "timed") == {"set": ["INTEGER", 16], "own": ["INTEGER", 1]}
    assert given(nodes, "own_time") == {"set": ["INTEGER", 3]}
    assert nodes["untimed"]["parameters"]["use_sim_time"] == ["BOOL", False]
    assert given(nodes, "untimed") == {}


@pytest.mark.only_underlay
def test_a_text_that_is_a_number_to_one_parser_and_none_to_another(nodes):
    assert given(nodes, "probe") == {"text": ["STRING", "1e3"]}


@pytest.mark.only_underlay
def test_no_files_are_left(outcome):
    assert outcome.left == []


# --- what is wrong


@pytest.mark.parametrize(
    ("node", "words"),
    [
        ('package="no_such_package", executable="probe"', ["package 'no_such_package' not found"]),
        ('package="demo_nodes", executable="nothing"', ["executable 'nothing' not found", "lib/demo_nodes"]),
        ('package="demo_nodes", executable="probe", parameters=[{"x": []}]', []),
        ('package="demo_nodes", executable="probe", parameters=[{"x": [1, "a"]}]', []),
        ('package="demo_nodes", executable="probe", parameters=[{"x": LaunchConfiguration("no")}]', ["'no'"]),
        ('package="demo_nodes", executable="probe", parameters=[{"x": [LaunchConfiguration("y"), ": 1"]}]', []),
    ],
)
def test_wrong_nodes_end_the_launch(ros2, launch_file, executable, node, words):
    executable("probe", PROBE)
    outcome = ros2("launch", launch_file(f"Node({node})", before=IMPORTS), "y:=a")
    assert outcome.returncode == 1
    assert outcome.says("Caught exception in launch", *words) == 1


def test_a_node_of_wrong_parameters_is_refused(executable, ros2, launch_file):
    outcome = ros2("launch", launch_file('Node(executable="x", parameters=[5])', before=IMPORTS))
    assert outcome.returncode == 1


# --- places and values


def test_places(prefix, executable):
    context = LaunchContext()
    context.launch_configurations["which"] = "nodes"
    name = ["demo_", LaunchConfiguration("which")]
    assert FindPackagePrefix(name).perform(context) == str(prefix)
    assert FindPackageShare(name).perform(context) == str(prefix / "share/demo_nodes")
    path = executable("other", "")
    assert ExecutableInPackage("other", "demo_nodes").perform(context) == str(path)
    path.chmod(0o644)
    with pytest.raises(SubstitutionFailure, match="executable 'other' not found"):
        ExecutableInPackage("other", "demo_nodes").perform(context)
    with pytest.raises(LookupError, match="no_such_package"):
        FindPackageShare("no_such_package").perform(context)


@pytest.mark.parametrize(
    ("text", "value_type", "value"),
    [
        ("5", None, 5),
        ("5", int, 5),
        ("5", float, 5.0),
        ("5", str, "5"),
        ("true", bool, True),
        ("[1, 2]", list[int], [1, 2]),
        ("[a, b]", list[str], ["a", "b"]),
    ],
)
def test_values_of_a_type(text, value_type, value):
    context = LaunchContext()
    context.launch_configurations["x"] = text
    for given in (LaunchConfiguration("x"), [LaunchConfiguration("x"), ""]):
        found = ParameterValue(given, value_type=value_type).evaluate(context)
        assert found == value
        assert type(found) is type(value)


@pytest.mark.parametrize(("text", "value_type"), [("a", int), ("1.5", int), ("[1, a]", list[int])])
def test_values_of_another_type(text, value_type):
    context = LaunchContext()
    context.launch_configurations["x"] = text
    with pytest.raises(ValueError):
        ParameterValue(LaunchConfiguration("x"), value_type=value_type).evaluate(context)


@pytest.mark.only_underlay
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(env NO $(var a))", "1"),
        ("a $(find-pkg-prefix demo_$(var b))/$(var a)", "a {prefix}/1"),
        ("$ (var a)", "$ (var a)"),
        ("$(var nothing)", "nothing"),
        ("$(eval 1)", "eval 1"),
        ("$(var a", "no ) closes"),
    ],
)
def test_substitutions_in_text(tmp_path, prefix, text, expected):
    context = LaunchContext()
    context.launch_configurations.update(a="1", b="nodes")
    path = tmp_path / "file.yaml"
    path.write_text(text)
    file = ParameterFile(path, allow_substs=True)
    if "nothing" in text or "eval" in text or "no )" in expected:
        with pytest.raises(SubstitutionFailure, match=f"file.yaml: .*{expected}".replace(")", r"\)")):
            file.read(context)
    else:
        assert file.read(context) == expected.format(prefix=prefix)
