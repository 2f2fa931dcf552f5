"""Methods side by side, on frames of a wall that a LiDAR of 16 lines sees."""

import csv
import io
from dataclasses import replace

import numpy as np
import pytest

from depth_completion_ros import Camera, DepthCompleter
from depth_completion_ros.evaluation.comparison import UNDISTURBED, at_lines, compare
from depth_completion_ros.evaluation.degradations import OF_POINTS
from depth_completion_ros.evaluation.holdout import hold_out
from depth_completion_ros.evaluation.metrics import depth_errors
from depth_completion_ros.evaluation.plots import draw
from depth_completion_ros.evaluation.reliability import BINS, ERRORS, STEPS
from depth_completion_ros.evaluation.tables import csv_files, report
from depth_completion_ros.frame import Frame

CAMERA = Camera(64, 48, 60.0, 60.0, 31.5, 23.5)


def wall(number=0, distance=10.0, truth=True):
    """A rough wall that ring r of 16 measures in image row 3 r + 1."""
    rng = np.random.default_rng(number)
    v, u = (each.ravel() for each in np.meshgrid(np.arange(1, 48, 3), np.arange(0, 64, 2), indexing="ij"))
    z = distance * rng.uniform(0.9, 1.1, len(u))
    points = np.stack([(u - CAMERA.cx) / CAMERA.fx * z, (v - CAMERA.cy) / CAMERA.fy * z, z], 1)
    return Frame(
        number,
        CAMERA,
        image=np.zeros((48, 64, 3), np.uint8),
        points=points.astype(np.float32),
        rings=v // 3,
        ground_truth=np.full((48, 64), distance, np.float32) if truth else None,
        name=str(number),
    )


def far(sparse):
    """A method that says 1 % too much."""
    return np.full_like(sparse, 10.1)


@pytest.fixture(scope="module")
def classical():
    return DepthCompleter("classical", device="cpu")


@pytest.fixture(scope="module")
def results(classical):
    return compare([wall(0), wall(1)], {"far": far, "classical": classical}, [None, 8, 4])


def test_frames_with_so_many_lines():
    frame = wall()
    assert at_lines(frame, None) is frame
    assert np.unique(at_lines(frame, 4).rings).tolist() == [0, 4, 8, 12]
    np.testing.assert_array_equal(at_lines(frame, 4).ground_truth, frame.ground_truth)
    without_truth = wall(truth=False)
    expected = hold_out(without_truth, 4).ground_truth
    np.testing.assert_array_equal(at_lines(without_truth, 4).ground_truth, expected)


@pytest.mark.parametrize(
    ("frame", "lines"),
    [
        (wall(), 17),  # the LiDAR has 16
        (wall(truth=False), None),  # nothing to score with
        (wall(truth=False), 16),  # and no line left over
        (replace(wall(), rings=None), 4),
        (replace(wall(), points=wall().points * np.float32(-1)), None),  # behind the camera
    ],
)
def test_frames_that_cannot_be_scored_with_so_many_lines(frame, lines):
    assert at_lines(frame, lines) is None


def test_every_method_gets_the_same_frames(results, classical):
    assert [(result.lines, result.method) for result in results] == [
        (lines, method) for lines in (None, 8, 4) for method in ("far", "classical")
    ]
    for result in results:
        assert result.frames == len(result.milliseconds) == 2
        assert (result.reliability is None) == (result.method == "far")
    for result in results[::2]:
        assert [errors.mae_mm for errors in result.accuracy.errors] == pytest.approx([100, 100], rel=1e-4)
    thinned = at_lines(wall(1), 8)
    expected = depth_errors(classical.complete(thinned).depth, thinned.ground_truth)
    assert results[3].accuracy.errors[1] == expected


def test_a_number_of_lines_that_no_frame_has_is_refused(classical):
    with pytest.raises(ValueError, match="no frame could be scored with 32 lines"):
        compare([wall()], {"classical": classical}, [32])


def test_models_are_degraded_and_what_is_undisturbed_stays_the_same(classical, results):
    degraded = compare([wall(0), wall(1)], {"far": far, "classical": classical}, [8], degraded=True)
    assert [(result.method, result.condition) for result in degraded] == [
        ("far", UNDISTURBED),
        *(("classical", condition) for condition in (UNDISTURBED, *OF_POINTS)),  # it looks at no image
    ]
    assert degraded[1].accuracy.errors == results[3].accuracy.errors
    undisturbed, wrong = (degraded[i].accuracy.errors[0].rmse_mm for i in (1, 3))
    assert wrong > 2 * undisturbed


def test_a_model_without_its_image_is_refused(results):
    network = DepthCompleter("auxiliary", device="cpu", checkpoint=None, preset="lite")
    network.network.uses_image = True
    needs_image = compare([wall(0)], {"blind": network}, [8], degraded=True)
    none = needs_image[-1]
    assert none.condition == "no image at all" and none.frames == (0 if network.needs_image else 1)
    assert "refused" in report(needs_image)


def test_tables_say_what_was_found(results):
    text = report(results)
    assert "all lines (2 frames)" in text and "4 lines (2 frames)" in text
    row = next(line for line in text.splitlines() if line.startswith("| far"))
    assert row.count("100 / 100") == 3
    assert "Reliability of classical" in text and "Reliability of far" not in text and "Robustness" not in text
    tables = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert all(len({len(line) for line in table}) == 1 for table in tables)


def test_csv_files_hold_all_numbers(results):
    files = {name: list(csv.DictReader(io.StringIO(content))) for name, content in csv_files(results).items()}
    first = files["accuracy.csv"][0]
    assert (first["lines"], first["method"], first["condition"], first["frames"]) == ("all", "far", "undisturbed", "2")
    assert float(first["mae_mm"]) == pytest.approx(100, rel=1e-4)
    assert len(files["accuracy.csv"]) == 6 and len(files["accuracy_by_distance.csv"]) == 6 * 5
    assert len(files["confidence.csv"]) == 3 and len(files["reliability.csv"]) == 3 * BINS
    assert len(files["sparsification.csv"]) == 3 * len(ERRORS) * STEPS
    stated = results[1].reliability
    assert float(files["confidence.csv"][0]["calibration_error"]) == pytest.approx(stated.calibration_error)
    assert float(files["confidence.csv"][0]["ause_abs_rel_by_confidence"]) == pytest.approx(stated.ause("abs_rel"))


def test_plots_are_drawn(results, tmp_path):
    paths = draw(results, tmp_path)
    assert [path.name for path in paths] == ["accuracy.png", "confidence_classical.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)
