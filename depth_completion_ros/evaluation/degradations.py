"""What goes wrong on a robot, done to a frame on purpose: how far does accuracy fall, and does the confidence say so?

All take a frame with ``points`` and leave its ground truth as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from depth_completion_ros.frame import Frame

_WILD: Final = (2.0, 80.0)  # metres, between which wrong points lie

Degradation = Callable[[Frame, np.random.Generator], Frame]


def wrong_points(frame: Frame, share: float, rng: np.random.Generator) -> Frame:
    """Puts a share of the points anywhere along their beams, between 2 and 80 m, near distances as likely as far.

    Raises:
        ValueError: the frame has no points.
    """
    points = _points(frame).copy()
    wrong = rng.random(len(points)) < share
    distance = np.linalg.norm(points[wrong], axis=1, keepdims=True)
    low, high = np.log(_WILD)
    elsewhere = np.exp(rng.uniform(low, high, distance.shape))
    points[wrong] *= (elsewhere / np.maximum(distance, 1e-6)).astype(np.float32)
    return replace(frame, points=points)


def turned(frame: Frame, degrees: float) -> Frame:
    """Calibration that is off by a turn to the right, about the camera's vertical axis."""
    _points(frame)
    angle = np.radians(degrees)
    turn = np.eye(4)
    turn[0, 0] = turn[2, 2] = np.cos(angle)
    turn[0, 2], turn[2, 0] = np.sin(angle), -np.sin(angle)
    return replace(frame, extrinsic=turn @ frame.extrinsic)


def shifted(frame: Frame, metres: float) -> Frame:
    """Calibration that is off by a step to the right."""
    _points(frame)
    extrinsic = frame.extrinsic.copy()
    extrinsic[0, 3] += metres
    return replace(frame, extrinsic=extrinsic)


def half_without_points(frame: Frame) -> Frame:
    """Takes away all points that fall into the left half of the image."""
    points = _points(frame)
    optical = points.astype(np.float64) @ frame.extrinsic[:3, :3].T + frame.extrinsic[:3, 3]
    with np.errstate(invalid="ignore"):
        kept = ~(frame.camera.project(optical)[:, 0] < frame.camera.width / 2)
    return replace(frame, points=points[kept], rings=None if frame.rings is None else frame.rings[kept])


def dimmed(frame: Frame, light: float, rng: np.random.Generator) -> Frame:
    """The image at a share of its light, with the noise of a camera whose gain is turned up as far as it goes."""
    dark = light * _image(frame)
    return replace(frame, image=_to_bytes(dark + rng.normal(0, 3.0, dark.shape)))


def washed_out(frame: Frame) -> Frame:
    """The image as against the sun: three times as bright, burnt out where that is too much, and with a white veil."""
    bright = np.minimum(3.0 * _image(frame), 255.0)
    return replace(frame, image=_to_bytes(150.0 + (255.0 - 150.0) / 255.0 * bright))


def without_image(frame: Frame) -> Frame:
    """A dead camera."""
    return replace(frame, image=None)


# What the robustness table lists; those that need an image are of no interest to a model that does not look at it.
OF_POINTS: Final[dict[str, Degradation]] = {
    "5 % of the points wildly wrong": lambda frame, rng: wrong_points(frame, 0.05, rng),
    "10 % of the points wildly wrong": lambda frame, rng: wrong_points(frame, 0.10, rng),
    "calibration off by 0.5 degrees": lambda frame, rng: turned(frame, 0.5),
    "calibration off by 5 cm": lambda frame, rng: shifted(frame, 0.05),
    "half the image without points": lambda frame, rng: half_without_points(frame),
}
OF_IMAGE: Final[dict[str, Degradation]] = {
    "night-dark image": lambda frame, rng: dimmed(frame, 1 / 30, rng),
    "washed-out image": lambda frame, rng: washed_out(frame),
    "no image at all": lambda frame, rng: without_image(frame),
}


def _points(frame: Frame) -> NDArray[np.float32]:
    if frame.points is None:
        raise ValueError(f"frame {frame.name or frame.stamp} has no points; only LiDAR frames can be degraded")
    return frame.points


def _image(frame: Frame) -> NDArray[np.float64]:
    if frame.image is None:
        raise ValueError(f"frame {frame.name or frame.stamp} has no image to be darkened or washed out")
    return frame.image.astype(np.float64)


def _to_bytes(image: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)
