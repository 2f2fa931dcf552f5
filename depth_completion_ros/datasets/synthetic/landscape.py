"""Roads of every kind: through towns, suburbs, avenues, fields and woods; they bend, climb and meet others.

A landscape is laid out along a straight, level road, x ahead and y to the left, and bent as it is built: the
ground point by point, and what stands on it as it is, moved and turned.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from depth_completion_ros.datasets.synthetic.materials import Material
from depth_completion_ros.datasets.synthetic.mesh import Color, Mesh, box, merge, quads, surface
from depth_completion_ros.datasets.synthetic.roadside import any_vehicle, background, roadside, traffic
from depth_completion_ros.datasets.synthetic.site import END, KINDS, START, Lay, Site

_PAINT: Final[Color] = (0.60, 0.60, 0.58)
_GROUNDS: Final = (
    ((0.07, 0.11, 0.03), Material.GRASS), ((0.10, 0.115, 0.045), Material.GRASS), ((0.20, 0.17, 0.09), Material.GRASS),
    ((0.17, 0.13, 0.09), Material.GRAVEL), ((0.24, 0.22, 0.19), Material.GRAVEL),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Landscape:
    """A world around x = 0.

    Attributes:
        mesh: everything in it.
        lane: y where a car may be.
        kind: which of ``site.KINDS`` it is.
        lamps: (3,) places of the street's lamps.
    """

    mesh: Mesh
    lane: float
    kind: str
    lamps: tuple[NDArray[np.float64], ...]


def build_landscape(rng: np.random.Generator) -> Landscape:
    """A landscape, the same for the same state of ``rng``."""
    name = str(rng.choice(list(KINDS)))
    kind = KINDS[name]
    lane_width = rng.uniform(2.8, 3.8)
    lanes = 2 if name == "motorway" or rng.random() < 0.3 else 1  # in each direction
    parking = 2.3 if kind.parked > 2 and rng.random() < 0.8 else 0.0
    road = lanes * lane_width + parking + rng.uniform(0.2, 1.0)
    pavement = rng.uniform(1.5, 4.0) if kind.paved else 0.0
    edge = road + pavement
    lay = Lay(rng, edge)
    junction = float(rng.uniform(12, 70)) if rng.random() < 0.35 else None
    own = int(rng.integers(lanes))
    site = Site(rng, kind, lay, lane_width, lanes, own, road, edge, 0.13 if kind.paved else 0.03, junction)
    parts = [*_ground(site), *roadside(site), *traffic(site, parking), *background(site)]
    own_lane = -lane_width * (own + 0.5) + rng.normal(0, 0.25)
    return Landscape(merge(parts), own_lane, name, tuple(site.lamps))


def _ground(site: Site) -> Iterator[Mesh]:
    rng, lay, road, edge = site.rng, site.lay, site.road, site.edge
    tone = rng.uniform(0.05, 0.19)
    asphalt = np.array([tone, tone, tone * rng.uniform(0.93, 1.03)])
    yield lay.sheet((START, END), (-road, road), 0.0, asphalt, Material.ASPHALT)
    for side in (-1, 1):
        if edge > road:
            near, far = sorted((side * road, side * edge))
            slabs = Material.SLABS if rng.random() < 0.7 else Material.ASPHALT
            stone = np.array([0.30, 0.29, 0.275]) * rng.uniform(0.5, 1.1)
            yield lay.sheet((START, END), (near, far), site.kerb, stone, slabs)
            face_x = np.linspace(START, END, 75)
            across, up = lay.at(face_x, np.full(75, side * road))
            rows = [np.stack([face_x, across, up + z], axis=-1) for z in (0.0, site.kerb)]
            yield surface(rows, (0.36, 0.35, 0.33), Material.PLASTER)
        land, material = _GROUNDS[rng.integers(len(_GROUNDS))]
        shade = np.array(land) * rng.uniform(0.7, 1.3)
        near, far = sorted((side * edge, side * (edge + 28)))
        yield lay.sheet((START, END), (near, far), site.kerb - 0.01, shade, material)
        near, far = sorted((side * (edge + 28), side * 400))
        yield lay.sheet((START - 60, END), (near, far), site.kerb - 0.01, shade, material)
        for _ in range(int(rng.integers(0, 4))):  # paths, beds and drives
            x, y = rng.uniform(0, 90), side * rng.uniform(edge, edge + 12)
            bed, cover = _GROUNDS[rng.integers(len(_GROUNDS))]
            yield lay.sheet((x, x + rng.uniform(2, 25)), (y, y + rng.uniform(1, 4)), site.kerb + 0.01, bed, cover)
        if rng.random() < 0.12:
            yield from _tracks(site, side)
    yield quads([[(END, -400, -9), (900, -400, -9), (900, 400, 4), (END, 400, 4)]], (0.07, 0.1, 0.04), Material.GRASS)
    yield from _paint(site)
    if site.junction is not None:
        x = site.junction
        for side in (-1, 1) if rng.random() < 0.6 else (int(rng.choice((-1, 1))),):
            near, far = sorted((side * road, side * (edge + 60)))
            yield lay.sheet((x - 3.5, x + 3.5), (near, far), site.kerb + 0.015, asphalt, Material.ASPHALT)
            for _ in range(rng.poisson(1.5)):
                y = side * (edge + rng.uniform(4, 40))
                yield lay.place(any_vehicle(rng), x - 1.7 * side, y, site.kerb, -side * np.pi / 2)
    for _ in range(rng.poisson(8)):
        x, y = rng.uniform(START, 90), rng.uniform(-road, road - 2)
        dark = rng.uniform(0.6, 1.1) * asphalt
        size = rng.uniform(0.5, 9), rng.uniform(0.4, 1.6)
        yield lay.sheet((x, x + size[0]), (y, y + size[1]), 0.006, dark, Material.ASPHALT)


def _paint(site: Site) -> Iterator[Mesh]:
    """Lines between lanes and at the edges, arrows and zebra crossings, or nothing."""
    rng, lay = site.rng, site.lay
    if rng.random() < 0.15:
        return
    color = np.array(_PAINT) * rng.uniform(0.5, 1.05)
    period, dash = ((12.0, 6.0), (9.0, 3.0), (4.0, 2.0))[rng.integers(3)]
    half = rng.uniform(0.05, 0.09)
    for k in range(1 - site.lanes, site.lanes):
        is_solid = k == 0 and rng.random() < 0.3
        for x in np.arange(START, 150, period):
            stretch = (x, x + (period if is_solid else dash))
            yield lay.sheet(stretch, (k * site.lane - half, k * site.lane + half), 0.008, color, Material.ROAD_PAINT)
    if rng.random() < 0.6:
        for y in (-site.lanes * site.lane, site.lanes * site.lane):
            yield lay.sheet((START, END), (y - half, y + half), 0.008, color, Material.ROAD_PAINT)
    if rng.random() < 0.2:
        x = rng.uniform(6, 40)
        for y in np.arange(-site.road + 0.3, site.road - 0.6, 1.0):
            yield lay.sheet((x, x + 3), (y, y + 0.5), 0.009, color, Material.ROAD_PAINT)


def _tracks(site: Site, side: int) -> Iterator[Mesh]:
    """A tramway beside the road: a bed of gravel, sleepers and rails."""
    y = side * (site.edge + 3.0)
    yield site.lay.sheet((START, END), (y - 2, y + 2), site.kerb + 0.06, (0.26, 0.23, 0.2), Material.GRAVEL)
    for x in np.arange(START, 80, 0.7):
        yield site.lay.place(box((0, -1.2, 0), (0.24, 1.2, 0.05), (0.16, 0.14, 0.12)), x, y, site.kerb + 0.06)
    for rail in (-0.75, 0.68):
        for z, color in ((0.2, (0.20, 0.13, 0.09)), (0.21, (0.4, 0.4, 0.4))):
            yield site.lay.sheet((START, END), (y + rail, y + rail + 0.07), site.kerb + z, color, Material.PLAIN)
