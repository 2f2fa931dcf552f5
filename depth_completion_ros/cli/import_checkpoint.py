"""``depth-completion import-checkpoint``: weights of the papers' authors become weights of this program."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

# Flags of the authors' programs that their weights depend on, by model; see official_checkpoints.py.
_FLAGS = ("network", "legacy", "preserve_input", "affinity", "mode", "rules", "depth_norm")


def add_parser(subparsers: Any) -> None:
    """Adds the command to ``depth-completion``."""
    parser = subparsers.add_parser(
        "import-checkpoint",
        help="import an official checkpoint",
        description="Writes OUTPUT/weights.safetensors, which also says which model the weights are of, its options "
        "and how its inputs are prepared. Nothing in FILE is executed. Use it with --checkpoint OUTPUT.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the authors' file (PyTorch or safetensors)")
    parser.add_argument("--model", required=True, help="the model it is of, see 'depth-completion models'")
    parser.add_argument("--output", type=Path, metavar="DIR", help="folder to write to (default: checkpoints/MODEL)")
    parser.add_argument(
        "--crop", nargs=2, type=int, metavar=("HEIGHT", "WIDTH"), help="size of the images that it was trained on"
    )
    nlspn = parser.add_argument_group("nlspn", "options of the authors' program; the released files need the first two")
    nlspn.add_argument("--legacy", action="store_true", default=None)
    nlspn.add_argument("--preserve-input", action="store_true", default=None)
    nlspn.add_argument("--affinity", choices=("TGASS", "TC", "ASS", "AS"), help="default: TGASS")
    nlspn.add_argument("--network", choices=("resnet34", "resnet18"), help="default: the one that the weights are of")
    mspn = parser.add_argument_group("mspn", "which of the four released files it is; the weights do not tell")
    mspn.add_argument("--mode", choices=("sdr", "conventional"))
    mspn.add_argument("--rules", choices=("nyu", "kitti"), help="of the data set it was trained on")
    emdc = parser.add_argument_group("emdc")
    emdc.add_argument(
        "--no-depth-norm",
        dest="depth_norm",
        action="store_false",
        default=None,
        help="it works on metres, unlike the released file, which divides by the largest measurement",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Imports one file."""
    from depth_completion_ros.checkpoints import WEIGHTS_FILE, load_official, save_checkpoint

    folder = options.output or Path("checkpoints") / options.model
    if (folder / WEIGHTS_FILE).exists():
        raise ValueError(f"{folder} holds a checkpoint already; remove it or choose another --output")
    flags = {name: getattr(options, name) for name in _FLAGS if getattr(options, name) is not None}
    network = load_official(options.model, options.file, **flags)
    network.crop = options.crop and tuple(options.crop)
    file = save_checkpoint(network, folder, source=options.file)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    print(f"{options.model}: {parameters:,} parameters, options {dict(network.options)}, written to {file}")
    return 0
