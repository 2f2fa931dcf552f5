"""launch and ``ros2 launch``: real launch files, real processes."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from contract import IS_UNDERLAY, ROS2
from launch import LaunchContext, LaunchDescription, LaunchService
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    IncludeLaunchDescription,
    OpaqueFunction,
    RegisterEventHandler,
    Shutdown,
)
from launch.conditions import IfCondition, UnlessCondition
from launch.event_handlers import OnProcessExit, OnShutdown
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import (
    EnvironmentVariable,
    LaunchConfiguration,
    PathJoinSubstitution,
    PythonExpression,
    SubstitutionFailure,
    TextSubstitution,
)
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions

ARGUMENTS = """
    DeclareLaunchArgument("lines", default_value="64", description="Rings to keep."),
    DeclareLaunchArgument("mode", default_value=["a", LaunchConfiguration("lines")], choices=["a64", "b"]),
    DeclareLaunchArgument("data", description="Where the data lies"),
    LogInfo(msg=["lines=", LaunchConfiguration("lines"), " mode=", LaunchConfiguration("mode")]),
    LogInfo(msg=LaunchConfiguration("not_declared", default="not given")),
"""


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


# --- arguments


def test_arguments_have_defaults_and_take_values(ros2, launch_file):
    outcome = ros2("launch", launch_file(ARGUMENTS), "data:=/d", "lines:=16", "mode:=b", "lines:=8")
    assert outcome.returncode == 0
    assert "[INFO] [launch.user]: lines=8 mode=b" in outcome.out
    assert "[INFO] [launch.user]: not given" in outcome.out


def test_arguments_that_are_not_declared_are_set_all_the_same(ros2, launch_file):
    outcome = ros2("launch", launch_file(ARGUMENTS), "data:=/d", "not_declared:=a b:=c")
    assert outcome.returncode == 0
    assert "[INFO] [launch.user]: lines=64 mode=a64" in outcome.out
    assert "[INFO] [launch.user]: a b:=c" in outcome.out


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["data:=/d", "mode:=c"], ["mode", '"c"', "['a64', 'b']"]),
        ([], ["data", "Where the data lies"]),
    ],
)
def test_wrong_and_missing_arguments_end_the_launch(ros2, launch_file, words, named):
    outcome = ros2("launch", launch_file(ARGUMENTS), *words)
    assert outcome.returncode == 1
    assert outcome.says("[ERROR] [launch]: Caught exception in launch", *named) == 1


@pytest.mark.parametrize("word", ["mode=b", ":=b", "mode:="])
def test_malformed_arguments_are_refused(ros2, launch_file, word):
    outcome = ros2("launch", launch_file(ARGUMENTS), word)
    assert outcome.returncode == 1
    assert f"malformed launch argument '{word}', expected format '<name>:=<value>'" in outcome.err


def test_show_args(ros2, launch_file):
    hidden = 'GroupAction([DeclareLaunchArgument("x")], condition=IfCondition("false"))'
    outcome = ros2("launch", launch_file(ARGUMENTS + hidden), "--show-args")
    assert outcome.returncode == 0
    assert "\n".join(outcome.out).startswith(
        """\
