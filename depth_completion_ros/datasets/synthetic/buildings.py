"""Houses along the street: storeys of recessed windows, doors, shops and tiled roofs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from depth_completion_ros.datasets.synthetic.materials import Material
from depth_completion_ros.datasets.synthetic.mesh import Color, Mesh, box, merge, panels, quads, surface, tube

_PLASTER: Final[tuple[Color, ...]] = (
    (0.56, 0.50, 0.40), (0.62, 0.60, 0.55), (0.55, 0.42, 0.24), (0.40, 0.44, 0.46), (0.58, 0.46, 0.38),
    (0.46, 0.24, 0.16), (0.50, 0.53, 0.45), (0.66, 0.62, 0.50), (0.30, 0.38, 0.48),
)  # fmt: skip
_BRICK: Final[tuple[Color, ...]] = ((0.30, 0.11, 0.07), (0.34, 0.17, 0.10), (0.36, 0.28, 0.20))
_TILES: Final[tuple[Color, ...]] = (
    (0.25, 0.085, 0.05),
    (0.16, 0.07, 0.05),
    (0.085, 0.085, 0.09),
    (0.20, 0.11, 0.07),
)
_DOORS: Final[tuple[Color, ...]] = (
    (0.10, 0.045, 0.02),
    (0.04, 0.08, 0.05),
    (0.05, 0.06, 0.10),
    (0.20, 0.19, 0.18),
)
_STONE: Final = (0.36, 0.35, 0.33)
_METAL: Final = (0.17, 0.18, 0.18)


@dataclass(frozen=True)
class House:
    """Dimensions of one house, metres."""

    width: float
    depth: float
    storeys: int
    shop: bool = False

    @property
    def eaves(self) -> float:
        """Height of the walls."""
        return 0.6 + 3.05 * self.storeys + (0.5 if self.shop else 0.0)


def house(rng: np.random.Generator, plan: House) -> Mesh:
    """A house whose front runs along x from the origin, faces -y, and stands on z = 0."""
    colors, material = (_BRICK, Material.BRICK) if rng.random() < 0.3 else (_PLASTER, Material.PLASTER)
    wall = np.array(colors[rng.integers(len(colors))]) * rng.uniform(0.85, 1.1), material
    tiles = _TILES[rng.integers(len(_TILES))]
    width, depth, top = plan.width, plan.depth, plan.eaves
    columns = max(2, round(width / rng.uniform(2.5, 3.3)))
    pitch = rng.uniform(0.62, 0.95)
    ridge = top + 0.5 * depth * pitch
    parts = [
        _front(rng, plan, columns, wall),
        _sides(rng, plan, ridge, wall),
        quads([[(width, depth, 0), (0, depth, 0), (0, depth, top), (width, depth, top)]], wall[0], wall[1]),
        box((-0.02, -0.06, 0), (width + 0.02, 0.05, 0.45), _STONE, Material.PLASTER),
        _roof(width, depth, top, ridge, tiles),
        box((-0.05, -0.42, top - 0.08), (width + 0.05, -0.30, top + 0.04), _METAL),
        tube((width - 0.2, -0.07, 0.3), (width - 0.2, -0.07, top), 0.05, color=_METAL),
    ]
    if rng.random() < 0.7:
        x, y = rng.uniform(0.2, 0.8) * width, 0.5 * depth
        low, high = (x - 0.35, y - 0.3, ridge - 0.6), (x + 0.35, y + 0.3, ridge + 0.9)
        parts.append(box(low, high, _BRICK[0], Material.BRICK))
    return merge(parts)


def garden_wall(length: float, height: float) -> Mesh:
    """A brick wall along x from the origin with a stone coping."""
    wall = box((0, -0.12, 0), (length, 0.12, height), (0.30, 0.13, 0.085), Material.BRICK)
    return merge([wall, box((0, -0.17, height), (length, 0.17, height + 0.07), _STONE)])


def _front(rng: np.random.Generator, plan: House, columns: int, wall: tuple) -> Mesh:
    """The street side: one window per column and storey, and a door or a shop below."""
    width, top = plan.width, plan.eaves
    pier = width / columns
    share = rng.uniform(0.36, 0.48)
    s_breaks = [
        0.0,
        *((k + 0.5 + side * share / 2) / columns for k in range(columns) for side in (-1, 1)),
        1.0,
    ]
    sill, lintel = 0.95, 2.45
    floors = [0.6 + 3.05 * k + (0.5 if plan.shop and k else 0.0) for k in range(plan.storeys)]
    t_breaks = [0.0, *(z / top for floor in floors for z in (floor + sill, floor + lintel)), 1.0]
    if plan.shop:
        t_breaks[1] = 0.5 / top
    door = int(rng.integers(columns))
    panes, clear, extras = {}, [], []
    for row, floor in enumerate(floors):
        for column in range(columns):
            cell = 2 * column + 1, 2 * row + 1
            if row == 0 and column == door and not plan.shop:
                extras.append(_door(rng, pier * (column + 0.5), floor + lintel))
                continue
            is_curtain = rng.random() < 0.35
            behind = rng.uniform(0.2, 0.5) if is_curtain else rng.uniform(0.006, 0.02)  # a dark room
            panes[cell] = behind, 0.97 * behind, 0.9 * behind
            x0, x1 = s_breaks[cell[0]] * width, s_breaks[cell[0] + 1] * width
            z = floor + sill
            if row == 0 and (plan.shop or (behind < 0.02 and rng.random() < 0.4)):
                clear.append(cell)
                panes[cell] = 0.01, 0.012, 0.012
                extras.append(_inside(rng, (x0, x1), (0.5 if plan.shop else z, floor + lintel), plan.depth))
            if not (plan.shop and row == 0):
                extras.append(box((x0 - 0.06, -0.10, z - 0.07), (x1 + 0.06, 0.02, z), _STONE))
    if plan.shop:
        sign = np.array([rng.uniform(0.02, 0.5), rng.uniform(0.02, 0.25), rng.uniform(0.02, 0.3)])
        z = floors[0] + lintel + 0.12
        extras.append(box((0.3, -0.14, z), (width - 0.3, 0.0, z + 0.55), sign))
    corners = [(0, 0, 0), (width, 0, 0), (width, 0, top), (0, 0, top)]
    return merge([panels(corners, (s_breaks, t_breaks), wall, panes, Material.WINDOW, 0.14, clear), *extras])


def _inside(rng: np.random.Generator, x: tuple[float, float], z: tuple[float, float], depth: float) -> Mesh:
    """The room behind a clear pane: three walls, a floor, a lamp on the ceiling, and things in it."""
    x0, x1, z0, z1 = x[0] - 0.3, x[1] + 0.3, z[0] - rng.uniform(0, 0.6), z[1] + 0.3
    near, far = 0.16, rng.uniform(1.2, min(5.0, depth - 1))
    floor, back = [(x0, near), (x1, near)], [(x0, far), (x1, far)]
    runs = back, (floor[0], back[0]), (floor[1], back[1])
    sides = [[(*a, z0), (*b, z0), (*b, z1), (*a, z1)] for a, b in runs]
    level = [[(*floor[0], z), (*floor[1], z), (*back[1], z), (*back[0], z)] for z in (z0, z1)]
    parts = [quads([*sides, *level], rng.uniform(0.06, 0.35) * np.array([1.0, 0.95, 0.85]))]
    middle = 0.5 * (x0 + x1), 0.5 * (near + far)
    lamp = (middle[0] - 0.3, middle[1] - 0.2, z1 - 0.05), (middle[0] + 0.3, middle[1] + 0.2, z1 - 0.02)
    parts.append(box(*lamp, (0.9, 0.85, 0.7), Material.LAMP))
    for _ in range(int(rng.integers(1, 6))):
        low = np.array([rng.uniform(x0, x1 - 0.3), rng.uniform(near + 0.2, far - 0.3), z0])
        high = np.minimum(low + rng.uniform(0.15, 1.0, 3), (x1, far, z1 - 0.2))
        material = Material.PAPER if rng.random() < 0.4 else Material.PLAIN
        parts.append(box(low, high, rng.uniform(0.03, 0.5, 3), material))
    return merge(parts)


def _door(rng: np.random.Generator, x: float, top: float) -> Mesh:
    color = _DOORS[rng.integers(len(_DOORS))]
    leaf = box((x - 0.5, -0.03, 0.3), (x + 0.5, 0.02, top), color)
    frame = [
        box((x - 0.6, -0.08, 0.3), (x - 0.5, 0.02, top + 0.1), _STONE),
        box((x + 0.5, -0.08, 0.3), (x + 0.6, 0.02, top + 0.1), _STONE),
        box((x - 0.5, -0.08, top), (x + 0.5, 0.02, top + 0.1), _STONE),
    ]
    steps = [
        box((x - 0.8, -0.75, 0), (x + 0.8, -0.06, 0.15), _STONE),
        box((x - 0.7, -0.45, 0.15), (x + 0.7, -0.06, 0.3), _STONE),
    ]
    return merge([leaf, *frame, *steps])


def _sides(rng: np.random.Generator, plan: House, ridge: float, wall: tuple) -> Mesh:
    """Both end walls with a pair of windows per storey, and the gables above them."""
    depth, top = plan.depth, plan.eaves
    s_breaks = [0.0, 0.2, 0.31, 0.62, 0.73, 1.0]
    t_breaks = [0.0, *(z / top for k in range(plan.storeys) for z in (1.6 + 3.05 * k, 3.0 + 3.05 * k)), 1.0]
    parts = []
    for x, (y0, y1) in ((0.0, (depth, 0.0)), (plan.width, (0.0, depth))):
        panes = {
            (column, 2 * row + 1): (0.012, 0.012, 0.011)
            for row in range(plan.storeys)
            for column in (1, 3)
            if rng.random() < 0.6
        }
        corners = [(x, y0, 0), (x, y1, 0), (x, y1, top), (x, y0, top)]
        parts.append(panels(corners, (s_breaks, t_breaks), wall, panes, Material.WINDOW, 0.14))
        apex = (x, 0.5 * depth, ridge)
        gable_uv = [[[0, top], [depth, top]], [[0.5 * depth, ridge], [0.5 * depth, ridge]]]
        parts.append(surface([[(x, y0, top), (x, y1, top)], [apex, apex]], wall[0], wall[1], gable_uv))
    return merge(parts)


def _roof(width: float, depth: float, eaves: float, ridge: float, tiles: Color) -> Mesh:
    overhang, gable = 0.4, 0.25
    drop = overhang * (ridge - eaves) / (0.5 * depth)
    low, high, left, right = eaves - drop + 0.06, ridge + 0.06, -gable, width + gable
    slopes = [
        [(left, y, low), (right, y, low), (right, 0.5 * depth, high), (left, 0.5 * depth, high)]
        for y in (-overhang, depth + overhang)
    ]
    return quads(slopes, tiles, Material.ROOF_TILES)
