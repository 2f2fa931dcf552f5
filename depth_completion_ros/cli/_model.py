"""The choice of a model, which several commands offer."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from depth_completion_ros.pipeline import DepthCompleter


def add_model_options(parser: argparse.ArgumentParser, models: str = "see 'depth-completion models'") -> None:
    """Adds --model, --preset, --checkpoint and --device."""
    parser.add_argument("--model", default="classical", help=f"{models} (default: %(default)s)")
    parser.add_argument("--preset", help="size of the model, such as lite (default: the model's own)")
    parser.add_argument("--checkpoint", type=Path, metavar="DIR", help="the model's weights")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: %(default)s)")


def load_model(options: argparse.Namespace) -> DepthCompleter:
    """The model that was chosen.

    Raises:
        ValueError, OSError: as :class:`DepthCompleter`.
    """
    from depth_completion_ros.pipeline import DepthCompleter

    preset = {} if options.preset is None else {"preset": options.preset}
    return DepthCompleter(options.model, options.device, checkpoint=options.checkpoint, **preset)
