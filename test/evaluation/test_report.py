"""The report's files read back as what was scored."""

import csv
import json
from dataclasses import asdict, fields

import numpy as np
import pytest

from depth_completion_ros.evaluation.metrics import DepthErrors
from depth_completion_ros.evaluation.report import Report, format_table
from depth_completion_ros.images import read_image

NEAR = DepthErrors(1000.0, 500.0, 3.0, 1.5, 0.05, 0.03, 0.04, 0.02, 0.001)
FAR = DepthErrors(3000.0, 1500.0, 5.0, 2.5, 0.15, 0.09, 0.12, 0.06, 0.003)


@pytest.fixture
def report(tmp_path):
    report = Report(tmp_path / "new" / "folder", {"model": "classical", "lines": 16})
    report.add("0000000011", FAR)
    report.add("0000000010", NEAR)
    report.add_lost("0000000012")
    report.add("0000000013", None)
    return report


def test_json_holds_counts_means_and_the_run(report):
    summary = json.loads(report.write().read_text())
    assert (summary["frames"], summary["scored"], summary["lost"]) == (3, 2, 1)
    assert summary["lost_frames"] == ["0000000012"]
    assert summary["run"] == {"model": "classical", "lines": 16}
    assert summary["rmse_mm"] == 2000
    assert summary["mae_mm"] == 1000
    assert summary["irmse_per_km"] == 4
    assert summary["imae_per_km"] == 2
    assert {field.name for field in fields(DepthErrors)} <= summary.keys()


def test_csv_holds_every_frame_in_order(report):
    with (report.write().parent / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["frame"] for row in rows] == ["0000000010", "0000000011", "0000000012", "0000000013"]
    assert [row["state"] for row in rows] == ["scored", "scored", "lost", "unscored"]
    assert {name: float(rows[0][name]) for name in asdict(NEAR)} == asdict(NEAR)
    assert rows[2]["rmse_mm"] == ""


def test_without_ground_truth_errors_are_null(tmp_path):
    report = Report(tmp_path, {})
    report.add("a", None)
    summary = json.loads(report.write().read_text())
    assert summary["frames"] == 1
    assert summary["rmse_mm"] is None
    assert report.table() == "1 frame, 0 lost; no ground truth, so nothing was scored"


def test_table_shows_mean_best_and_worst_with_units(report):
    lines = report.table().splitlines()
    assert lines[0] == "3 frames, 1 lost, 2 with ground truth"
    assert lines[2].split() == ["RMSE", "mm", "2000.0", "1000.0", "3000.0"]
    assert lines[4].split() == ["iRMSE", "1/km", "4.000", "3.000", "5.000"]
    assert len(lines) == 2 + len(fields(DepthErrors))
    assert len({len(line) for line in lines[1:]}) == 1
    assert format_table([NEAR], frames=1, lost=0).startswith("1 frame, 0 lost\n")


def test_a_frame_counts_once(report):
    for name in ("0000000010", "0000000012", "0000000013"):
        with pytest.raises(ValueError, match=name):
            report.add(name, NEAR)
        with pytest.raises(ValueError, match=name):
            report.add_lost(name)


def test_write_again_replaces_and_leaves_no_other_files(report):
    report.write()
    report.add("0000000014", NEAR)
    path = report.write()
    assert json.loads(path.read_text())["frames"] == 4
    assert sorted(file.name for file in report.output.iterdir()) == ["metrics.csv", "metrics.json"]


def test_preview_is_written_under_its_name(report):
    picture = np.full((4, 5, 3), 7, np.uint8)
    path = report.add_preview("0000000010", picture)
    assert path == report.output / "previews" / "0000000010.png"
    np.testing.assert_array_equal(read_image(path), picture)
