"""Roads of every kind: through towns, suburbs, avenues, fields and woods; they bend, climb and meet others.

A landscape is laid out along a straight, level road, x ahead and y to the left, and bent as it is built: the
ground point by point, and what stands on it as it is, moved and turned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from depth_completion_ros.datasets.synthetic import buildings, figures, furniture, nature, vehicles
from depth_completion_ros.datasets.synthetic.materials import Material
from depth_completion_ros.datasets.synthetic.mesh import Color, Mesh, box, ellipsoid, merge, quads, surface, tube

_START: Final = -30.0
_END: Final = 190.0
_PAINT: Final[Color] = (0.60, 0.60, 0.58)
_STEEL: Final[Color] = (0.30, 0.31, 0.31)
_GROUNDS: Final = (
    ((0.07, 0.11, 0.03), Material.GRASS), ((0.10, 0.115, 0.045), Material.GRASS), ((0.20, 0.17, 0.09), Material.GRASS),
    ((0.17, 0.13, 0.09), Material.GRAVEL), ((0.24, 0.22, 0.19), Material.GRAVEL),
)  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """A kind of landscape: what stands how densely beside its road.

    Attributes:
        houses: share of the road's length with houses; setback: their distance from its edge, metres.
        trees, bushes, poles, people, parked: on each side, per 100 m; traffic: in each lane, per 100 m.
        paved: whether kerbs and pavements line it.
        wooded: number of trees behind everything.
        border: what may run along the road: chances of a wall, a hedge, a guard rail, a fence; the rest is nothing.
    """

    houses: float
    setback: tuple[float, float]
    trees: float
    bushes: float
    poles: float
    people: float
    parked: float
    traffic: float
    paved: bool
    wooded: int
    border: tuple[float, float, float, float]


KINDS: Final = {
    "town": Kind(0.95, (0.0, 4.0), 2, 1, 6, 6, 9, 3, True, 10, (0.1, 0.2, 0.05, 0.15)),
    "suburb": Kind(0.6, (4.0, 14.0), 4, 8, 4, 2, 4, 2, True, 40, (0.15, 0.4, 0.0, 0.2)),
    "avenue": Kind(0.25, (5.0, 20.0), 9, 8, 5, 2, 4, 2, True, 60, (0.3, 0.3, 0.05, 0.1)),
    "works": Kind(0.5, (6.0, 25.0), 2, 4, 5, 1, 3, 3, False, 20, (0.2, 0.05, 0.2, 0.45)),
    "fields": Kind(0.06, (10.0, 40.0), 2, 5, 3, 0.3, 0.3, 2, False, 50, (0.02, 0.15, 0.25, 0.2)),
    "woods": Kind(0.0, (10.0, 20.0), 16, 22, 2, 0.3, 0.3, 2, False, 110, (0.02, 0.1, 0.3, 0.05)),
    "motorway": Kind(0.05, (25.0, 50.0), 2, 8, 4, 0, 0, 5, False, 60, (0.1, 0.1, 0.7, 0.05)),
}


@dataclass(frozen=True, eq=False)
class Landscape:
    """A world around x = 0: its ``mesh``, the ``lane``'s y where a car may be, and which ``kind`` it is."""

    mesh: Mesh
    lane: float
    kind: str


