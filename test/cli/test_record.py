"""Recording a source of frames through the command line."""

import numpy as np
import pytest

from depth_completion_ros import datasets
from depth_completion_ros.cli.main import main
from depth_completion_ros.datasets.bag import BagSource
from depth_completion_ros.datasets.base import IndexedSource
from depth_completion_ros.frame import Frame
from depth_completion_ros.geometry.camera import Camera


class Recording(IndexedSource):
    """Four frames, of which some are damaged."""

    name = "recording"

    def __init__(self, damaged=()):
        self.damaged = damaged

    def __len__(self):
        return 4

    def __getitem__(self, index):
        if index in self.damaged:
            raise ValueError(f"{index}.png: damaged")
        return Frame(
            stamp=1_000_000_000 + index * 100_000_000,
            camera=Camera(4, 3, 5, 5, 1.5, 1),
            image=np.full((3, 4, 3), index, np.uint8),
            points=np.ones((2, 3), np.float32),
        )


@pytest.fixture
def source(monkeypatch):
    def use(**options):
        monkeypatch.setattr(datasets, "open_source", lambda path: Recording(**options))

    return use


def test_every_frame_is_written(tmp_path, source, capsys):
    source()
    assert main(["record", "anything", str(tmp_path / "out"), "--storage", "sqlite3"]) == 0
    assert [frame.image[0, 0, 0] for frame in BagSource(tmp_path / "out")] == [0, 1, 2, 3]
    assert (tmp_path / "out" / "out.db3").exists()
    assert "4 frames of recording written" in capsys.readouterr().out


def test_damaged_frames_are_reported_and_left_out(tmp_path, source, capsys):
    source(damaged=(1, 3))
    assert main(["record", "anything", str(tmp_path / "out")]) == 1
    assert [frame.image[0, 0, 0] for frame in BagSource(tmp_path / "out")] == [0, 2]
    output, errors = capsys.readouterr()
    assert "2 frames of recording" in output and "without 2 that could not be read" in output
    assert "1.png: damaged" in errors and "3.png: damaged" in errors


def test_nothing_is_overwritten(tmp_path, source, capsys):
    source()
    assert main(["record", "anything", str(tmp_path)]) == 2
    assert "exists already" in capsys.readouterr().err


def test_options_of_the_source(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "open_source", lambda path, damaged: Recording([damaged]))
    assert main(["record", "anything,damaged=1", str(tmp_path / "out")]) == 1
    assert [frame.image[0, 0, 0] for frame in BagSource(tmp_path / "out")] == [0, 2, 3]
