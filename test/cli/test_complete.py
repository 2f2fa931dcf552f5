"""Completing files and recordings through the command line, with the model that needs no weights."""

import json
import os
from dataclasses import replace

import cv2
import numpy as np
import pytest
from walls import wall

from depth_completion_ros import datasets, pipeline, shipped
from depth_completion_ros.checkpoints import save_checkpoint
from depth_completion_ros.cli.main import main
from depth_completion_ros.datasets import DamagedFrame, FrameSource, IndexedSource
from depth_completion_ros.datasets.bag import write_bag
from depth_completion_ros.evaluation.metrics import depth_errors
from depth_completion_ros.frame import Frame
from depth_completion_ros.geometry.camera import Camera
from depth_completion_ros.images import read_depth_png, read_image, write_depth_png, write_image
from depth_completion_ros.networks.registry import create

SIZE = (48, 64)


def slope():
    """A plane that recedes from 5 m at the bottom to 30 m at the top."""
    return np.repeat(1 / np.linspace(1 / 30, 1 / 5, SIZE[0], dtype=np.float32)[:, None], SIZE[1], axis=1)


def sparse_slope():
    return np.where(np.random.default_rng(0).random(SIZE) < 0.1, slope(), 0).astype(np.float32)


class Recording(IndexedSource):
    """Five frames of the slope; the third is damaged, the fourth measured nothing."""

    name = "recording"

    def __len__(self):
        return 5

    def frame_name(self, index):
        return f"frame{index}"

    def __getitem__(self, index):
        if index == 2:
            raise ValueError("scan2.bin: truncated")
        camera = Camera(width=SIZE[1], height=SIZE[0], fx=50, fy=50, cx=31.5, cy=23.5)
        image = np.full((*SIZE, 3), 100, np.uint8)
        depth = np.zeros(SIZE, np.float32) if index == 3 else sparse_slope()
        return Frame(index + 1, camera, image, depth=depth, ground_truth=slope(), name=self.frame_name(index))


class Stream(FrameSource):
    """What is read in order and may be more than ``count`` says, as of a bag."""

    name = "stream"

    def __init__(self, items, count):
        self.items, self.count = items, count

    def __len__(self):
        return self.count

    def read(self):
        return iter(self.items)


@pytest.fixture
def recording(monkeypatch):
    monkeypatch.setattr(datasets, "open_source", lambda path: Recording())


def complete(*arguments):
    return main(["complete", "--model", "classical", *map(str, arguments)])


@pytest.mark.parametrize("with_image", [True, False])
def test_pair_of_files(tmp_path, with_image):
    write_depth_png(tmp_path / "scan.png", sparse_slope())
    write_image(tmp_path / "photo.png", np.full((*SIZE, 3), 100, np.uint8))
    image = ["--image", tmp_path / "photo.png"] if with_image else []
    assert complete("--sparse", tmp_path / "scan.png", *image, "--output", tmp_path / "out") == 0

    depth = read_depth_png(tmp_path / "out" / "depth" / "scan.png")
    assert depth_errors(depth, slope()).abs_rel < 0.1
    confidence = cv2.imread(str(tmp_path / "out" / "confidence" / "scan.png"), cv2.IMREAD_UNCHANGED)
    assert confidence.shape == SIZE
    assert confidence.dtype == np.uint8
    assert confidence.max() > confidence.min()
    assert read_image(tmp_path / "out" / "previews" / "scan.png").any()


def test_recording_goes_on_after_frames_that_cannot_be_completed(tmp_path, recording, capsys):
    assert complete("--source", "anything", "--output", tmp_path) == 1
    captured = capsys.readouterr()
    assert "frame2: scan2.bin: truncated" in captured.err
    assert "frame3: " in captured.err
    assert captured.out.startswith("3 frames, 2 lost\n")
    for folder in ("depth", "confidence", "previews"):
        names = sorted(path.name for path in (tmp_path / folder).iterdir())
        assert names == ["frame0.png", "frame1.png", "frame4.png"]
    summary = json.loads((tmp_path / "metrics.json").read_text())
    assert summary["lost_frames"] == ["frame2", "frame3"]
    assert summary["run"] == {"source": "anything", "model": "classical", "lines": None}
    depth = read_depth_png(tmp_path / "depth" / "frame0.png")
    # The file holds 1/256 m; the report scores what the model said.
    assert depth_errors(depth, slope()).rmse_mm == pytest.approx(summary["rmse_mm"], abs=4)


