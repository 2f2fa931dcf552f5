import re

import pytest
import torch
from parity.fill import official_weights

from depth_completion_ros.checkpoints import load_checkpoint, read_header
from depth_completion_ros.cli.main import main


@pytest.fixture(scope="module")
def official(tmp_path_factory):
    file = tmp_path_factory.mktemp("official") / "nlspn.pt"
    torch.save({"net": official_weights("nlspn_resnet18", "resnet18")}, file)
    return file


def test_imports_a_file_with_its_options(official, tmp_path, capsys):
    flags = ["--legacy", "--crop", "240", "1216"]
    arguments = ["--model", "nlspn", str(official), "--output", str(tmp_path / "mine"), *flags]
    assert main(["import-checkpoint", *arguments]) == 0
    assert "nlspn: 16,123,619 parameters" in capsys.readouterr().out
    network = load_checkpoint(tmp_path / "mine")
    assert network.options["sampling"] == "legacy"
    assert not network.options["preserve_input"]
    assert network.crop == (240, 1216)
    assert read_header(tmp_path / "mine" / "weights.safetensors")["source"]["file"] == "nlspn.pt"

    assert main(["import-checkpoint", *arguments]) == 2
    assert "holds a checkpoint already" in capsys.readouterr().err


def test_goes_into_the_checkpoints_folder_unless_told_otherwise(official, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["import-checkpoint", "--model", "nlspn", str(official)]) == 0
    assert (tmp_path / "checkpoints" / "nlspn" / "weights.safetensors").exists()


def test_reports_what_does_not_fit(official, tmp_path, capsys):
    arguments = ["--model", "nlspn", str(official), "--output", str(tmp_path), "--network", "resnet34"]
    assert main(["import-checkpoint", *arguments]) == 2
    assert "does not fit nlspn" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_flags_of_the_other_models(tmp_path, capsys):
    file = tmp_path / "emdc.pt"
    torch.save({"state_dict": official_weights("emdc", "any")}, file)
    arguments = ["--model", "emdc", str(file), "--output", str(tmp_path / "mine"), "--no-depth-norm"]
    assert main(["import-checkpoint", *arguments]) == 0
    assert load_checkpoint(tmp_path / "mine").options["depth_norm"] is False

    assert main(["import-checkpoint", "--model", "mspn", str(file)]) == 2
    assert re.search("missing a required .*argument: 'mode'", capsys.readouterr().err)
    assert main(["import-checkpoint", "--model", "mspn", str(file), "--mode", "sdr", "--rules", "nyu"]) == 2
    assert "does not fit mspn" in capsys.readouterr().err
