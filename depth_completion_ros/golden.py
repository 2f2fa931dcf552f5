"""The golden output of shipped weights: what they answered, when they were exported, to one frame made of numbers.

An answer that differs later means that weights, network, preparation or calibration changed.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from depth_completion_ros.frame import Completion
from depth_completion_ros.networks.execution import Execution
from depth_completion_ros.pipeline import DepthCompleter
from depth_completion_ros.shipped import AUTO

GOLDEN_FILE: Final = "golden.npz"
# The file has 16 bits a number, CPUs round differently, and a network that propagates depth carries that on across
# edges: what must agree is all but one pixel in a hundred.
TOLERANCE: Final = {"depth": 0.002, "confidence": 0.005}  # of the depth; of the range 0..1
_AGREEING = 0.99


def write_golden(folder: Path) -> Path:
    """Writes the golden output of the checkpoint in ``folder``.

    Raises:
        ValueError: the checkpoint cannot be used, or leaves much unknown: there would be little to compare with.
        OSError: there is none.
    """
    file, completion = folder / GOLDEN_FILE, _complete(folder)
    known = np.isfinite(completion.depth).mean()
    if known < _AGREEING:
        raise ValueError(f"{folder} knows depth of {known * 100:.0f} % of the golden frame only: is it trained?")
    half = [each.astype(np.float16) for each in (completion.depth, completion.confidence)]
    np.savez_compressed(file, depth=half[0], confidence=half[1])
    return file


def golden_difference(folder: Path) -> dict[str, float]:
    """How far the checkpoint in ``folder`` answers from its golden output, at all but one pixel in a hundred.

    Returns:
        ``depth``, relative to itself, and ``confidence``, each to be compared with :data:`TOLERANCE`.

    Raises:
        ValueError, OSError: the checkpoint cannot be used, or has no golden output.
    """
    with np.load(folder / GOLDEN_FILE) as golden:
        depth, confidence = golden["depth"].astype(np.float32), golden["confidence"].astype(np.float32)
    now = _complete(folder)
    unknown = np.isnan(depth) & np.isnan(now.depth)
    differences = {"depth": np.abs(now.depth - depth) / depth, "confidence": np.abs(now.confidence - confidence)}
    place = math.ceil(_AGREEING * (depth.size - 1))
    return {
        name: float(np.sort(np.where(unknown, 0, np.nan_to_num(each, nan=np.inf)), axis=None)[place])
        for name, each in differences.items()
    }


def golden_frame() -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """A (96, 160, 3) RGB image and (96, 160) sparse depth: a box on a floor before a wall, every sixth row measured.

    Only sums, products and quotients, which every machine rounds alike.
    """
    v, u = np.mgrid[0:96, 0:160]
    floor = 1.5 * 120.0 / np.maximum(v - 40.0, 1e-3)  # seen from 1.5 m above it, with a focal length of 120 pixels
    box = (abs(u - 50) < 22) & (abs(v - 52) < 20)
    depth = np.where(box, 6.0, np.minimum(floor, 18.0))
    # Bands of their own for each surface, in colours that differ between surfaces and along them.
    surface = np.where(box, 2, depth < 18.0)
    shade = 60 + 50 * surface + (u * (3 + 4 * surface) + v * 5) % 41
    image = np.stack([shade, 250 - shade, (shade + u) % 256], -1).astype(np.uint8)
    measured = (v % 6 == 0) & (u % 2 == 0)
    return image, np.where(measured, depth, 0.0).astype(np.float32)


def _complete(folder: Path) -> Completion:
    completer = DepthCompleter(AUTO, "cpu", checkpoint=folder)
    channels_last = completer.network.channels_last
    completer.execution = Execution(channels_last=channels_last)  # in float32, which every processor computes alike
    return completer(*golden_frame())
