"""``depth-completion complete``: dense depth for files, or for every frame of a recording."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from depth_completion_ros.cli._data import SOURCE_HELP, choose_frames, count, frame_range, open_frames
from depth_completion_ros.cli._model import add_model_options, load_model

if TYPE_CHECKING:
    from depth_completion_ros.datasets import DamagedFrame, FrameSource
    from depth_completion_ros.evaluation.metrics import DepthErrors
    from depth_completion_ros.evaluation.report import Report
    from depth_completion_ros.frame import Completion, Frame
    from depth_completion_ros.pipeline import DepthCompleter


def add_parser(subparsers: Any) -> None:
    """Adds the command to ``depth-completion``."""
    parser = subparsers.add_parser(
        "complete",
        help="complete depth from files",
        description="Writes OUTPUT/depth/NAME.png (16-bit, metres x 256, 0 = unknown), OUTPUT/confidence/NAME.png "
        "(8-bit, 255 = surest) and OUTPUT/previews/NAME.png (for people). A recording whose frames have ground truth "
        "is scored too: OUTPUT/metrics.json and metrics.csv.",
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--sparse", type=Path, metavar="PNG", help="one sparse depth image, as KITTI stores them")
    source.add_argument("--source", metavar="PATH", help=SOURCE_HELP)
    parser.add_argument("--image", type=Path, metavar="FILE", help="the camera image that belongs to --sparse")
    parser.add_argument("--lines", type=count, metavar="N", help="of --source: keep N scan lines, score on the others")
    parser.add_argument("--frames", type=frame_range, metavar="A:B", help="of --source: frames A to B-1 only")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder to write to")
    add_model_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Completes one pair of files or a recording; the status is 1 if a frame of a recording was lost."""
    return _complete_pair(options) if options.sparse else _complete_source(options)


def _complete_pair(options: argparse.Namespace) -> int:
    from depth_completion_ros.evaluation.preview import draw_preview
    from depth_completion_ros.evaluation.report import Report
    from depth_completion_ros.images import read_depth_png, read_image
    from depth_completion_ros.shipped import kind_of_depth

    if options.lines is not None or options.frames is not None:
        raise ValueError("--lines and --frames choose from a --source; --sparse is a single image")
    sparse = read_depth_png(options.sparse)
    image = None if options.image is None else read_image(options.image)
    completion = load_model(options, (image is not None, kind_of_depth(sparse)))(image, sparse)
    report, name = Report(options.output, {}), options.sparse.stem
    _save(report, name, completion)
    print(f"written to {report.add_preview(name, draw_preview(completion, image))}, beside it depth and confidence")
    return 0


def _complete_source(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from depth_completion_ros.evaluation.report import Report
    from depth_completion_ros.frame import Frame
    from depth_completion_ros.shipped import sensors_of

    if options.image is not None:
        raise ValueError("--image belongs to --sparse; a --source brings its own images")
    source = open_frames(options.source)
    frames, total = choose_frames(source, options.frames)
    first = next((item for item in source.read() if isinstance(item, Frame)), None)
    completer = load_model(options, sensors_of(first)) if first else load_model(options)
    report = Report(options.output, {"source": options.source, "model": completer.model, "lines": options.lines})
    _tell_of_earlier_run(options.output, _frame_names(source, options.frames))
    results = tqdm(_completions(frames, completer, options.lines), total=total, unit="frame", disable=None)
    try:
        _report_each(report, results)
    except BaseException:
        if report.frames:
            report.write()  # what was scored before Ctrl-C, or before the disk was full
        raise
    print(report.table())
    metrics = report.write()
    print(f"written to {metrics.parent}" if report.frames else f"metrics written to {metrics}")
    return 1 if report.lost else 0


def _frame_names(source: FrameSource, chosen: slice | None) -> set[str] | None:
    """What the frames will be called; None for a bag, which knows only when they are read."""
    from depth_completion_ros.datasets import IndexedSource

    if not isinstance(source, IndexedSource):
        return None
    return {source.frame_name(index) for index in range(len(source))[chosen or slice(None)]}


def _tell_of_earlier_run(output: Path, names: set[str] | None) -> None:
    """Says how many depth images will be left beside those of the frames of these names."""
    folder = output / "depth"
    found = {path.relative_to(folder).as_posix().removesuffix(".png") for path in folder.rglob("*.png")}
    if left := len(found - (names or set())):
        unless = "" if names is not None else ", but for those that this one has too"
        print(f"{output} holds {left} frame(s) of an earlier run, which stay{unless}", file=sys.stderr)


def _report_each(report: Report, results: Iterable[tuple[Frame, Completion] | DamagedFrame]) -> None:
    """Saves and scores what was completed."""
    from tqdm import tqdm

    from depth_completion_ros.datasets import DamagedFrame
    from depth_completion_ros.evaluation.preview import draw_preview

    for result in results:
        if isinstance(result, DamagedFrame):
            report.add_lost(result.name)
            tqdm.write(f"{result.name}: {result.error}", file=sys.stderr)
            continue
        frame, completion = result
        _save(report, frame.name, completion)
        try:
            errors = _score(frame, completion)
        except ValueError as error:  # too little of it is known to be scored
            report.add_lost(frame.name)
            tqdm.write(f"{frame.name}: {error}", file=sys.stderr)
            continue
        report.add(frame.name, errors)
        report.add_preview(frame.name, draw_preview(completion, frame.image, frame.ground_truth, errors))


def _completions(
    frames: Iterable[Frame | DamagedFrame], completer: DepthCompleter, lines: int | None
) -> Iterator[tuple[Frame, Completion] | DamagedFrame]:
    """Completes frame after frame; what cannot be completed comes out as damaged, with the reason.

    Raises:
        ValueError: lines were asked for, and the first frame has none; or as :meth:`DepthCompleter.complete`.
    """
    from depth_completion_ros.datasets import DamagedFrame
    from depth_completion_ros.evaluation.holdout import hold_out_each
    from depth_completion_ros.pipeline import EmptySparseDepthError

    for item in frames if lines is None else hold_out_each(frames, lines):
        if isinstance(item, DamagedFrame):
            yield item
            continue
        try:
            yield item, completer.complete(item)
        except EmptySparseDepthError as error:
            yield DamagedFrame(item.name, error)


def _score(frame: Frame, completion: Completion) -> DepthErrors | None:
    """The errors of one frame, None where it has no ground truth."""
    from depth_completion_ros.evaluation.metrics import depth_errors

    if frame.ground_truth is None or not frame.ground_truth.any():
        return None
    return depth_errors(completion.depth, frame.ground_truth)


def _save(report: Report, name: str, completion: Completion) -> None:
    """Writes the two images that other programs read."""
    from depth_completion_ros.images import write_depth_png, write_image

    for folder in ("depth", "confidence"):
        (report.output / folder / name).parent.mkdir(parents=True, exist_ok=True)
    write_depth_png(report.output / "depth" / f"{name}.png", completion.depth)
    write_image(report.output / "confidence" / f"{name}.png", (completion.confidence * 255.0 + 0.5).astype("uint8"))
