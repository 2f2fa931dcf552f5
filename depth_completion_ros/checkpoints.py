"""Named weights with their preprocessing, and the import of the authors' own checkpoints.

A checkpoint is a folder with one safetensors file, whose header says which model the weights are of, its options and
how its inputs are prepared: weights never travel without it. No file is read in a way that could run code from it.
"""

from __future__ import annotations

import argparse
import hashlib
import inspect
import json
import pickle
import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from depth_completion_ros.files import write_atomically
from depth_completion_ros.networks.registry import CompletionNetwork, create, model_info
from depth_completion_ros.official_checkpoints import OFFICIAL

try:
    import safetensors
    import safetensors.torch
except ImportError as error:
    raise ImportError("weights are stored by safetensors, which is missing: pip install safetensors") from error

WEIGHTS_FILE = "weights.safetensors"
_HEADER = "depth_completion"
_FORMAT = 1
_WRAPPERS = ("net", "state_dict")  # under which training scripts save the weights beside the optimiser's state
_LISTED = 5  # keys of each kind that an error names


def load_official(name: str, source: Mapping[str, Any] | str | Path, **options: Any) -> CompletionNetwork:
    """Builds model ``name`` with the weights of a checkpoint of its authors' implementation, in evaluation mode.

    Args:
        name: a model of the registry that has a public implementation.
        source: the checkpoint file, or what it holds; the weights may be wrapped as by the authors' training script.
        options: the flags of the authors' program that the weights need, by their names there (see
            :mod:`~depth_completion_ros.official_checkpoints`).

    Raises:
        ValueError: there is no such model or option, the file is not a checkpoint, or the weights do not fit the
            model: the message lists missing and surplus keys and wrong shapes.
        OSError: the file cannot be read.
    """
    model_info(name)
    if name not in OFFICIAL:
        raise ValueError(f"model {name!r} has no official checkpoints; available: {', '.join(sorted(OFFICIAL))}")
    official = OFFICIAL[name]
    if isinstance(source, Mapping):
        weights, label = _unwrap(source, "the checkpoint"), "the checkpoint"
    else:
        weights, label = _unwrap(_read(Path(source)), str(source)), str(source)
    try:
        inspect.signature(official.options).bind(weights, **options)
    except TypeError as error:
        raise ValueError(f"official checkpoints of {name!r}: {error}") from error

    network = create(name, **official.options(weights, **options))
    wanted = {official.key(key): value for key, value in network.state_dict().items()}
    wanted |= official.constants
    given = {key: value for key, value in weights.items() if not re.fullmatch(official.unused, key)}
    _check_fit(label, network, wanted, given)
    for key, constant in official.constants.items():
        if not torch.equal(given[key].to(constant.dtype), constant):
            raise ValueError(f"{label}: {key} is {given[key].flatten().tolist()}, which {name!r} takes as constant")
    network.load_state_dict({key: given[official.key(key)] for key in network.state_dict()})
    return network


