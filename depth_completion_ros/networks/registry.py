"""The one list of completion models: a model is added by writing one file and registering it.

A file in this package that defines a model calls :func:`register` on its builder and is named in ``_FILES``; it
is imported when the model is first asked for, so that listing the models stays quick.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeVar, get_args, get_origin, get_type_hints

import torch
from torch import Tensor, nn

# Model name -> file of this package that registers it.
_FILES = {
    "auxiliary": "auxiliary",
    "classical": "classical",
    "emdc": "emdc",
    "magaconv": "magaconv",
    "mspn": "mspn",
    "nlspn": "nlspn",
}


@dataclass
class NetworkOutput:
    """What every network answers, and what losses read besides; a subclass may hold more.

    All is (N, 1, H, W), and depth float32 metres. What a network does not have is None, and so are a lite network's
    depths before the final one, but while it is trained.

    Attributes:
        depth: the final one.
        confidence: in [0, 1], the network's own; its ``confidence_meaning`` says of what.
        confidence_logit: whose sigmoid the confidence is, unless nothing was measured.
        initial_depth: before propagation; can be negative in preset ``paper`` of NLSPN.
        propagated_depth: right after it, of a network that goes on from there.
        spread_depth: as the measurements spread of themselves.
    """

    depth: Tensor
    confidence: Tensor
    confidence_logit: Tensor | None = None
    initial_depth: Tensor | None = None
    propagated_depth: Tensor | None = None
    spread_depth: Tensor | None = None


class CompletionNetwork(nn.Module):
    """The interface of every model: ``network(image, sparse_depth, initial_depth=None) -> NetworkOutput``.

    ``image`` is (N, 3, H, W) float32, RGB normalised by ``image_mean`` and ``image_std`` of the 0..1 range, or None
    for a model that ``uses_image`` says needs none; ``sparse_depth`` is (N, 1, H, W) float32 metres, 0 = not
    measured; ``initial_depth`` is an optional dense estimate (N, 1, H, W) in metres.

    Attributes:
        uses_initial_depth: whether the network must be called with an initial depth.
        image_optional: whether the network was trained on samples without an image, too: a normalised image of zeros.
        name, options: what :func:`create` built it from; a checkpoint stores them beside the weights.
        calibration: curves of the :class:`~depth_completion_ros.confidence.Calibration` that its weights have, or None.
    """

    uses_initial_depth: bool = False
    image_optional: bool = False
    name: str = ""
    options: Mapping[str, Any] = {}
    calibration: Mapping[str, Any] | None = None

    uses_image: ClassVar[bool] = True
    # A model of plain CPU code sets this, and a request for another device is refused instead of ignored.
    cpu_only: ClassVar[bool] = False
    # Whether bfloat16 leaves the depth as it is, so that a CPU that computes with it may.
    half_on_cpu: ClassVar[bool] = False
    # Whether its weights lie channels-last from the start. Convolutions answer in the memory format of their weights,
    # and for small networks this one is the faster on a CPU.
    channels_last: ClassVar[bool] = False
    # Whether its outlines are those of renderings, and have to be widened to be those that sensors see.
    widens_outlines: ClassVar[bool] = False
    confidence_meaning: ClassVar[str] = ""
    image_mean: tuple[float, float, float] = (0.485, 0.456, 0.406)  # ImageNet
    image_std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    crop: tuple[int, int] | None = None  # (height, width) of the images it was trained on, None where unknown

    def __call__(self, image: Tensor | None, sparse_depth: Tensor, initial_depth: Tensor | None = None) -> Any:
        """Runs the network; see the class for its arguments.

        Raises:
            ValueError: an input is missing, of another shape, or holds NaN or infinite values.
        """
        check_inputs(image if self.uses_image else None, sparse_depth, initial_depth, needs_image=self.uses_image)
        return super().__call__(image, sparse_depth, initial_depth)


def check_inputs(
    image: Tensor | None, sparse_depth: Tensor, initial_depth: Tensor | None, *, needs_image: bool
) -> None:
    """Refuses what no network can answer, before a NaN has spread over the whole image.

    Raises:
        ValueError: an input is missing, of another shape, or holds NaN or infinite values.
    """
    if sparse_depth.ndim != 4 or sparse_depth.shape[1] != 1 or not sparse_depth.numel():
        raise ValueError(f"sparse_depth is {tuple(sparse_depth.shape)}, expected (N, 1, H, W)")
    if needs_image and image is None:
        raise ValueError("the network needs an image and got None")
    batch, _, height, width = sparse_depth.shape
    given = (("image", image, 3), ("sparse_depth", sparse_depth, 1), ("initial_depth", initial_depth, 1))
    for name, tensor, channels in given:
        if tensor is None:
            continue
        expected = (batch, channels, height, width)
        if tensor.shape != expected:
            raise ValueError(f"{name} is {tuple(tensor.shape)}, expected {expected} beside this sparse_depth")
        # A sum is finite only if all of its terms are, and takes a tenth of the time of looking at them one by one.
        if not torch.isfinite(tensor.sum()) and not torch.isfinite(tensor).all():
            bad = int((~torch.isfinite(tensor)).sum())
            hint = "; mark what was not measured with 0" if tensor is sparse_depth else ""
            raise ValueError(f"{name} holds {bad} NaN or infinite values{hint}")


@dataclass(frozen=True)
class ModelInfo:
    """What a user chooses a model by."""

    name: str
    summary: str
    source: str
    presets: tuple[str, ...]
    uses_image: bool
    build: Callable[..., CompletionNetwork]

    def takes(self, option: str) -> bool:
        """Whether the model has this option."""
        return option in inspect.signature(self.build).parameters


_REGISTRY: dict[str, ModelInfo] = {}
_Builder = TypeVar("_Builder", bound=Callable[..., CompletionNetwork])


def register(
    name: str, *, summary: str, source: str, presets: tuple[str, ...] = (), uses_image: bool = True
) -> Callable[[_Builder], _Builder]:
    """Decorates the builder of model ``name``; ``source`` is the paper, or what the method rests on.

    A builder of a model with presets takes ``preset`` as its first argument; further arguments are the model's
    options, keyword-only.
    """

    def decorate(build: _Builder) -> _Builder:
        _REGISTRY[name] = ModelInfo(name, summary, source, presets, uses_image, build)
        return build

    return decorate


def models() -> tuple[ModelInfo, ...]:
    """Every registered model, by name."""
    return tuple(model_info(name) for name in sorted(_FILES))


def model_info(name: str) -> ModelInfo:
    """The model called ``name``.

    Raises:
        ValueError: there is none; the message lists those there are.
    """
    if name not in _FILES:
        raise ValueError(f"unknown model {name!r}; available: {', '.join(sorted(_FILES))}")
    if name not in _REGISTRY:
        importlib.import_module(f"{__package__}.{_FILES[name]}")
    return _REGISTRY[name]


def create(name: str, **options: Any) -> CompletionNetwork:
    """Builds model ``name`` in evaluation mode, e.g. ``create("nlspn", preset="lite")``.

    Raises:
        ValueError: the model, its preset or an option is unknown, or an option has none of the values that it can.
    """
    info = model_info(name)
    preset = options.get("preset")
    if preset is not None and preset not in info.presets:
        known = ", ".join(info.presets) or "none"
        raise ValueError(f"model {name!r} has no preset {preset!r}; available: {known}")
    try:
        arguments = inspect.signature(info.build).bind(**options)
    except TypeError as error:
        raise ValueError(f"model {name!r}: {error}") from error
    arguments.apply_defaults()
    kinds = get_type_hints(info.build)
    for option, value in arguments.arguments.items():
        kind = kinds.get(option)
        if kind is bool and not isinstance(value, bool):
            raise ValueError(f"model {name!r}: option {option} is {value!r}, expected true or false")
        if get_origin(kind) is Literal and value not in get_args(kind):
            known = ", ".join(get_args(kind))
            raise ValueError(f"model {name!r}: option {option} is {value!r}; available: {known}")
    network = info.build(*arguments.args, **arguments.kwargs)
    network.name, network.options = name, dict(arguments.arguments)
    if network.channels_last:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network.eval()
