"""``depth-completion evaluate``: predicted depth, or models that are run, against the truth."""

from __future__ import annotations

import argparse
import json
import re
import sys
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from depth_completion_ros.cli._data import add_data_options, amounts_given, count, read_frames
from depth_completion_ros.cli._model import add_model_options, each_model, load_model
from depth_completion_ros.shipped import AUTO

if TYPE_CHECKING:
    from depth_completion_ros.pipeline import DepthCompleter
    from depth_completion_ros.shipped import Sensors

# KITTI's selected frames are called e.g. 2011_09_26_drive_0002_sync_groundtruth_depth_0000000005_image_02.png;
# the same frame's picture and scan have another word in place of groundtruth_depth.
_KIND_OF_FILE = re.compile(r"_(groundtruth_depth|velodyne_raw|image)_(?=\d{10}_image_\d\d)")


def add_parser(subparsers: Any) -> None:
    """Adds the command to ``depth-completion``."""
    parser = subparsers.add_parser(
        "evaluate",
        help="score predicted depth, or models, against ground truth",
        description="Either scores the 16-bit PNGs (metres x 256, 0 = none) of one folder against those of another: "
        "the nine errors of the KITTI depth benchmark, image by image, then their mean. Or runs models and simple "
        "methods over a recording (--data) and compares their accuracy by how much was measured and by distance, and "
        "what the models' confidence is worth.",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "folders",
        type=Path,
        nargs="*",
        default=[],
        metavar="PREDICTIONS GROUND_TRUTH",
        help="folders; files belong together when they have the same name (KITTI's words groundtruth_depth, "
        "velodyne_raw and image in its long names count as the same)",
    )
    what.add_argument(
        "--data",
        nargs="+",
        metavar="SOURCE",
        help="a recording, or e.g. synthetic-streets,frames=48,seed=22; of several, each frame counts as much as any "
        "other; of one without ground truth, what is withheld by --lines, --points or --holes is the truth",
    )
    parser.add_argument("--output", type=Path, metavar="DIR", help="write tables and, with --data, plots there")
    folders = parser.add_argument_group("of folders")
    folders.add_argument("--json", action="store_true", help="print the numbers as JSON instead of a table")
    folders.add_argument(
        "--by-order", action="store_true", help="pair the files by their order instead of by name, as KITTI's kit does"
    )
    data = parser.add_argument_group("of --data")
    add_data_options(data)
    add_model_options(data, "one or several with commas, or 'all' that are trained", "that of --checkpoint, else all")
    data.add_argument(
        "--draws",
        type=count,
        default=1,
        metavar="N",
        help="how often points and holes are drawn of each frame, where frames are few (default: %(default)s)",
    )
    data.add_argument("--robustness", action="store_true", help="also with wrong points, calibration and images")
    parser.set_defaults(run=run, model=None)


def run(options: argparse.Namespace) -> int:
    """Prints what was found, and writes it if asked to."""
    return _evaluate_models(options) if options.data else _evaluate_folders(options)


def _evaluate_models(options: argparse.Namespace) -> int:
    from depth_completion_ros.evaluation.baselines import BASELINES
    from depth_completion_ros.evaluation.comparison import Method, compare
    from depth_completion_ros.evaluation.plots import draw
    from depth_completion_ros.evaluation.tables import csv_files, report
    from depth_completion_ros.files import writable_folder, write_atomically
    from depth_completion_ros.shipped import sensors_of

    options.model = options.model or (AUTO if options.checkpoint else "all")
    if options.json or options.by_order:
        raise ValueError("--json and --by-order belong to folders; with --data, --output writes CSV files")
    frames = read_frames(options)
    first = next(frames, None)
    if first is None:
        raise ValueError(f"{', '.join(options.data)}: no frame that can be read")
    methods: dict[str, Method] = {**BASELINES, **_models(options, sensors_of(first))}
    amounts = amounts_given(options, "all")
    if options.output:
        writable_folder(options.output)
    results = compare(chain([first], frames), methods, amounts, degraded=options.robustness, draws=options.draws)
    text = report(results)
    print(text)
    if options.output:
        for name, content in {"report.md": text + "\n", **csv_files(results)}.items():
            write_atomically(options.output / name, content.encode())
        draw(results, options.output)
        print(f"written to {options.output}", file=sys.stderr)
    return 0


def _models(options: argparse.Namespace, sensors: Sensors) -> dict[str, DepthCompleter]:
    """The models that were asked for, by name; ``auto`` is that of the checkpoint, or the one for these sensors."""
    from depth_completion_ros.shipped import shipped_models

    if options.model == "all":
        chosen = each_model(options, ["classical", *shipped_models()])
    elif "," in options.model:
        chosen = each_model(options, options.model.split(","))
    else:
        chosen = [options]
    if options.checkpoint and len(chosen) != 1:
        raise ValueError(f"--checkpoint is of one model, {options.model} was asked for")
    completers = (load_model(each, sensors) for each in chosen)
    return {completer.model: completer for completer in completers}


def _evaluate_folders(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from depth_completion_ros.evaluation.metrics import depth_errors
    from depth_completion_ros.evaluation.report import Report
    from depth_completion_ros.images import read_depth_png

    of_data = {
        "--cache": options.cache,
        "--frames": options.frames,
        "--lines, --points, --holes": options.given,
        "--robustness": options.robustness,
        "--draws": options.draws != 1,
        "--model": options.model,
        "--preset": options.preset,
        "--checkpoint": options.checkpoint,
        "--estimator": options.estimator,
        "--device": options.device != "auto",
        "--decimation": options.decimation != 1,
    }
    if wrong := ", ".join(option for option, given in of_data.items() if given):
        raise ValueError(f"{wrong}: of --data only, of folders every file counts as it is")
    if len(options.folders) != 2:
        raise ValueError(f"expected two folders, PREDICTIONS and GROUND_TRUTH, got {len(options.folders)}")
    predictions, truths = options.folders
    pairs = _pair(_depth_files(predictions), _depth_files(truths), options.by_order)
    run = {"predictions": str(predictions), "ground_truth": str(truths)}
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
