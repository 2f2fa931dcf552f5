import json

from depth_completion_ros import shipped
from depth_completion_ros.checkpoints import save_checkpoint
from depth_completion_ros.cli.main import main
from depth_completion_ros.networks.registry import create, models


def test_table_names_every_model(capsys):
    assert main(["models"]) == 0
    names = [line for line in capsys.readouterr().out.splitlines() if line and not line.startswith(" ")]
    assert names == [model.name for model in models()]
    assert "classical" in names


def test_json_describes_every_model(capsys):
    assert main(["models", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    for model in models():
        assert rows[model.name]["summary"] == model.summary
        assert rows[model.name]["presets"] == list(model.presets)


def test_weights_that_ship_are_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(shipped, "MODELS", tmp_path)
    save_checkpoint(create("auxiliary", preset="lite"), tmp_path / "auxiliary", half=True)
    assert main(["models"]) == 0
    text = capsys.readouterr().out
    assert text.count("weights that ship") == 1 and "without an image too" not in text
    assert "weights that ship: lite, 2.5 MB" in text
    assert main(["models", "--json"]) == 0
    rows = {row["name"]: row["weights"] for row in json.loads(capsys.readouterr().out)}
    assert rows["auxiliary"] and not rows["classical"]
