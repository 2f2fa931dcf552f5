"""What cannot be timed is said; times themselves are looked at by people."""

import json

import pytest
import torch
from walls import wall

from depth_completion_ros import datasets
from depth_completion_ros.cli import bench
from depth_completion_ros.cli.main import main
from depth_completion_ros.datasets import FrameSource


class Walls(FrameSource):
    name = "walls"

    def __init__(self, frames):
        self.frames = frames

    def __len__(self):
        return self.frames

    def read(self):
        return map(wall, range(self.frames))


@pytest.fixture(autouse=True)
def walls(monkeypatch):
    monkeypatch.setattr(datasets, "open_source", lambda path, frames=3: Walls(frames))

    def time_model(options, frames):
        return bench._Timed(f"{options.model} {options.preset}", torch.device("cpu"), "half", {"run": (1.0, 2.0)})

    monkeypatch.setattr(bench, "_time_model", time_model)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--source", "walls,weight=2"), "walls,weight=2: only the data of a training are weighted"),
        (("--source", "walls,frames=0"), "walls,frames=0 has no frame to time"),
        (("--lines", "17"), "asked for 17 scan lines of a LiDAR with 16"),
    ],
)
def test_what_cannot_be_timed_is_said_in_one_line(capsys, arguments, message):
    assert main(["bench", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


@pytest.mark.parametrize("option", ["--frames", "--threads", "--lines"])
def test_numbers_are_1_or_more(capsys, option):
    with pytest.raises(SystemExit):
        main(["bench", option, "0"])
    assert f"{option}: '0', expected a whole number, 1 or more" in capsys.readouterr().err


def test_options_of_the_source_and_the_preset_of_all_models(capsys):
    assert main(["bench", "--source", "walls,frames=1", "--model", "all", "--preset", "lite", "--threads", "1"]) == 0
    out = capsys.readouterr().out
    assert "30 frames of walls,frames=1" in out
    assert "\nmspn lite (cpu, half) " in out and "\nclassical None (cpu, half) " in out
    assert main(["bench", "--source", "walls", "--model", "mspn", "--preset", "lite", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["ways"] == {"mspn lite": "cpu, half"}
    assert told["milliseconds"] == {"mspn lite": {"run": [1.0, 2.0]}}


def test_the_part_of_the_resolution_is_told(capsys):
    assert main(["bench", "--source", "walls", "--decimation", "2"]) == 0
    assert " pixels completed at 1/2 of the resolution, " in capsys.readouterr().out
    assert main(["bench", "--source", "walls"]) == 0
    assert "completed at" not in capsys.readouterr().out
