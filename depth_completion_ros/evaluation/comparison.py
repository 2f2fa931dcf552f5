"""Methods side by side: each completes the same frames from as much of their depth, undisturbed or degraded."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from statistics import median

import numpy as np

from depth_completion_ros.evaluation.accuracy import Accuracy
from depth_completion_ros.evaluation.baselines import Baseline
from depth_completion_ros.evaluation.degradations import OF_IMAGE, OF_POINTS, Degradation
from depth_completion_ros.evaluation.given import Given
from depth_completion_ros.evaluation.holdout import RingCount
from depth_completion_ros.evaluation.reliability import Reliability
from depth_completion_ros.frame import Completion, Frame
from depth_completion_ros.pipeline import DepthCompleter, EmptySparseDepthError, sparse_depth_of

Method = DepthCompleter | Baseline

UNDISTURBED = "undisturbed"

_logger = logging.getLogger(__name__)


@dataclass
class Result:
    """One method under one condition.

    Attributes:
        method: its name.
        given: how much of what was measured it got.
        condition: what was done to the frames; ``undisturbed`` for nothing.
        accuracy: of its depth.
        reliability: of its confidence, None for a method that states none.
        milliseconds: that each frame took it, without the projection of the points.
    """

    method: str
    given: Given
    condition: str = UNDISTURBED
    accuracy: Accuracy = field(default_factory=Accuracy)
    reliability: Reliability | None = None
    milliseconds: list[float] = field(default_factory=list)

    @property
    def frames(self) -> int:
        """How many frames it was scored on."""
        return len(self.accuracy.errors)

    @property
    def median_milliseconds(self) -> float:
        """NaN without frames."""
        return median(self.milliseconds) if self.milliseconds else np.nan


def compare(
    frames: Iterable[Frame],
    methods: Mapping[str, Method],
    given: Sequence[Given],
    *,
    degraded: bool = False,
    draws: int = 1,
    seed: int = 0,
) -> list[Result]:
    """Completes and scores every frame with every method, from each amount of what was measured.

    Frames are read one by one and not kept; a LiDAR's lines are those of the frames so far, see
    :class:`~depth_completion_ros.evaluation.holdout.RingCount`. Which frames count for an amount, and what
    of them is given, is the same for all methods: see :meth:`~depth_completion_ros.evaluation.given.Given.of`.

    Args:
        frames: with or without a ground truth, which what is withheld becomes.
        methods: by name.
        given: the amounts.
        degraded: models also under every condition of :mod:`~depth_completion_ros.evaluation.degradations`; depth
            images under those of the image.
        draws: how often points and holes of a frame are drawn, each of which counts as a frame: with few frames, chance
            decides much of a single one.
        seed: of the choice of points and holes, and of the noise in these.

    Returns:
        By amount, then method, then condition. A condition that a model refuses has no frames; one that no frame could
        be put under is left out. So is an amount with which no frame could be scored, and a warning says so.

    Raises:
        ValueError: nothing could be scored at all.
    """
    results = {
        (amount, method, condition): Result(method, amount, condition, reliability=_reliability(methods[method]))
        for amount in given
        for method in methods
        for condition in _conditions(methods[method], degraded)
    }
    tried = set()
    count = RingCount()
    for number, frame in enumerate(frames):
        rings = count.including(frame)
        for amount, draw in product(given, range(draws)):
            if draw and not amount.is_drawn:
                continue
            seeds = [seed, number, draw] if draw else [seed, number]
            thinned = amount.of(frame, np.random.default_rng(seeds), rings)
            if thinned is None:
                continue
            for key, result in results.items():
                if result.given == amount and not (result.condition in OF_POINTS and thinned.points is None):
                    tried.add(key)
                    method = methods[result.method]
                    degrade = _conditions(method, degraded)[result.condition]
                    rng = np.random.default_rng(seeds)
                    _score(result, method, thinned if degrade is None else degrade(thinned, rng))
    scored = {result.given for result in results.values() if result.frames}
    missing: dict[str, list[str]] = {}
    for amount in given:
        if amount not in scored:
            missing.setdefault(_why_unscored(amount), []).append(str(amount))
    message = "; ".join(f"no frame could be scored with {', '.join(each)}: {why}" for why, each in missing.items())
    if not scored:
        raise ValueError(message)
    if missing:
        _logger.warning(message)
    return [result for key, result in results.items() if result.given in scored and key in tried]


def _why_unscored(given: Given) -> str:
    """What no frame has if none could be scored with this."""
    if given.lines is not None:
        return "none has so many, by the rings of its points (without ground truth, more than so many)"
    if given.points is not None:
        return "none has so many (without ground truth, more than so many)"
    if given.holes is not None:
        return "none has a measurement left in view, and a truth"
    return (
        "without ground truth some must be withheld, e.g. --lines 16 (a LiDAR whose points know their ring) or "
        "--points 500"
    )


def _score(result: Result, method: Method, frame: Frame) -> None:
    """Adds one frame to a result."""
    assert frame.ground_truth is not None
    if isinstance(method, DepthCompleter):
        if frame.image is None and method.needs_image:
            return
        try:
            completion = method.complete(frame)
        except EmptySparseDepthError:  # the degradation took the last measurement away
            return
    else:
        completion = _complete(method, frame)
    try:
        result.accuracy.add(completion.depth, frame.ground_truth)
    except ValueError as error:  # so little of it is known that it cannot be filled
        name = frame.name or frame.stamp
        _logger.warning("frame %s of %s, %s, cannot be scored: %s", name, result.method, result.given, error)
        return
    result.milliseconds.append(sum(v for stage, v in completion.milliseconds.items() if stage != "project"))
    if result.reliability is not None:
        depth, confidence = completion.depth, completion.confidence
        result.reliability.add(depth, confidence, completion.sparse_depth, frame.ground_truth)


def _complete(baseline: Baseline, frame: Frame) -> Completion:
    sparse = sparse_depth_of(frame)
    started = time.perf_counter()
    depth = baseline(sparse)
    return Completion(depth, np.zeros_like(depth), sparse, {"run": (time.perf_counter() - started) * 1e3})


def _reliability(method: Method) -> Reliability | None:
    return Reliability() if isinstance(method, DepthCompleter) else None


def _conditions(method: Method, degraded: bool) -> dict[str, Degradation | None]:
    conditions: dict[str, Degradation | None] = {UNDISTURBED: None}
    if degraded and isinstance(method, DepthCompleter):
        conditions |= OF_POINTS
        if method.network.uses_image:
            conditions |= OF_IMAGE
    return conditions
