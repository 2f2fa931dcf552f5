"""The choice of a model, which several commands offer."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from depth_completion_ros.shipped import AUTO, Sensors

if TYPE_CHECKING:
    from depth_completion_ros.pipeline import DepthCompleter

ESTIMATOR_HELP = "metric depth network (Hugging Face), for the models that start from an initial depth"


def add_model_options(
    parser: argparse._ActionsContainer, models: str = "see 'depth-completion models'", default: str = AUTO
) -> None:
    """Adds --model, --preset, --checkpoint, --estimator, --device and --decimation.

    ``models`` says in the help what may be given, and ``default`` what is meant where nothing is.
    """
    parser.add_argument("--model", default=AUTO, help=f"{models}; auto: by the sensors (default: {default})")
    parser.add_argument("--preset", help="size of the model, such as lite (default: that of its weights)")
    parser.add_argument("--checkpoint", type=Path, metavar="DIR", help="the model's weights (default: those shipped)")
    parser.add_argument("--estimator", type=Path, metavar="DIR", help=ESTIMATOR_HELP)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: %(default)s)")
    parser.add_argument(
        "--decimation", type=int, default=1, metavar="N", help="complete at 1/N of the resolution (default: all of it)"
    )


def load_model(options: argparse.Namespace, sensors: Sensors = (True, "lidar")) -> DepthCompleter:
    """The model that was chosen; where none was, the default for these sensors.

    Raises:
        ValueError, OSError: as :class:`DepthCompleter`.
    """
    from depth_completion_ros.pipeline import DepthCompleter

    return DepthCompleter(
        options.model,
        options.device,
        preset=options.preset,
        checkpoint=options.checkpoint,
        estimator=options.estimator,
        decimation=options.decimation,
        sensors=sensors,
    )


def each_model(options: argparse.Namespace, names: Iterable[str]) -> list[argparse.Namespace]:
    """The options for every one of several models; --preset is not for those that have one size only."""
    from depth_completion_ros.networks.registry import model_info

    changes = ({"model": name, "preset": options.preset if model_info(name).presets else None} for name in names)
    return [argparse.Namespace(**(vars(options) | change)) for change in changes]
