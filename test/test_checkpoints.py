"""Checkpoints of ours and of the authors: what fits is read, what does not is named, and nothing is executed."""

import argparse
import hashlib
import os
import re

import numpy as np
import pytest
import safetensors.torch
import torch
from parity.fill import official_weights

from depth_completion_ros.checkpoints import (
    WEIGHTS_FILE,
    load_checkpoint,
    load_official,
    read_header,
    save_checkpoint,
    store_calibration,
)
from depth_completion_ros.networks.registry import create


@pytest.fixture(scope="module")
def weights():
    return official_weights("nlspn_resnet18", "resnet18")


@pytest.mark.parametrize(
    "wrap",
    [
        lambda weights: weights,
        lambda weights: {"net": weights, "epoch": 3},
        lambda weights: {"state_dict": {f"module.{key}": value for key, value in weights.items()}, "best_acc": 0.5},
        lambda weights: {key: value.numpy() for key, value in weights.items()},
    ],
    ids=["plain", "net", "state_dict-module", "numpy"],
)
def test_official_weights_are_found_in_their_wrapping(weights, wrap):
    network = load_official("nlspn", wrap(weights), legacy=True, preserve_input=True)
    assert not network.training
    assert network.options["backbone"] == "resnet18"
    assert network.options["sampling"] == "legacy"
    assert network.options["preserve_input"]
    assert torch.equal(network.encoder[1][0].downsample[0].weight, weights["conv3.0.downsample.0.weight"])
    assert torch.equal(network.decoder[0][0].weight, weights["dec5.0.weight"])
    assert network.normalise_affinity.scale.item() == pytest.approx(5.2)


def test_both_backbones_are_recognised():
    network = load_official("nlspn", official_weights("nlspn", "tgass"))
    assert network.options["backbone"] == "resnet34"


def test_training_state_beside_the_weights_is_plain_data(weights, tmp_path):
    file = tmp_path / "model.pt"
    arguments = argparse.Namespace(legacy=True, lr=0.001, gpus="0,1")
    torch.save({"net": weights, "args": arguments, "best": np.float64(0.7), "steps": np.float32(2)}, file)
    network = load_official("nlspn", file)
    assert torch.equal(network.image_stem[0].weight, weights["conv1_rgb.0.weight"])


def test_safetensors_files_are_read(weights, tmp_path):
    safetensors.torch.save_file(weights, tmp_path / "model.safetensors")
    network = load_official("nlspn", str(tmp_path / "model.safetensors"))
    assert torch.equal(network.depth_stem[0].bias, weights["conv1_dep.0.bias"])


class _Attack:
    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return (open, (self.file, "w"))


def test_a_file_that_would_run_code_is_refused(weights, tmp_path):
    trace = tmp_path / "trace"
    torch.save({"net": weights, "args": _Attack(str(trace))}, tmp_path / "model.pt")
    with pytest.raises(ValueError, match=r"model\.pt holds \S*open objects, which are refused"):
        load_official("nlspn", tmp_path / "model.pt")
    assert not trace.exists()


def test_a_checkpoint_that_does_not_fit_is_described_by_the_authors_names(weights):
    broken = dict(weights)
    del broken["dec4.0.weight"], broken["prop_layer.w"]
    broken["conv6.0.weight"] = torch.zeros(512, 512, 1, 1)
    broken["extra.weight"] = torch.zeros(1)
    with pytest.raises(ValueError, match=r"does not fit nlspn \(.*backbone='resnet18'") as caught:
        load_official("nlspn", broken)
    message = str(caught.value)
    assert "2 missing: dec4.0.weight, prop_layer.w;" in message
    assert "1 surplus: extra.weight;" in message
    assert "1 of another shape: conv6.0.weight (512, 512, 1, 1) instead of (512, 512, 3, 3)" in message


def test_a_checkpoint_of_another_network_is_refused_with_counts(weights):
    message = r"178 missing: conv1_rgb\.0\.weight, .*, \.\.\.; 1 surplus: enc\.features\.0\.0\.weight"
    with pytest.raises(ValueError, match=message):
        load_official("nlspn", {"enc.features.0.0.weight": torch.zeros(32, 4, 3, 3)})
    with pytest.raises(ValueError, match=r"missing: conv2\.2\.conv1\.weight"):
        load_official("nlspn", weights, network="resnet34")