class _Lay:
    """Where the straight, level layout ends up: the road's bend and climb, and how the land rises beside it."""

    def __init__(self, rng: np.random.Generator, edge: float) -> None:
        self.edge = edge
        self._bend = rng.normal(0, 1 / 500) if rng.random() < 0.6 else 0.0
        self._climb = rng.normal(0, 3.0) if rng.random() < 0.5 else 0.0
        self._length = rng.uniform(35, 80)
        self._rise = rng.uniform(-0.12, 0.25, 2) * (rng.random(2) < 0.5)
        self._rough = rng.uniform(0.02, 0.12)

    def at(self, x: ArrayLike, y: ArrayLike) -> tuple[NDArray, NDArray]:
        """The y and the height of points of the layout; at x = 0 the road is level and where it was."""
        x, y = np.asarray(x, float), np.asarray(y, float)
        far = np.clip(np.abs(x), 0, 120)
        shift = 0.5 * self._bend * far**2 + self._bend * 120 * (np.abs(x) - far)
        beside = np.clip(np.abs(y) - self.edge - 1.5, 0, 18)
        rough = self._rough * np.sin(0.7 * x + 0.3 * y) * np.sin(0.37 * x - 0.5 * y) * np.minimum(beside, 1)
        rise = np.where(y > 0, *self._rise) * beside
        return y + shift, self._climb * (1 - np.cos(np.clip(x, -90, 90) / self._length)) + rise + rough

    def sheet(
        self, x: tuple[float, float], y: tuple[float, float], z: float, color: ArrayLike, material: Material
    ) -> Mesh:
        """A piece of ground, fine enough to follow the land."""
        xs = np.linspace(*x, max(2, 1 + int(np.ceil((x[1] - x[0]) / 3))))
        fine = np.abs(np.asarray(y)).min() < 30 and y[1] - y[0] > 4
        ys = np.linspace(*y, 2 + int((y[1] - y[0]) / 2.5) if fine else 2)
        flat_x, flat_y = np.meshgrid(xs, ys)
        across, up = self.at(flat_x, flat_y)
        grid = np.stack([flat_x, across, up + z], axis=-1)
        uv = np.stack([flat_x, flat_y], axis=-1)
        return surface(grid, color, material, uv=uv)

    def place(self, mesh: Mesh, x: float, y: float, z: float = 0.0, yaw: float = 0.0) -> Mesh:
        """Something that stands on the ground, turned with the road."""
        across, up = self.at(x, y)
        (ahead, _) = self.at(x + 1.0, y)
        return mesh.moved(x, float(across), float(up) + z, yaw + float(np.arctan(ahead - across)))


def build_landscape(rng: np.random.Generator) -> Landscape:
    """A landscape, the same for the same state of ``rng``."""
    name = str(rng.choice(list(KINDS)))
    kind = KINDS[name]
    lane_width = rng.uniform(2.8, 3.8)
    lanes = 2 if name == "motorway" or rng.random() < 0.2 else 1  # in each direction
    parking = 2.3 if kind.parked > 2 and rng.random() < 0.8 else 0.0
    road = lanes * lane_width + parking + rng.uniform(0.2, 1.0)
    pavement = rng.uniform(1.5, 4.0) if kind.paved else 0.0
    edge = road + pavement
    lay = _Lay(rng, edge)
    junction = float(rng.uniform(12, 70)) if rng.random() < 0.35 else None
    site = _Site(rng, kind, lay, lane_width, lanes, road, edge, 0.13 if kind.paved else 0.03, junction)
    parts = [*_ground(site), *_roadside(site), *_traffic(site, parking), *_background(site)]
    own_lane = -lane_width * (rng.integers(lanes) + 0.5) + rng.normal(0, 0.25)
    return Landscape(merge(parts), own_lane, name)


@dataclass(frozen=True, eq=False)
class _Site:
    """What the parts of the layout share."""

    rng: np.random.Generator
    kind: Kind
    lay: _Lay
    lane: float
    lanes: int
    road: float
    edge: float
    kerb: float
    junction: float | None

    def is_free(self, x: float, width: float = 0.0) -> bool:
        """Whether the side of the road is free of the junction between x and x + width."""
        return self.junction is None or x + width < self.junction - 6 or x > self.junction + 6

    def spots(self, per_100_m: float, low: float = _START, high: float = 120.0) -> Iterator[tuple[float, int]]:
        """Places along the road, each an x and a side, -1 or 1."""
        count = self.rng.poisson(2 * per_100_m * (high - low) / 100)
        for x in self.rng.uniform(low, high, count):
            if self.is_free(x):
                yield float(x), int(self.rng.choice((-1, 1)))


