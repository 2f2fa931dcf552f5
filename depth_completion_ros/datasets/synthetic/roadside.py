"""What stands and moves along a landscape's road, and what closes the view behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import Final

import numpy as np

from depth_completion_ros.datasets.synthetic import buildings, figures, furniture, nature, vehicles
from depth_completion_ros.datasets.synthetic.materials import Material
from depth_completion_ros.datasets.synthetic.mesh import Color, Mesh, box, merge, surface, tube
from depth_completion_ros.datasets.synthetic.site import END, START, Site

_STEEL: Final[Color] = (0.30, 0.31, 0.31)
_VARIANTS: Final = 20  # of trees
_STOCK_HEIGHT: Final = 8.0


def roadside(site: Site) -> Iterator[Mesh]:
    """Houses, borders, trees, bushes, poles, signs and people, on both sides."""
    rng, lay, kind, edge, kerb = site.rng, site.lay, site.kind, site.edge, site.kerb
    for side in (-1, 1):
        yield from _houses(site, side)
        yield from _border(site, side)
        if rng.random() < 0.4:
            yield from _pole_line(site, side)
    yield from _overhead(site)
    for x, side in site.spots(kind.trees):
        y = site.road + 0.9 if kind.paved and rng.random() < 0.5 else edge + rng.uniform(0.8, 14)
        yield lay.place(_tree(rng, abs(x)), x, side * y, kerb, rng.uniform(0, 6.3))
    for x, side in site.spots(kind.bushes):
        yield lay.place(nature.bush(rng, _leaf(rng)), x, side * (edge + rng.gamma(2, 3) + 0.8), kerb)
    for x, side in site.spots(kind.poles / 2):
        thing = (furniture.road_sign, _traffic_light, furniture.bin_box, lambda _: furniture.bollard())[rng.integers(4)]
        yield lay.place(thing(rng), x, side * (site.road + 0.45), kerb, np.pi if side < 0 or rng.random() < 0.5 else 0)
    gap = rng.uniform(22, 45)
    for x in np.arange(START, 150, gap) if rng.random() < 0.7 else ():
        side = int(np.sign(np.sin(x / gap * np.pi + 0.1)) or 1)
        height, y = rng.uniform(6, 11), side * (site.road + 0.7)
        yield lay.place(furniture.lamp_post(height), x, y, kerb, 0 if side > 0 else np.pi)
        across, up = lay.at(x, y)
        site.lamps.append(np.array([x, float(across) - 2.1 * side, float(up) + kerb + height]))
    for x, side in site.spots(kind.people, -5, 60):
        y = side * rng.uniform(site.road + 0.4, max(edge, site.road + 1.2))
        yield lay.place(figures.pedestrian(rng, rng.uniform(0.05, 0.45)), x, y, kerb, rng.uniform(0, 6.3))


def traffic(site: Site, parking: float) -> Iterator[Mesh]:
    """Vehicles in the lanes, parked cars in a strip ``parking`` metres wide, and cyclists."""
    rng, lay = site.rng, site.lay
    jam = rng.random() < 0.12 * site.kind.traffic
    chance, gap, lorries = (0.9, (6.5, 13.0), 0.35) if jam else (0.25 * site.kind.traffic, (8.0, 35.0), 0.2)
    for side in (-1, 1):
        for k in range(site.lanes):
            # What stands in the lane beside may begin beside us.
            is_own = side < 0 and k == site.own
            x = rng.uniform(6, 14 if jam else 40) - (0 if is_own or not jam else 9)
            while x < 150:
                if rng.random() < chance:
                    y = side * (k + 0.5) * site.lane + rng.normal(0, 0.2)
                    yield lay.place(any_vehicle(rng, lorries), x, y, 0.0, 0.0 if side < 0 else np.pi)
                x += rng.uniform(*gap)
        if parking:
            x = START + rng.uniform(0, 6)
            while x < 110:
                if site.is_free(x) and rng.random() < 0.07 * site.kind.parked:
                    place = x, side * (site.road - 1.25 + rng.normal(0, 0.08))
                    yield lay.place(_any_car(rng), *place, yaw=(0 if side < 0 else np.pi) + rng.normal(0, 0.03))
                x += rng.uniform(5.4, 8)
        if site.kind.people and rng.random() < 0.3:
            y = side * (site.lanes * site.lane - 0.6)
            yield lay.place(figures.cyclist(rng), rng.uniform(5, 40), y, 0.0, 0.0 if side < 0 else np.pi)


def background(site: Site) -> Iterator[Mesh]:
    """Trees and blocks behind everything, and hills at the horizon."""
    rng, lay = site.rng, site.lay
    for _ in range(site.kind.wooded):
        x, side = rng.uniform(10, END - 5), int(rng.choice((-1, 1)))
        y = side * (site.edge + rng.uniform(12, 60))
        yield lay.place(_tree(rng, 60 + abs(y), (6, 18)), x, y, -0.2, rng.uniform(0, 6.3))
    for _ in range(rng.poisson(1.5)):
        size = rng.uniform(15, 40), rng.uniform(10, 20), rng.uniform(8, 40)
        block = buildings.house(rng, buildings.House(size[0], size[1], int(size[2] / 3)))
        yield block.moved(rng.uniform(120, 185), rng.choice((-1, 1)) * rng.uniform(30, 90), -2, rng.uniform(0, 6.3))
    across = np.linspace(-450, 450, 121)
    for x in (END + 30, END + 220):
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


def any_vehicle(rng: np.random.Generator, lorries: float = 0.2) -> Mesh:
    """A car, or with the chance ``lorries`` a lorry."""
    if rng.random() < lorries:
        return vehicles.lorry(_paint_of_lorry(rng), _paint_of_lorry(rng))
    return _any_car(rng)


def _overhead(site: Site) -> Iterator[Mesh]:
    """A bridge across the road, a gantry with signs, or neither."""
    rng, choice = site.rng, site.rng.random()
    x, half = rng.uniform(15, 80), site.edge + rng.uniform(1, 4)
    across, up = (float(value) for value in site.lay.at(x, 0.0))
    if choice < 0.1:
        concrete = np.array([0.36, 0.35, 0.33]) * rng.uniform(0.5, 1.1)
        low, depth = up + rng.uniform(4.7, 6.0), rng.uniform(3, 12)
        deck = box(
            (x, across - 70, low), (x + depth, across + 70, low + rng.uniform(0.7, 1.4)), concrete, Material.PLASTER
        )
        rails = [
            box((x + k, across - 70, low + 1.4), (x + k + 0.1, across + 70, low + 2.3), _STEEL) for k in (0, depth)
        ]
        piers = [
            box((x + 0.5, y - 0.6, up - 2), (x + depth - 0.5, y + 0.6, low), concrete, Material.PLASTER)
            for y in (across - half, across + half)
        ]
        yield merge([deck, *rails, *piers])
    elif choice < 0.2:
        top = up + rng.uniform(5.5, 7.0)
        posts = [tube((x, y, up - 1), (x, y, top), 0.15, color=_STEEL) for y in (across - half, across + half)]
        beams = [
            box((x - 0.05, across - half, top - k), (x + 0.05, across + half, top - k + 0.12), _STEEL) for k in (0, 0.8)
        ]
        plates = []
        for y in rng.uniform(-0.7 * half, 0.5 * half, int(rng.integers(1, 4))):
            size = rng.uniform(1.2, 3.0)
            color = ((0.01, 0.08, 0.34), (0.6, 0.6, 0.58), (0.02, 0.2, 0.08), (0.55, 0.4, 0.02))[rng.integers(4)]
            plates.append(box((x - 0.12, across + y, top - 1.2), (x - 0.07, across + y + size, top + 0.4), color))
            mark = box(
                (x - 0.13, across + y + 0.2, top - 0.6), (x - 0.12, across + y + size - 0.3, top - 0.35), (0.6,) * 3
            )
            plates.append(mark)
        yield merge([*posts, *beams, *plates])


def _houses(site: Site, side: int) -> Iterator[Mesh]:
    rng, kind = site.rng, site.kind
    x, setback = START + rng.uniform(0, 10), rng.uniform(*kind.setback)
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


def _border(site: Site, side: int) -> Iterator[Mesh]:
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
    stock = [makers[choice]() for _ in range(3)]
    y = side * (site.edge + (0.35 if choice == 2 else rng.uniform(0.4, 1.4)))
    low, high = sorted(rng.uniform(START, 120, 2)) if rng.random() < 0.5 else (START, 110.0)
    for x in np.arange(low, high, 4.0):
        if site.is_free(x, 4) and rng.random() < 0.97:
            yield site.lay.place(stock[rng.integers(3)], x, y, site.kerb)


def _pole_line(site: Site, side: int) -> Iterator[Mesh]:
    """Wooden poles with wires between them."""
    rng, y = site.rng, side * (site.edge + site.rng.uniform(0.3, 4))
    height, gap = rng.uniform(6, 9), rng.uniform(25, 40)
    tops = []
    for x in np.arange(START + rng.uniform(0, gap), 160, gap):
        yield site.lay.place(tube((0, 0, 0), (0, 0, height), 0.14, 0.1, (0.13, 0.10, 0.075), Material.BARK), x, y)
        across, up = site.lay.at(x, y)
        tops.append(np.array([x, float(across), float(up) + height - 0.3]))
    for first, second in pairwise(tops):
        share = np.linspace(0, 1, 7)[:, None]
        sag = first + share * (second - first) - np.array([0, 0, 1.6]) * share * (1 - share)
        for offset in (-0.5, 0.5):
            wire = sag + np.array([0, offset, 0])
            yield merge([tube(wire[k], wire[k + 1], 0.012, color=(0.03,) * 3, sides=3) for k in range(6)])


def _paint_of_lorry(rng: np.random.Generator) -> Color:
    """White or grey; now and then a colour."""
    red, green, blue = rng.uniform(0.15, 0.65) * (1 - rng.uniform(0, 0.7, 3) * (rng.random() < 0.4))
    return float(red), float(green), float(blue)


def _any_car(rng: np.random.Generator) -> Mesh:
    shape = vehicles.CAR_SHAPES[rng.integers(len(vehicles.CAR_SHAPES))]
    red, green, blue = vehicles.CAR_COLORS[rng.integers(len(vehicles.CAR_COLORS))]
    shade = rng.uniform(0.6, 1.3)
    return vehicles.car(shape, (shade * red, shade * green, shade * blue))


def _tree(rng: np.random.Generator, distance: float, height: tuple[float, float] = (4, 13)) -> Mesh:
    """One of the trees in stock in another size and colour, with the more leaves, the nearer it is."""
    leaves = 5000 if distance < 15 else 1600 if distance < 45 else 500
    grown = _stock_tree(int(rng.integers(_VARIANTS)), leaves).scaled(rng.uniform(*height) / _STOCK_HEIGHT)
    is_leaf = (grown.material == Material.FOLIAGE)[:, None]
    color = np.where(is_leaf, grown.color * np.array(_leaf(rng), np.float32), grown.color)
    return replace(grown, color=color)


@cache
def _stock_tree(variant: int, leaves: int) -> Mesh:
    """A tree with white leaves; building one takes much longer than changing it."""
    rng = np.random.default_rng(variant)
    spread = _STOCK_HEIGHT * rng.uniform(0.4, 0.8)
    return nature.tree(rng, _STOCK_HEIGHT, spread, (1.0, 1.0, 1.0), leaves)


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
