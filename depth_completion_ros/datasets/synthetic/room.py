"""A furnished room: four walls with windows and a door, what stands along them, lies about and lights it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from depth_completion_ros.datasets.synthetic import interior, nature
from depth_completion_ros.datasets.synthetic.interior import Piece
from depth_completion_ros.datasets.synthetic.light import Lamp
from depth_completion_ros.datasets.synthetic.materials import Material
from depth_completion_ros.datasets.synthetic.mesh import Color, Mesh, box, disc, merge, quads, surface

_WALLS: Final[tuple[Color, ...]] = (
    (0.66, 0.65, 0.62), (0.60, 0.55, 0.46), (0.46, 0.52, 0.55), (0.52, 0.56, 0.47), (0.58, 0.44, 0.38),
    (0.30, 0.31, 0.33), (0.40, 0.30, 0.16),
)  # fmt: skip
_FLOORS: Final = (
    ((0.34, 0.20, 0.10), Material.WOOD), ((0.48, 0.36, 0.22), Material.WOOD), ((0.14, 0.08, 0.045), Material.WOOD),
    ((0.45, 0.44, 0.42), Material.TILES), ((0.22, 0.21, 0.20), Material.TILES), ((0.18, 0.17, 0.19), Material.FABRIC),
    ((0.30, 0.25, 0.18), Material.FABRIC),
)  # fmt: skip
_WHITE: Final[Color] = (0.66, 0.66, 0.64)
_ALONG: Final = (
    interior.table, interior.sofa, interior.bed, interior.cupboard, interior.cupboard, interior.shelf, interior.shelf,
    interior.plant, interior.floor_lamp, interior.television, interior.chair,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Room:
    """A room with one corner at the origin.

    Attributes:
        mesh: everything in it, and what is outside its windows.
        size: (3,) metres.
        lamps: what hangs from the ceiling.
    """

    mesh: Mesh
    size: tuple[float, float, float]
    lamps: tuple[Lamp, ...]


def build_room(rng: np.random.Generator) -> Room:
    """A room, the same for the same state of ``rng``."""
    if rng.random() < 0.2:  # a corridor
        size = rng.uniform(1.8, 2.6), rng.uniform(6, 14), rng.uniform(2.4, 3.0)
    else:
        size = rng.uniform(3, 7.5), rng.uniform(3, 9), rng.uniform(2.4, 3.3)
    width, length, height = size
    floor, floor_kind = _FLOORS[rng.integers(len(_FLOORS))]
    parts = [
        _slab(width, length, 0.0, np.array(floor) * rng.uniform(0.8, 1.2), floor_kind),
        _slab(width, length, height, _WHITE, Material.PLASTER),
        *_outside(rng, width, length),
    ]
    color = np.array(_WALLS[rng.integers(len(_WALLS))]) * rng.uniform(0.85, 1.1)
    material = Material.PAPER if rng.random() < 0.12 else Material.PLASTER
    for side, run in enumerate((width, length, width, length)):
        wall = merge(_wall(rng, run, height, color, material))
        # Each wall is drawn along x from the origin, the room on its +y side, then turned to its place.
        x, y = ((0, 0), (width, 0), (width, length), (0, length))[side]
        parts.append(wall.moved(x, y, yaw=side * np.pi / 2))
    parts += _middle(rng, width, length, height)
    lamps, fixtures = _ceiling_lamps(rng, size)
    return Room(merge([*parts, *fixtures]), size, lamps)


def _wall(rng: np.random.Generator, run: float, height: float, color: ArrayLike, material: Material) -> Iterator[Mesh]:
    """A wall along x, with a window, a door or neither, and what stands before it."""
    kind = rng.random()
    taken: tuple[float, float] = (run, run)
    if kind < 0.4 and run > 2.5:
        low = rng.uniform(0.4, run - 2.0)
        high = min(run - 0.4, low + rng.uniform(0.9, 2.4))
        sill, lintel = rng.choice([0.05, 0.9]), min(height - 0.2, 2.2)
        yield from _opening(rng, run, height, (low, high, sill, lintel), color, material)
        if rng.random() < 0.6:
            yield interior.curtain(rng, 0.4, height - 0.1).moved(low - 0.3, 0.02, 0.03)
            yield interior.curtain(rng, 0.4, height - 0.1).moved(high - 0.1, 0.02, 0.03)
        if sill > 0.5:
            yield interior.radiator(0.8 * (high - low)).moved(low + 0.1 * (high - low))
        taken = low - 0.3, high + 0.3
    else:
        yield quads([[(run, 0, 0), (0, 0, 0), (0, 0, height), (run, 0, height)]], color, material)
        if kind < 0.65 and run > 1.6:
            low = rng.uniform(0.2, run - 1.2)
            leaf = box((low, 0, 0), (low + 0.85, 0.03, 2.05), _WHITE, Material.WOOD)
            knob = box((low + 0.76, 0.03, 1.0), (low + 0.8, 0.08, 1.03), (0.45, 0.45, 0.45), Material.METAL)
            frame = [
                box((low - 0.08, 0, 0), (low, 0.05, 2.13), _WHITE),
                box((low + 0.85, 0, 0), (low + 0.93, 0.05, 2.13), _WHITE),
                box((low, 0, 2.05), (low + 0.85, 0.05, 2.13), _WHITE),
            ]
            yield merge([leaf, knob, *frame])
            taken = low - 0.1, low + 0.95
    yield box((0, 0, 0), (run, 0.015, 0.09), _WHITE)
    if run < 2.7 or rng.random() < 0.1:
        return
    x = rng.uniform(0.05, 0.8)
    while x < run - 0.5:
        piece = _ALONG[rng.integers(len(_ALONG))](rng)
        blocked = x < taken[1] and x + piece.width > taken[0]
        if blocked or x + piece.width > run - 0.05:
            x += 0.35
            continue
        yield from _with_clutter(rng, piece, x, rng.uniform(0.02, 0.06))
        if (piece.tops and piece.tops[0][4] < 1.1) or rng.random() < 0.2:
            yield interior.picture(rng).moved(x + 0.1, 0.0, rng.uniform(1.3, 1.5))
        x += piece.width + rng.uniform(0.03, 0.5)


def _with_clutter(rng: np.random.Generator, piece: Piece, x: float, y: float, yaw: float = 0.0) -> Iterator[Mesh]:
    things = [piece.mesh]
    for x0, y0, x1, y1, z in piece.tops:
        things += [
            interior.clutter(rng).moved(rng.uniform(x0, x1), rng.uniform(y0, y1), z)
            for _ in range(rng.poisson(5 * (x1 - x0)))
        ]
    yield merge(things).moved(x, y, yaw=yaw)


def _middle(rng: np.random.Generator, width: float, length: float, height: float) -> Iterator[Mesh]:
    """A carpet, a table with chairs, a wall of glass, and things on the floor."""
    if width > 3.5 and rng.random() < 0.6:
        x, y = rng.uniform(0.3, 0.5) * width, rng.uniform(0.35, 0.65) * length
        yaw = rng.uniform(0, 6.3)
        table = interior.table(rng)
        yield from _with_clutter(rng, table, x, y, yaw)
        seat = interior.chair if rng.random() < 0.6 else interior.office_chair
        c, s = np.cos(yaw), np.sin(yaw)
        for _ in range(int(rng.integers(1, 5))):
            u, v = rng.uniform(0, table.width - 0.3), table.depth + rng.uniform(-0.15, 0.4)
            yield seat(rng).mesh.moved(x + u * c - v * s, y + u * s + v * c, yaw=yaw + rng.normal(0, 0.5))
    if rng.random() < 0.5:
        x, y = rng.uniform(0.2, 0.4) * width, rng.uniform(0.2, 0.4) * length
        carpet = _slab(0.4 * width, 0.35 * length, 0.006, rng.uniform(0.03, 0.4, 3), Material.PAPER)
        yield carpet.moved(x, y)
    if rng.random() < 0.1:
        across = rng.uniform(0.5, 1.0) * width
        x = rng.choice((0.0, width - across))
        yield interior.partition(rng, across, height).moved(x, rng.uniform(0.25, 0.75) * length)
    for _ in range(rng.poisson(0.3 * width * length)):
        yield interior.clutter(rng).moved(rng.uniform(0.2, width - 0.2), rng.uniform(0.2, length - 0.2))


def _opening(
    rng: np.random.Generator,
    run: float,
    height: float,
    hole: tuple[float, float, float, float],
    color: ArrayLike,
    material: Material,
) -> Iterator[Mesh]:
    """A wall around a window with its frame, closed or open; what is in the reveal is 25 cm deep."""
    low, high, sill, lintel = hole
    for x0, x1, z0, z1 in (
        (0, low, 0, height),
        (high, run, 0, height),
        (low, high, 0, sill),
        (low, high, lintel, height),
    ):
        corners = [(x1, 0, z0), (x0, 0, z0), (x0, 0, z1), (x1, 0, z1)]
        yield quads([corners], color, material)
    yield box((low, -0.25, sill - 0.03), (high, 0.06, sill), _WHITE)
    for x in (low, 0.5 * (low + high) - 0.03, high - 0.06):
        yield box((x, -0.16, sill), (x + 0.06, -0.1, lintel), _WHITE)
    for z in (sill, lintel - 0.06):
        yield box((low, -0.16, z), (high, -0.1, z + 0.06), _WHITE)
    if rng.random() < 0.5:  # the others stand open
        yield interior.pane((high, -0.13), (low, -0.13), sill, lintel)
    for x in (low, high):
        yield quads([[(x, 0, sill), (x, -0.25, sill), (x, -0.25, lintel), (x, 0, lintel)]], color, material)
    yield quads([[(low, 0, lintel), (high, 0, lintel), (high, -0.25, lintel), (low, -0.25, lintel)]], color, material)


def _outside(rng: np.random.Generator, width: float, length: float) -> Iterator[Mesh]:
    """A lawn, hedges and the fronts across the road; the room is on some floor."""
    ground = -float(rng.choice([0.3, 3.0, 6.0]))
    corners = [(-80, -80, ground), (80, -80, ground), (80, 80, ground), (-80, 80, ground)]
    yield quads([corners], (0.07, 0.11, 0.03), Material.GRASS)
    for side in range(4):
        near = 0.5 * (length if side % 2 == 0 else width)
        away = near + rng.uniform(8, 25)
        front = box((-20, away, ground), (20, away + 1, ground + rng.uniform(3, 14)), _WALLS[side], Material.BRICK)
        tree = nature.tree(rng, rng.uniform(4, 9), 4.0, nature.LEAF_COLORS[side], 700).moved(
            rng.uniform(-4, 4), near + 5.0, ground
        )
        yield merge([front, tree]).moved(width / 2, length / 2, yaw=side * np.pi / 2)


def _ceiling_lamps(rng: np.random.Generator, size: tuple[float, float, float]) -> tuple[tuple[Lamp, ...], list[Mesh]]:
    width, length, height = size
    count = max(1, round(length / 4))
    tint = np.array([(1.0, 0.94, 0.85), (1.0, 0.8, 0.58), (0.93, 0.97, 1.0)][rng.integers(3)])
    lamps, fixtures = [], []
    for k in range(count):
        x, y = width * rng.uniform(0.45, 0.55), (k + 0.5) * length / count
        lamps.append(Lamp(np.array([x, y, height - 0.3]), tint * rng.uniform(1.0, 2.2) * (height / 2.5) ** 2))
        fixtures.append(disc((x, y, height - 0.06), (0, 0, 1), 0.22, 0.9 * tint, Material.LAMP, 20))
        fixtures.append(box((x - 0.04, y - 0.04, height - 0.06), (x + 0.04, y + 0.04, height), _WHITE))
    return tuple(lamps), fixtures


def _slab(width: float, length: float, z: float, color: ArrayLike, material: Material) -> Mesh:
    corners = np.array([[(0, 0, z), (width, 0, z)], [(0, length, z), (width, length, z)]])
    return surface(corners, color, material, uv=corners[..., :2])
