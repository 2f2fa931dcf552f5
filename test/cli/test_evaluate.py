"""Folders of predictions against folders of ground truth, and models over recordings, through the command line."""

import json
from dataclasses import replace

import numpy as np
import pytest
from walls import wall

from depth_completion_ros import datasets, shipped
from depth_completion_ros.checkpoints import save_checkpoint
from depth_completion_ros.cli.main import main
from depth_completion_ros.datasets import IndexedSource
from depth_completion_ros.evaluation.metrics import depth_errors, mean_errors
from depth_completion_ros.images import read_depth_png, write_depth_png
from depth_completion_ros.networks.registry import create

KITTI = "2011_09_26_drive_0002_sync_{}_{:010d}_image_02.png"


@pytest.fixture
def folders(tmp_path):
    """Three pairs: predictions with holes, sparse ground truth."""
    rng = np.random.default_rng(0)
    predictions, truths = tmp_path / "predictions", tmp_path / "ground_truth"
    for folder in (predictions, truths):
        folder.mkdir()
    for name in ("0000000001.png", "0000000002.png", "0000000003.png"):
        depth = rng.uniform(2, 80, (20, 30)).astype(np.float32)
        write_depth_png(predictions / name, np.where(rng.random(depth.shape) < 0.9, depth + 1, 0))
        write_depth_png(truths / name, np.where(rng.random(depth.shape) < 0.4, depth, 0))
    return predictions, truths


def evaluate(capsys, *arguments):
    status = main(["evaluate", *map(str, arguments)])
    return status, *capsys.readouterr()


def test_json_is_the_mean_over_the_images(folders, capsys):
    predictions, truths = folders
    status, out, _ = evaluate(capsys, predictions, truths, "--json")
    summary = json.loads(out)
    names = sorted(path.name for path in truths.iterdir())
    expected = mean_errors(
        [depth_errors(read_depth_png(predictions / name), read_depth_png(truths / name)) for name in names]
    )
    assert status == 0
    assert summary["frames"] == 3
    assert summary["rmse_mm"] == expected.rmse_mm
    assert summary["silog"] == expected.silog


def test_table_and_files(folders, tmp_path, capsys):
    status, out, _ = evaluate(capsys, *folders, "--output", tmp_path / "out")
    assert status == 0
    assert out.startswith("3 frames, 0 lost\n")
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["frames"] == 3
    assert len((tmp_path / "out" / "metrics.csv").read_text().splitlines()) == 4


def test_missing_predictions_are_listed(folders, capsys):
    predictions, truths = folders
    (predictions / "0000000002.png").unlink()
    status, _, error = evaluate(capsys, predictions, truths)
    assert status == 2
    assert "lacks 1 of 3" in error
    assert "0000000002.png" in error


def test_predictions_without_ground_truth_are_told(folders, capsys):
    predictions, truths = folders
    (truths / "0000000002.png").unlink()
    status, out, error = evaluate(capsys, predictions, truths)
    assert status == 0
    assert out.startswith("2 frames")
    assert "1 prediction" in error


@pytest.mark.parametrize("kind", ["image", "velodyne_raw", "groundtruth_depth"])
def test_kitti_names_of_one_frame_belong_together(folders, capsys, kind):
    predictions, truths = folders
    _, expected, _ = evaluate(capsys, predictions, truths, "--json")
    for number in (1, 2, 3):
        (predictions / f"{number:010d}.png").rename(predictions / KITTI.format(kind, number))
        (truths / f"{number:010d}.png").rename(truths / KITTI.format("groundtruth_depth", number))
    status, out, _ = evaluate(capsys, predictions, truths, "--json")
    assert status == 0
    assert json.loads(out)["mae_mm"] == json.loads(expected)["mae_mm"]


def test_two_predictions_of_one_frame_are_refused(folders, capsys):
    predictions, truths = folders
    for kind in ("image", "velodyne_raw"):
        write_depth_png(predictions / KITTI.format(kind, 1), np.ones((20, 30)))
    status, _, error = evaluate(capsys, predictions, truths)
    assert status == 2
    assert "same frame" in error


