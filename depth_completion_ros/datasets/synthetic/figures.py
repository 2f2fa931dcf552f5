"""People on foot and on bicycles."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import numpy as np

from depth_completion_ros.datasets.synthetic.mesh import Color, Mesh, capsule, ellipsoid, merge, surface, tube

_SKIN: Final[tuple[Color, ...]] = ((0.36, 0.19, 0.13), (0.28, 0.15, 0.09), (0.11, 0.06, 0.035))
_HAIR: Final[tuple[Color, ...]] = ((0.02, 0.015, 0.012), (0.10, 0.06, 0.03), (0.30, 0.22, 0.12))
_CLOTHES: Final[tuple[Color, ...]] = (
    (0.02, 0.025, 0.045), (0.035, 0.035, 0.04), (0.22, 0.03, 0.03), (0.035, 0.075, 0.16), (0.36, 0.34, 0.29),
    (0.40, 0.34, 0.05), (0.045, 0.09, 0.05), (0.14, 0.145, 0.155),
)  # fmt: skip
_TROUSERS: Final[tuple[Color, ...]] = (
    (0.02, 0.025, 0.045),
    (0.03, 0.03, 0.033),
    (0.05, 0.08, 0.14),
    (0.16, 0.13, 0.09),
)


def pedestrian(rng: np.random.Generator, stride: float = 0.35) -> Mesh:
    """A person of 1.6 to 1.9 m around the origin, facing +x; ``stride`` is the angle of the legs, radians."""
    height = rng.uniform(1.60, 1.90)
    hip, shoulder = 0.50 * height, 0.80 * height
    trousers, coat = _TROUSERS[rng.integers(len(_TROUSERS))], _CLOTHES[rng.integers(len(_CLOTHES))]
    parts = []
    for side in (-1, 1):
        swing = side * stride
        foot = 0.48 * height * np.sin(swing), side * 0.09, 0.06
        knee = 0.5 * foot[0] + 0.05 * abs(np.sin(swing)), side * 0.09, 0.5 * hip
        parts += [
            capsule((0, side * 0.085, hip), knee, 0.078, trousers),
            capsule(knee, foot, 0.06, trousers),
            capsule(foot, (foot[0] + 0.15, foot[1], 0.05), 0.045, (0.03, 0.025, 0.02)),
            capsule(
                (0, side * 0.20, shoulder - 0.04),
                (-0.35 * np.sin(swing), side * 0.25, hip + 0.02),
                0.05,
                coat,
            ),
        ]
    parts.append(_torso((0.0, 0.0, hip - 0.03), (0.0, 0.0, shoulder + 0.03), coat))
    return merge([*parts, *_head(rng, 0.0, height)])


def cyclist(rng: np.random.Generator) -> Mesh:
    """A rider on a bicycle around the origin, facing +x."""
    trousers, coat = _TROUSERS[rng.integers(len(_TROUSERS))], _CLOTHES[rng.integers(len(_CLOTHES))]
    metal = (0.04, 0.04, 0.05)
    wheels = [_hoop(x, 0.34, metal) for x in (-0.52, 0.54)]
    hub, pedal, saddle, bar = (-0.52, 0, 0.34), (-0.05, 0, 0.30), (-0.22, 0, 0.92), (0.42, 0, 0.98)
    frame_color = _CLOTHES[rng.integers(len(_CLOTHES))]
    tubes = [
        tube(a, b, 0.022, color=frame_color)
        for a, b in (
            (hub, pedal),
            (pedal, saddle),
            (hub, saddle),
            (pedal, bar),
            (saddle, bar),
            (bar, (0.54, 0, 0.34)),
        )
    ]
    handle = tube((0.42, -0.26, 1.02), (0.42, 0.26, 1.02), 0.02, color=metal)
    limbs = []
    for side, foot in ((-1, (0.05, -0.1, 0.16)), (1, (-0.12, 0.1, 0.44))):
        knee = (0.22, side * 0.12, 0.62 if side < 0 else 0.78)
        limbs += [
            capsule((-0.2, side * 0.08, 0.95), knee, 0.075, trousers),
            capsule(knee, foot, 0.055, trousers),
            capsule((0.1, side * 0.19, 1.42), (0.42, side * 0.24, 1.06), 0.045, coat),
        ]
    torso = [_torso((-0.22, 0.0, 0.94), (0.10, 0.0, 1.46), coat)]
    return merge([*wheels, *tubes, handle, *limbs, *torso, *_head(rng, 0.16, 1.82)])


def _torso(hip: tuple[float, float, float], neck: tuple[float, float, float], color: Color) -> Mesh:
    """An oval trunk, wider at the shoulders than at the waist."""
    along = np.array([0.0, 0.08, 0.35, 0.6, 0.85, 0.95, 1.0])
    wide = np.array([0.0, 0.155, 0.15, 0.175, 0.195, 0.15, 0.0])
    angle = np.linspace(0, 2 * np.pi, 13)
    low, high = np.asarray(hip), np.asarray(neck)
    middle = low + along[:, None] * (high - low)
    oval = np.stack([0.62 * np.cos(angle), np.sin(angle), np.zeros_like(angle)], axis=-1)
    return surface(middle[:, None] + wide[:, None, None] * oval, color, smooth=True)


def _head(rng: np.random.Generator, x: float, top: float) -> list[Mesh]:
    skin, hair = _SKIN[rng.integers(len(_SKIN))], _HAIR[rng.integers(len(_HAIR))]
    face = ellipsoid((x, 0, top - 0.13), (0.095, 0.08, 0.125), skin)
    cap = ellipsoid((x - 0.02, 0, top - 0.09), (0.10, 0.09, 0.10), hair)
    neck = tube((x, 0, top - 0.32), (x, 0, top - 0.18), 0.055, color=skin)
    return [face, cap, neck]


def _hoop(x: float, radius: float, color: Color) -> Mesh:
    """A bicycle wheel in the x-z plane: a rim of eighteen bars and eight spokes."""
    angle = np.linspace(0, 2 * np.pi, 19)
    rim = np.stack([x + radius * np.cos(angle), np.zeros(19), radius + radius * np.sin(angle)], axis=-1)
    bars = [tube(a, b, 0.02, color=color, sides=5) for a, b in pairwise(rim)]
    spokes = [tube((x, 0, radius), point, 0.004, color=(0.3, 0.3, 0.3), sides=3) for point in rim[:-1:2]]
    return merge([*bars, *spokes])