def _ground(site: _Site) -> Iterator[Mesh]:
    rng, lay, road, edge = site.rng, site.lay, site.road, site.edge
    tone = rng.uniform(0.05, 0.19)
    asphalt = np.array([tone, tone, tone * rng.uniform(0.93, 1.03)])
    yield lay.sheet((_START, _END), (-road, road), 0.0, asphalt, Material.ASPHALT)
    for side in (-1, 1):
        if edge > road:
            near, far = sorted((side * road, side * edge))
            slabs = Material.SLABS if rng.random() < 0.7 else Material.ASPHALT
            stone = np.array([0.30, 0.29, 0.275]) * rng.uniform(0.5, 1.1)
            yield lay.sheet((_START, _END), (near, far), site.kerb, stone, slabs)
            face_x = np.linspace(_START, _END, 75)
            across, up = lay.at(face_x, np.full(75, side * road))
            rows = [np.stack([face_x, across, up + z], axis=-1) for z in (0.0, site.kerb)]
            yield surface(rows, (0.36, 0.35, 0.33), Material.PLASTER)
        land, material = _GROUNDS[rng.integers(len(_GROUNDS))]
        shade = np.array(land) * rng.uniform(0.7, 1.3)
        near, far = sorted((side * edge, side * (edge + 28)))
        yield lay.sheet((_START, _END), (near, far), site.kerb - 0.01, shade, material)
        near, far = sorted((side * (edge + 28), side * 400))
        yield lay.sheet((_START - 60, _END), (near, far), site.kerb - 0.01, shade, material)
        for _ in range(int(rng.integers(0, 4))):  # paths, beds and drives
            x, y = rng.uniform(0, 90), side * rng.uniform(edge, edge + 12)
            bed, cover = _GROUNDS[rng.integers(len(_GROUNDS))]
            yield lay.sheet((x, x + rng.uniform(2, 25)), (y, y + rng.uniform(1, 4)), site.kerb + 0.01, bed, cover)
        if rng.random() < 0.12:
            yield from _tracks(site, side)
    yield quads([[(_END, -400, -9), (900, -400, -9), (900, 400, 4), (_END, 400, 4)]], (0.07, 0.1, 0.04), Material.GRASS)
    yield from _paint(site)
    if site.junction is not None:
        x = site.junction
        for side in (-1, 1) if rng.random() < 0.6 else (int(rng.choice((-1, 1))),):
            near, far = sorted((side * road, side * (edge + 60)))
            yield lay.sheet((x - 3.5, x + 3.5), (near, far), site.kerb + 0.015, asphalt, Material.ASPHALT)
            for _ in range(rng.poisson(1.5)):
                y = side * (edge + rng.uniform(4, 40))
                yield lay.place(_any_vehicle(rng), x - 1.7 * side, y, site.kerb, -side * np.pi / 2)
    for _ in range(rng.poisson(8)):
        x, y = rng.uniform(_START, 90), rng.uniform(-road, road - 2)
        dark = rng.uniform(0.6, 1.1) * asphalt
        size = rng.uniform(0.5, 9), rng.uniform(0.4, 1.6)
        yield lay.sheet((x, x + size[0]), (y, y + size[1]), 0.006, dark, Material.ASPHALT)


def _paint(site: _Site) -> Iterator[Mesh]:
    """Lines between lanes and at the edges, arrows and zebra crossings, or nothing."""
    rng, lay = site.rng, site.lay
    if rng.random() < 0.15:
        return
    color = np.array(_PAINT) * rng.uniform(0.5, 1.05)
    period, dash = ((12.0, 6.0), (9.0, 3.0), (4.0, 2.0))[rng.integers(3)]
    half = rng.uniform(0.05, 0.09)
    for k in range(1 - site.lanes, site.lanes):
        is_solid = k == 0 and rng.random() < 0.3
        for x in np.arange(_START, 150, period):
            stretch = (x, x + (period if is_solid else dash))
            yield lay.sheet(stretch, (k * site.lane - half, k * site.lane + half), 0.008, color, Material.ROAD_PAINT)
    if rng.random() < 0.6:
        for y in (-site.lanes * site.lane, site.lanes * site.lane):
            yield lay.sheet((_START, _END), (y - half, y + half), 0.008, color, Material.ROAD_PAINT)
    if rng.random() < 0.2:
        x = rng.uniform(6, 40)
        for y in np.arange(-site.road + 0.3, site.road - 0.6, 1.0):
            yield lay.sheet((x, x + 3), (y, y + 0.5), 0.009, color, Material.ROAD_PAINT)


