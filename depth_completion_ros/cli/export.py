"""``depth-completion export``: a training's weights as a small folder that ships with the package."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_parser(subparsers: Any) -> None:
    """Adds the command to ``depth-completion``."""
    parser = subparsers.add_parser(
        "export",
        help="make weights small enough to ship",
        description="Writes OUTPUT/weights.safetensors with the parameters in 16 bits, and OUTPUT/golden.npz, what "
        "they answer to a made-up frame. A calibration of the checkpoint comes along, and so does what it says of the "
        "file it was imported from; exported onto itself, a folder gets a new golden output. In models/MODEL of the "
        "sources the weights ship with the package.",
    )
    parser.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="folder of a training or an import")
    parser.add_argument("output", type=Path, metavar="OUTPUT", help="folder to write to, such as models/mspn")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Exports one checkpoint; the status is 1 if it is too large to ship."""
    from depth_completion_ros.checkpoints import load_checkpoint, read_header, save_checkpoint
    from depth_completion_ros.golden import write_golden
    from depth_completion_ros.shipped import LARGEST
    from depth_completion_ros.training.trainer import expect_no_training

    expect_no_training(options.output)
    network = load_checkpoint(options.checkpoint)
    weights = save_checkpoint(network, options.output, read_header(options.checkpoint).get("source"), half=True)
    golden = write_golden(options.output)
    size = weights.stat().st_size
    print(f"{network.name} {dict(network.options)}, {size / 1e6:.2f} MB, written to {weights}, beside it {golden.name}")
    if not network.calibration:
        print("its confidence is not calibrated: see `depth-completion calibrate`")
    if not (options.output / "README.md").exists():
        print(f"it lacks its card: write {options.output / 'README.md'}")
    if size > LARGEST:
        print(f"too large to ship: at most {LARGEST / 1e6:g} MB")
        return 1
    return 0
