"""Completing files and recordings through the command line, with the model that needs no weights."""

import json

import cv2
import numpy as np
import pytest

from depth_completion_ros import datasets, shipped
from depth_completion_ros.checkpoints import save_checkpoint
from depth_completion_ros.cli.main import main
from depth_completion_ros.datasets import DamagedFrame, FrameSource
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


class Recording(FrameSource):
    """Five frames of the slope; the third is damaged, the fourth measured nothing."""

    name = "recording"

    def __len__(self):
        return 5

    def read(self):
        camera = Camera(width=SIZE[1], height=SIZE[0], fx=50, fy=50, cx=31.5, cy=23.5)
        image = np.full((*SIZE, 3), 100, np.uint8)
        for index in range(5):
            if index == 2:
                yield DamagedFrame("frame2", ValueError("scan2.bin: truncated"))
                continue
            depth = np.zeros(SIZE, np.float32) if index == 3 else sparse_slope()
            yield Frame(index + 1, camera, image, depth=depth, ground_truth=slope(), name=f"frame{index}")


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
