"""What rooms are furnished with. Every piece stands on z = 0 with its back along x from the origin, facing +y."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from depth_completion_ros.datasets.synthetic import nature
from depth_completion_ros.datasets.synthetic.materials import Material
from depth_completion_ros.datasets.synthetic.mesh import Color, Mesh, box, disc, ellipsoid, merge, quads, surface, tube

_WOODS: Final[tuple[Color, ...]] = (
    (0.36, 0.22, 0.11), (0.22, 0.12, 0.06), (0.50, 0.38, 0.24), (0.07, 0.045, 0.03), (0.62, 0.61, 0.58),
    (0.03, 0.03, 0.032),
)  # fmt: skip
_CLOTHS: Final[tuple[Color, ...]] = (
    (0.25, 0.24, 0.22), (0.10, 0.11, 0.13), (0.30, 0.06, 0.05), (0.08, 0.14, 0.24), (0.40, 0.36, 0.28),
    (0.12, 0.18, 0.10), (0.02, 0.02, 0.022), (0.45, 0.33, 0.10),
)  # fmt: skip
_METAL: Final[Color] = (0.45, 0.45, 0.46)
_GLASS: Final[Color] = (0.012, 0.016, 0.015)
_BLACK: Final[Color] = (0.012, 0.012, 0.014)


@dataclass(frozen=True, eq=False)
class Piece:
    """A piece of furniture.

    Attributes:
        mesh: the thing.
        width, depth: the floor it covers, along x and y, metres.
        tops: level surfaces on which clutter may lie, each x0, y0, x1, y1, z.
    """

    mesh: Mesh
    width: float
    depth: float
    tops: tuple[tuple[float, float, float, float, float], ...] = ()


def table(rng: np.random.Generator) -> Piece:
    """A table or a desk on four legs, some with a top of glass."""
    width, depth, height = rng.uniform(0.8, 1.9), rng.uniform(0.55, 0.95), rng.choice([0.45, 0.74, 0.76])
    color = _pick(rng, _WOODS)
    is_glass = rng.random() < 0.15
    top = _GLASS if is_glass else color
    parts = [
        box((0, 0, height - 0.035), (width, depth, height), top, Material.PANE if is_glass else Material.WOOD)
    ]
    parts += [
        box((x, y, 0), (x + 0.06, y + 0.06, height - 0.035), color, Material.WOOD)
        for x in (0.03, width - 0.09)
        for y in (0.03, depth - 0.09)
    ]
    return Piece(merge(parts), width, depth, ((0.05, 0.05, width - 0.05, depth - 0.05, height),))


def chair(rng: np.random.Generator) -> Piece:
    """A chair with a back of slats."""
    color, seat = _pick(rng, _WOODS), _pick(rng, _CLOTHS)
    legs = [
        tube((x, y, 0), (x, y, 0.44 if y > 0.2 else 0.95), 0.018, color=color, sides=6)
        for x in (0.04, 0.41)
        for y in (0.04, 0.41)
    ]
    slats = [box((0.04, 0.025, z), (0.41, 0.045, z + 0.06), color, Material.WOOD) for z in (0.6, 0.72, 0.84)]
    return Piece(merge([*legs, *slats, box((0, 0.02, 0.43), (0.45, 0.45, 0.48), seat, Material.FABRIC)]), 0.45, 0.45)


def office_chair(rng: np.random.Generator) -> Piece:
    """A black chair on five feet."""
    cloth = _pick(rng, (_BLACK, (0.03, 0.03, 0.035), (0.08, 0.08, 0.09)))
    turn = np.arange(5) * 2 * np.pi / 5 + rng.uniform(0, 1)
    feet = [
        tube((0.3, 0.3, 0.1), (0.3 + 0.3 * np.cos(a), 0.3 + 0.3 * np.sin(a), 0.05), 0.02, color=_BLACK) for a in turn
    ]
    parts = [
        *feet,
        tube((0.3, 0.3, 0.1), (0.3, 0.3, 0.45), 0.025, color=_METAL, material=Material.METAL),
        ellipsoid((0.3, 0.3, 0.48), (0.25, 0.25, 0.06), cloth, Material.FABRIC),
        ellipsoid((0.3, 0.06, 0.82), (0.22, 0.05, 0.3), cloth, Material.FABRIC),
    ]
    return Piece(merge(parts), 0.6, 0.6)


def sofa(rng: np.random.Generator) -> Piece:
    """An armchair, a sofa or a bench with cushions."""
    seats = int(rng.integers(1, 4))
    width, color = 0.5 + 0.62 * seats, _pick(rng, _CLOTHS)
    shapes = [
        ((0.12, 0.1, 0.08), (width - 0.12, 0.88, 0.3)),
        ((0, 0, 0.08), (width, 0.22, 0.82)),
        ((0, 0.02, 0.08), (0.2, 0.88, 0.6)),
        ((width - 0.2, 0.02, 0.08), (width, 0.88, 0.6)),
    ]
    parts = [box(low, high, color, Material.FABRIC) for low, high in shapes]
    for k in range(seats):
        x = 0.25 + 0.62 * k
        parts.append(_cushion((x + 0.3, 0.56, 0.37), (0.31, 0.33, 0.085), color))
        if rng.random() < 0.6:
            parts.append(_cushion((x + 0.3, 0.29, 0.6), (0.22, 0.08, 0.2), _pick(rng, _CLOTHS)))
    return Piece(merge(parts), width, 0.9)


def bed(rng: np.random.Generator) -> Piece:
    """A bed with its head at the wall."""
    width, wood, cloth = rng.choice([0.9, 1.4, 1.8]), _pick(rng, _WOODS), _pick(rng, _CLOTHS)
    x = np.linspace(-0.02, width + 0.02, 15)
    y = np.linspace(0.65, 2.05, 15)
    folds = 0.55 + 0.035 * rng.standard_normal((15, 15))
    folds[:, [0, -1]] -= 0.16
    folds[-1] -= 0.16
    blanket = np.stack([*np.meshgrid(x, y), folds], axis=-1)
    parts = [
        box((0, 0, 0), (width, 0.06, rng.uniform(0.7, 1.1)), wood, Material.WOOD),
        box((0, 0.06, 0.1), (width, 2.05, 0.32), wood, Material.WOOD),
        box((0.02, 0.07, 0.32), (width - 0.02, 2.03, 0.5), (0.6, 0.6, 0.58), Material.FABRIC),
        surface(blanket, cloth, Material.FABRIC, smooth=True),
    ]
    for k in range(1 if width < 1 else 2):
        middle = (width * (0.5 if width < 1 else 0.27 + 0.46 * k), 0.36, 0.56)
        parts.append(_cushion(middle, (0.33, 0.22, 0.09), (0.62, 0.61, 0.58)))
    return Piece(merge(parts), width, 2.1)


def cupboard(rng: np.random.Generator) -> Piece:
    """A chest, a wardrobe or a fridge."""
    width, depth = rng.uniform(0.5, 1.6), rng.uniform(0.35, 0.62)
    height = rng.choice([0.5, 0.85, 1.4, 1.9, 2.1])
    kind = rng.random()
    if kind < 0.12:
        color, material = _METAL, Material.METAL
    else:
        color, material = _pick(rng, _WOODS), Material.WOOD if rng.random() < 0.7 else Material.PLAIN
    parts = [box((0, 0, 0), (width, depth, height), color, material)]
    count = max(1, round(width / 0.5))
    rows = 1 if height > 1 else int(rng.integers(1, 4))
    for k in range(count):
        for row in range(rows):
            low = ((k + 0.02) * width / count, depth, 0.06 + (row + 0.02) * (height - 0.08) / rows)
            high = ((k + 0.98) * width / count, depth + 0.018, 0.06 + (row + 0.98) * (height - 0.08) / rows)
            parts.append(box(low, high, 0.92 * np.array(color), material))
            x, z = 0.5 * (low[0] + high[0]), 0.8 * high[2] + 0.2 * low[2]
            parts.append(box((x - 0.05, depth + 0.02, z), (x + 0.05, depth + 0.045, z + 0.015), _METAL, Material.METAL))
    tops = ((0.03, 0.03, width - 0.03, depth - 0.03, height),) if height < 1.5 else ()
    return Piece(merge(parts), width, depth + 0.05, tops)


def shelf(rng: np.random.Generator) -> Piece:
    """A shelf with books and boxes, some rows half empty, open or behind glass."""
    width, depth, boards = rng.uniform(0.6, 1.3), 0.3, int(rng.integers(3, 7))
    color, height = _pick(rng, _WOODS), 0.36 * boards
    parts = [
        box((0, 0, 0), (0.025, depth, height), color, Material.WOOD),
        box((width - 0.025, 0, 0), (width, depth, height), color, Material.WOOD),
        box((0, 0, 0), (width, 0.01, height), color, Material.WOOD),
    ]
    for k in range(boards + 1):
        z = min(k * 0.36, height - 0.025)
        parts.append(box((0, 0, z), (width, depth, z + 0.025), color, Material.WOOD))
        x, end = 0.04, width * rng.uniform(0.3, 1.0) - 0.06
        while k < boards and x < end:
            thick = rng.uniform(0.015, 0.06)
            tall, deep = rng.uniform(0.18, 0.3), rng.uniform(0.14, 0.24)
            tint = _any_color(rng)
            material = Material.PAPER if rng.random() < 0.5 else Material.PLAIN
            parts.append(box((x, 0.02, z + 0.025), (x + thick, 0.02 + deep, z + 0.025 + tall), tint, material))
            x += thick + (rng.uniform(0.02, 0.15) if rng.random() < 0.12 else 0.002)
    if rng.random() < 0.25:
        parts.append(pane((0.02, depth), (width - 0.02, depth), 0.02, height - 0.02))
    return Piece(merge(parts), width, depth, ((0.03, 0.03, width - 0.03, depth - 0.03, height),))


def pane(start: tuple[float, float], end: tuple[float, float], low: float, high: float) -> Mesh:
    """Clear glass that stands between two points x, y of the floor, from one height to another."""
    return quads([[(*start, low), (*end, low), (*end, high), (*start, high)]], _GLASS, Material.PANE)


def partition(rng: np.random.Generator, width: float, height: float) -> Mesh:
    """A wall of glass along x from the origin, in frames of metal or none, as in offices."""
    top = height if rng.random() < 0.5 else rng.uniform(1.2, 2.2)
    parts = [pane((0, 0), (width, 0), 0.0, top)]
    color = _pick(rng, (_METAL, _BLACK, _WOODS[4]))
    if rng.random() < 0.8:
        parts += [box((0, -0.03, z), (width, 0.03, z + 0.06), color) for z in (0.0, top - 0.06)]
        posts = np.linspace(0, width - 0.05, 1 + int(np.ceil(width / rng.uniform(0.8, 1.6))))
        parts += [box((x, -0.03, 0), (x + 0.05, 0.03, top), color) for x in posts]
    return merge(parts)


def plant(rng: np.random.Generator) -> Piece:
    """A plant in a pot."""
    height = rng.uniform(0.6, 1.6)
    count = int(rng.integers(60, 240))
    out = rng.normal(0, 1, (count, 3)) * (0.15, 0.15, 0.22 * height)
    position = np.array([0.25, 0.25, 0.62 * height]) + out
    color = nature.LEAF_COLORS[rng.integers(len(nature.LEAF_COLORS))]
    parts = [
        tube((0.25, 0.25, 0), (0.25, 0.25, 0.25), 0.12, 0.16, rng.uniform(0.05, 0.5, 3), sides=12),
        disc((0.25, 0.25, 0.23), (0, 0, 1), 0.15, (0.03, 0.02, 0.015)),
        tube((0.25, 0.25, 0.2), (0.25, 0.25, 0.7 * height), 0.012, color=(0.1, 0.08, 0.05), sides=5),
        nature.leaves(rng, position, out + np.array([0, 0, 0.3]), rng.uniform(0.04, 0.11, count), color),
    ]
    return Piece(merge(parts), 0.5, 0.5)


def floor_lamp(rng: np.random.Generator) -> Piece:
    """A lamp on a thin post, with a shade that glows."""
    height = rng.uniform(1.4, 1.7)
    parts = [
        disc((0.2, 0.2, 0.02), (0, 0, 1), 0.14, _BLACK),
        tube((0.2, 0.2, 0), (0.2, 0.2, height), 0.012, color=_METAL, material=Material.METAL, sides=6),
        tube((0.2, 0.2, height - 0.22), (0.2, 0.2, height + 0.05), 0.18, 0.12, (0.6, 0.52, 0.38), Material.LAMP, 14),
    ]
    return Piece(merge(parts), 0.4, 0.4)


def television(rng: np.random.Generator) -> Piece:
    """A screen on a low board."""
    width = rng.uniform(0.9, 1.5)
    board = box((0, 0, 0.1), (width, 0.4, 0.5), _pick(rng, _WOODS), Material.WOOD)
    return Piece(merge([board, _screen(0.1 * width, 0.18, 0.55, 0.8 * width, 0.46 * width)]), width, 0.45)


def clutter(rng: np.random.Generator) -> Mesh:
    """A small thing around the origin: a box, a book, a bottle, a cup, a ball, a screen, a pot, a lamp."""
    tint = _any_color(rng)
    kind = int(rng.integers(8))
    if kind == 0:
        x, y, z = rng.uniform(0.03, 0.2, 3)
        thing = box((-x, -y, 0), (x, y, 2 * z), tint, Material.PAPER if rng.random() < 0.6 else Material.PLAIN)
    elif kind == 1:
        layers = [np.sort(rng.uniform(0.09, 0.16, 2)) for _ in range(int(rng.integers(1, 5)))]
        books = []
        for k, (x, y) in enumerate(layers):
            cover = _any_color(rng)
            books.append(
                box((-x, -y, 0.03 * k), (x, y, 0.03 * k + 0.028), cover, Material.PAPER).moved(yaw=rng.normal(0, 0.1))
            )
        thing = merge(books)
    elif kind == 2:
        color = 0.15 * tint
        body = tube((0, 0, 0), (0, 0, 0.2), 0.036, color=color, material=Material.PANE, sides=14)
        neck = tube((0, 0, 0.2), (0, 0, 0.3), 0.036, 0.013, color, Material.PANE, 14)
        thing = merge([body, neck])
    elif kind == 3:
        cup = tube((0, 0, 0), (0, 0, 0.1), 0.036, 0.042, tint, sides=16)
        thing = merge([cup, disc((0, 0, 0.085), (0, 0, 1), 0.04, (0.05, 0.03, 0.02)), _handle(tint)])
    elif kind == 4:
        radius = rng.uniform(0.04, 0.13)
        thing = ellipsoid((0, 0, radius), radius, tint, rings=10)
    elif kind == 5:
        thing = _screen(-0.27, 0, 0.08, 0.54, 0.32)
        thing = merge(
            [thing, box((-0.1, -0.1, 0), (0.1, 0.1, 0.015), _BLACK), box((-0.02, -0.03, 0), (0.02, 0, 0.2), _BLACK)]
        )
    elif kind == 6:
        radius, height = rng.uniform(0.07, 0.14), rng.uniform(0.08, 0.2)
        pot = tube((0, 0, 0), (0, 0, height), radius, color=_METAL, material=Material.METAL, sides=20)
        thing = merge([pot, disc((0, 0, height), (0, 0, 1), radius, _METAL, Material.METAL, 20)])
    else:
        shade = tube((0, 0, 0.26), (0, 0, 0.42), 0.13, 0.08, (0.62, 0.56, 0.42), Material.LAMP, 14)
        thing = merge([shade, tube((0, 0, 0), (0, 0, 0.3), 0.05, 0.02, tint, sides=10)])
    return thing.moved(yaw=rng.uniform(0, 6.3))


def picture(rng: np.random.Generator) -> Mesh:
    """A poster in a frame or a mirror, flat on a wall at y = 0, its lower left corner at the origin."""
    width, height = rng.uniform(0.3, 1.1), rng.uniform(0.3, 0.9)
    frame = box((-0.03, 0, -0.03), (width + 0.03, 0.02, height + 0.03), _pick(rng, _WOODS), Material.WOOD)
    corners = [[(width, 0.022, 0), (0, 0.022, 0), (0, 0.022, height), (width, 0.022, height)]]
    if rng.random() < 0.3:
        return merge([frame, quads(corners, (0.3, 0.31, 0.31), Material.MIRROR)])
    return merge([frame, quads(corners, rng.uniform(0.1, 0.6, 3), Material.PAPER)])


def curtain(rng: np.random.Generator, width: float, height: float) -> Mesh:
    """Cloth in folds that hangs along x from the origin."""
    x = np.linspace(0, width, 4 * max(4, round(width / 0.1)))
    y = 0.06 + 0.035 * np.sin(x * 2 * np.pi / rng.uniform(0.1, 0.18) + rng.uniform(0, 6))
    grid = [np.stack([x, y, np.full_like(x, z)], axis=-1) for z in (0, height)]
    return surface(grid, _pick(rng, _CLOTHS), Material.FABRIC, smooth=True)


def radiator(width: float) -> Mesh:
    """Ribs of white metal along x from the origin."""
    ribs = [box((x, 0.04, 0.12), (x + 0.045, 0.14, 0.7), (0.62, 0.62, 0.6)) for x in np.arange(0, width, 0.06)]
    return merge([*ribs, box((0, 0.07, 0.14), (width, 0.11, 0.2), (0.6, 0.6, 0.58))])


def _screen(x: float, y: float, z: float, width: float, height: float) -> Mesh:
    """A black, shiny screen that faces +y."""
    case = box((x, y, z), (x + width, y + 0.04, z + height), _BLACK)
    low, high = x + 0.01, x + width - 0.01
    front = [
        [
            (high, y + 0.042, z + 0.01),
            (low, y + 0.042, z + 0.01),
            (low, y + 0.042, z + height - 0.01),
            (high, y + 0.042, z + height - 0.01),
        ]
    ]
    return merge([case, quads(front, _BLACK, Material.SCREEN)])


def _handle(color: ArrayLike) -> Mesh:
    angle = np.linspace(-1.3, 1.3, 7)
    arc = np.stack([0.036 + 0.032 * np.cos(angle), np.zeros(7), 0.05 + 0.032 * np.sin(angle)], axis=-1)
    return merge([tube(a, b, 0.007, color=color, sides=6) for a, b in pairwise(arc)])


def _cushion(middle: tuple[float, float, float], half: tuple[float, float, float], color: Color) -> Mesh:
    """A box with bulging sides."""
    polar = np.linspace(0, np.pi, 9)[:, None]
    around = np.linspace(0, 2 * np.pi, 17)
    unit = np.stack(
        np.broadcast_arrays(np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around), np.cos(polar)), axis=-1
    )
    return surface(np.array(middle) + np.sign(unit) * np.abs(unit) ** 0.45 * half, color, Material.FABRIC, smooth=True)


def _pick(rng: np.random.Generator, colors: tuple[Color, ...]) -> Color:
    return colors[rng.integers(len(colors))]


def _any_color(rng: np.random.Generator) -> NDArray[np.float64]:
    """(3,) reflectance of any brightness; strong hues are rare."""
    return rng.uniform(0.02, 0.8) ** 1.4 * (1 - rng.uniform(0, 1) ** 2 * rng.uniform(0, 0.95, 3))