def _tracks(site: _Site, side: int) -> Iterator[Mesh]:
    """A tramway beside the road: a bed of gravel, sleepers and rails."""
    y = side * (site.edge + 3.0)
    yield site.lay.sheet((_START, _END), (y - 2, y + 2), site.kerb + 0.06, (0.26, 0.23, 0.2), Material.GRAVEL)
    for x in np.arange(_START, 80, 0.7):
        yield site.lay.place(box((0, -1.2, 0), (0.24, 1.2, 0.05), (0.16, 0.14, 0.12)), x, y, site.kerb + 0.06)
    for rail in (-0.75, 0.68):
        for z, color in ((0.2, (0.20, 0.13, 0.09)), (0.21, (0.4, 0.4, 0.4))):
            yield site.lay.sheet((_START, _END), (y + rail, y + rail + 0.07), site.kerb + z, color, Material.PLAIN)


def _roadside(site: _Site) -> Iterator[Mesh]:
    """Houses, borders, trees, bushes, poles, signs and people, on both sides."""
    rng, lay, kind, edge, kerb = site.rng, site.lay, site.kind, site.edge, site.kerb
    for side in (-1, 1):
        yield from _houses(site, side)
        yield from _border(site, side)
        if rng.random() < 0.4:
            yield from _pole_line(site, side)
    for x, side in site.spots(kind.trees):
        y = site.road + 0.9 if kind.paved and rng.random() < 0.5 else edge + rng.uniform(0.8, 14)
        yield lay.place(_tree(rng, abs(x)), x, side * y, kerb)
    for x, side in site.spots(kind.bushes):
        yield lay.place(_bush(rng), x, side * (edge + rng.gamma(2, 3) + 0.8), kerb)
    for x, side in site.spots(kind.poles / 2):
        thing = (furniture.road_sign, _traffic_light, furniture.bin_box, lambda _: furniture.bollard())[rng.integers(4)]
        yield lay.place(thing(rng), x, side * (site.road + 0.45), kerb, np.pi if side < 0 or rng.random() < 0.5 else 0)
    gap = rng.uniform(22, 45)
    for x in np.arange(_START, 150, gap) if rng.random() < 0.7 else ():
        side = int(np.sign(np.sin(x / gap * np.pi + 0.1)) or 1)
        lamp = furniture.lamp_post(rng.uniform(6, 11))
        yield lay.place(lamp, x, side * (site.road + 0.7), kerb, 0 if side > 0 else np.pi)
    for x, side in site.spots(kind.people, -5, 60):
        y = side * rng.uniform(site.road + 0.4, max(edge, site.road + 1.2))
        yield lay.place(figures.pedestrian(rng, rng.uniform(0.05, 0.45)), x, y, kerb, rng.uniform(0, 6.3))


def _houses(site: _Site, side: int) -> Iterator[Mesh]:
    rng, kind = site.rng, site.kind
    x, setback = _START + rng.uniform(0, 10), rng.uniform(*kind.setback)
    while x < 150:
        width = rng.uniform(8, 20)
        if rng.random() < kind.houses and site.is_free(x - 1, width + 2):
            storeys = int(rng.choice([1, 2, 2, 3, 4, 6]))
            house = buildings.house(rng, buildings.House(width, rng.uniform(7, 12), storeys, rng.random() < 0.15))
            back = max(0.3, setback + rng.normal(0, 0.12 * setback)) + 0.8
            # Its front faces -y: towards a road on its right; on the other side it is turned about.
            start = x if side > 0 else x + width
            yield site.lay.place(house, start, side * (site.edge + back), site.kerb - 0.3, 0.0 if side > 0 else np.pi)
        x += width + rng.uniform(0.1, 8)


def _border(site: _Site, side: int) -> Iterator[Mesh]:
    """A wall, a hedge, a guard rail or a fence along the road, in lengths of 4 m that follow it."""
    rng = site.rng
    chances = np.array([*site.kind.border, 1 - sum(site.kind.border)])
    choice = int(rng.choice(5, p=chances))
    if choice == 4:
        return
    height, leaf = rng.uniform(0.6, 2.2), _leaf(rng)
    makers: tuple[Callable[[], Mesh], ...] = (
        lambda: buildings.garden_wall(4.05, height),
        lambda: nature.hedge(rng, 4.0, 0.8, height, leaf),
        _guard_rail,
        lambda: _fence(height) if height > 1.4 else furniture.railing(4.0),
    )
    y = side * (site.edge + (0.35 if choice == 2 else rng.uniform(0.4, 1.4)))
    low, high = sorted(rng.uniform(_START, 120, 2)) if rng.random() < 0.5 else (_START, 110.0)
    for x in np.arange(low, high, 4.0):
        if site.is_free(x, 4) and rng.random() < 0.97:
            yield site.lay.place(makers[choice](), x, y, site.kerb)


