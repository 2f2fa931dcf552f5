"""What is fitted lands in the checkpoint, and the confidence is what it says from then on."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from depth_completion_ros import Camera, DepthCompleter, datasets, pipeline
from depth_completion_ros.checkpoints import load_checkpoint, save_checkpoint
from depth_completion_ros.cli.main import main
from depth_completion_ros.confidence import CLUES, MEANING, Calibration
from depth_completion_ros.datasets import IndexedSource
from depth_completion_ros.frame import Frame
from depth_completion_ros.networks.registry import create


@pytest.fixture(autouse=True)
def rough(monkeypatch):
    """A source by the name of ``rough``: surfaces smooth on the left and rough on the right."""

    class Rough(IndexedSource):
        name = "rough"

        def __len__(self):
            return 3

        def __getitem__(self, index):
            rng = np.random.default_rng(index)
            truth = (15 * np.exp(rng.normal(0, 1, (48, 64)) * np.linspace(0, 0.25, 64))).astype(np.float32)
            depth = np.where(rng.random(truth.shape) < 0.1, truth, 0).astype(np.float32)
            camera = Camera(64, 48, 60.0, 60.0, 31.5, 23.5)
            return Frame(index, camera, depth=depth, ground_truth=truth)

    monkeypatch.setattr(datasets, "open_source", lambda path: {"rough": Rough()}[path])


def test_the_calibration_goes_into_the_checkpoint(tmp_path, capsys):
    torch.manual_seed(0)
    save_checkpoint(create("auxiliary", preset="lite"), tmp_path)
    before = load_checkpoint(tmp_path)
    sparse = datasets.open_source("rough")[0].depth
    uncalibrated = DepthCompleter("auxiliary", "cpu", checkpoint=tmp_path)
    assert uncalibrated.confidence_meaning == before.confidence_meaning
    assert main(["calibrate", str(tmp_path), "--data", "rough", "--lines", "all", "--device", "cpu"]) == 0
    assert str(tmp_path) in capsys.readouterr().err

    network = load_checkpoint(tmp_path)
    assert set(network.calibration) == set(CLUES)
    for key, value in before.state_dict().items():
        assert torch.equal(network.state_dict()[key], value)
    completer = DepthCompleter("auxiliary", "cpu", checkpoint=tmp_path)
    assert completer.confidence_meaning == MEANING
    raw, completion = uncalibrated(None, sparse), completer(None, sparse)
    np.testing.assert_array_equal(completion.depth, raw.depth)
    expected = Calibration(network.calibration)(torch.tensor(raw.depth), torch.tensor(raw.confidence), sparse)
    np.testing.assert_allclose(completion.confidence, expected, atol=1e-6)
    assert not np.allclose(completion.confidence, raw.confidence)
    # Saved anew, as when it is exported, it keeps what was fitted; and what was fitted once can be fitted again.
    save_checkpoint(network, tmp_path / "copy")
    assert load_checkpoint(tmp_path / "copy").calibration == network.calibration
    assert main(["calibrate", str(tmp_path), "--data", "rough", "--lines", "all", "--device", "cpu"]) == 0
    assert load_checkpoint(tmp_path).calibration == network.calibration


def test_every_source_counts(tmp_path, monkeypatch, capsys):
    torch.manual_seed(0)
    save_checkpoint(create("auxiliary", preset="lite"), tmp_path)
    rough = datasets.open_source("rough")

    class Scaled(IndexedSource):
        """The frames of ``rough`` at one scale after the other."""

        name = "scaled"

        def __init__(self, scales):
            self.scales = scales

        def __len__(self):
            return 3 * len(self.scales)

        def __getitem__(self, index):
            scale = np.float32(self.scales[index // 3])
            frame = rough[index % 3]
            return replace(frame, depth=scale * frame.depth, ground_truth=scale * frame.ground_truth)

    sources = {"far": Scaled([1]), "near": Scaled([0.1]), "both": Scaled([1, 0.1])}
    monkeypatch.setattr(datasets, "open_source", lambda path: sources[path])
    found = {}
    for data in ("far", "both", "far near"):
        arguments = ["calibrate", str(tmp_path), "--lines", "all", "--device", "cpu"]
        assert main([*arguments, "--data", *data.split()]) == 0
        found[data] = load_checkpoint(tmp_path).calibration
    assert found["far near"] == found["both"] != found["far"]
    assert main([*arguments, "--data", "far", "near,weight=2"]) == 2
    assert "only the data of a training are weighted" in capsys.readouterr().err


def test_classical_is_printed(capsys):
    assert main(["calibrate", "classical", "--data", "rough", "--lines", "all"]) == 0
    curves = json.loads(capsys.readouterr().out)
    assert set(curves) == set(CLUES)
    Calibration(curves)


def test_an_estimator_that_is_of_no_use_is_refused(tmp_path, capsys):
    save_checkpoint(create("auxiliary", preset="lite"), tmp_path)
    for what in ("classical", str(tmp_path)):
        arguments = ["calibrate", what, "--data", "rough", "--lines", "all", "--device", "cpu"]
        assert main([*arguments, "--estimator", "anywhere"]) == 2
        assert "starts from no initial depth" in capsys.readouterr().err


def test_a_model_that_starts_from_an_estimate(tmp_path, monkeypatch, capsys):
    class Estimator:
        def __init__(self, folder, device):
            pass

        def __call__(self, image):
            return np.full(image.shape[:2], 15, np.float32)

    monkeypatch.setattr(pipeline, "MonocularEstimator", Estimator)
    rough = datasets.open_source("rough")
    of_depth = type(rough).__getitem__
    picture = np.full((48, 64, 3), 100, np.uint8)
    monkeypatch.setattr(type(rough), "__getitem__", lambda self, index: replace(of_depth(self, index), image=picture))
    save_checkpoint(create("mspn", preset="lite", mode="sdr"), tmp_path)
    arguments = ["calibrate", str(tmp_path), "--data", "rough", "--lines", "all", "--device", "cpu"]
    assert main(arguments) == 2
    assert "needs an initial depth" in capsys.readouterr().err
    assert main([*arguments, "--estimator", str(tmp_path)]) == 0
    assert set(load_checkpoint(tmp_path).calibration) == set(CLUES)


def test_what_is_no_checkpoint_is_said(tmp_path, capsys):
    assert main(["calibrate", str(tmp_path), "--data", "rough"]) == 2
    assert "no such checkpoint" in capsys.readouterr().err


def test_a_checkpoint_that_cannot_be_written_is_told_before_the_work(tmp_path, monkeypatch, capsys):
    save_checkpoint(create("auxiliary", preset="lite"), tmp_path)

    def full(**_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    monkeypatch.setattr("depth_completion_ros.evaluation.calibration.calibrate", None)
    assert main(["calibrate", str(tmp_path), "--data", "rough", "--device", "cpu"]) == 2
    assert f"{tmp_path}: No space left on device" in capsys.readouterr().err