def test_a_propagation_other_than_the_one_rebuilt_is_refused(weights):
    with pytest.raises(ValueError, match=r"prop_layer.w_conf is \[0.5\]"):
        load_official("nlspn", weights | {"prop_layer.w_conf": torch.full((1, 1, 1, 1), 0.5)})


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({}, "holds no weights"),
        ({"net": {"epoch": 3}}, "'epoch' is int"),
        ({"state_dict": [1, 2]}, "'state_dict' is list"),
    ],
)
def test_what_holds_no_weights_is_refused(source, message):
    with pytest.raises(ValueError, match=message):
        load_official("nlspn", source)


@pytest.mark.parametrize("name", ["model.pt", "model.safetensors"])
def test_files_of_another_kind_are_refused(name, tmp_path):
    (tmp_path / name).write_bytes(b"no checkpoint at all")
    with pytest.raises(ValueError, match=re.escape(name)):
        load_official("nlspn", tmp_path / name)
    with pytest.raises(FileNotFoundError):
        load_official("nlspn", tmp_path / "nowhere" / name)


@pytest.mark.parametrize("text", ["epoch,loss\n1,2\n", "hello world\n", "# README\n", "oid sha256:4d7a\nsize 1\n", ""])
def test_a_text_is_no_checkpoint(text, tmp_path):
    (tmp_path / "model.pt").write_text(text)
    with pytest.raises(ValueError, match=r"model\.pt is (not a PyTorch checkpoint|damaged, or)") as error:
        load_official("nlspn", tmp_path / "model.pt")
    assert "\n" not in str(error.value)


def test_unknown_models_and_flags_are_refused(weights, monkeypatch):
    with pytest.raises(ValueError, match="unknown model 'resnet'"):
        load_official("resnet", weights)
    with pytest.raises(ValueError, match=r"'nlspn': .*'gamma'"):
        load_official("nlspn", weights, gamma=3)
    monkeypatch.setattr("depth_completion_ros.checkpoints.OFFICIAL", {"emdc": None})
    with pytest.raises(ValueError, match="'nlspn' has no official checkpoints; available: emdc"):
        load_official("nlspn", weights)


def test_a_saved_checkpoint_says_how_it_is_used_and_answers_the_same(weights, tmp_path):
    source = tmp_path / "official.pt"
    torch.save(weights, source)
    network = load_official("nlspn", source, preserve_input=True)
    network.image_mean, network.crop, network.image_optional = (0.1, 0.2, 0.3), (240, 1216), True
    file = save_checkpoint(network, tmp_path / "models" / "mine", source)
    assert file == tmp_path / "models" / "mine" / WEIGHTS_FILE
    header = read_header(file)
    assert header["model"] == "nlspn"
    assert header["depth_scale"] == 1.0
    assert header["source"] == {"file": "official.pt", "sha256": hashlib.sha256(source.read_bytes()).hexdigest()}

    again = load_checkpoint(file.parent)
    assert not again.training
    assert again.options == network.options
    assert (again.image_mean, again.image_std, again.crop) == ((0.1, 0.2, 0.3), network.image_std, (240, 1216))
    assert again.image_optional
    inputs = torch.randn(1, 3, 16, 24), 10 * torch.rand(1, 1, 16, 24)
    with torch.inference_mode():
        assert torch.equal(again(*inputs).depth, network(*inputs).depth)


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_files_are_readable_as_the_umask_says(tmp_path, umask, mode):
    network = create("nlspn", preset="lite")
    before = os.umask(umask)
    try:
        file = save_checkpoint(network, tmp_path)
        assert file.stat().st_mode & 0o777 == mode
        file.chmod(0o640)
        assert store_calibration(tmp_path, {"curve": [1.0]}).stat().st_mode & 0o777 == mode
    finally:
        os.umask(before)
    assert [path.name for path in tmp_path.iterdir()] == [WEIGHTS_FILE]
    assert load_checkpoint(tmp_path).calibration == {"curve": [1.0]}


def test_weights_without_their_preprocessing_are_refused(tmp_path):
    safetensors.torch.save_file({"weight": torch.zeros(1)}, tmp_path / WEIGHTS_FILE)
    with pytest.raises(ValueError, match="does not say which model"):
        load_checkpoint(tmp_path)
    with pytest.raises(FileNotFoundError):
        load_checkpoint(tmp_path / "nowhere")


def test_a_saved_checkpoint_that_does_not_fit_is_described(tmp_path):
    network = create("nlspn", preset="lite")
    network.surplus = torch.nn.Parameter(torch.zeros(1))
    save_checkpoint(network, tmp_path)
    with pytest.raises(ValueError, match=r"does not fit nlspn .*1 surplus: surplus"):
        load_checkpoint(tmp_path)