def _pole_line(site: _Site, side: int) -> Iterator[Mesh]:
    """Wooden poles with wires between them."""
    rng, y = site.rng, side * (site.edge + site.rng.uniform(0.3, 4))
    height, gap = rng.uniform(6, 9), rng.uniform(25, 40)
    tops = []
    for x in np.arange(_START + rng.uniform(0, gap), 160, gap):
        yield site.lay.place(tube((0, 0, 0), (0, 0, height), 0.14, 0.1, (0.13, 0.10, 0.075), Material.BARK), x, y)
        across, up = site.lay.at(x, y)
        tops.append(np.array([x, float(across), float(up) + height - 0.3]))
    for first, second in pairwise(tops):
        share = np.linspace(0, 1, 7)[:, None]
        sag = first + share * (second - first) - np.array([0, 0, 1.6]) * share * (1 - share)
        for offset in (-0.5, 0.5):
            wire = sag + np.array([0, offset, 0])
            yield merge([tube(wire[k], wire[k + 1], 0.012, color=(0.03,) * 3, sides=3) for k in range(6)])


def _traffic(site: _Site, parking: float) -> Iterator[Mesh]:
    rng, lay = site.rng, site.lay
    for side in (-1, 1):
        for k in range(site.lanes):
            x = rng.uniform(6, 40)
            while x < 150:
                if rng.random() < 0.02 * site.kind.traffic * 10:
                    y = side * (k + 0.5) * site.lane + rng.normal(0, 0.2)
                    yield lay.place(_any_vehicle(rng), x, y, 0.0, 0.0 if side < 0 else np.pi)
                x += rng.uniform(9, 45)
        if parking:
            x = _START + rng.uniform(0, 6)
            while x < 110:
                if site.is_free(x) and rng.random() < 0.07 * site.kind.parked:
                    place = x, side * (site.road - 1.25 + rng.normal(0, 0.08))
                    yield lay.place(_any_car(rng), *place, yaw=(0 if side < 0 else np.pi) + rng.normal(0, 0.03))
                x += rng.uniform(5.4, 8)
        if site.kind.people and rng.random() < 0.3:
            y = side * (site.lanes * site.lane - 0.6)
            yield lay.place(figures.cyclist(rng), rng.uniform(5, 40), y, 0.0, 0.0 if side < 0 else np.pi)


def _background(site: _Site) -> Iterator[Mesh]:
    """Trees and blocks behind everything, and hills at the horizon."""
    rng, lay = site.rng, site.lay
    for _ in range(site.kind.wooded):
        x, side = rng.uniform(10, _END - 5), int(rng.choice((-1, 1)))
        y = side * (site.edge + rng.uniform(12, 60))
        yield lay.place(_tree(rng, 60 + abs(y), (6, 18)), x, y, -0.2)
    for _ in range(rng.poisson(1.5)):
        size = rng.uniform(15, 40), rng.uniform(10, 20), rng.uniform(8, 40)
        block = buildings.house(rng, buildings.House(size[0], size[1], int(size[2] / 3)))
        yield block.moved(rng.uniform(120, 185), rng.choice((-1, 1)) * rng.uniform(30, 90), -2, rng.uniform(0, 6.3))
    across = np.linspace(-450, 450, 121)
    for x in (_END + 30, _END + 220):
        if rng.random() < 0.5:
            continue
        top = rng.uniform(3, 40)
        crest = top * (0.7 + 0.3 * np.sin(across / rng.uniform(40, 120) + rng.uniform(0, 6))) + rng.uniform(
            0, 3, len(across)
        )
        low = np.stack([np.full_like(across, x - top), across, np.full_like(across, -10.0)], axis=-1)
        high = np.stack([np.full_like(across, x), across, crest], axis=-1)
        tone = np.array([0.05, 0.08, 0.03]) * rng.uniform(0.6, 1.4)
        yield surface([low, high], tone, Material.FOLIAGE, smooth=True)


