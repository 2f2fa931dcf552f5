"""The weights in models/: those that are there are whole and answer as ever; and who gets them when nobody chose."""


import numpy as np
import pytest
import torch

from depth_completion_ros import Camera, DepthCompleter, shipped
from depth_completion_ros.checkpoints import WEIGHTS_FILE, load_checkpoint, save_checkpoint
from depth_completion_ros.datasets import open_source
from depth_completion_ros.frame import Frame
from depth_completion_ros.golden import TOLERANCE, golden_difference
from depth_completion_ros.networks.registry import create
from depth_completion_ros.pipeline import sparse_depth_of
from depth_completion_ros.shipped import LARGEST, MODELS, default_model, sensors_of, shipped_models

# The models whose weights ship: all that are trained.
EXPECTED = ["auxiliary", "emdc", "magaconv", "mspn", "nlspn"]


def test_weights_of_the_models_that_should_ship_are_there():
    assert shipped_models() == EXPECTED


@pytest.mark.parametrize("model", shipped_models())
def test_shipped_weights_are_small_described_and_answer_as_when_they_were_exported(model):
    assert (MODELS / model / WEIGHTS_FILE).stat().st_size <= LARGEST
    assert (MODELS / model / "README.md").read_text().strip()
    assert load_checkpoint(MODELS / model).name == model
    difference = golden_difference(MODELS / model)
    assert all(difference[name] <= TOLERANCE[name] for name in TOLERANCE), difference


def test_the_default_sees_what_stands_above_the_top_line_of_a_lidar():
    """Walls go on upright there, which `classical` knows as well; trees and signs do not."""
    frame = next(iter(open_source("synthetic")))
    truth = frame.ground_truth
    top = np.flatnonzero((sparse_depth_of(frame) > 0).any(1))[0]
    above = (truth > 0) & (truth < 80) & (np.arange(len(truth))[:, None] < top)
    assert above.mean() > 0.1
    errors = {}
    for model in ("mspn", "classical"):
        depth = DepthCompleter(model, "cpu").complete(frame).depth
        errors[model] = (np.abs(depth - truth)[above] / truth[above]).mean()
    assert errors["mspn"] < 0.6 * errors["classical"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of weights that ship, with none in it yet."""
    monkeypatch.setattr(shipped, "MODELS", tmp_path)
    return tmp_path


def ship(folder, model="emdc"):
    torch.manual_seed(5)
    network = create(model, preset="lite")
    save_checkpoint(network, folder / model)
    return network


def test_the_weights_that_ship_are_used_unless_another_network_is_asked_for(folder, caplog):
    network = ship(folder)
    weight = dict(network.named_parameters())

    def has_shipped_weights(**options) -> bool:
        completer = DepthCompleter("emdc", "cpu", **options)
        # Normalisations are folded into other parameters; what comes after the last one is left.
        names = [name for name, _ in completer.network.named_parameters() if name in weight]
        return all(torch.equal(completer.network.get_parameter(name), weight[name]) for name in names[-2:])

    assert has_shipped_weights() and has_shipped_weights(preset="lite") and has_shipped_weights(preset="")
    assert not caplog.records
    assert not has_shipped_weights(preset="paper", depth_norm=False)
    assert "model emdc has random weights" in caplog.text
    with pytest.raises(ValueError, match="'gamma'"):
        DepthCompleter("emdc", "cpu", gamma=3)


def test_a_checkpoint_goes_before_the_weights_that_ship_and_brings_its_model(folder, tmp_path):
    ship(folder)
    save_checkpoint(create("auxiliary", preset="lite"), tmp_path / "mine")
    assert DepthCompleter(device="cpu", checkpoint=tmp_path / "mine").model == "auxiliary"
    with pytest.raises(ValueError, match="is of model 'auxiliary', 'emdc' was asked for"):
        DepthCompleter("emdc", "cpu", checkpoint=tmp_path / "mine")


def test_the_default_is_for_the_sensors_and_has_weights(folder, caplog):
    chosen = {
        (True, "lidar"): "mspn",
        (False, "lidar"): "auxiliary",
        (True, "spots"): "emdc",
        (True, "tof"): "magaconv",
    }
    for sensors, model in chosen.items():
        assert default_model(*sensors) == "classical"
        assert f"no weights of {model} are installed: classical is used" in caplog.text
    caplog.clear()
    for model in chosen.values():
        (folder / model).mkdir()
        (folder / model / WEIGHTS_FILE).touch()
    for sensors, model in chosen.items():
        assert default_model(*sensors) == model
    assert not caplog.records
    assert shipped_models() == sorted(chosen.values())


def test_weights_that_cannot_be_read_are_an_error_not_a_reason_for_another_model(folder):
    (folder / "mspn").mkdir()
    (folder / "mspn" / WEIGHTS_FILE).write_bytes(b"half a download")
    with pytest.raises(ValueError, match=r"weights\.safetensors is not a safetensors file"):
        DepthCompleter(device="cpu")


def depth_image(share: float, reach: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.where(rng.random((60, 80)) < share, rng.uniform(1, reach, (60, 80)), 0).astype(np.float32)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"points": np.zeros((5, 3), np.float32)}, (False, "lidar")),
        ({"points": np.zeros((5, 3), np.float32), "depth": depth_image(0.7, 6)}, (False, "lidar")),
        ({"image": np.zeros((60, 80, 3), np.uint8), "depth": depth_image(0.05, 80)}, (True, "lidar")),
        ({"depth": depth_image(0.05, 6)}, (False, "spots")),
        ({"depth": depth_image(0.7, 6)}, (False, "tof")),
        ({"depth": depth_image(0, 6)}, (False, "lidar")),
    ],
)
def test_a_frame_tells_which_sensors_it_is_of(content, expected):
    assert sensors_of(Frame(1, Camera(80, 60, 60.0, 60.0, 39.5, 29.5), **content)) == expected
