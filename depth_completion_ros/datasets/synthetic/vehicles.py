"""Cars, vans and lorries: a curved body, a cabin with panes of glass, wheels and lamps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Final

import numpy as np

from depth_completion_ros.datasets.synthetic.materials import Material
from depth_completion_ros.datasets.synthetic.mesh import (
    Color,
    Mesh,
    box,
    disc,
    merge,
    panels,
    quads,
    surface,
    tube,
)

_UNPAINTED: Final = (0.5, 0.5, 0.5)
_RUBBER: Final = (0.018, 0.018, 0.018)
_TRIM: Final = (0.03, 0.03, 0.032)
_ALLOY: Final = (0.22, 0.225, 0.23)
_SEAT: Final = (0.05, 0.048, 0.045)
_TINT: Final = (0.008, 0.010, 0.011)
_RED_LAMP: Final = (0.42, 0.012, 0.01)
_WHITE_LAMP: Final = (0.62, 0.64, 0.66)
_PLATE: Final = (0.6, 0.6, 0.57)

CAR_COLORS: Final[tuple[Color, ...]] = (
    (0.52, 0.53, 0.54), (0.33, 0.34, 0.36), (0.11, 0.115, 0.125), (0.018, 0.019, 0.022), (0.56, 0.56, 0.55),
    (0.03, 0.05, 0.13), (0.06, 0.13, 0.27), (0.30, 0.02, 0.02), (0.045, 0.09, 0.06), (0.36, 0.31, 0.23),
)  # fmt: skip


@dataclass(frozen=True)
class CarShape:
    """The side view of a car, metres; x runs from the rear (-length / 2) to the front (length / 2).

    Attributes:
        belt: height of the lower edge of the windows; hood, deck: heights of the front and rear ends.
        screen: x of the lower edges of the windscreen and of the rear window; roof: x of their upper edges.
        panes: the stretches of the side, as fractions from the rear, that are glass.
    """

    length: float
    width: float
    height: float
    belt: float
    hood: float
    deck: float
    screen: tuple[float, float]
    roof: tuple[float, float]
    panes: tuple[tuple[float, float], ...]


_SIDE: Final = ((0.05, 0.25), (0.29, 0.59), (0.63, 0.93))
CAR_SHAPES: Final = (
    CarShape(4.15, 1.76, 1.47, 0.96, 0.82, 0.93, (1.05, -1.95), (0.25, -1.50), _SIDE),  # hatchback
    CarShape(4.60, 1.80, 1.45, 0.95, 0.80, 0.93, (1.15, -2.15), (0.35, -1.75), _SIDE),  # estate
    CarShape(4.70, 1.82, 1.44, 0.96, 0.80, 0.96, (1.10, -1.62), (0.30, -0.85), _SIDE[1:]),  # saloon
    CarShape(4.55, 1.86, 1.68, 1.10, 1.00, 1.05, (1.15, -2.15), (0.40, -1.85), _SIDE),  # off-road
    CarShape(3.60, 1.64, 1.49, 0.96, 0.82, 0.95, (1.00, -1.72), (0.25, -1.45), _SIDE[1:]),  # small car
    CarShape(5.00, 1.92, 1.98, 1.12, 1.02, 1.10, (1.75, -2.44), (1.00, -2.38), ((0.68, 0.93),)),  # van
)


def car(shape: CarShape, color: Color) -> Mesh:
    """A car on the ground around the origin, facing +x."""
    body = _car(shape)
    painted = (body.material == Material.CAR_PAINT)[:, None]
    return replace(body, color=np.where(painted, np.asarray(color, np.float32), body.color))


@cache
def _car(shape: CarShape) -> Mesh:
    half, width, belt = shape.length / 2, shape.width / 2, shape.belt
    foot, rear_foot = shape.screen
    # x, share of the width, height of the upper edge, height of the lower edge
    stations = (
        (-half, 0.80, shape.deck - 0.22, 0.42),
        (-half + 0.07, 0.90, shape.deck - 0.10, 0.30),
        (-half + 0.35, 0.97, shape.deck, 0.24),
        (min(rear_foot, -half + 0.36) + 0.02, 0.985, max(shape.deck, belt - 0.01), 0.2),
        (rear_foot + 0.1, 1.00, belt, 0.19),
        (0.0, 1.00, belt - 0.02, 0.19),
        (foot - 0.05, 0.995, belt - 0.01, 0.19),
        (half - 0.45, 0.96, shape.hood - 0.02, 0.2),
        (half - 0.12, 0.88, shape.hood - 0.12, 0.24),
        (half, 0.76, shape.hood - 0.24, 0.36),
    )
    rings = np.array(
        [[(x, y * width, z) for y, z in _cross_section(share, top, low)] for x, share, top, low in stations]
    )
    body = surface(rings, _UNPAINTED, Material.CAR_PAINT, smooth=True)
    ends = [_cap(rings[0]), _cap(rings[-1])]
    corners = ((-1, -1), (1, -1), (1, 1), (-1, 1))
    floor = quads([[(x * (half - 0.2), 0.85 * y * width, 0.2) for x, y in corners]], _TRIM)
    return merge([body, *ends, floor, *_cabin(shape), *_wheels(shape), *_fittings(shape)])


def lorry(color: Color, cargo: Color) -> Mesh:
    """A box lorry of 8 m around the origin, facing +x."""
    cab = box((2.2, -1.15, 0.5), (4.0, 1.15, 2.7), color, Material.CAR_PAINT)
    hold = box((-4.0, -1.25, 0.95), (2.0, 1.25, 3.5), cargo)
    frame = box((-3.9, -0.9, 0.55), (2.2, 0.9, 0.94), _TRIM)
    screen = [(4.01, -1.05, 1.55), (4.01, 1.05, 1.55), (4.01, 1.0, 2.45), (4.01, -1.0, 2.45)]
    sides = [[(2.6, y, 1.6), (3.7, y, 1.6), (3.6, y, 2.4), (2.6, y, 2.4)] for y in (-1.16, 1.16)]
    glass = quads([screen, *sides], _TINT, Material.PANE)
    inside = quads(np.array([screen, *sides]) * (0.999, 0.99, 1), _TINT)
    guard = box((-3.98, -1.2, 0.42), (-3.9, 1.2, 0.56), _PLATE)
    lamps = [
        box((-4.02, y - 0.18, 0.62), (-3.98, y + 0.18, 0.78), _RED_LAMP, Material.LAMP) for y in (-0.95, 0.95)
    ]
    return merge([cab, hold, frame, glass, inside, guard, *lamps, _lorry_wheels()])


@cache
def _lorry_wheels() -> Mesh:
    return merge([_wheel(x, side * 1.1, side, 0.48) for x in (-2.6, 3.1) for side in (-1, 1)])


def _cross_section(share: float, top: float, low: float) -> list[tuple[float, float]]:
    """Half-width shares and heights from the left sill over the bonnet to the right sill."""
    height = top - low
    left = [
        (0.86 * share, low), (0.96 * share, low + 0.14 * height), (share, low + 0.45 * height),
        (0.985 * share, low + 0.74 * height), (0.93 * share, top - 0.05 * height), (0.82 * share, top),
    ]  # fmt: skip
    return [*left, (0.0, top + 0.025), *((-y, z) for y, z in reversed(left))]


def _cap(ring: np.ndarray) -> Mesh:
    closed = np.vstack([ring, ring[:1]])
    middle = np.broadcast_to(ring.mean(axis=0), closed.shape)
    return surface([middle, closed], _UNPAINTED, Material.CAR_PAINT)


def _cabin(shape: CarShape) -> list[Mesh]:
    """Windscreens, sides with their pillars and a crowned roof."""
    paint, glass = (_UNPAINTED, Material.CAR_PAINT), Material.PANE
    low, high = 0.90 * shape.width / 2, 0.72 * shape.width / 2
    base, top = shape.belt - 0.03, shape.height - 0.03
    (front, rear), (roof_front, roof_rear) = shape.screen, shape.roof
    lower = {side: ((rear, side * low, base), (front, side * low, base)) for side in (-1, 1)}
    upper = {side: ((roof_rear, side * high, top), (roof_front, side * high, top)) for side in (-1, 1)}
    breaks = [0.0, *(edge for pane in shape.panes for edge in pane), 1.0]
    side_panes = {(2 * k + 1, 1): _TINT for k in range(len(shape.panes))}
    screen_breaks = (0.0, 0.06, 0.94, 1.0), (0.0, 0.1, 0.92, 1.0)
    parts = [
        panels(
            (*lower[-1], *reversed(upper[-1])),
            (breaks, (0.0, 0.16, 0.88, 1.0)),
            paint,
            side_panes,
            glass,
            0.01,
        ),
        panels(
            (*reversed(lower[1]), *upper[1]),
            ([1 - edge for edge in reversed(breaks)], (0.0, 0.16, 0.88, 1.0)),
            paint,
            {(len(breaks) - 2 - column, row): _TINT for column, row in side_panes},
            glass,
            0.01,
        ),
        panels(
            (lower[-1][1], lower[1][1], upper[1][1], upper[-1][1]),
            screen_breaks,
            paint,
            {(1, 1): _TINT},
            glass,
        ),
        panels(
            (lower[1][0], lower[-1][0], upper[-1][0], upper[1][0]),
            screen_breaks,
            paint,
            {(1, 1): _TINT},
            glass,
        ),
    ]
    parts += _seats(shape, low)
    across = np.linspace(-1.0, 1.0, 5)
    along = np.linspace(roof_rear, roof_front, 4)
    crown = [[(x, y * high, top + 0.05 * (1 - y * y)) for y in across] for x in along]
    return [*parts, surface(crown, _UNPAINTED, Material.CAR_PAINT, smooth=True)]


def _seats(shape: CarShape, half_width: float) -> list[Mesh]:
    """What shows through the windows: a dashboard, a dark floor at their lower edge, seats and head rests."""
    (front, rear), top = shape.screen, shape.height - 0.42
    floor = [[(rear, y, shape.belt + 0.03), (front, y, shape.belt + 0.03)] for y in (-half_width, half_width)]
    parts = [surface(np.array(floor) * (1, 0.97, 1), _TRIM)]
    row = (shape.roof[0] - 0.75, 0.5 * (shape.roof[0] + shape.roof[1]) - 0.9)
    for x in row if len(shape.panes) > 1 else row[:1]:
        for y in (-0.5 * half_width, 0.5 * half_width):
            parts.append(box((x, y - 0.24, shape.belt - 0.1), (x + 0.12, y + 0.24, top + 0.08), _SEAT))
            parts.append(box((x - 0.05, y - 0.12, top + 0.1), (x + 0.03, y + 0.12, top + 0.27), _SEAT))
    low, high = (front - 0.55, -0.8 * half_width, shape.belt), (front - 0.1, 0.8 * half_width, shape.belt + 0.06)
    return [*parts, box(low, high, _TRIM)]


def _wheels(shape: CarShape) -> list[Mesh]:
    axles = -0.29 * shape.length, 0.31 * shape.length
    side_at = shape.width / 2
    parts = []
    for x in axles:
        for side in (-1, 1):
            parts.append(disc((x, side * (side_at + 0.002), 0.37), (0, 1, 0), 0.38, _TRIM))
            parts.append(_wheel(x, side * (side_at - 0.08), side, 0.32))
    return parts


def _wheel(x: float, y: float, side: int, radius: float) -> Mesh:
    outer = y + side * 0.1
    turn = np.arange(5) * 2 * np.pi / 5
    holes = 0.41 * radius * np.stack([np.sin(turn), np.cos(turn)], axis=-1)
    return merge(
        [
            tube((x, y - side * 0.1, radius), (x, outer, radius), radius, color=_RUBBER, sides=18),
            disc((x, outer, radius), (0, 1, 0), radius, _RUBBER, sides=18),
            disc((x, outer + side * 0.006, radius), (0, 1, 0), 0.66 * radius, _ALLOY, sides=18),
            *(
                disc((x + dx, outer + side * 0.010, radius + dz), (0, 1, 0), 0.14 * radius, _TRIM)
                for dx, dz in holes
            ),
        ]
    )


def _fittings(shape: CarShape) -> list[Mesh]:
    """Lamps, number plates, bumper trim and mirrors."""
    half, width = shape.length / 2, shape.width / 2
    tail, nose = shape.deck - 0.34, shape.hood - 0.32
    parts = [
        box((-half - 0.015, -0.26, tail - 0.17), (-half, 0.26, tail - 0.06), _PLATE),
        box((half, -0.26, 0.40), (half + 0.015, 0.26, 0.51), _PLATE),
        box((-half - 0.03, -0.72 * width, 0.36), (-half + 0.08, 0.72 * width, 0.46), _TRIM),
        box((half - 0.1, -0.7 * width, 0.3), (half + 0.02, 0.7 * width, 0.38), _TRIM),
        box((half - 0.02, -0.42 * width, nose - 0.06), (half + 0.008, 0.42 * width, nose + 0.03), _TRIM),
    ]
    sill_to_belt = np.array(_cross_section(1.0, shape.belt - 0.02, 0.19)[1:5]) * (width + 0.003, 1.0)
    doors = [shape.screen[0] - 0.42 - k for k in range(3 if len(shape.panes) > 2 else 2)]
    for side in (-1, 1):
        for x in doors:
            seam = [[(at, side * y, z) for y, z in sill_to_belt] for at in (x - 0.007, x + 0.007)]
            parts.append(surface(seam, _TRIM))
        for x in doors[1:]:
            low, high = sorted((side * 0.96 * width, side * (width + 0.025)))
            parts.append(box((x + 0.1, low, shape.belt - 0.18), (x + 0.27, high, shape.belt - 0.15), _TRIM))
        y = side * width
        mirror_at = shape.screen[0] - 0.36
        for low_corner, high_corner, color, material in (
            ((-half - 0.012, 0.52, tail - 0.03), (-half + 0.1, 0.92, tail + 0.15), _RED_LAMP, Material.LAMP),
            ((half - 0.14, 0.5, nose - 0.03), (half + 0.012, 0.8, nose + 0.09), _WHITE_LAMP, Material.LAMP),
            (
                (mirror_at - 0.06, 0.88, shape.belt),
                (mirror_at + 0.06, 1.1, shape.belt + 0.13),
                _TRIM,
                Material.PLAIN,
            ),
        ):
            parts.append(_mirrored(box(low_corner, high_corner, color, material), y))
    return parts


def _mirrored(mesh: Mesh, half_width: float) -> Mesh:
    """Stretches y, drawn for a car of half width 1, to the side that ``half_width`` has the sign of."""
    stretch = np.array([1.0, half_width, 1.0], np.float32)
    sign = np.array([1.0, np.sign(half_width), 1.0], np.float32)
    return Mesh(mesh.corners * stretch, mesh.normals * sign, mesh.uv, mesh.color, mesh.material)
