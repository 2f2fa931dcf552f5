"""Methods side by side: each completes the same frames at every number of LiDAR lines, undisturbed or degraded."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

import numpy as np

from depth_completion_ros.evaluation.accuracy import Accuracy
from depth_completion_ros.evaluation.baselines import Baseline
from depth_completion_ros.evaluation.degradations import OF_IMAGE, OF_POINTS, Degradation
from depth_completion_ros.evaluation.holdout import hold_out
from depth_completion_ros.evaluation.reliability import Reliability
from depth_completion_ros.frame import Completion, Frame
from depth_completion_ros.pipeline import DepthCompleter, EmptySparseDepthError, sparse_depth_of

Method = DepthCompleter | Baseline

UNDISTURBED = "undisturbed"


@dataclass
class Result:
    """One method under one condition.

    Attributes:
        method: its name.
        lines: how many LiDAR lines it got, None for everything that was measured.
        condition: what was done to the frames; ``undisturbed`` for nothing.
        accuracy: of its depth.
        reliability: of its confidence, None for a method that states none.
        milliseconds: that each frame took it, without the projection of the points.
    """

    method: str
    lines: int | None
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
    line_counts: Sequence[int | None],
    *,
    degraded: bool = False,
    seed: int = 0,
) -> list[Result]:
    """Completes and scores every frame at every number of lines with every method.

    Frames are read one by one and not kept. Which frames count for a number of lines is the same for all methods: see
    :func:`at_lines`.

    Args:
        frames: with a ground truth, or points and rings, of which those that are withheld become the ground truth.
        methods: by name.
        line_counts: None is everything that was measured.
        degraded: models also under every condition of :mod:`~depth_completion_ros.evaluation.degradations`.
        seed: of the noise in these.

    Returns:
        By number of lines, then method, then condition. A condition that a model refuses has no frames.

    Raises:
        ValueError: nothing could be scored for one of the numbers of lines.
    """
    results = {
        (lines, method, condition): Result(method, lines, condition, reliability=_reliability(methods[method]))
        for lines in line_counts
        for method in methods
        for condition in _conditions(methods[method], degraded)
    }
    for number, frame in enumerate(frames):
        for lines in line_counts:
            thinned = at_lines(frame, lines)
            if thinned is None:
                continue
            for (_, name, condition), result in results.items():
                if result.lines == lines:
                    degrade = _conditions(methods[name], degraded)[condition]
                    rng = np.random.default_rng([seed, number])
                    _score(result, methods[name], thinned if degrade is None else degrade(thinned, rng))
    for lines in line_counts:
        if not any(result.frames for result in results.values() if result.lines == lines):
            raise ValueError(
                f"no frame could be scored with {lines or 'all'} lines: frames need a ground truth, or a LiDAR with "
                "more lines than that whose points know their ring"
            )
    return list(results.values())


def at_lines(frame: Frame, lines: int | None) -> Frame | None:
    """The frame with so many lines of its LiDAR, or None if it cannot be scored with them.

    That is: it has not so many, or its points do not know their ring; there is no ground truth and no line left over
    to be it; or no measurement is in the camera's view.

    Args:
        frame: any frame.
        lines: None is everything that was measured.
    """
    if lines is not None:
        if frame.points is None or frame.rings is None or lines > int(frame.rings.max(initial=-1)) + 1:
            return None
        frame = hold_out(frame, lines)
    if frame.ground_truth is None or not frame.ground_truth.any() or not sparse_depth_of(frame).any():
        return None
    return frame


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
    result.milliseconds.append(sum(v for stage, v in completion.milliseconds.items() if stage != "project"))
    result.accuracy.add(completion.depth, frame.ground_truth)
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
