"""What must not change between two starts of a training, or its curve would not be that of one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from depth_completion_ros.networks.registry import CompletionNetwork
from depth_completion_ros.training.recipes import Recipe
from depth_completion_ros.training.samples import SampleStream


def identify(
    network: CompletionNetwork, recipe: Recipe, stream: SampleStream, *, init: bool, **settings: Any
) -> dict[str, Any]:
    """All that decides on the curve, by names for messages.

    Args:
        network: before its first step.
        recipe: how it is trained.
        stream: what it is trained on.
        init: whether the weights of the network were given; else they follow from the seed.
        settings: of the user's choice, by name.
    """
    return {
        "model": network.name,
        "options": dict(network.options),
        "first weights": _digest(network) if init else None,
        "loss": _describe(recipe.loss),
        "optimizer": _describe(recipe.optimizer),
        "schedule": [type(recipe.schedule).__name__, asdict(recipe.schedule), recipe.epochs],
        "average": recipe.average,
        "clip": recipe.clip,
        "data": [[share.source.name, len(share.source), share.weight] for share in stream.shares],
        "options of the data": [share.options for share in stream.shares],
        "versions of the data": [share.source.version for share in stream.shares],
        "augmentation": asdict(recipe.augmentation),
        "sparsity": asdict(recipe.sparsity),
        **settings,
    }


def check_same(now: Mapping[str, Any], was: Mapping[str, Any], path: Path) -> None:
    """Refuses to continue a training that was another one.

    Args:
        now: of the training that was asked for.
        was: of the one whose state is at ``path``. An earlier version of this program may have noted less: what it
            lacks is no difference, and within a part it stands for 0 or none.
        path: for the message.

    Raises:
        ValueError: they differ; the message says in what.
    """
    # A state file has been through the same: tuples are lists there.
    now, was = (json.loads(json.dumps(each)) for each in (now, was))
    different = [
        f"{key} {was[key]} instead of {now[key]}" for key in now if key in was and _noted(was[key]) != _noted(now[key])
    ]
    if different:
        raise ValueError(f"{path} is of another training: {'; '.join(different)}; choose another folder")


def _noted(part: Any) -> Any:
    """A part without what is 0 or none in it, which an earlier version may not have noted."""
    return {key: value for key, value in part.items() if value} if isinstance(part, dict) else part


def _describe(function: Callable[..., Any]) -> str:
    """A function with its arguments, in words that are the same in every process."""
    if not isinstance(function, partial):
        return function.__qualname__
    arguments = [*map(repr, function.args), *(f"{key}={value!r}" for key, value in sorted(function.keywords.items()))]
    return f"{_describe(function.func)}({', '.join(arguments)})"


def _digest(network: nn.Module) -> str:
    """Differs between any two sets of weights."""
    digest = hashlib.sha256()
    for value in network.state_dict().values():
        digest.update(value.cpu().numpy().tobytes())
    return digest.hexdigest()[:16]
