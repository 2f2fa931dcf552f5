"""``depth-completion average``: one set of weights, the mean of those of several trainings."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_parser(subparsers: Any) -> None:
    """Adds the command to ``depth-completion``."""
    parser = subparsers.add_parser(
        "average",
        help="make one set of weights of several trainings",
        description="Writes the mean of the weights of several checkpoints of one network into OUTPUT, a checkpoint "
        "without a calibration. Trainings that went on from the same weights (train --init), on other data or with "
        "other seeds, often make a mean that is better than any of them; trainings from random weights do not.",
    )
    parser.add_argument("checkpoints", type=Path, nargs="+", metavar="CHECKPOINT", help="folders of trainings")
    parser.add_argument("--output", type=Path, required=True, metavar="OUTPUT", help="folder to write to")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Averages the checkpoints."""
    from depth_completion_ros.checkpoints import average_checkpoints, save_checkpoint
    from depth_completion_ros.training.trainer import expect_no_training

    expect_no_training(options.output)
    network = average_checkpoints(options.checkpoints)
    weights = save_checkpoint(network, options.output)
    print(f"{network.name} {dict(network.options)}, the mean of {len(options.checkpoints)}, written to {weights}")
    return 0
