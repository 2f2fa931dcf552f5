"""How sources of frames and their options are written on the command line, and where their frames are kept."""

import pytest

from depth_completion_ros import datasets
from depth_completion_ros.cli._data import open_data
from depth_completion_ros.datasets import IndexedSource


def test_options_of_synthetic_frames_and_a_weight():
    source, weight = open_data("synthetic-streets,frames=2,lens_variation=0.1,weight=2.5", None)
    assert len(source) == 2 and weight == 2.5
    for wrong in ("frames=many", "lens_variation=wide", "seed=0.5"):
        name, value = wrong.split("=")
        with pytest.raises(ValueError, match=f"SyntheticFrames got {name}='?{value}'?, expected"):
            open_data(f"synthetic-streets,{wrong}", None)


def test_labels_of_synthetic_frames_stay_as_they_are(tmp_path):
    """What was made with an earlier version must be found again."""
    source, _ = open_data("synthetic-streets,seed=4,frames=2,sensors=VLP-16", tmp_path)
    assert source.label == "synthetic-streets,frames=2,seed=4,sensors=VLP-16"
    assert [path.name for path in tmp_path.iterdir()] == ["synthetic-streets_frames=2_seed=4_sensors=VLP-16"]


def test_recordings_of_one_name_in_two_folders_are_kept_apart(tmp_path, monkeypatch):
    class Named(IndexedSource):
        def __init__(self, name):
            self.name = name

        def __len__(self):
            return 1

        def __getitem__(self, index):
            raise AssertionError

    monkeypatch.setattr(datasets, "open_source", lambda path, camera: Named(path))
    monkeypatch.setattr(datasets, "is_generated", lambda path: False)
    labels = set()
    for folder in ("here", "there"):
        (tmp_path / folder / "drive").mkdir(parents=True)
        monkeypatch.chdir(tmp_path / folder)
        for path in ("drive", "../" + folder + "/drive", str(tmp_path / folder / "drive")):
            labels.add(open_data(f"{path},camera=3", tmp_path / "cache")[0].label)
    assert labels == {f"{tmp_path}/{folder}/drive,camera=3" for folder in ("here", "there")}
    assert len(list((tmp_path / "cache").iterdir())) == 2
