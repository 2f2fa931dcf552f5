import json

from depth_completion_ros.cli.main import main
from depth_completion_ros.networks.registry import models


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