def test_only_what_was_written_is_told(tmp_path, recording, capsys):
    assert complete("--source", "anything", "--frames", "2:4", "--output", tmp_path) == 1
    assert capsys.readouterr().out.endswith(f"nothing was completed\nmetrics written to {tmp_path / 'metrics.json'}\n")
    assert complete("--source", "anything", "--frames", ":1", "--output", tmp_path) == 0
    assert capsys.readouterr().out.endswith(f"\nwritten to {tmp_path}\n")


def test_frames_that_an_earlier_run_left_are_told(tmp_path, recording, monkeypatch, capsys):
    for frames, told in ((":2", ""), ("1:2", "1 frame(s)"), ("4:", "2 frame(s)"), (":", "")):
        assert complete("--source", "anything", "--frames", frames, "--output", tmp_path) == (frames == ":")
        error = capsys.readouterr().err
        assert (f"{tmp_path} holds {told} of an earlier run, which stay\n" in error) == bool(told)
        assert ("earlier run" in error) == bool(told)
    monkeypatch.setattr(datasets, "open_source", lambda path: Stream([wall(0)], 1))
    assert complete("--source", "anything", "--output", tmp_path) == 0
    assert "holds 3 frame(s) of an earlier run, which stay, but for those that" in capsys.readouterr().err


def test_the_model_for_the_sensors_where_none_is_chosen(tmp_path, recording, monkeypatch):
    monkeypatch.setattr(shipped, "MODELS", tmp_path)
    save_checkpoint(create("mspn", preset="lite"), tmp_path / "mspn")  # for a camera and a LiDAR
    assert main(["complete", "--source", "anything", "--frames", ":1", "--output", str(tmp_path)]) == 0
    assert json.loads((tmp_path / "metrics.json").read_text())["run"]["model"] == "mspn"


@pytest.mark.parametrize(
    ("frames", "names"),
    [("1:2", ["frame1"]), (":2", ["frame0", "frame1"]), ("4:", ["frame4"]), ("4:100", ["frame4"])],
)
def test_frames_of_a_recording(tmp_path, recording, frames, names):
    assert complete("--source", "anything", "--frames", frames, "--output", tmp_path) == 0
    assert sorted(path.stem for path in (tmp_path / "depth").iterdir()) == names


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sparse", "scan.png", "--lines", "8"], "--lines and --frames choose from a --source"),
        (["--source", "anything", "--image", "photo.png"], "--image belongs to --sparse"),
        (["--sparse", "nowhere.png"], "nowhere.png: No such file"),
        (["--source", "anything", "--frames", "7:9"], "has 5 frames, none of those"),
        (["--source", "anything", "--model", "unheard-of"], "unknown model 'unheard-of'"),
        (["--source", "anything", "--lines", "8"], "frame frame0 has no points"),
    ],
)
def test_wrong_input_says_what_is_wrong(tmp_path, recording, capsys, arguments, message):
    assert complete(*arguments, "--output", tmp_path) == 2
    assert message in capsys.readouterr().err


