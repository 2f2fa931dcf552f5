"""The executables that pip and colcon make call these functions."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from depth_completion_ros.nodes import start

NODES = ("completion_node", "evaluation_node", "replay_node")
# Torch, as ever so many others, takes a while to import; it says when it has begun.
SLOW = "import time\nprint('importing', flush=True)\ntime.sleep(20)\n"


@pytest.mark.parametrize("name", NODES)
def test_every_executable_has_its_function(name):
    assert f'"{name} = depth_completion_ros.nodes.start:{name}"' in (Path(__file__).parents[2] / "setup.py").read_text()
    assert callable(getattr(start, name))


def test_an_interrupt_while_importing_ends_it_without_a_word(tmp_path):
    (tmp_path / "numpy.py").write_text(SLOW)
    program = "import sys; from depth_completion_ros.nodes.start import replay_node as run\n"
    program += f"sys.path.insert(0, {str(tmp_path)!r}); sys.exit(run())"
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "importing\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=10) == ("", "")
    assert process.returncode == 0


def test_it_runs_the_node_and_answers_with_its_status():
    program = "import sys; from depth_completion_ros.nodes.start import replay_node as run; sys.exit(run())"
    words = ["--ros-args", "-p", "source:=/nowhere"]
    result = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, timeout=60)
    assert result.returncode == 2
    assert result.stderr.startswith("replay_node: /nowhere does not exist")
