"""The mean of the weights of several trainings."""

import pytest
import torch

from depth_completion_ros.checkpoints import load_checkpoint, save_checkpoint
from depth_completion_ros.cli.main import main
from depth_completion_ros.networks.registry import create


def train(folder, seed, model="auxiliary"):
    """Stands for a training; returns its network."""
    torch.manual_seed(seed)
    network = create(model, preset="lite")
    for name, buffer in network.named_buffers():
        buffer.fill_(4 * seed if name.endswith("num_batches_tracked") else seed)
    network.image_optional = True
    network.crop = (32 * seed, 64)
    network.calibration = {"confidence": {"knots": [0], "log_odds": [seed]}}
    save_checkpoint(network, folder)
    return network


def test_every_weight_is_the_mean(tmp_path, capsys):
    folders = [tmp_path / name for name in "abc"]
    networks = [train(folder, seed) for seed, folder in enumerate(folders, 1)]
    output = tmp_path / "mean"
    assert main(["average", *map(str, folders), "--output", str(output)]) == 0
    assert "auxiliary {'preset': 'lite'}, the mean of 3" in capsys.readouterr().out
    mean = load_checkpoint(output)
    assert mean.image_optional and mean.calibration is None and mean.crop is None
    for name, parameter in mean.named_parameters():
        expected = sum(network.get_parameter(name).detach() for network in networks) / 3
        torch.testing.assert_close(parameter.detach(), expected)
    for name, buffer in mean.named_buffers():
        assert torch.all(buffer == (4 if name.endswith("num_batches_tracked") else 2)), name


def test_no_training_loses_its_weights(tmp_path, capsys):
    train(tmp_path / "a", 1)
    (tmp_path / "a" / "training.pt").touch()
    before = (tmp_path / "a" / "weights.safetensors").read_bytes()
    assert main(["average", str(tmp_path / "a"), "--output", str(tmp_path / "a")]) == 2
    assert f"{tmp_path / 'a'} holds a training" in capsys.readouterr().err
    assert (tmp_path / "a" / "weights.safetensors").read_bytes() == before


@pytest.mark.parametrize(("model", "image_optional"), [("nlspn", True), ("auxiliary", False)])
def test_networks_that_differ_have_no_mean(tmp_path, capsys, model, image_optional):
    train(tmp_path / "a", 1)
    other = train(tmp_path / "b", 2, model)
    other.image_optional = image_optional
    save_checkpoint(other, tmp_path / "b")
    assert main(["average", str(tmp_path / "a"), str(tmp_path / "b"), "--output", str(tmp_path / "c")]) == 2
    error = capsys.readouterr().err
    assert f"{tmp_path / 'b'} has another {'model' if image_optional else 'image_optional'}" in error
    assert not (tmp_path / "c").exists()
