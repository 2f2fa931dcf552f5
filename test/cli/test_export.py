from hashlib import sha256

import pytest
import torch
from torch import nn

from depth_completion_ros import shipped
from depth_completion_ros.checkpoints import load_checkpoint, read_header, save_checkpoint
from depth_completion_ros.cli.main import main
from depth_completion_ros.golden import TOLERANCE, golden_difference
from depth_completion_ros.networks.registry import create


@pytest.fixture
def network():
    torch.manual_seed(1)
    network = create("auxiliary", preset="lite")
    network.image_optional, network.calibration = True, None
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_var.fill_(1e9)  # beyond 16 bits, as are variances near 0
    return network


def test_weights_of_half_the_size_answer_alike(network, tmp_path, capsys):
    before = save_checkpoint(network, tmp_path / "run")
    assert main(["export", str(tmp_path / "run"), str(tmp_path / "models" / "auxiliary")]) == 0
    folder = tmp_path / "models" / "auxiliary"
    text = capsys.readouterr().out
    assert "auxiliary {'preset': 'lite'}, 2.4" in text and "lacks its card" in text and "not calibrated" in text
    after = folder / before.name
    assert after.stat().st_size < 0.55 * before.stat().st_size
    loaded = load_checkpoint(folder)
    assert loaded.image_optional and after.stat().st_mode & 0o444 == 0o444
    for (name, one), two in zip(network.state_dict().items(), loaded.state_dict().values(), strict=True):
        assert two.dtype == one.dtype, name
        torch.testing.assert_close(two, one, rtol=1e-3, atol=1e-7)
    assert all(golden_difference(folder)[name] <= TOLERANCE[name] for name in TOLERANCE)
    # Onto itself: the same again.
    content = after.read_bytes()
    assert main(["export", str(folder), str(folder)]) == 0
    assert after.read_bytes() == content


def test_imported_weights_say_where_they_are_from(network, tmp_path):
    file = tmp_path / "official.pt"
    file.write_bytes(b"weights")
    save_checkpoint(network, tmp_path / "imported", source=file)
    file.unlink()
    source = {"file": "official.pt", "sha256": sha256(b"weights").hexdigest()}
    for folder in ("imported", "out"):  # the second time onto itself
        assert main(["export", str(tmp_path / folder), str(tmp_path / "out")]) == 0
        assert read_header(tmp_path / "out")["source"] == source


def test_what_does_not_fit_into_16_bits_is_said(network, tmp_path, capsys):
    with torch.no_grad():
        next(network.parameters()).fill_(1e5)
    save_checkpoint(network, tmp_path / "run")
    assert main(["export", str(tmp_path / "run"), str(tmp_path / "out")]) == 2
    assert "has a value of 100000, but 16 bits reach to 65504" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_what_is_too_large_to_ship_is_said(network, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(shipped, "LARGEST", 500_000)
    save_checkpoint(network, tmp_path / "run")
    assert main(["export", str(tmp_path / "run"), str(tmp_path / "out")]) == 1
    assert "too large to ship: at most 0.5 MB" in capsys.readouterr().out


def test_no_training_loses_its_weights(network, tmp_path, capsys):
    save_checkpoint(network, tmp_path / "other")
    save_checkpoint(network, tmp_path / "run")
    (tmp_path / "run" / "training.pt").touch()
    before = (tmp_path / "run" / "weights.safetensors").read_bytes()
    assert main(["export", str(tmp_path / "other"), str(tmp_path / "run")]) == 2
    assert f"{tmp_path / 'run'} holds a training" in capsys.readouterr().err
    assert (tmp_path / "run" / "weights.safetensors").read_bytes() == before
