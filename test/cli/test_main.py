"""How the command line starts, fails and is stopped."""

import subprocess
import sys

import pytest
import torch

from depth_completion_ros.cli import evaluate
from depth_completion_ros.cli.main import main


def test_help_lists_the_commands_without_heavy_imports():
    check = (
        "import sys\n"
        "from depth_completion_ros.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "sys.exit(bool({'torch', 'numpy', 'cv2', 'open3d'} & sys.modules.keys()))"
    )
    result = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert {"complete", "evaluate", "models"} <= set(result.stdout.split())


def test_wrong_input_is_one_line_and_status_2(tmp_path, capsys):
    assert main(["evaluate", str(tmp_path / "nowhere"), str(tmp_path)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == f"depth-completion: error: {tmp_path / 'nowhere'}: No such file or directory\n"


def test_debug_shows_where_an_error_comes_from(tmp_path):
    with pytest.raises(FileNotFoundError):
        main(["evaluate", "--debug", str(tmp_path / "nowhere"), str(tmp_path)])


def test_too_little_memory_is_one_line_and_other_failures_are_not_hidden(tmp_path, monkeypatch, capsys):
    def fail(folder):
        raise error

    monkeypatch.setattr(evaluate, "_depth_files", fail)
    arguments = ["evaluate", str(tmp_path), str(tmp_path)]
    error: Exception = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 MiB.\nMuch more")
    assert main(arguments) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "too little memory, take smaller crops" in told and "allocate 20 MiB" in told
    error = RuntimeError("something else")
    with pytest.raises(RuntimeError, match="something else"):
        main(arguments)


@pytest.mark.parametrize("arguments", [[], ["unheard-of"], ["evaluate"], ["complete"]])
def test_wrong_usage_is_status_2(arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert "usage: depth-completion" in capsys.readouterr().err


def test_interrupt_is_status_130(tmp_path, monkeypatch):
    def interrupt(folder):
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluate, "_depth_files", interrupt)
    assert main(["evaluate", str(tmp_path), str(tmp_path)]) == 130