def save_checkpoint(
    network: CompletionNetwork,
    folder: str | Path,
    source: Mapping[str, str] | str | Path | None = None,
    *,
    half: bool = False,
) -> Path:
    """Writes the weights of ``network`` and what they need to be used into ``folder``, which it creates.

    Args:
        network: a network that :func:`~depth_completion_ros.networks.registry.create` built.
        folder: the checkpoint's folder.
        source: the file that the weights were imported from, if they were, or what a header says of it.
        half: whether the parameters are stored in 16 bits. Buffers, such as the statistics of batch norm, keep theirs:
            variances reach farther than 16 bits do, and they are few.

    Returns:
        The file written.

    Raises:
        ValueError: a parameter is beyond the range of 16 bits.
    """
    if source is not None and not isinstance(source, Mapping):
        source = {"file": Path(source).name, "sha256": _sha256(Path(source))}
    header = {
        "format": _FORMAT,
        "model": network.name,
        "options": dict(network.options),
        "image_mean": network.image_mean,
        "image_std": network.image_std,
        "depth_scale": 1.0,  # network units per metre
        "crop": network.crop,
        "image_optional": network.image_optional,
        "calibration": network.calibration,
        "source": source,
    }
    weights = {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
    if half:
        weights |= {key: _halved(key, weights[key]) for key, _ in network.named_parameters()}
    file = Path(folder) / WEIGHTS_FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    _write(file, weights, header)
    return file


def load_checkpoint(path: str | Path) -> CompletionNetwork:
    """Builds the network of a checkpoint folder (or its file) that :func:`save_checkpoint` wrote, in evaluation mode.

    Its weights are float32, in however many bits they are stored.

    Raises:
        ValueError: the file says not how its weights are to be used, or they do not fit the model it names.
        OSError: there is no such file.
    """
    file = _file(path)
    header = read_header(file)
    network = create(header["model"], **header["options"])
    network.image_mean, network.image_std = tuple(header["image_mean"]), tuple(header["image_std"])
    network.crop = header["crop"] and tuple(header["crop"])
    network.image_optional = header.get("image_optional", False)  # which the first checkpoints did not say
    network.calibration = header.get("calibration")
    weights = safetensors.torch.load_file(file)
    _check_fit(str(file), network, network.state_dict(), weights)
    network.load_state_dict(weights)
    return network


def average_checkpoints(paths: Sequence[str | Path]) -> CompletionNetwork:
    """The network whose every weight is the mean of those of several trainings, without a calibration.

    Of trainings that went on from the same weights it is often better than any (Wortsman et al., "Model soups", ICML
    2022): what each owes to the chance of its own samples averages out.

    Raises:
        ValueError: the networks differ in their model, its options or how inputs are prepared; or as
            :func:`load_checkpoint`.
        OSError: a file cannot be read.
    """
    headers = [read_header(path) | {"calibration": None, "source": None, "crop": None} for path in paths]
    for path, header in zip(paths, headers, strict=True):
        different = [key for key in header if header[key] != headers[0].get(key)]
        if different:
            raise ValueError(f"{path} has another {' and '.join(different)} than {paths[0]}: they have no mean")
    network, *others = [load_checkpoint(path) for path in paths]
    network.calibration = None
    if any(other.crop != network.crop for other in others):
        network.crop = None
    states = [other.state_dict() for other in others]
    for key, value in network.state_dict().items():
        if value.is_floating_point():  # not the counters of batch norm
            value.copy_(torch.stack([value, *(state[key] for state in states)]).mean(0))
    return network


def store_calibration(path: str | Path, calibration: Mapping[str, Any]) -> Path:
    """Puts the curves of a confidence calibration into the checkpoint that it was fitted for; the weights stay.

    Raises:
        ValueError, OSError: as :func:`load_checkpoint`.
    """
    file = _file(path)
    header = read_header(file) | {"calibration": calibration}
    _write(file, safetensors.torch.load_file(file), header)
    return file


def read_header(path: str | Path) -> dict[str, Any]:
    """What a checkpoint folder (or its file) says of its weights, without reading them.

    Raises:
        ValueError: it is no checkpoint of this program, or of a later version of it.
        OSError: there is no such file.
    """
    file = _file(path)
    if not file.exists():
        raise FileNotFoundError(2, "no such checkpoint", str(file))
    try:
        with safetensors.safe_open(file, framework="pt") as opened:
            text = (opened.metadata() or {}).get(_HEADER)
    except safetensors.SafetensorError as error:
        raise ValueError(f"{file} is not a safetensors file: {error}") from error
    if text is None:
        raise ValueError(
            f"{file} does not say which model its weights are of or how its inputs are prepared; "
            "an official checkpoint is imported with `depth-completion import-checkpoint`"
        )
    header: dict[str, Any] = json.loads(text)
    if header["format"] != _FORMAT or header["depth_scale"] != 1.0:
        raise ValueError(
            f"{file} has format {header['format']} and depth scale {header['depth_scale']}; "
            f"this version reads format {_FORMAT} and depth in metres (1.0)"
        )
    return header


def _file(path: str | Path) -> Path:
    """The weights of a checkpoint, given as folder or file."""
    return Path(path) / WEIGHTS_FILE if Path(path).is_dir() else Path(path)


def _write(file: Path, weights: dict[str, Tensor], header: Mapping[str, Any]) -> None:
    """Writes the weights with their header; a file that is there before is kept until this one is whole."""
    # Not by save_file, which lets nobody but its owner read a file, whatever the umask says.
    write_atomically(file, safetensors.torch.save(weights, {_HEADER: json.dumps(header)}))


def _halved(key: str, parameter: Tensor) -> Tensor:
    half = parameter.half()
    if not torch.isfinite(half).all():
        largest, most = parameter.abs().max().item(), torch.finfo(torch.float16).max
        raise ValueError(f"{key} has a value of {largest:g}, but 16 bits reach to {most:g}: keep it in 32 bits")
    return half


def _read(file: Path) -> Any:
    """What a PyTorch or safetensors file holds; nothing in it is executed.

    Raises:
        ValueError: it is neither, or holds objects that only code could rebuild.
        OSError: it cannot be read.
    """
    if file.suffix == ".safetensors":
        try:
            return safetensors.torch.load_file(file)
        except safetensors.SafetensorError as error:
            raise ValueError(f"{file} is not a safetensors file: {error}") from error
    # Training scripts save their arguments and a best score beside the weights: plain data, too.
    rebuild_scalar = np.float64().__reduce__()[0]
    plain: list[Any] = [
        argparse.Namespace,
        np.dtype,
        type(np.dtype("float32")),
        type(np.dtype("float64")),
        (rebuild_scalar, "numpy.core.multiarray.scalar"),
        (rebuild_scalar, "numpy._core.multiarray.scalar"),
    ]
    try:
        with torch.serialization.safe_globals(plain):
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        found = re.search(r"GLOBAL (\S+)", str(error))
        what = f"holds {found[1]} objects, which are refused because" if found else "is damaged, or"
        raise ValueError(f"{file} {what} reading it could run code from it") from error
    except (RuntimeError, EOFError) as error:
        raise ValueError(f"{file} is not a PyTorch checkpoint: {error}") from error
    except (LookupError, ValueError, TypeError, AttributeError, struct.error) as error:
        # Any text is read as instructions, which then fail in one of these ways.
        raise ValueError(f"{file} is not a PyTorch checkpoint") from error


def _unwrap(content: Any, label: str) -> dict[str, Tensor]:
    """The weights by name, without what training scripts wrap around them."""
    for wrapper in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping) or not content:
        raise ValueError(f"{label} holds no weights but {type(content).__name__} {content!r:.60}")
    weights = {}
    for key, value in content.items():
        if not isinstance(value, Tensor | np.ndarray):
            raise ValueError(f"{label} holds no weights: {key!r} is {type(value).__name__}, expected a tensor")
        weights[key.removeprefix("module.")] = torch.as_tensor(value)
    return weights


def _check_fit(
    label: str, network: CompletionNetwork, wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]
) -> None:
    """Refuses weights that do not fit, in one message that lists why."""
    shapes = [
        f"{key} {tuple(given[key].shape)} instead of {tuple(value.shape)}"
        for key, value in wanted.items()
        if key in given and given[key].shape != value.shape
    ]
    problems = {
        "missing": [key for key in wanted if key not in given],
        "surplus": [key for key in given if key not in wanted],
        "of another shape": shapes,
    }
    found = [f"{len(keys)} {kind}: {_first(keys)}" for kind, keys in problems.items() if keys]
    if found:
        options = ", ".join(f"{key}={value!r}" for key, value in network.options.items())
        raise ValueError(f"{label} does not fit {network.name} ({options}): {'; '.join(found)}")


def _first(keys: Iterable[str]) -> str:
    keys = list(keys)
    return ", ".join(keys[:_LISTED]) + (", ..." if len(keys) > _LISTED else "")


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
