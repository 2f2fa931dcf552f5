"""Training through the command line."""

import csv
import sys

import numpy as np
import pytest

from depth_completion_ros.cli.main import main
from depth_completion_ros.cli.train import open_share
from depth_completion_ros.datasets.cache import CachedSource
from depth_completion_ros.pipeline import DepthCompleter
from depth_completion_ros.training import initial_depth

TINY = ["--preset", "lite", "--crop", "64", "96", "--height", "0", "--batch", "1", "--workers", "0", "--device", "cpu"]


def train(tmp_path, *arguments, data="synthetic,frames=1,seed=2"):
    where = ["--data", data, "--cache", str(tmp_path / "cache"), "--output", str(tmp_path / "run")]
    return main(["train", *TINY, *where, *arguments])


def test_a_checkpoint_comes_of_it(tmp_path, capsys):
    assert train(tmp_path, "--model", "mspn", "--option", "rules=nyu", "--steps", "2") == 0
    assert f"--checkpoint {tmp_path / 'run'}" in capsys.readouterr().out
    completer = DepthCompleter("mspn", "cpu", checkpoint=tmp_path / "run")
    assert completer.network.options["rules"] == "nyu"
    with (tmp_path / "run" / "losses.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 2
    # The same command is done at once, another one is refused.
    assert train(tmp_path, "--model", "mspn", "--option", "rules=nyu", "--steps", "2") == 0
    assert train(tmp_path, "--model", "mspn", "--steps", "2") == 2
    assert "is of another training" in capsys.readouterr().err


def test_initial_depth_is_estimated_once(tmp_path, monkeypatch, capsys):
    estimated = []

    class Estimator:
        def __init__(self, folder, device):
            pass

        def __call__(self, image):
            estimated.append(image.shape)
            return np.full(image.shape[:2], 10, np.float32)

    monkeypatch.setattr(initial_depth, "MonocularEstimator", Estimator)
    initial_depth._estimator.cache_clear()
    arguments = ["--estimator", str(tmp_path / "estimator"), "--steps", "2"]
    assert train(tmp_path, "--model", "mspn", "--option", "mode=sdr", *arguments) == 0
    assert len(estimated) == 1
    place = str(tmp_path / "estimator").replace("/", "_")
    assert {path.name for path in (tmp_path / "cache").iterdir()} == {
        "synthetic_frames=1_seed=2",
        f"synthetic_frames=1_seed=2_estimator={place}",
    }
    (tmp_path / "run").rename(tmp_path / "sdr")
    assert train(tmp_path, "--model", "emdc", *arguments) == 2
    assert "model 'emdc' with these options starts from no initial depth" in capsys.readouterr().err
    initial_depth._estimator.cache_clear()


def test_estimators_of_the_same_name_have_their_own_estimates(tmp_path, monkeypatch):
    monkeypatch.setattr(initial_depth, "MonocularEstimator", lambda folder, device: None)
    initial_depth._estimator.cache_clear()
    labels = [
        open_share("synthetic,frames=1,seed=2", tmp_path, tmp_path / parent / "small").source.label
        for parent in ("one", "other")
    ]
    assert labels[0] != labels[1]
    initial_depth._estimator.cache_clear()


def test_epochs_count_frames(tmp_path):
    assert train(tmp_path, "--model", "emdc", "--epochs", "3") == 0
    assert len((tmp_path / "run" / "losses.csv").read_text().splitlines()) == 1 + 3


def test_a_checkpoint_is_trained_further_and_scored(tmp_path):
    assert train(tmp_path, "--model", "mspn", "--steps", "1") == 0
    (tmp_path / "run").rename(tmp_path / "first")
    more = ["--init", str(tmp_path / "first"), "--held-out", "synthetic,frames=1,seed=2", "--held-out-every", "2"]
    assert train(tmp_path, "--model", "mspn", "--steps", "3", *more) == 0
    with (tmp_path / "run" / "held_out.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["step"], row["lines"]) for row in rows] == [
        (step, lines) for step in "023" for lines in ("32", "16", "8", "4")
    ]
    assert all(row["frames"] == "1" and 0 < float(row["mae_mm"]) < float(row["rmse_mm"]) for row in rows)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--model", "classical"], "'classical' cannot be trained; those that can: nlspn"),
        (["--model", "emdc", "--recipe", "kitti"], "'emdc' has no recipe for 'kitti'; available: mipi"),
        (["--model", "emdc", "--option", "mode"], "'mode' is not of the form NAME=VALUE"),
        (["--model", "mspn", "--estimator", "nowhere"], "nowhere is no folder of a Hugging Face model"),
        (["--model", "emdc", "--init", "nowhere"], "no such checkpoint"),
        (["--model", "emdc", "--steps", "1", "--precision", "int8"], "unknown precision 'int8'"),
        (["--model", "emdc", "--steps", "0"], "steps is 0, expected 1 or more"),
        (["--model", "emdc", "--epochs", "0"], "epochs is 0, expected more than 0"),
        (["--model", "emdc", "--epochs", "-1"], "epochs is -1, expected more than 0"),
        (["--model", "emdc", "--preset", "paper", "--recipe", "any"], "the recipe any is for the preset lite"),
        (["--model", "nlspn", "--steps", "1", "--top", "375"], "no rows below the top 375"),
        (["--model", "emdc", "--clip", "-1"], "clipped to a norm of -1, expected more than 0"),
        (["--model", "emdc", "--image-dropout", "2"], "dead in 2 of the samples, expected 0 to 1"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(tmp_path, capsys, arguments, words):
    assert train(tmp_path, *arguments) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1


def test_tensorboard_that_is_missing_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    assert train(tmp_path, "--model", "emdc", "--steps", "1", "--tensorboard") == 2
    assert "pip install tensorboard" in capsys.readouterr().err


def test_what_decides_on_the_frames_is_told_whatever_its_order():
    share = open_share("synthetic-streets,weight=2,sensors=VLP-16,frames=3", None)
    assert share.source.name == "synthetic_streets_0"
    assert share.options == "frames=3,sensors=VLP-16"


def test_shares_count_frames_unless_weighed(tmp_path):
    assert open_share("synthetic,frames=7", None).weight == 7
    share = open_share("synthetic,frames=7,weight=2.5", tmp_path)
    assert share.weight == 2.5
    assert isinstance(share.source, CachedSource) and len(share.source) == 7
    with pytest.raises(ValueError, match="its options: frames"):
        open_share("synthetic,frame=7", None)