def test_other_names_are_paired_only_when_asked(folders, capsys):
    predictions, truths = folders
    _, expected, _ = evaluate(capsys, predictions, truths, "--json")
    for path in list(predictions.iterdir()):
        path.rename(predictions / f"prediction_{path.name}")
    assert evaluate(capsys, predictions, truths)[0] == 2
    status, out, _ = evaluate(capsys, predictions, truths, "--json", "--by-order")
    assert status == 0
    assert json.loads(out)["mae_mm"] == json.loads(expected)["mae_mm"]
    next(predictions.iterdir()).unlink()
    status, _, error = evaluate(capsys, predictions, truths, "--by-order")
    assert status == 2
    assert "2 predictions with 3" in error


def test_damaged_file_is_named(folders, capsys):
    predictions, truths = folders
    path = truths / "0000000002.png"
    path.write_bytes(path.read_bytes()[:100])
    status, _, error = evaluate(capsys, predictions, truths)
    assert status == 2
    assert f"{path}: damaged" in error


@pytest.mark.parametrize("size", [(20, 30), (10, 30)])
def test_files_that_cannot_be_scored_are_named(folders, capsys, size):
    predictions, truths = folders
    write_depth_png(predictions / "0000000002.png", np.zeros(size))
    status, _, error = evaluate(capsys, predictions, truths)
    assert status == 2
    assert f"{predictions / '0000000002.png'} against {truths / '0000000002.png'}: " in error


def test_folder_without_pictures_is_named(tmp_path, capsys):
    status, _, error = evaluate(capsys, tmp_path, tmp_path)
    assert status == 2
    assert f"{tmp_path} holds no PNG file" in error


@pytest.fixture
def recording(monkeypatch):
    """A source by the name of ``walls``: three frames of a wall that 16 LiDAR lines see."""

    class Walls(IndexedSource):
        name = "walls"

        def __len__(self):
            return 3

        def __getitem__(self, index):
            return wall(index, 10.0 + index)

    monkeypatch.setattr(datasets, "open_source", lambda path: {"walls": Walls()}[path])
    return "walls"


def test_models_are_compared_with_simple_methods(recording, tmp_path, capsys):
    arguments = ("--data", recording, "--model", "classical", "--lines", "all,4", "--frames", "1:3", "--robustness")
    status, out, _ = evaluate(capsys, *arguments, "--output", tmp_path / "out")
    assert status == 0
    for title in ("RMSE / MAE in mm", "by true depth: 4 lines", "Confidence", "Reliability of classical", "Robustness"):
        assert title in out
    for method in ("IP-Basic, fast", "IP-Basic, multi-scale", "nearest", "linear", "classical"):
        assert f"| {method} " in out
    assert "4 lines (2 frames)" in out
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"report.md", "accuracy.csv", "reliability.csv", "accuracy.png", "confidence_classical.png"} <= written
    assert (tmp_path / "out" / "report.md").read_text() == out


def test_of_several_recordings_each_frame_counts_as_much(recording, monkeypatch, capsys):
    class One(IndexedSource):
        name = "one"

        def __len__(self):
            return 1

        def __getitem__(self, index):
            return wall(index, 40.0)

    walls = datasets.open_source("walls")
    monkeypatch.setattr(datasets, "open_source", lambda path: {"walls": walls, "one": One()}[path])

    def mae_mm(*data):
        status, out, _ = evaluate(capsys, "--model", "classical", "--lines", "4", "--data", *data)
        assert status == 0
        row = next(line for line in out.splitlines() if line.startswith("| nearest "))
        return float(row.split("|")[2].split("/")[1])

    of_three, of_one = mae_mm("walls"), mae_mm("one")
    assert abs(of_three - of_one) > 10
    assert mae_mm("walls", "one") == pytest.approx((3 * of_three + of_one) / 4, abs=1)


def test_depth_may_lose_lines_points_and_holes(recording, capsys):
    amounts = ("--points", "200,50", "--lines", "8", "--holes", "0.4")
    status, out, _ = evaluate(capsys, "--data", recording, "--model", "classical", *amounts)
    assert status == 0
    columns = [column.strip() for column in out.splitlines()[2].strip("|").split("|")]
    expected = [f"{given} (3 frames)" for given in ("200 points", "50 points", "8 lines", "40 % holes")]
    assert columns == ["", *expected, "ms, median"]


def test_what_is_asked_for_twice_is_given_once(recording, capsys):
    amounts = ("--lines", "all,8", "--points", "50,all", "--lines", "8")
    status, out, _ = evaluate(capsys, "--data", recording, "--model", "classical", *amounts)
    assert status == 0
    for given in ("everything", "8 lines", "50 points"):
        assert out.splitlines()[2].count(f"{given} (3 frames)") == 1