def test_no_range_of_frames(tmp_path, capsys):
    with pytest.raises(SystemExit):
        complete("--source", "anything", "--frames", "3", "--output", tmp_path)
    assert "'3' is no range of frames" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("frames", "names", "lost"),
    [
        (None, ["0", "1", "2", "3"], ["damage 1", "damage 2"]),
        ("2:", ["2", "3"], ["damage 1", "damage 2"]),
        (":3", ["0", "1", "2"], ["damage 1"]),
        ("3:4", ["3"], []),
    ],
)
def test_damage_between_the_frames_of_a_bag_counts_for_none_of_them(tmp_path, monkeypatch, frames, names, lost):
    first, second = (DamagedFrame(f"damage {number}", ValueError("broken")) for number in (1, 2))
    stream = Stream([wall(0), wall(1), first, wall(2), wall(3), second], 4)
    monkeypatch.setattr(datasets, "open_source", lambda path: stream)
    chosen = ["--frames", frames] if frames else []
    assert complete("--source", "anything", *chosen, "--output", tmp_path) == (1 if lost else 0)
    assert sorted(path.stem for path in (tmp_path / "depth").iterdir()) == names
    assert json.loads((tmp_path / "metrics.json").read_text())["lost_frames"] == lost


def test_the_damage_at_the_end_of_a_bag_is_told(tmp_path, capsys):
    write_bag(tmp_path / "bag", [replace(wall(number), stamp=10**9 + number * 10**8) for number in range(3)])
    file = tmp_path / "bag" / "bag.mcap"
    os.truncate(file, file.stat().st_size - 3)
    assert complete("--source", tmp_path / "bag", "--output", tmp_path / "out") == 1
    captured = capsys.readouterr()
    assert "damaged or truncated" in captured.err
    assert captured.out.startswith("3 frames, 1 lost")


def test_a_scan_with_fewer_lines_than_asked_for_is_lost(tmp_path, monkeypatch, capsys):
    short = wall(1)
    kept = short.rings < 3
    short = replace(short, points=short.points[kept], rings=short.rings[kept])
    monkeypatch.setattr(datasets, "open_source", lambda path: Stream([short, wall(0), wall(2)], 3))
    assert complete("--source", "anything", "--lines", "8", "--output", tmp_path) == 1
    assert "1: asked for 8 scan lines of a LiDAR with 3" in capsys.readouterr().err
    summary = json.loads((tmp_path / "metrics.json").read_text())
    assert (summary["frames"], summary["lost_frames"]) == (2, ["1"])


def test_options_of_the_source(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "open_source", lambda path, far: Stream([wall(0, far)], 1))
    assert complete("--source", "anything,far=12.5", "--output", tmp_path) == 0
    assert np.median(read_depth_png(tmp_path / "depth" / "0.png")) == pytest.approx(12.5, rel=0.1)


def test_an_estimator_gives_the_initial_depth(tmp_path, recording, monkeypatch, capsys):
    class Estimator:
        def __init__(self, folder, device):
            self.folder = folder

        def __call__(self, image):
            return np.full(image.shape[:2], 10, np.float32)

    monkeypatch.setattr(pipeline, "MonocularEstimator", Estimator)
    save_checkpoint(create("mspn", preset="lite", mode="sdr"), tmp_path / "sdr")
    arguments = ["--source", "anything", "--frames", ":1", "--output", str(tmp_path / "out")]
    chosen = ["--model", "mspn", "--checkpoint", str(tmp_path / "sdr")]
    assert main(["complete", *chosen, *arguments, "--estimator", str(tmp_path)]) == 0
    assert (tmp_path / "out" / "depth" / "frame0.png").exists()
    assert main(["complete", *chosen, *arguments]) == 2
    assert "needs an initial depth" in capsys.readouterr().err
    assert complete(*arguments, "--estimator", tmp_path) == 2
    assert "model 'classical' starts from no initial depth" in capsys.readouterr().err


def test_what_was_scored_before_an_interruption_is_kept(tmp_path, recording, monkeypatch):
    previews = []

    def draw(*arguments):
        previews.append(arguments)
        if len(previews) == 2:
            raise KeyboardInterrupt
        return np.zeros((4, 4, 3), np.uint8)

    monkeypatch.setattr("depth_completion_ros.evaluation.preview.draw_preview", draw)
    assert complete("--source", "anything", "--output", tmp_path) == 130
    summary = json.loads((tmp_path / "metrics.json").read_text())
    assert summary["frames"] == 2 and summary["scored"] == 2