def _any_vehicle(rng: np.random.Generator) -> Mesh:
    """A car, or one in five times a lorry."""
    if rng.random() < 0.2:
        return vehicles.lorry(_paint_of_lorry(rng), _paint_of_lorry(rng))
    return _any_car(rng)


def _paint_of_lorry(rng: np.random.Generator) -> Color:
    """White or grey; now and then a colour."""
    red, green, blue = rng.uniform(0.15, 0.65) * (1 - rng.uniform(0, 0.7, 3) * (rng.random() < 0.4))
    return float(red), float(green), float(blue)


def _any_car(rng: np.random.Generator) -> Mesh:
    shape = vehicles.CAR_SHAPES[rng.integers(len(vehicles.CAR_SHAPES))]
    return vehicles.car(shape, vehicles.CAR_COLORS[rng.integers(len(vehicles.CAR_COLORS))])


def _tree(rng: np.random.Generator, distance: float, height: tuple[float, float] = (4, 13)) -> Mesh:
    """A tree with the more leaves, the nearer it is."""
    tall = rng.uniform(*height)
    leaves = int(np.clip(5000 * (12 / max(distance, 12)) ** 1.2, 450, 5000) * rng.uniform(0.7, 1.2))
    return nature.tree(rng, tall, tall * rng.uniform(0.4, 0.8), _leaf(rng), leaves).moved(yaw=rng.uniform(0, 6.3))


def _bush(rng: np.random.Generator) -> Mesh:
    """A ball of leaves around a dark middle."""
    radii = rng.uniform(0.5, 1.6, 3) * (1, 1, 0.8)
    count, color = int(500 * radii[0] * radii[2]), np.array(_leaf(rng))
    out = rng.normal(size=(count, 3))
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    position = out * radii * rng.uniform(0.75, 1.1, (count, 1)) + (0, 0, 0.6 * radii[2])
    position[:, 2] = np.abs(position[:, 2])
    leaves = nature.leaves(rng, position, out + np.array([0, 0, 0.2]), rng.uniform(0.06, 0.16, count), tuple(color))
    return merge([leaves, ellipsoid((0, 0, 0.55 * radii[2]), 0.8 * radii, 0.6 * color, Material.FOLIAGE)])


def _leaf(rng: np.random.Generator) -> Color:
    red, green, blue = np.array(nature.LEAF_COLORS[rng.integers(len(nature.LEAF_COLORS))]) * rng.uniform(0.5, 1.3)
    return red * rng.uniform(0.8, 1.3), green, blue


def _guard_rail() -> Mesh:
    rail = [box((0, -0.04 * k, 0.5 + 0.1 * k), (4.02, 0.05 - 0.04 * k, 0.6 + 0.1 * k), _STEEL) for k in range(3)]
    return merge([*rail, *(box((x, 0.05, 0), (x + 0.08, 0.13, 0.75), _STEEL) for x in (0.5, 2.5))])


def _fence(height: float) -> Mesh:
    """Posts and thin wires."""
    posts = [tube((x, 0, 0), (x, 0, height), 0.03, color=_STEEL, sides=6) for x in (0.0, 2.0)]
    level = [box((0, -0.004, z), (4, 0.004, z + 0.008), _STEEL) for z in np.arange(0.1, height, 0.2)]
    upright = [box((x, -0.003, 0.05), (x + 0.006, 0.003, height), _STEEL) for x in np.arange(0, 4, 0.1)]
    return merge([*posts, *level, *upright])


def _traffic_light(rng: np.random.Generator) -> Mesh:
    """A post with a black box of three lamps that faces +x."""
    post = tube((0, 0, 0), (0, 0, 2.4), 0.06, color=_STEEL)
    case = box((-0.12, -0.15, 2.3), (0.12, 0.15, 3.2), (0.015, 0.015, 0.015))
    on = int(rng.integers(3))
    colors = ((0.02, 0.4, 0.12), (0.5, 0.3, 0.01), (0.5, 0.01, 0.01))
    lamps = []
    for k, color in enumerate(colors):
        material, z = Material.LAMP if k == on else Material.PLAIN, 2.37 + 0.28 * k
        lamps.append(box((0.12, -0.09, z), (0.13, 0.09, z + 0.18), color, material))
    return merge([post, case, *lamps])
