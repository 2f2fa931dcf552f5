"""Fits the confidence of a model to frames with ground truth; see :mod:`~depth_completion_ros.confidence`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from depth_completion_ros.confidence import BLOCK, CLUES, TOLERANCE, Calibration, clues, fit
from depth_completion_ros.evaluation.degradations import dimmed, without_image
from depth_completion_ros.evaluation.given import Given
from depth_completion_ros.frame import Frame
from depth_completion_ros.pipeline import DepthCompleter

_SAMPLES = 3000  # of one frame with one amount given: pixels near each other tell the same
_UNSEEN = 0.2  # share of the frames without a picture, and with a dark one, of models that look at it


def calibrate(completer: DepthCompleter, frames: Iterable[Frame], given: Sequence[Given], seed: int = 0) -> Calibration:
    """Fits what the model's confidence will mean, with what its camera sees, with little light and with a dead camera.

    Args:
        completer: its own ``calibration`` does not count.
        frames: that no training saw, with ground truth; each counts with every amount that it has.
        given: the amounts of what was measured.
        seed: of the choice of what is given and of pixels.

    Raises:
        ValueError: no frame could be used.
    """
    parts: dict[str, list[NDArray[np.floating]]] = {name: [] for name in CLUES}
    correct: list[NDArray[np.bool_]] = []
    before, completer.calibration = completer.calibration, None
    try:
        for number, frame in enumerate(frames):
            for position, amount in enumerate(given):
                rng = np.random.default_rng([seed, number, position])
                thinned = amount.of(frame, rng)
                if thinned is None:
                    continue
                values, right = _sample(completer, _as_seen(thinned, completer, rng), rng)
                correct.append(right)
                for name, value in values.items():
                    parts[name].append(value)
    finally:
        completer.calibration = before
    if not correct:
        raise ValueError(
            "no frame has a ground truth and as many measurements as were asked for: nothing to learn from"
        )
    return fit({name: np.concatenate(part) for name, part in parts.items()}, np.concatenate(correct))


def _as_seen(frame: Frame, completer: DepthCompleter, rng: np.random.Generator) -> Frame:
    """The frame without an image for a model that uses none; for others some in the dark, and some without an image."""
    draw = rng.random()
    if not completer.network.uses_image or (draw < _UNSEEN and not completer.needs_image):
        return without_image(frame)
    if frame.image is None or draw > 2 * _UNSEEN:
        return frame
    return dimmed(frame, 10.0 ** -rng.uniform(0.5, 2.0), rng)


def _sample(
    completer: DepthCompleter, frame: Frame, rng: np.random.Generator
) -> tuple[dict[str, NDArray[np.floating]], NDArray[np.bool_]]:
    """The clues at some pixels with ground truth, and whether depth is within 5 % of the truth there."""
    completion = completer.complete(frame)
    assert frame.ground_truth is not None
    scored = np.flatnonzero((frame.ground_truth > 0) & np.isfinite(completion.depth))
    pixels = rng.choice(scored, min(_SAMPLES, len(scored)), replace=False)
    depth, truth = completion.depth.flat[pixels], frame.ground_truth.flat[pixels]
    with torch.inference_mode():
        found = clues(
            torch.from_numpy(completion.depth),
            torch.from_numpy(completion.confidence),
            completion.sparse_depth,
            frame.image,
        )
    size = frame.ground_truth.shape
    row, column = np.unravel_index(pixels, size)
    values = {}
    for name, maps in found.items():
        step = 1 if maps.shape == size else BLOCK
        values[name] = maps.numpy()[row // step, column // step] if maps.ndim else np.full(len(pixels), maps.item())
    return values, np.abs(depth - truth) <= TOLERANCE * truth
