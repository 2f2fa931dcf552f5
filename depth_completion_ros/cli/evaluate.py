"""``depth-completion evaluate``: a folder of predictions against a folder of ground truth."""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

# KITTI's selected frames are called e.g. 2011_09_26_drive_0002_sync_groundtruth_depth_0000000005_image_02.png;
# the same frame's picture and scan have another word in place of groundtruth_depth.
_KIND_OF_FILE = re.compile(r"_(groundtruth_depth|velodyne_raw|image)_(?=\d{10}_image_\d\d)")


def add_parser(subparsers: Any) -> None:
    """Adds the command to ``depth-completion``."""
    parser = subparsers.add_parser(
        "evaluate",
        help="score predicted depth against ground truth",
        description="Computes the nine errors of the KITTI depth benchmark, image by image, then their mean. "
        "Both folders hold 16-bit PNGs of metres x 256, 0 = none. Files belong together when they have the same name "
        "(KITTI's words groundtruth_depth, velodyne_raw and image in its long names count as the same).",
    )
    parser.add_argument("predictions", type=Path, metavar="PREDICTIONS", help="folder of predicted depth")
    parser.add_argument("ground_truth", type=Path, metavar="GROUND_TRUTH", help="folder of true depth")
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON instead of a table")
    parser.add_argument("--output", type=Path, metavar="DIR", help="write metrics.json and metrics.csv there")
    parser.add_argument(
        "--by-order", action="store_true", help="pair the files by their order instead of by name, as KITTI's kit does"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Scores every pair of files and prints the mean."""
    from tqdm import tqdm

    from depth_completion_ros.evaluation.metrics import depth_errors
    from depth_completion_ros.evaluation.report import Report
    from depth_completion_ros.images import read_depth_png

    pairs = _pair(_depth_files(options.predictions), _depth_files(options.ground_truth), options.by_order)
    run = {"predictions": str(options.predictions), "ground_truth": str(options.ground_truth)}
    report = Report(options.output or Path(), run)
    for prediction, ground_truth in tqdm(pairs, unit="image", disable=None):
        predicted, truth = read_depth_png(prediction), read_depth_png(ground_truth)
        try:
            report.add(ground_truth.stem, depth_errors(predicted, truth))
        except ValueError as error:
            raise ValueError(f"{prediction} against {ground_truth}: {error}") from error
    print(json.dumps(report.summary(), indent=2) if options.json else report.table())
    if options.output:
        print(f"written to {report.write()}", file=sys.stderr)
    return 0


def _depth_files(folder: Path) -> list[Path]:
    """The PNG files of a folder, sorted by name."""
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".png")
    if not files:
        raise ValueError(f"{folder} holds no PNG file")
    return files


def _pair(predictions: list[Path], truths: list[Path], by_order: bool) -> list[tuple[Path, Path]]:
    """(prediction, ground truth) of every ground truth.

    Raises:
        ValueError: a ground truth has no prediction, or the pairing is ambiguous.
    """
    if by_order:
        if len(predictions) != len(truths):
            raise ValueError(f"cannot pair {len(predictions)} predictions with {len(truths)} ground truths by order")
        return list(zip(predictions, truths, strict=True))

    predicted = _by_frame(predictions)
    truth_of = _by_frame(truths)
    missing = [truth.name for frame, truth in truth_of.items() if frame not in predicted]
    if missing:
        shown = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        raise ValueError(
            f"{predictions[0].parent} lacks {len(missing)} of {len(truths)} predictions, the benchmark counts all: "
            f"{shown} (--by-order pairs files that have other names)"
        )
    extra = len(predicted) - len(truth_of)
    if extra:
        print(f"left out: {extra} prediction(s) without ground truth", file=sys.stderr)
    return [(predicted[frame], truth) for frame, truth in truth_of.items()]


def _by_frame(files: list[Path]) -> dict[str, Path]:
    """Files by the frame that they belong to."""
    frames: dict[str, Path] = {}
    for file in files:
        frame = _KIND_OF_FILE.sub("_", file.stem)
        if frame in frames:
            raise ValueError(f"{frames[frame]} and {file.name} belong to the same frame")
        frames[frame] = file
    return frames
