"""Methods side by side, on frames of a wall that a LiDAR of 16 lines sees."""

import csv
import io
from dataclasses import replace

import numpy as np
import pytest
from walls import wall

from depth_completion_ros import DepthCompleter
from depth_completion_ros.evaluation.comparison import UNDISTURBED, compare
from depth_completion_ros.evaluation.degradations import OF_IMAGE, OF_POINTS
from depth_completion_ros.evaluation.given import EVERYTHING, Given
from depth_completion_ros.evaluation.metrics import depth_errors
from depth_completion_ros.evaluation.plots import draw
from depth_completion_ros.evaluation.reliability import BINS, ERRORS, STEPS
from depth_completion_ros.evaluation.tables import csv_files, report

AMOUNTS = [EVERYTHING, Given(lines=8), Given(lines=4)]


def far(sparse):
    """A method that says 1 % too much."""
    return np.full_like(sparse, 10.1)


@pytest.fixture(scope="module")
def classical():
    return DepthCompleter("classical", device="cpu")


@pytest.fixture(scope="module")
def results(classical):
    return compare([wall(0), wall(1)], {"far": far, "classical": classical}, AMOUNTS)


def test_every_method_gets_the_same_frames(results, classical):
    assert [(result.given, result.method) for result in results] == [
        (given, method) for given in AMOUNTS for method in ("far", "classical")
    ]
    for result in results:
        assert result.frames == len(result.milliseconds) == 2
        assert (result.reliability is None) == (result.method == "far")
    for result in results[::2]:
        assert [errors.mae_mm for errors in result.accuracy.errors] == pytest.approx([100, 100], rel=1e-4)
    thinned = Given(lines=8).of(wall(1), np.random.default_rng())
    expected = depth_errors(classical.complete(thinned).depth, thinned.ground_truth)
    assert results[3].accuracy.errors[1] == expected


def test_points_and_holes_are_the_same_for_every_method_and_in_every_run():
    seen = []

    def remember(sparse):
        seen.append(sparse)
        return far(sparse)

    for _ in range(2):
        compare([wall(0), wall(1)], {"a": remember, "b": remember}, [Given(points=100), Given(holes=0.3)])
    first, again = seen[:8], seen[8:]
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
    for one, other in zip(first[::2], first[1::2], strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(first[0] > 0, first[4] > 0)  # of another frame


def test_a_scan_without_its_last_line_is_scored_with_all():
    scan = wall(1)
    kept = scan.rings < 15
    scan = replace(scan, points=scan.points[kept], rings=scan.rings[kept])
    (result,) = compare([wall(0), scan], {"far": far}, [Given(lines=16)])
    assert result.frames == 2


def test_an_amount_that_no_frame_has_is_refused(classical):
    with pytest.raises(ValueError, match="no frame could be scored with 32 lines"):
        compare([wall()], {"classical": classical}, [Given(lines=32)])


def test_without_ground_truth_everything_leaves_nothing_to_score():
    with pytest.raises(ValueError, match=r"with everything: without ground truth some must be withheld, .*--lines 16"):
        compare([wall(truth=False)], {"far": far}, [EVERYTHING])


def test_an_amount_that_no_frame_has_is_left_out_aloud(results, caplog):
    amounts = [EVERYTHING, Given(lines=32), Given(lines=8), Given(points=10**6)]
    found = compare([wall(0), wall(1)], {"far": far}, amounts)
    assert [result.given for result in found] == [EVERYTHING, Given(lines=8)]
    assert [result.accuracy.errors for result in found] == [result.accuracy.errors for result in results[0:4:2]]
    assert "no frame could be scored with 32 lines: none has so many, by" in caplog.text
    assert "; no frame could be scored with 1000000 points: none has so many (without" in caplog.text
    assert "2 frames" in report(found)


def test_models_are_degraded_and_what_is_undisturbed_stays_the_same(classical, results):
    degraded = compare([wall(0), wall(1)], {"far": far, "classical": classical}, [Given(lines=8)], degraded=True)
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
    needs_image = compare([wall(0)], {"blind": network}, [Given(lines=8)], degraded=True)
    none = needs_image[-1]
    assert none.condition == "no image at all" and none.frames == (0 if network.needs_image else 1)
    assert "refused" in report(needs_image)


def test_depth_images_are_degraded_as_far_as_they_can_be():
    network = DepthCompleter("auxiliary", device="cpu", preset="lite")
    network.network.uses_image = network.network.image_optional = True
    found = compare([wall(0)], {"seeing": network}, [Given(points=100)], degraded=True)
    scored = {result.condition: result.frames for result in found}
    assert scored == {UNDISTURBED: 1, **dict.fromkeys(OF_IMAGE, 1)}
    assert "refused" not in report(found)


def test_points_and_holes_are_drawn_anew_but_lines_are_what_they_are():
    given = []

    def record(sparse):
        given.append(sparse)
        return far(sparse)

    amounts = [Given(points=50), Given(lines=8)]
    points, lines = compare([wall(0), wall(1)], {"record": record}, amounts, draws=3)
    assert (points.frames, lines.frames) == (6, 2)
    drawn = [sparse.tobytes() for sparse in given if np.count_nonzero(sparse) == 50]
    assert len(set(drawn)) == len(drawn) == 6
    first = [sparse.tobytes() for sparse in given]
    given.clear()
    compare([wall(0), wall(1)], {"record": record}, amounts)
    assert [sparse.tobytes() for sparse in given] == [first[i] for i in (0, 3, 4, 7)]


def test_a_frame_that_cannot_be_filled_is_left_out_aloud(caplog):
    calls = []

    def sometimes(sparse):
        calls.append(sparse)
        return far(sparse) if len(calls) > 1 else np.full_like(sparse, np.nan)

    (result,) = compare([wall(0), wall(1)], {"sometimes": sometimes}, [EVERYTHING])
    assert result.frames == len(result.milliseconds) == 1
    assert "of sometimes, everything, cannot be scored" in caplog.text


def test_tables_say_what_was_found(results):
    text = report(results)
    assert "everything (2 frames)" in text and "4 lines (2 frames)" in text
    row = next(line for line in text.splitlines() if line.startswith("| far"))
    assert row.count("100 / 100") == 3
    assert "Reliability of classical" in text and "Reliability of far" not in text and "Robustness" not in text
    tables = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert all(len({len(line) for line in table}) == 1 for table in tables)


def test_csv_files_hold_all_numbers(results):
    files = {name: list(csv.DictReader(io.StringIO(content))) for name, content in csv_files(results).items()}
    first = files["accuracy.csv"][0]
    assert (first["given"], first["method"], first["condition"], first["frames"]) == (
        "everything",
        "far",
        "undisturbed",
        "2",
    )
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
