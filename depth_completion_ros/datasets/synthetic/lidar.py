"""LiDARs: which way their beams point, which of them come back, and how far off the ranges are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from depth_completion_ros.datasets.synthetic.materials import GLASS, INFRARED_GAIN, PAVED, Material, is_one_of
from depth_completion_ros.datasets.synthetic.pose import Pose
from depth_completion_ros.datasets.synthetic.scene import Hits, Scene, rays_from, see_through

_FAINTEST: Final = 5e-6  # reflectance over square metres of range at which half of the pulses are missed
_FOCUSED: Final = 10.0  # metres: what is nearer is out of focus, and its echo no stronger
_GLASS_RETURNS: Final = 0.05  # share of the pulses on glass that come back, from dirt
_PULSE: Final = 1.2  # metres: echoes closer together than this melt into one between them
_SWEEP: Final = 0.1  # seconds of one turn


@dataclass(frozen=True, eq=False)
class Motion:
    """How a sensor moves while it scans: ``velocity`` (3,) m/s in the world, ``turn`` to the left, rad/s."""

    velocity: NDArray[np.float64]
    turn: float = 0.0


@dataclass(frozen=True)
class Air:
    """What the light goes through: ``haze`` metres in which haze swallows 63 % of it, and ``rain``, 0 to 1."""

    haze: float = np.inf
    rain: float = 0.0


CLEAR: Final = Air()


@dataclass(frozen=True, kw_only=True)
class Scanner(ABC):
    """A sensor of many laser beams; its frame is x forward, y left, z up.

    Attributes:
        max_range: metres.
        range_noise: standard deviation of the range from pulse to pulse, metres; faint echoes have more.
        beam_bias: standard deviation of the offset that each beam's ranges have in common, metres.
        divergence: full angle of a beam, radians. At edges it meets two surfaces, and the point may lie between
            them or on either; 0 for a beam that is a line.
        lost: share of the pulses that get lost whatever they meet.
        loses_pulses: whether glass, dark surfaces far away and chance swallow pulses.
    """

    max_range: float
    range_noise: float
    beam_bias: float = 0.0
    divergence: float = 0.0
    lost: float = 0.015
    loses_pulses: bool = True

    @abstractmethod
    def directions(self) -> NDArray[np.float32]:
        """(N, 3) unit vectors of one sweep; neighbours in the array are neighbours in space."""

    @abstractmethod
    def rings(self) -> NDArray[np.int64] | None:
        """(N,) ring of each beam, 0 = topmost, or None where the sensor has none."""

    @abstractmethod
    def times(self) -> NDArray[np.float64]:
        """(N,) seconds at which each pulse is sent; the picture is taken at 0."""

    def scan(
        self, scene: Scene, pose: Pose, rng: np.random.Generator, motion: Motion | None = None, air: Air = CLEAR
    ) -> tuple[NDArray[np.float32], NDArray[np.int64] | None]:
        """One sweep.

        Args:
            scene: the world.
            pose: where the sensor is at time 0.
            rng: for everything random.
            motion: how it moves during the sweep, if it does. Its points are then those of a raw scan: each is
                relative to where the sensor was when it measured it, not corrected to time 0.
            air: what swallows pulses on their way, and sends some back too early.

        Returns:
            (N, 3) points in the sensor's frame and (N,) their rings, or None.
        """
        local, rings = self.directions(), self.rings()
        rays = self._rays(local, pose, motion)
        hits = scene.cast(rays)
        if self.loses_pulses:
            on_glass = is_one_of(scene.material[hits.triangle], GLASS) & np.isfinite(hits.distance)
            panes = np.flatnonzero(on_glass)
            passed = rng.random(len(rays))[panes] < _passing(hits.triangle[panes])
            see_through(scene, rays, hits, panes[passed])
        distance = hits.distance
        if self.divergence:
            distance = self._melt(scene, rays, distance, rng)
        returned = distance < self.max_range
        noise = np.full(len(rays), self.range_noise, np.float32)
        if self.loses_pulses:
            echo = _echo(scene, rays, hits, distance, air)
            chance = (1 - self.lost) / (1 + (_FAINTEST / echo) ** 3)
            chance[is_one_of(scene.material[hits.triangle], GLASS)] *= _GLASS_RETURNS
            returned &= rng.random(len(rays), np.float32) < chance
            noise *= np.sqrt(1 + 5 * _FAINTEST / echo)
            if air.rain:  # of the nearest drops, some are measured
                drops = rng.exponential(4.0, len(rays)).astype(np.float32) + 1
                rows = np.flatnonzero((rng.random(len(rays), np.float32) < 0.01 * air.rain) & (drops < distance))
                distance[rows], returned[rows] = drops[rows], True
                noise[rows] = self.range_noise  # a drop nearby is no faint echo, whatever is behind it
        off = noise[returned] * rng.standard_normal(np.count_nonzero(returned), np.float32)
        if self.beam_bias and rings is not None:
            off += rng.normal(0, self.beam_bias, rings.max() + 1)[rings[returned]].astype(np.float32)
        points = ((distance[returned] + off)[:, None] * local[returned]).astype(np.float32)
        return points, None if rings is None else rings[returned]

    def _rays(self, local: NDArray[np.float32], pose: Pose, motion: Motion | None) -> NDArray[np.float32]:
        if motion is None:
            return rays_from(pose.position, pose.to_world(local))
        times = self.times()
        angle = motion.turn * times
        c, s = np.cos(angle), np.sin(angle)
        ahead = pose.to_world(local)
        turned = np.stack([c * ahead[:, 0] - s * ahead[:, 1], s * ahead[:, 0] + c * ahead[:, 1], ahead[:, 2]], -1)
        return rays_from(pose.position + times[:, None] * motion.velocity, turned.astype(np.float32))

    def _melt(
        self, scene: Scene, rays: NDArray[np.float32], distance: NDArray[np.float32], rng: np.random.Generator
    ) -> NDArray[np.float32]:
        """Ranges of beams that are cones: where a neighbour is elsewhere, a second ray finds the other surface."""
        with np.errstate(invalid="ignore"):
            jump = np.abs(np.diff(distance)) > 0.1 + 0.01 * distance[1:]
        edge = np.zeros(len(distance), bool)
        edge[1:] |= jump
        edge[:-1] |= jump
        rows = np.flatnonzero(edge)
        bent = rays[rows]
        bent[:, 3:] += 0.25 * self.divergence * rng.standard_normal((len(rows), 3), np.float32)
        first, second = distance[rows], scene.cast(bent).distance
        with np.errstate(invalid="ignore"):
            apart = second - first
        share = rng.random(len(rows), np.float32)
        # Echoes apart enough are told apart, and one of the two is reported.
        share = np.where(np.abs(apart) < _PULSE, share, share > 0.5)
        melted = distance.copy()
        both = np.isfinite(apart)
        melted[rows[both]] = first[both] + share[both] * apart[both]
        return melted


@dataclass(frozen=True, kw_only=True)
class Lidar(Scanner):
    """A stack of beams that turns about its upright axis.

    Attributes:
        elevations: angle of every beam above the horizon, degrees, the topmost first.
        azimuth_step: angle between two shots of a beam, degrees.
        sector: the angle about the x axis in which it measures, degrees.
    """

    elevations: tuple[float, ...]
    azimuth_step: float
    sector: float = 360.0

    def directions(self) -> NDArray[np.float32]:
        """(beams * shots, 3) unit vectors, each beam counter-clockwise from the x axis round to it."""
        azimuth = self._azimuth()
        elevation = np.radians(self.elevations)[:, None]
        level = np.cos(elevation)
        up = np.broadcast_to(np.sin(elevation), (len(elevation), len(azimuth)))
        both = np.stack([level * np.cos(azimuth), level * np.sin(azimuth), up], axis=-1)
        return both.reshape(-1, 3).astype(np.float32)

    def rings(self) -> NDArray[np.int64]:
        """(beams * shots,) ring of each beam, 0 = topmost."""
        return np.repeat(np.arange(len(self.elevations)), len(self._azimuth()))

    def times(self) -> NDArray[np.float64]:
        """(beams * shots,) seconds: it turns clockwise and looks along x at 0, when the picture is taken."""
        turned = (self._azimuth() + np.pi) % (2 * np.pi) - np.pi
        return np.tile(-turned / (2 * np.pi) * _SWEEP, len(self.elevations))

    def thinned(self, lines: int) -> Lidar:
        """The same sensor with only so many of its beams, as evenly spread as they can be.

        Raises:
            ValueError: it has fewer beams than that, or ``lines`` < 1.
        """
        count = len(self.elevations)
        if not 1 <= lines <= count:
            raise ValueError(f"{lines} of the {count} beams of a LiDAR were asked for, expected 1 to {count}")
        kept = ((np.arange(lines) + 0.5) * count / lines).astype(int)
        return replace(self, elevations=tuple(self.elevations[k] for k in kept))

    def _azimuth(self) -> NDArray[np.float64]:
        shots = round(360 / self.azimuth_step)
        azimuth = (np.arange(shots, dtype=np.float64) + 0.5) * (2 * np.pi / shots)
        half = np.radians(self.sector) / 2
        return azimuth[(azimuth <= half) | (azimuth >= 2 * np.pi - half)]


@dataclass(frozen=True, kw_only=True)
class Rosette(Scanner):
    """A solid-state sensor whose one spot, steered by two turning prisms, draws a rosette.

    Attributes:
        field_of_view: diameter of the rosette, degrees.
        points: shots of one sweep.
        turns: of the first and the second prism in one sweep; they turn against each other.
    """

    field_of_view: float
    points: int
    turns: tuple[float, float]

    def directions(self) -> NDArray[np.float32]:
        """(points, 3) unit vectors along the rosette."""
        share = np.arange(self.points) / self.points * 2 * np.pi
        first, second = (turns * share for turns in self.turns)
        reach = np.radians(self.field_of_view) / 4
        left = reach * (np.cos(first) + np.cos(second))
        up = reach * (np.sin(first) - np.sin(second))
        ahead = np.stack([np.ones_like(left), np.tan(left), np.tan(up)], axis=-1)
        return (ahead / np.linalg.norm(ahead, axis=1, keepdims=True)).astype(np.float32)

    def rings(self) -> None:
        """It has none."""

    def times(self) -> NDArray[np.float64]:
        """(points,) seconds; the picture is taken in the middle of the sweep."""
        return np.linspace(-0.5 * _SWEEP, 0.5 * _SWEEP, self.points, endpoint=False)


def _passing(triangle: NDArray[np.integer]) -> NDArray[np.floating]:
    """(N,) share of the pulses on each pane, given by its triangle, that measure what is behind it: on average a fifth.

    Panes differ by tint and dirt: most stop nearly all, and some let whole lines through.
    """
    return np.modf(0.618034 * (triangle // 2))[0] ** 4  # both triangles of a pane are alike, neighbouring panes are not


def _echo(
    scene: Scene, rays: NDArray[np.float32], hits: Hits, distance: NDArray[np.float32], air: Air
) -> NDArray[np.float32]:
    """(N,) strength of the echoes: reflectance over square metres of range."""
    cosine = np.abs(np.einsum("ij,ij->i", hits.normal, rays[:, 3:]))
    material, color = scene.material[hits.triangle], scene.color[hits.triangle]
    reflectance = color.mean(axis=1) * INFRARED_GAIN[material]
    facing = np.sqrt(cosine)  # the root stands for the roughness of real surfaces, which echo at grazing angles as well
    # Paint over metal mirrors most of the light; how little it scatters differs from car to car. Its clear coat is
    # smooth: at grazing angles, as on the roofs of cars, it lets next to nothing in, and out again.
    paint = material == Material.CAR_PAINT
    scattered = 0.003 ** np.modf(997 * color[paint].sum(axis=1))[0]
    reflectance[paint] *= np.minimum(scattered + cosine[paint] ** 20, 1)
    facing[paint] = cosine[paint] * np.square(0.96 * (1 - (1 - cosine[paint]) ** 5))
    far = np.clip(distance, _FOCUSED, 1e4)
    echo = reflectance * facing / far**2 * np.exp(-2 * far / air.haze)
    echo[is_one_of(material, PAVED)] *= 1 - 0.8 * air.rain  # water mirrors
    return np.maximum(echo, np.float32(1e-12))


# Two blocks of 32 lasers, 1/3 degree apart above and 1/2 degree apart below, at 10 turns per second. Source:
# Velodyne HDL-64E user's manual; range noise and reach as on its data sheet. Its beams are lines here, so that
# every point lies on a surface. REAL_HDL_64E has those of the data sheet, and the noise of KITTI's, whose ranges
# are more alike within a ring than the data sheet's 2 cm, which hold for all lasers together.
HDL_64E: Final = Lidar(
    elevations=(*(2.0 - k / 3 for k in range(32)), *(-8.83 - k / 2 for k in range(32))),
    azimuth_step=0.1728,
    max_range=120.0,
    range_noise=0.02,
)
REAL_HDL_64E: Final = replace(HDL_64E, range_noise=0.009, beam_bias=0.015, divergence=0.002)

# Velodyne VLP-16 and VLP-32C user's manuals.
VLP_16: Final = Lidar(
    elevations=tuple(15.0 - 2 * k for k in range(16)),
    azimuth_step=0.2,
    max_range=100.0,
    range_noise=0.02,
    divergence=0.003,
)
VLP_32C: Final = Lidar(
    elevations=(
        15.0, 10.333, 7.0, 4.667, 3.333, 2.333, 1.667, 1.333, 1.0, 0.667, 0.333, 0.0, -0.333, -0.667, -1.0, -1.333,
        -1.667, -2.0, -2.333, -2.667, -3.0, -3.333, -3.667, -4.0, -4.667, -5.333, -6.148, -7.254, -8.843, -11.31,
        -15.639, -25.0,
    ),
    azimuth_step=0.2,
    max_range=200.0,
    range_noise=0.02,
    divergence=0.003,
)  # fmt: skip

# Ouster OS1 data sheet: 45 degrees evenly divided, 1024 columns.
OS1_64: Final = Lidar(
    elevations=tuple(22.5 - 45 * k / 63 for k in range(64)),
    azimuth_step=360 / 1024,
    max_range=120.0,
    range_noise=0.02,
    divergence=0.0031,
)
OS1_128: Final = replace(OS1_64, elevations=tuple(22.5 - 45 * k / 127 for k in range(128)))

# Ibeo LUX: four layers 0.8 degrees apart.
LUX_4: Final = Lidar(
    elevations=(1.2, 0.4, -0.4, -1.2), azimuth_step=0.25, max_range=120.0, range_noise=0.05, divergence=0.004
)

# Livox Mid-40 user manual: a circle of 38.4 degrees, 100,000 points per second.
MID_40: Final = Rosette(
    field_of_view=38.4, points=10_000, turns=(73.7, 46.3), max_range=120.0, range_noise=0.02, divergence=0.003
)

LIDARS: Final[dict[str, Scanner]] = {
    "LUX-4": LUX_4,
    "VLP-16": VLP_16,
    "VLP-32C": VLP_32C,
    "HDL-64E": REAL_HDL_64E,
    "OS1-64": OS1_64,
    "OS1-128": OS1_128,
    "Mid-40": MID_40,
}