Arguments (pass arguments as '<name>:=<value>'):

    'lines':
        Rings to keep.
        (default: '64')

    'mode':
        One of: ['a64', 'b']
        (default: 'a' + LaunchConfig('lines'))

    'data':
        Where the data lies

    'x':*
        no description given"""
    )
    assert outcome.says("only used if specific conditions occur") == 1


def test_show_args_without_any(ros2, launch_file):
    outcome = ros2("launch", launch_file('LogInfo(msg="not said")'), "-s")
    assert outcome.returncode == 0
    assert outcome.says("No arguments.") == 1
    assert not outcome.says("not said")


def test_choices_with_description_and_default_outside():
    argument = DeclareLaunchArgument("a", description="The first.", choices=["1", "2"])
    assert argument.description == "The first. Valid choices are: ['1', '2']"
    assert argument.name == "a"
    with pytest.raises(RuntimeError, match="3"):
        DeclareLaunchArgument("a", default_value="3", choices=["1", "2"])


def test_arguments_of_included_files_are_listed(launch_file):
    inner = launch_file('DeclareLaunchArgument("inner"), DeclareLaunchArgument("both")', "inner.launch.py")
    description = LaunchDescription(
        [
            DeclareLaunchArgument("both", default_value="1"),
            IncludeLaunchDescription(PythonLaunchDescriptionSource(str(inner))),
        ]
    )
    arguments = description.get_launch_arguments()
    assert [argument.name for argument in arguments] == ["both", "inner"]
    assert arguments[0].default_value[0].text == "1"


# --- finding launch files


def test_launch_file_of_a_package(ros2, prefix, launch_file):
    file = launch_file('LogInfo(msg="found")').rename(prefix / "share/demo_nodes/launch/found.launch.py")
    outcome = ros2("launch", "demo_nodes", "found.launch.py")
    file.unlink()
    assert outcome.returncode == 0
    assert "[INFO] [launch.user]: found" in outcome.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["no_such_package", "a.launch.py"], "Package 'no_such_package' not found"),
        (["demo_nodes", "no.launch.py"], "file 'no.launch.py' was not found in the share directory of package 'demo"),
    ],
)
def test_launch_files_that_are_not_there(ros2, words, message):
    outcome = ros2("launch", *words)
    assert outcome.returncode == 1
    assert message in outcome.err
    assert "Traceback" not in outcome.err


def test_a_broken_launch_file(ros2, tmp_path):
    path = tmp_path / "broken.launch.py"
    path.write_text("generate = 1\n")
    outcome = ros2("launch", path)
    assert outcome.returncode == 1
    assert outcome.says("[ERROR] [launch]: Caught exception in launch") == 1
    assert outcome.says("generate_launch_description()") >= IS_UNDERLAY, "the original tells of it only when asked"


# --- processes


def test_output_and_end_of_processes(ros2, launch_file):
    outcome = ros2(
        "launch",
        launch_file(
            """
            python("print('one'); print('two', end='')", name="talker"),
            python("import sys; print('oh', file=sys.stderr); sys.exit(3)"),
            """
        ),
    )
    assert outcome.returncode == 0, "a process that fails is no failure of the launch"
    pid = re.search(r"\[INFO\] \[talker-1\]: process started with pid \[(\d+)\]", "\n".join(outcome.out))[1]
    assert "[talker-1] one" in outcome.out
    assert "[talker-1] two" in outcome.out
    assert f"[INFO] [talker-1]: process has finished cleanly [pid {pid}]" in outcome.out
    name = f"{os.path.basename(sys.executable)}-2"
    assert f"[{name}] oh" in outcome.out
    assert outcome.says(f"[ERROR] [{name}]: process has died [pid", f"exit code 3, cmd '{sys.executable} -u -c") == 1


def test_output_to_the_log_file(ros2, launch_file, tmp_path):
    outcome = ros2(
        "launch",
        launch_file(
            """
            python("import sys; print('quiet'); print('loud', file=sys.stderr)", output="log", name="a"),
            python("print('everywhere')", output="both", name="b"),
            python("print('screen')", name="c"),
            """
        ),
        env={**os.environ, "ROS_LOG_DIR": str(tmp_path)},
    )
    assert "[a-1] loud" in outcome.out
    assert "[b-2] everywhere" in outcome.out
    assert "[c-3] screen" in outcome.out
    assert not outcome.says("quiet")
    (folder,) = (line.split("below ")[1] for line in outcome.out if "All log files can be found" in line)
    assert Path(folder).parent == tmp_path
    written = Path(folder, "launch.log").read_text()
    for line in ("[a-1] quiet", "[a-1] loud", "[b-2] everywhere", "[INFO] [a-1]: process started"):
        assert line in written
    assert "[c-3] screen" not in written


def test_one_that_ends_ends_all(ros2, launch_file, tmp_path):
    outcome = ros2(
        "launch",
        launch_file(
            """
            first := python(UNTIL_READY, name="first"),
            python(WAIT, name="second"),
            RegisterEventHandler(OnProcessExit(target_action=first, on_exit=[Shutdown(reason="done")])),
            RegisterEventHandler(OnShutdown(on_shutdown=lambda event, context: [LogInfo(msg="why: " + event.reason)])),
            """
        ),
        cwd=tmp_path,
    )
    assert outcome.returncode == 0
    assert outcome.says("process[first-1] was required: shutting down launched system") == 1
    assert outcome.says("why: done") == 1
    assert outcome.says("[INFO] [second-2]: sending signal 'SIGINT' to process[second-2]") == 1
    assert "[second-2] interrupted" in outcome.out
    assert outcome.says("[INFO] [second-2]: process has finished cleanly") == 1


def test_on_exit_of_the_action_itself(ros2, launch_file):
    outcome = ros2(
        "launch",
        launch_file(
            """
            python("import time; time.sleep(0.3); raise SystemExit(4)", on_exit=lambda event, context: [
                LogInfo(msg=f"{event.process_name} {event.returncode}"), Shutdown()], name="a"),
            python(WAIT),
            """
        ),
    )
    assert outcome.returncode == 0
    assert outcome.says("a-1 4") == 1


def test_an_exception_ends_all_with_1(ros2, launch_file, tmp_path):
    outcome = ros2(
        "launch",
        launch_file(
            """
            first := python(UNTIL_READY + "raise SystemExit(7)"),
            python(WAIT, name="second"),
            RegisterEventHandler(OnProcessExit(target_action=first, on_exit=[OpaqueFunction(function=fail)])),
            """
        ),
        cwd=tmp_path,
    )
    assert outcome.returncode == 1
    assert outcome.says("[ERROR] [launch]: Caught exception in launch", "for this reason") == 1
    assert "[second-2] interrupted" in outcome.out


def test_an_exception_while_shutting_down_counts(ros2, launch_file):
    outcome = ros2(
        "launch",
        launch_file("python('0'), RegisterEventHandler(OnShutdown(on_shutdown=lambda event, context: fail(context)))"),
    )
    assert outcome.returncode == 1
    assert outcome.says("for this reason") == 1


def test_processes_that_do_not_listen_are_ended_by_force(ros2, launch_file, tmp_path):
    ignore = "import os, signal, time; [signal.signal(s, 1) for s in ({})]; os.mkdir({!r}); time.sleep(60)"
    outcome = ros2(
        "launch",
        launch_file(
            f"""
            python({ignore.format("signal.SIGINT,", "a")!r}, name="a", sigterm_timeout="0.5"),
            python({ignore.format("signal.SIGINT, signal.SIGTERM", "ready")!r}, name="b", sigterm_timeout="0.5",
                   sigkill_timeout="0.5"),
            python("import os, time\\nwhile not os.path.exists('a'): time.sleep(0.05)\\n" + UNTIL_READY,
                   on_exit=[EmitEvent(event=__import__("launch").events.Shutdown(reason="x"))]),
            """
        ),
        cwd=tmp_path,
    )
    assert outcome.returncode == 0
    failed = "[ERROR] [{0}]: process[{0}] failed to terminate '0.5' seconds after receiving 'SIGINT', escalating"
    assert outcome.says(failed.format("a-1")) == 1
    assert outcome.says(failed.format("b-2")) == 1
    assert outcome.says("[b-2]", "'SIGTERM', escalating to 'SIGKILL'") == 1
    assert outcome.says("[a-1]: process has died", "exit code -15,") == 1
    assert outcome.says("[b-2]: process has died", "exit code -9,") == 1


def test_what_cannot_be_started_is_reported(ros2, launch_file):
    outcome = ros2("launch", launch_file("ExecuteProcess(cmd=['/no/such/program']), python('print(1)', name='a')"))
    assert outcome.returncode == 0
    assert outcome.says("[ERROR] [program-1]: ") == 1
    assert outcome.says("No such file or directory: '/no/such/program'") >= 1
    assert "[a-2] 1" in outcome.out


def test_a_child_killed_in_mid_run_is_reported(ros2, launch_file):
    outcome = ros2(
        "launch",
        launch_file(
            """
            python(WAIT, name="victim"),
            RegisterEventHandler(OnProcessStart(on_start=lambda event, context: [TimerAction(period=0.5, actions=[
                OpaqueFunction(function=lambda context: os.kill(event.pid, signal.SIGKILL))])])),
            RegisterEventHandler(OnProcessExit(on_exit=lambda event, context: [
                LogInfo(msg=f"gone: {event.process_name} {event.returncode} {event.cmd[-1] == WAIT}")])),
            """
        ),
    )
    assert outcome.returncode == 0
    assert outcome.says("[ERROR] [victim-1]: process has died", "exit code -9,") == 1
    assert outcome.says("gone: victim-1 -9 True") == 1


def test_respawn(ros2, launch_file):
    outcome = ros2(
        "launch",
        launch_file(
            """
            python("print('born'); raise SystemExit(1)", name="a", respawn=True, respawn_delay=0.2),
            RegisterEventHandler(OnProcessExit(on_exit=third_time)),
            """,
            before="""
