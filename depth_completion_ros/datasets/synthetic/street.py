"""The layout: which road, houses, gardens and parked cars stand where, and what moves among them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from depth_completion_ros.datasets.synthetic import buildings, figures, furniture, nature, vehicles
from depth_completion_ros.datasets.synthetic.materials import Material
from depth_completion_ros.datasets.synthetic.mesh import Color, Mesh, box, disc, merge, surface

LANE: Final = 1.75  # y of a lane's middle; traffic keeps to the right
_ROAD: Final = 7.0  # half width: a lane, a cycle strip and a row of parked cars
_PAVEMENT: Final = 9.8  # y where the pavement ends and the gardens begin
_KERB: Final = 0.12  # height of the pavement
_BEFORE: Final = 70.0  # the street reaches this far behind the start of the drive
_BEYOND: Final = 330.0  # and this far beyond its end
_PASSED: Final = 45.0  # trees up to this far beyond the end of the drive have all their leaves
_IN_SIGHT: Final = 230.0  # moving things farther from the car are left out, and
_PERSON_IN_SIGHT: Final = 125.0  # people beyond the reach of the LiDAR
_GRASS: Final = (0.07, 0.11, 0.03)


@dataclass(frozen=True)
class Mover:
    """Something that goes straight along the street."""

    mesh: Mesh
    x: float
    y: float
    z: float
    speed: float
    in_sight: float = _IN_SIGHT

    def at(self, seconds: float) -> Mesh:
        """The mesh where it is at that time of the drive."""
        yaw = 0.0 if self.speed > 0 else np.pi
        return self.mesh.moved(self.x + self.speed * seconds, self.y, self.z, yaw)


@dataclass(frozen=True)
class Street:
    """A still world and what moves in it."""

    still: Mesh
    movers: tuple[Mover, ...]

    def moving(self, seconds: float, x: float) -> Mesh:
        """The moving things within sight of a car at ``x``, in one mesh."""
        seen = [m for m in self.movers if abs(m.x + m.speed * seconds - x) < m.in_sight]
        return merge(mover.at(seconds) for mover in seen)


def build_street(length: float, seconds: float, rng: np.random.Generator) -> Street:
    """A street for a drive of ``length`` metres and ``seconds``, the same for the same state of ``rng``."""
    start, end = -_BEFORE, length + _BEYOND
    still = [*_ground(rng, start, end), *_horizon(rng, end)]
    passed = length + _PASSED
    still += [
        *_frontage(rng, start, end, (start, passed)),
        *_pavement_things(rng, start, end, (start, passed)),
    ]
    # The right side is drawn as a left side, then turned about the middle of the street.
    passed = start + end - passed
    right = [*_frontage(rng, start, end, (passed, end)), *_pavement_things(rng, start, end, (passed, end))]
    still += [mesh.moved(start + end, yaw=np.pi) for mesh in right]
    still += _parked_cars(rng, start, end)
    return Street(merge(still), tuple(_movers(rng, length, seconds)))


def _ground(rng: np.random.Generator, start: float, end: float) -> Iterator[Mesh]:
    """Road, markings, kerbs, pavements and the land around."""
    yield _flat((start, end), (-_ROAD, _ROAD), 0.0, (0.11, 0.11, 0.112), Material.ASPHALT)
    for x in np.arange(start, end, 9.0):
        yield _flat((x, x + 3.5), (-0.07, 0.07), 0.004, (0.62, 0.62, 0.60), Material.ROAD_PAINT)
    for side in (-1, 1):
        for x in np.arange(start, end, 2.0):
            y = side * 3.55
            yield _flat((x, x + 1.0), (y - 0.05, y + 0.05), 0.004, (0.58, 0.58, 0.56), Material.ROAD_PAINT)
    for _ in range(int((end - start) / 9)):
        x, y = rng.uniform(start, end), rng.uniform(-6, 5)
        size = rng.uniform(0.6, 7.0), rng.uniform(0.5, 1.8)
        tone = rng.uniform(0.07, 0.095)
        yield _flat((x, x + size[0]), (y, y + size[1]), 0.002, (tone, tone, tone), Material.ASPHALT)
        if rng.random() < 0.3:
            yield disc((x + 3, y, 0.003), (0, 0, 1), 0.32, (0.035, 0.034, 0.033))  # a manhole cover
        # A crack that was sealed with tar.
        seam = np.cumsum(rng.normal(0, 0.12, 9))
        path = [(x + 1.5 * k, y + 2 + offset, 0.003) for k, offset in enumerate(seam)]
        tar = [path, [(px, py + 0.035, pz) for px, py, pz in path]]
        yield surface(tar, (0.02, 0.02, 0.021), Material.ASPHALT)
    for side in (-1, 1):
        stone = (0.34, 0.33, 0.32)
        edges = sorted((side * _ROAD, side * (_ROAD + 0.16)))
        yield box((start, edges[0], -0.1), (end, edges[1], _KERB + 0.003), stone, Material.PLASTER)
        pavement, land = sorted((side * _ROAD, side * _PAVEMENT)), sorted((side * _PAVEMENT, side * 500))
        yield _flat((start, end), pavement, _KERB, (0.30, 0.29, 0.275), Material.SLABS)
        yield _flat((start - 400, end + 400), land, _KERB, _GRASS, Material.GRASS)
    for stretch in ((start - 400, start), (end, end + 400)):
        yield _flat(stretch, (-_PAVEMENT, _PAVEMENT), _KERB, _GRASS, Material.GRASS)


def _horizon(rng: np.random.Generator, end: float) -> Iterator[Mesh]:
    """What closes the view where the street ends: trees, and wooded hills far behind."""
    for y in np.arange(-60, 61, 7.5):
        yield _tree(rng, (9, 15), (7, 10), 900).moved(end + rng.uniform(2, 30), y, _KERB)
    y = np.linspace(-480, 480, 161)
    for x, height in ((end + 180, 16.0), (end + 340, 34.0)):
        first, second = rng.uniform(0, 6, 2)
        crest = height * (0.75 + 0.25 * np.sin(y / 97 + first) * np.sin(y / 41 + second))
        crest += rng.uniform(0, 0.08 * height, len(y))
        foot = np.stack([np.full_like(y, x - height), y, np.zeros_like(y)], axis=-1)
        top = np.stack([np.full_like(y, x), y, crest], axis=-1)
        yield surface([foot, top], (0.05, 0.085, 0.03), Material.FOLIAGE, smooth=True)


def _frontage(
    rng: np.random.Generator, start: float, end: float, passed: tuple[float, float]
) -> Iterator[Mesh]:
    """Houses and green gaps along the left side."""
    x = start + rng.uniform(0, 6)
    while x < end - 12:
        kind = rng.random()
        if kind < 0.2:
            width = rng.uniform(9, 16)
            yield from _green(rng, x, width, passed)
        else:
            shop = kind > 0.82
            width, storeys = rng.uniform(9.5, 17), int(rng.choice([2, 2, 3, 3, 4]))
            plan = buildings.House(width, rng.uniform(8, 11), storeys, shop)
            setback = -0.01 if shop else rng.uniform(1.5, 4.5)
            yield buildings.house(rng, plan).moved(x, _PAVEMENT + setback, _KERB)
            if not shop:
                yield from _boundary(rng, x, width)
        x += width + (rng.uniform(2.0, 6.0) if rng.random() < 0.6 else 0.05)


def _boundary(rng: np.random.Generator, x: float, width: float) -> Iterator[Mesh]:
    """What parts a front garden from the pavement, with an opening to walk through."""
    gate = rng.uniform(0.35, 0.6) * width
    kind = rng.random()
    for low, high in ((0.2, gate), (gate + 1.3, width - 0.2)):
        run = high - low
        if kind < 0.4:
            hedge = nature.hedge(rng, run, 0.7, rng.uniform(0.9, 1.7), _leaf_color(rng))
            yield hedge.moved(x + low, _PAVEMENT + 0.45, _KERB)
        elif kind < 0.65:
            yield furniture.railing(run).moved(x + low, _PAVEMENT + 0.15, _KERB)
        elif kind < 0.85:
            yield buildings.garden_wall(run, rng.uniform(0.6, 1.1)).moved(x + low, _PAVEMENT + 0.2, _KERB)


def _green(rng: np.random.Generator, x: float, width: float, passed: tuple[float, float]) -> Iterator[Mesh]:
    """A gap between houses: trees behind a wall or a hedge."""
    for _ in range(rng.integers(2, 5)):
        at = x + rng.uniform(1, width - 1), _PAVEMENT + rng.uniform(3, 12)
        yield _tree(rng, (6, 12), (4.5, 7.5), _leaf_count(x, passed)).moved(*at, _KERB)
    if rng.random() < 0.5:
        yield buildings.garden_wall(width, 1.8).moved(x, _PAVEMENT + 0.25, _KERB)
    else:
        yield nature.hedge(rng, width, 0.9, 1.5, _leaf_color(rng)).moved(x, _PAVEMENT + 0.5, _KERB)


def _pavement_things(
    rng: np.random.Generator, start: float, end: float, passed: tuple[float, float]
) -> Iterator[Mesh]:
    """Street trees, lamps, signs, bollards, bins and people who stand, on the left side."""
    kerb_line = _ROAD + 0.55
    lamp, bollard = furniture.lamp_post(), furniture.bollard()
    for x in np.arange(start + rng.uniform(0, 15), end, 31.0):
        yield lamp.moved(x, kerb_line, _KERB)
    for x in np.arange(start + rng.uniform(0, 12), end, 13.0):
        if rng.random() < 0.5:
            yield _tree(rng, (5, 8.5), (3.2, 5), _leaf_count(x, passed)).moved(x, kerb_line + 0.25, _KERB)
    for x in rng.uniform(start, end, int((end - start) / 24)):
        yield furniture.road_sign(rng).moved(x, kerb_line - 0.1, _KERB)
    for x in rng.uniform(start, end, int((end - start) / 60)):
        for k in range(4):
            yield bollard.moved(x + 1.6 * k, kerb_line - 0.2, _KERB)
    for x in rng.uniform(start, end, int((end - start) / 26)):
        yield furniture.bin_box(rng).moved(x, _PAVEMENT - 0.45, _KERB)
    for x in rng.uniform(start, end, int((end - start) / 22)):
        y = rng.uniform(_ROAD + 1.2, _PAVEMENT - 0.7)
        yield figures.pedestrian(rng, 0.05).moved(x, y, _KERB, rng.uniform(0, 6))


def _tree(
    rng: np.random.Generator, height: tuple[float, float], spread: tuple[float, float], leaf_count: int
) -> Mesh:
    shape = rng.uniform(*height), rng.uniform(*spread)
    return nature.tree(rng, *shape, _leaf_color(rng), leaf_count).moved(yaw=rng.uniform(0, 6))


def _leaf_color(rng: np.random.Generator) -> Color:
    return nature.LEAF_COLORS[rng.integers(len(nature.LEAF_COLORS))]


def _leaf_count(x: float, passed: tuple[float, float]) -> int:
    """Trees that the car never comes near get by with fewer, larger leaves."""
    return 7000 if passed[0] <= x <= passed[1] else 1500


def _parked_cars(rng: np.random.Generator, start: float, end: float) -> Iterator[Mesh]:
    for side, yaw in ((-1, 0.0), (1, np.pi)):
        x = start + rng.uniform(0, 5)
        while x < end - 5:
            if rng.random() < 0.62:
                place = x, side * (5.85 + rng.normal(0, 0.06)), 0.0, yaw + rng.normal(0, 0.015)
                yield _any_car(rng).moved(*place)
            x += rng.uniform(5.6, 6.8)


def _any_car(rng: np.random.Generator) -> Mesh:
    shape = vehicles.CAR_SHAPES[rng.integers(len(vehicles.CAR_SHAPES))]
    return vehicles.car(shape, vehicles.CAR_COLORS[rng.integers(len(vehicles.CAR_COLORS))])


def _movers(rng: np.random.Generator, length: float, seconds: float) -> Iterator[Mover]:
    """Traffic in both lanes, cyclists beside it and walkers on the pavements."""
    yield Mover(_any_car(rng), 19.0, -LANE, 0.0, 10.0)
    yield Mover(vehicles.lorry((0.5, 0.5, 0.5), (0.30, 0.05, 0.03)), 52.0, -LANE, 0.0, 10.0)
    for x in _spread(rng, 80.0, length + _IN_SIGHT, 28.0):
        yield Mover(_any_car(rng), x, -LANE + rng.normal(0, 0.1), 0.0, 10.0)
    for x in _spread(rng, 26.0, length + _IN_SIGHT + 11 * seconds, 30.0):
        yield Mover(_any_car(rng), x, LANE + rng.normal(0, 0.1), 0.0, -11.0)
    for y, speed in ((-4.15, 4.5), (4.15, -4.5)):
        for x in _spread(rng, 14.0, length + _IN_SIGHT, 55.0):
            yield Mover(figures.cyclist(rng), x, y, 0.0, speed, _PERSON_IN_SIGHT)
    for side in (-1, 1):
        for x in _spread(rng, 6.0, length + _IN_SIGHT, 16.0):
            y = side * rng.uniform(_ROAD + 1.2, _PAVEMENT - 0.9)
            speed = rng.choice([-1, 1]) * rng.uniform(1.0, 1.6)
            yield Mover(figures.pedestrian(rng), x, y, _KERB, speed, _PERSON_IN_SIGHT)


def _spread(rng: np.random.Generator, low: float, high: float, gap: float) -> Iterator[float]:
    """Positions from ``low`` to ``high``, ``gap`` apart on average."""
    x = low + rng.uniform(0, 0.3) * gap
    while x < high:
        yield x
        x += gap * rng.uniform(0.6, 1.4)


def _flat(x: Sequence[float], y: Sequence[float], z: float, color: Color, material: Material) -> Mesh:
    """A level rectangle whose texture coordinates are those of the street."""
    (x0, x1), (y0, y1) = x, y
    corners = [[(x0, y0, z), (x1, y0, z)], [(x0, y1, z), (x1, y1, z)]]
    return surface(corners, color, material, uv=np.array(corners)[..., :2])
