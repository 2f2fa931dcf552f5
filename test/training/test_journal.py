"""The record of a training."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from planes import tiny_trainer

from depth_completion_ros.training.held_out import Score
from depth_completion_ros.training.journal import CURVE, HELD_OUT, Journal


class Board:
    """Stands in for TensorBoard's SummaryWriter."""

    def __init__(self, folder, purge_step):
        self.folder, self.purge_step, self.scalars, self.pictures = folder, purge_step, [], []
        Board.last = self

    def add_scalar(self, name, value, step):
        self.scalars.append((step, name, value))

    def add_image(self, name, picture, step, dataformats):
        assert dataformats == "HWC" and picture.dtype == np.uint8 and picture.shape[2] == 3
        self.pictures.append(step)

    def close(self):
        self.closed = True


@pytest.fixture
def board(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", SimpleNamespace(SummaryWriter=Board))


def test_steps_after_the_saved_one_are_taken_back(tmp_path):
    journal = Journal(tmp_path, ("loss",), 0, tensorboard=False)
    for step in (1, 2, 3, 4):
        journal.add(step, {"loss": 1 / step})
    journal.close()
    with (tmp_path / CURVE).open("a") as file:
        file.write("5,0.1")  # killed in the middle of a line
    journal = Journal(tmp_path, ("loss",), 2, tensorboard=False)
    journal.add(3, {"loss": 0.1 + 0.2})
    journal.close()
    assert (tmp_path / CURVE).read_text() == "step,loss\n1,1.0\n2,0.5\n3,0.30000000000000004\n"


def test_a_training_that_starts_anew_takes_all_back(tmp_path):
    """Killed before anything was saved, it has the scores of step 0 already."""
    for _ in range(2):
        journal = Journal(tmp_path, ("loss",), 0, tensorboard=False)
        journal.add_scores(0, [Score("planes", None, 3, 120.0, 45.0)])
        journal.close()
    assert (tmp_path / HELD_OUT).read_text() == "step,data,lines,frames,rmse_mm,mae_mm\n0,planes,all,3,120.0,45.0\n"


def test_tensorboard_gets_every_step_and_pictures(tmp_path, board):
    tiny_trainer(tmp_path, steps=4, picture_every=2, tensorboard=True).run()
    assert Board.last.pictures == [2, 4]
    assert [step for step, name, _ in Board.last.scalars if name == "loss"] == [1, 2, 3, 4]
    assert {name for _, name, _ in Board.last.scalars} == {"loss", "gradient_norm", "learning_rate"}
    assert Board.last.closed and Board.last.purge_step == 1


def test_a_picture_leaves_the_training_as_it_is(tmp_path, board):
    tiny_trainer(tmp_path / "with", steps=4, picture_every=1, tensorboard=True).run()
    tiny_trainer(tmp_path / "without", steps=4).run()
    assert (tmp_path / "with" / CURVE).read_text() == (tmp_path / "without" / CURVE).read_text()
