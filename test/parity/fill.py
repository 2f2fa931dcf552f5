"""Weights that depend on nothing but the names and shapes of a checkpoint, with which implementations are compared.

The numbers in the ``*.npz`` files beside this one are what the authors' implementations answered, every parameter
and buffer of which was filled by :func:`fill` (in evaluation mode, float32, on the CPU).
"""

import json
import math
import zlib
from pathlib import Path

import numpy as np
import torch

FOLDER = Path(__file__).parent

_GAIN = {"nlspn": 0.7, "mspn": 1.0, "emdc": 1.0}  # that keeps the activations of a random network near 1


def official_weights(keys, case):
    """The state dict of the authors' implementation; ``keys`` names a file in ``keys/``, the model first."""
    shapes = json.loads((FOLDER / "keys" / f"{keys}.json").read_text())
    model = keys.partition("_")[0]
    return {key: torch.from_numpy(value) for key, value in fill(shapes, model, case).items()}


def fill(keys, model, case):
    """``keys``: name -> (shape, dtype)."""
    return {key: _values(key, shape, dtype, model, case) for key, (shape, dtype) in keys.items()}


def _values(key, shape, dtype, model, case):
    random = np.random.RandomState(zlib.crc32(key.encode()))
    leaf = key.rpartition(".")[2]
    if (constant := _constants(model, case).get(key)) is not None:
        values = np.full(shape, constant)
    elif dtype.startswith("int"):
        return np.zeros(shape, np.int64)
    elif leaf == "running_var":
        values = 0.5 + random.random_sample(shape)
    elif leaf == "rpb":
        values = 0.5 * random.standard_normal(shape)
    elif len(shape) >= 2 and not leaf.startswith("pos_embed"):
        values = random.standard_normal(shape) * math.sqrt(_gain(model, case, key) / math.prod(shape[1:]))
    else:
        values = 0.1 * random.standard_normal(shape)
        if leaf == "weight":  # of a normalisation
            values += 1
    return np.asarray(values, np.float32)


def _constants(model, case):
    if model == "emdc":
        return {"rezero": 0.7}
    if model != "nlspn":
        return {}
    scale = {"tgass": 5.2, "resnet18": 5.2, "tc": 8.0}.get(case.partition("_")[0], 1.0)
    layer = {"w": 1.0, "b": 0.0, "w_conf": 1.0, "aff_scale_const": scale}
    return {f"prop_layer.{name}": value for name, value in layer.items()}


def _gain(model, case, key):
    if model == "mspn" and key.endswith(("mspn.conv.weight", "mspn_2nd.conv.weight")):
        return 0.0005 if case.endswith("kitti") else 0.02
    return _GAIN[model]