lives = []
def third_time(event, context):
    lives.append(event.pid)
    return Shutdown() if len(set(lives)) == 3 else None
""",
        ),
    )
    assert outcome.returncode == 0
    assert outcome.out.count("[a-1] born") == 3


def test_emulate_tty(ros2, launch_file):
    code = "import sys; print(sys.stdout.isatty(), sys.stderr.isatty())"
    outcome = ros2(
        "launch",
        launch_file(f"python({code!r}, name='a', emulate_tty=True), python({code!r}, name='b')"),
    )
    assert "[a-1] True True" in [line.rstrip("\r") for line in outcome.out]
    assert "[b-2] False False" in outcome.out


# --- scope


def test_conditions(ros2, launch_file):
    outcome = ros2(
        "launch",
        launch_file(
            """
            python("print('if')", condition=IfCondition(LaunchConfiguration("rviz"))),
            python("print('unless')", condition=UnlessCondition(LaunchConfiguration("rviz"))),
            GroupAction([LogInfo(msg="group")], condition=IfCondition(PythonExpression(
                ["'", LaunchConfiguration("rviz"), "' == 'False'"]))),
            """
        ),
        "rviz:=False",
    )
    assert outcome.returncode == 0
    assert outcome.says("unless") == 1
    assert outcome.says("] if") == 0
    assert outcome.says("group") == 1


def test_environment_and_groups(ros2, launch_file, tmp_path):
    show = "python(\"import os; print('{0}', os.environ.get('A'), os.environ.get('B'), os.getcwd())\"{1})"
    outcome = ros2(
        "launch",
        launch_file(
            f"""
            SetEnvironmentVariable("A", ["a", LaunchConfiguration("x", default="1")]),
            GroupAction([
                SetEnvironmentVariable("A", "inner"),
                SetLaunchConfiguration("x", "2"),
                LogInfo(msg=["inside ", LaunchConfiguration("x"), EnvironmentVariable("A"), LaunchConfiguration("y")]),
                {show.format("inside", ", additional_env={'B': LaunchConfiguration('x')}, cwd='/'")},
            ], launch_configurations={{"y": "3"}}),
            {show.format("outside", "")},
            {show.format("bare", ", env={'B': 'b'}")},
            LogInfo(msg=["outside ", LaunchConfiguration("x", default="1"), EnvironmentVariable("A")]),
            GroupAction([SetLaunchConfiguration("z", "4")], scoped=False),
            LogInfo(msg=["after ", LaunchConfiguration("z"), EnvironmentVariable("NO", default_value="no")]),
            """
        ),
        cwd=tmp_path,
    )
    assert outcome.returncode == 0
    assert outcome.says("inside 2inner3") == 1
    assert outcome.says("outside 1a1") == 1
    assert outcome.says("after 4no") == 1
    assert outcome.says("] inside inner 2 /") == 1
    assert outcome.says(f"] outside a1 None {tmp_path}") == 1
    assert outcome.says("] bare None b") == 1


def test_include(ros2, launch_file):
    launch_file(
        """
        DeclareLaunchArgument("who"), DeclareLaunchArgument("how", default_value="softly"),
        LogInfo(msg=[LaunchConfiguration("who"), " ", LaunchConfiguration("how"), " from ", ThisLaunchFileDir()]),
        """,
        "inner.launch.py",
    )
    include = """
        IncludeLaunchDescription(
            PythonLaunchDescriptionSource(PathJoinSubstitution([ThisLaunchFileDir(), "inner.launch.py"])),
            launch_arguments=%s),
        LogInfo(msg=["back in ", ThisLaunchFileDir()]),
    """
    file = launch_file(include % '{"who": ["it", LaunchConfiguration("n", default="0")]}.items()')
    outcome = ros2("launch", file)
    assert outcome.returncode == 0
    assert outcome.says(f"it0 softly from {file.parent}") == 1
    assert outcome.says(f"back in {file.parent}") == 1

    outcome = ros2("launch", launch_file(include % '[("how", "loudly")]'), "who:=not_passed_on")
    assert outcome.returncode == 1
    assert outcome.says("Caught exception in launch", "'who'") == 1


def test_timer(ros2, launch_file):
    start = time.monotonic()
    outcome = ros2(
        "launch",
        launch_file(
            """
            TimerAction(period=0.5, actions=[LogInfo(msg="fired")]),
            TimerAction(period=LaunchConfiguration("p", default="0.7"), actions=[Shutdown()]),
            TimerAction(period=30.0, actions=[LogInfo(msg="too late")]),
            """
        ),
    )
    assert outcome.returncode == 0
    assert 0.7 < time.monotonic() - start < 20
    assert outcome.says("fired") == 1
    assert outcome.says("too late") == 0


# --- signals


def start(launch_file, *words):
    """A launch of two processes that wait, and their ids."""
    file = launch_file('python(WAIT, name="a"), python(WAIT, name="b")')
    process = subprocess.Popen(
        [*ROS2, "launch", str(file), *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        cwd=file.parent,
        start_new_session=True,
    )
    lines, pids = [], []
    while sum("ready" in line for line in lines) < 2:
        lines.append(process.stdout.readline())
        pids += map(int, re.findall(r"process started with pid \[(\d+)\]", lines[-1]))
    assert len(pids) == 2
    return process, pids


def test_ctrl_c_ends_everything(launch_file):
    process, pids = start(launch_file)
    os.killpg(process.pid, signal.SIGINT)  # what a terminal does
    out, _ = process.communicate(timeout=20)
    print(out)
    assert process.returncode == 0
    assert "[WARNING] [launch]: user interrupted with ctrl-c (SIGINT)" in out
    assert "[a-1] interrupted" in out
    assert not any(map(alive, pids))


def test_sigint_to_the_launch_alone_ends_everything(launch_file):
    process, pids = start(launch_file)
    os.kill(process.pid, signal.SIGINT)  # there is no terminal, so the launch passes it on
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "sending signal 'SIGINT' to process[b-2]" in out
    assert "[b-2] interrupted" in out
    assert not any(map(alive, pids))


@pytest.mark.only_underlay
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_sigterm_leaves_no_orphans(launch_file, number):
    process, pids = start(launch_file)
    os.kill(process.pid, number)
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 1
    assert f"({number.name}), terminating" in out
    assert "[b-2] interrupted" in out
    assert not any(map(alive, pids))


@pytest.mark.only_underlay
def test_an_exception_after_processes_were_described_leaves_no_orphans(ros2, launch_file):
    outcome = ros2("launch", launch_file("python(WAIT), python(WAIT), OpaqueFunction(function=fail)"))
    assert outcome.returncode == 1
    assert outcome.says("process started") == outcome.says("process has ")


# --- in this process, as a test of a launch file does


def run_here(*entities, **kwargs):
    service = LaunchService(noninteractive=True)
    service.include_launch_description(LaunchDescription(entities))
    return service.run(**kwargs)


def test_run_in_process():
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    codes = []
    wait = ExecuteProcess(cmd=[sys.executable, "-c", "import time; time.sleep(60)"])
    quick = ExecuteProcess(cmd=[sys.executable, "-c", "import time; time.sleep(0.3); raise SystemExit(5)"])

    def on_exit(event, context):
        codes.append(event.returncode)
        assert event.action is quick
        return Shutdown()

    handler = OnProcessExit(target_action=quick, on_exit=on_exit)
    assert run_here(RegisterEventHandler(handler), quick, wait) == 0
    assert codes == [5]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers


def test_exceptions_give_1():
    def fail(context):
        raise ValueError("no")

    assert run_here(OpaqueFunction(function=fail)) == 1
    assert run_here(OpaqueFunction(function=lambda context: None)) == 0


def test_what_is_known_to_functions():
    seen = {}

    def look(context, *args, **kwargs):
        seen.update(args=args, kwargs=kwargs, **context.launch_configurations)
        return [DeclareLaunchArgument("b", default_value="2"), OpaqueFunction(function=look_again)]

    def look_again(context):
        seen["b"] = LaunchConfiguration("b").perform(context)

    def look_at_event(context):
        seen["reason"] = context.locals.event.reason

    code = run_here(
        DeclareLaunchArgument("a", default_value="1"),
        OpaqueFunction(function=look, args=[1], kwargs={"k": 2}),
        RegisterEventHandler(OnShutdown(on_shutdown=[OpaqueFunction(function=look_at_event)])),
    )
    assert code == 0
    assert seen == {"args": (1,), "kwargs": {"k": 2}, "a": "1", "b": "2", "reason": "idle"}


def test_shutdown_from_another_thread():
    service = LaunchService(noninteractive=True)
    wait = ExecuteProcess(cmd=[sys.executable, "-c", "import time; time.sleep(60)"])
    service.include_launch_description(LaunchDescription([wait]))
    timer = threading.Timer(0.7, service.shutdown)
    timer.start()
    start = time.monotonic()
    assert service.run(shutdown_when_idle=False) == 0
    assert 0.6 < time.monotonic() - start < 20
    timer.join()


def test_runs_only_in_the_main_thread():
    errors = []

    def run():
        try:
            LaunchService().run()
        except RuntimeError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert len(errors) == 1


def test_an_action_starts_once():
    action = ExecuteProcess(cmd=[sys.executable, "-c", "0"])
    assert run_here(action, action) == 1


# --- substitutions and conditions


def text(substitution, **configurations):
    context = LaunchContext()
    context.launch_configurations.update(configurations)
    return perform_substitutions(context, normalize_to_list_of_substitutions(substitution))


def test_substitutions(monkeypatch):
    monkeypatch.setenv("SET_BY_TEST", "yes")
    monkeypatch.delenv("NOT_SET", raising=False)
    assert text("a") == "a"
    assert text(["a", TextSubstitution(text="b")]) == "ab"
    assert text(LaunchConfiguration("x"), x="1") == "1"
    assert text(LaunchConfiguration(["x", LaunchConfiguration("y")]), y="z", xz="2") == "2"
    assert text(LaunchConfiguration("x", default=5)) == "5"
    assert text(LaunchConfiguration("x", default=["a", LaunchConfiguration("y")]), y="b") == "ab"
    assert text(EnvironmentVariable("SET_BY_TEST")) == "yes"
    assert text(EnvironmentVariable("NOT_SET", default_value="no")) == "no"
    assert text(PathJoinSubstitution(["/a", LaunchConfiguration("x"), "c"]), x="b") == "/a/b/c"
    assert text(PythonExpression(["2 * int('", LaunchConfiguration("x"), "')"]), x="4") == "8"
    assert text(PythonExpression("sqrt(4.0) == 2")) == "True"


@pytest.mark.parametrize("missing", [LaunchConfiguration("x"), EnvironmentVariable("NOT_SET")])
def test_substitutions_without_value(missing):
    with pytest.raises(SubstitutionFailure, match="does not exist"):
        text(missing)


def test_only_text_and_substitutions_make_text():
    with pytest.raises(TypeError):
        text(["a", 1])


@pytest.mark.parametrize(
    ("said", "meant"), [("true", True), ("True", True), (" 1 ", True), ("FALSE", False), ("0", False)]
)
def test_condition_words(said, meant):
    context = LaunchContext()
    context.launch_configurations["x"] = said
    assert IfCondition(LaunchConfiguration("x")).evaluate(context) is meant
    assert UnlessCondition(LaunchConfiguration("x")).evaluate(context) is not meant


@pytest.mark.parametrize("said", ["yes", "", "2"])
def test_condition_words_that_mean_nothing(said):
    with pytest.raises(ValueError, match="expected one of"):
        IfCondition(said).evaluate(LaunchContext())
