"""What the parts of a landscape share: what stands how densely beside its road, and how the road bends and climbs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from depth_completion_ros.datasets.synthetic.materials import Material
from depth_completion_ros.datasets.synthetic.mesh import Mesh, surface

START: Final = -30.0  # x at which the road begins, and
END: Final = 190.0  # ends, metres


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


class Lay:
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


@dataclass(frozen=True, eq=False)
class Site:
    """What the parts of the layout share, and where those that place lamp posts note the (3,) places of the lamps."""

    rng: np.random.Generator
    kind: Kind
    lay: Lay
    lane: float
    lanes: int
    own: int
    road: float
    edge: float
    kerb: float
    junction: float | None
    lamps: list[NDArray[np.float64]] = field(default_factory=list)

    def is_free(self, x: float, width: float = 0.0) -> bool:
        """Whether the side of the road is free of the junction between x and x + width."""
        return self.junction is None or x + width < self.junction - 6 or x > self.junction + 6

    def spots(self, per_100_m: float, low: float = START, high: float = 120.0) -> Iterator[tuple[float, int]]:
        """Places along the road, each an x and a side, -1 or 1."""
        count = self.rng.poisson(2 * per_100_m * (high - low) / 100)
        for x in self.rng.uniform(low, high, count):
            if self.is_free(x):
                yield float(x), int(self.rng.choice((-1, 1)))
