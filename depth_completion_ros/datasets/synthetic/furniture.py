"""What stands on pavements: lamp posts, road signs, fences, bollards, bins."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from depth_completion_ros.datasets.synthetic.materials import Material
from depth_completion_ros.datasets.synthetic.mesh import Color, Mesh, box, disc, merge, surface, tube

_STEEL: Final[Color] = (0.22, 0.23, 0.23)
_WHITE: Final[Color] = (0.72, 0.72, 0.70)
_RED: Final[Color] = (0.50, 0.012, 0.015)
_BLUE: Final[Color] = (0.01, 0.08, 0.34)


def lamp_post(height: float = 8.0, arm: float = 1.8) -> Mesh:
    """A street lamp with its foot at the origin and its arm towards -y."""
    return merge(
        [
            tube((0, 0, 0), (0, 0, 1.1), 0.085, color=_STEEL),
            tube((0, 0, 1.1), (0, 0, height), 0.06, 0.04, color=_STEEL),
            tube((0, 0, height - 0.05), (0, -arm, height + 0.25), 0.03, color=_STEEL, sides=6),
            box((-0.12, -arm - 0.55, height + 0.19), (0.12, -arm, height + 0.31), _STEEL),
            box((-0.1, -arm - 0.5, height + 0.17), (0.1, -arm - 0.05, height + 0.19), _WHITE, Material.LAMP),
        ]
    )


def road_sign(rng: np.random.Generator) -> Mesh:
    """A prohibition, a warning, a direction or a parking sign on a thin post, facing +x."""
    kind = rng.integers(4)
    z = 2.35
    post = tube((0, 0, 0), (0, 0, z + 0.3), 0.03, color=_STEEL, sides=6)
    front = 0.035
    if kind == 0:
        rim, field = ((0.31, _RED), (0.23, _WHITE))
        plates = [
            disc((front + k * 0.003, 0, z), (1, 0, 0), *ring, sides=24) for k, ring in enumerate((rim, field))
        ]
    elif kind == 1:
        plates = [_triangle(front, z, 0.42, _RED), _triangle(front + 0.003, z, 0.28, _WHITE)]
    elif kind == 2:
        arrow = box((front, -0.04, z - 0.2), (front + 0.003, 0.04, z + 0.2), _WHITE)
        plates = [disc((front, 0, z), (1, 0, 0), 0.31, _BLUE, sides=24), arrow]
    else:
        plates = [
            box((front - 0.01, -0.3, z - 0.3), (front, 0.3, z + 0.3), _BLUE),
            box((front, -0.13, z - 0.22), (front + 0.003, -0.05, z + 0.22), _WHITE),
            disc((front + 0.003, 0.02, z + 0.1), (1, 0, 0), 0.13, _WHITE),
            disc((front + 0.006, 0.02, z + 0.1), (1, 0, 0), 0.06, _BLUE),
        ]
    behind = plates[0].corners - np.array([0.012, 0, 0], np.float32)
    back = replace(plates[0], corners=behind, color=np.full_like(plates[0].color, 0.22))
    return merge([post, *plates, back])


def railing(length: float, height: float = 1.05) -> Mesh:
    """An iron fence along x from the origin: a bar of 2 cm every 13 cm between two rails."""
    color = (0.03, 0.045, 0.035)
    rails = [box((0, -0.02, z), (length, 0.02, z + 0.04), color) for z in (0.12, height - 0.12)]
    bars = [
        tube((x, 0, 0), (x, 0, height), 0.011, color=color, sides=4) for x in np.arange(0.06, length, 0.13)
    ]
    posts = [
        box((x - 0.04, -0.04, 0), (x + 0.04, 0.04, height + 0.08), color)
        for x in np.arange(0, length + 0.1, 2.6)
    ]
    return merge([*rails, *bars, *posts])


def bollard() -> Mesh:
    """A steel post of 90 cm with a reflecting band."""
    post = tube((0, 0, 0), (0, 0, 0.9), 0.05, color=(0.05, 0.05, 0.05))
    return merge([post, tube((0, 0, 0.7), (0, 0, 0.8), 0.053, color=_WHITE)])


def bin_box(rng: np.random.Generator) -> Mesh:
    """A wheeled waste bin."""
    color = ((0.02, 0.03, 0.025), (0.03, 0.09, 0.22), (0.40, 0.28, 0.02), (0.10, 0.05, 0.02))[rng.integers(4)]
    body = box((-0.28, -0.3, 0.08), (0.28, 0.3, 1.0), color)
    lid = box((-0.3, -0.34, 1.0), (0.3, 0.32, 1.07), color)
    wheels = box((-0.26, 0.2, 0), (0.26, 0.32, 0.14), (0.02, 0.02, 0.02))
    return merge([body, lid, wheels])


def _triangle(x: float, z: float, size: float, color: Color) -> Mesh:
    top = (x, 0.0, z + size)
    low = z - 0.5 * size
    return surface([[(x, -0.87 * size, low), (x, 0.87 * size, low)], [top, top]], color)