def test_lines_that_no_frame_has_are_refused(recording, capsys):
    status, _, error = evaluate(capsys, "--data", recording, "--model", "classical", "--lines", "64")
    assert status == 2
    assert "no frame could be scored with 64 lines" in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--data", "walls", "--json"), "--json and --by-order belong to folders"),
        (("--data", "walls", "--frames", "3:"), "walls has 3 frames, none of those asked for"),
        (("--data", "walls", "--checkpoint", "x", "--model", "mspn,emdc"), "--checkpoint is of one model"),
        (("only_one_folder",), "expected two folders"),
        (("a", "b", "--lines", "8", "--robustness"), "--lines, --points, --holes, --robustness: of --data only"),
        (("a", "b", "--model", "mspn"), "--model: of --data only"),
        (("a", "b", "--frames", "1:2"), "--frames: of --data only"),
    ],
)
def test_what_does_not_go_together_is_said(recording, capsys, arguments, message):
    status, _, error = evaluate(capsys, *arguments)
    assert status == 2
    assert message in error


@pytest.mark.parametrize(
    "arguments",
    [
        ("a", "b", "--data", "walls"),
        ("--data", "walls", "--lines", "0"),
        ("--data", "walls", "--points", "0.5"),
        ("--data", "walls", "--holes", "1"),
        (),
    ],
)
def test_wrong_usage_is_told_with_the_usage(capsys, arguments):
    with pytest.raises(SystemExit, match="2"):
        evaluate(capsys, *arguments)
    assert "usage:" in capsys.readouterr().err


def test_auto_goes_by_the_sensors(monkeypatch, tmp_path, capsys):
    """Rooms with a ToF camera: not the model of a camera and a LiDAR."""

    class Rooms(IndexedSource):
        name = "rooms"

        def __len__(self):
            return 1

        def __getitem__(self, index):
            frame = wall(index, 3.0)
            return replace(frame, points=None, rings=None, depth=frame.ground_truth)

    monkeypatch.setattr(datasets, "open_source", lambda path: Rooms())
    monkeypatch.setattr(shipped, "MODELS", tmp_path)
    for model in ("mspn", "magaconv"):
        save_checkpoint(create(model, preset="lite"), tmp_path / model)
    status, out, _ = evaluate(capsys, "--data", "rooms", "--model", "auto", "--device", "cpu")
    assert status == 0
    assert "| magaconv " in out and "| mspn " not in out and "| auto " not in out


def test_a_checkpoint_says_which_model_it_is_of(recording, tmp_path, capsys):
    save_checkpoint(create("auxiliary", preset="lite"), tmp_path)
    status, out, _ = evaluate(capsys, "--data", recording, "--checkpoint", tmp_path, "--device", "cpu")
    assert status == 0
    assert "| auxiliary " in out and "| classical " not in out
    status, _, error = evaluate(capsys, "--data", recording, "--checkpoint", tmp_path, "--model", "all")
    assert status == 2
    assert "--checkpoint is of one model, all was asked for" in error


def test_a_preset_is_of_the_models_that_have_some(recording, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(shipped, "MODELS", tmp_path)
    save_checkpoint(create("auxiliary", preset="lite"), tmp_path / "auxiliary")
    for names in ("all", "classical,auxiliary"):
        status, out, _ = evaluate(capsys, "--data", recording, "--model", names, "--preset", "lite", "--device", "cpu")
        assert status == 0
        assert "| classical " in out and "| auxiliary " in out


def test_damaged_frames_are_told_and_left_out(recording, monkeypatch, capsys):
    walls = datasets.open_source("walls")
    whole = type(walls).__getitem__

    def some(self, index):
        if index != 2:
            raise ValueError(f"{index}.png: truncated")
        return whole(self, index)

    monkeypatch.setattr(type(walls), "__getitem__", some)
    status, out, error = evaluate(capsys, "--data", recording, "--model", "classical")
    assert status == 0
    assert "everything (1 frames)" in out
    assert "0.png: truncated" in error and "1.png: truncated" in error
    status, _, error = evaluate(capsys, "--data", recording, "--model", "classical", "--frames", ":2")
    assert status == 2
    assert "walls: no frame that can be read" in error
