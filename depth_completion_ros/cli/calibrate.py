"""``depth-completion calibrate``: what a model's confidence means is fitted to frames with ground truth."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from depth_completion_ros.cli._data import add_data_options, amounts_given, read_frames
from depth_completion_ros.cli._model import ESTIMATOR_HELP


def add_parser(subparsers: Any) -> None:
    """Adds the command to ``depth-completion``."""
    parser = subparsers.add_parser(
        "calibrate",
        help="make the confidence a probability",
        description="Fits, on frames that no training saw, the probability that depth is within 5 % of the truth, and "
        "stores it in the checkpoint, whose confidence it is from then on.",
    )
    parser.add_argument(
        "checkpoint",
        metavar="CHECKPOINT",
        help="folder of the weights; or the word 'classical', which has none: what was fitted is printed as JSON",
    )
    parser.add_argument(
        "--data",
        nargs="+",
        required=True,
        metavar="SOURCE",
        help="such as synthetic-streets,frames=48,seed=22; of several, each frame counts as much as any other",
    )
    add_data_options(parser)
    parser.add_argument("--estimator", metavar="DIR", help=ESTIMATOR_HELP)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: %(default)s)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Fits and stores the calibration."""
    from depth_completion_ros.checkpoints import store_calibration
    from depth_completion_ros.evaluation.calibration import calibrate
    from depth_completion_ros.files import writable_folder
    from depth_completion_ros.pipeline import DepthCompleter

    amounts = amounts_given(options, "all,32,16,8,4")
    classical = options.checkpoint == "classical"
    chosen = {"model": "classical"} if classical else {"checkpoint": options.checkpoint}
    completer = DepthCompleter(**chosen, device=options.device, estimator=options.estimator)
    if not classical:
        file = Path(options.checkpoint)
        writable_folder(file if file.is_dir() else file.parent)
    fitted = calibrate(completer, read_frames(options), amounts)
    if classical:
        lines = ",".join(f"\n{json.dumps(name)}: {json.dumps(curve)}" for name, curve in fitted.curves.items())
        print(f"{{{lines}\n}}")
        return 0
    print(f"written to {store_calibration(options.checkpoint, fitted.curves)}", file=sys.stderr)
    return 0
