"""Rotating LiDARs: which way their beams point, and which of them come back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from depth_completion_ros.datasets.synthetic.materials import GLASS, Material, is_one_of
from depth_completion_ros.datasets.synthetic.scene import Scene, rays_from

# Reflectance at the laser's near-infrared over that in the image; plants are bright there.
_INFRARED_GAIN: Final = np.ones(len(Material), np.float32)
_INFRARED_GAIN[[Material.FOLIAGE, Material.GRASS]] = 5.0, 4.0
_FAINTEST: Final = 5e-6  # reflectance over square metres of range at which half of the pulses are missed
_LOST: Final = 0.015  # share of the pulses that get lost anyway
_GLASS_RETURNS: Final = 0.05  # share of the pulses on glass that come back, from dirt


@dataclass(frozen=True)
class Lidar:
    """A sensor that turns about its upright axis; its frame is x forward, y left, z up.

    Attributes:
        elevations: angle of every beam above the horizon, degrees, the topmost first.
        azimuth_step: angle between two shots of a beam, degrees.
        max_range: metres.
        range_noise: standard deviation of the range, metres.
        loses_pulses: whether glass, dark surfaces far away and chance swallow pulses.
    """

    elevations: tuple[float, ...]
    azimuth_step: float
    max_range: float
    range_noise: float
    loses_pulses: bool = True

    def directions(self) -> NDArray[np.float32]:
        """(beams, shots, 3) unit vectors, each beam counter-clockwise from the x axis round to it."""
        shots = round(360 / self.azimuth_step)
        azimuth = (np.arange(shots) + 0.5) * (2 * np.pi / shots)
        elevation = np.radians(self.elevations)[:, None]
        level = np.cos(elevation)
        up = np.broadcast_to(np.sin(elevation), (len(elevation), shots))
        return np.stack([level * np.cos(azimuth), level * np.sin(azimuth), up], axis=-1).astype(np.float32)

    def scan(
        self, scene: Scene, position: NDArray[np.float64], rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """One turn at a position on the street.

        Returns:
            (N, 3) points in the sensor's frame, one ring after the other, and (N,) their rings, 0 = topmost.
        """
        directions = self.directions()
        beams, shots, _ = directions.shape
        rays = rays_from(position, directions.reshape(-1, 3))
        hits = scene.cast(rays)
        returned = hits.distance < self.max_range
        if self.loses_pulses:
            cosine = np.abs(np.einsum("ij,ij->i", hits.normal, rays[:, 3:]))
            material = scene.material[hits.triangle]
            reflectance = scene.color[hits.triangle].mean(axis=1) * _INFRARED_GAIN[material]
            # The square root stands for the roughness of real surfaces, which echo at grazing angles as well.
            echo = reflectance * np.sqrt(cosine) / np.maximum(hits.distance, 1.0) ** 2
            chance = (1 - _LOST) / (1 + (_FAINTEST / np.maximum(echo, 1e-12)) ** 3)
            chance[is_one_of(material, GLASS)] *= _GLASS_RETURNS
            returned &= rng.random(len(rays), np.float32) < chance
        noise = self.range_noise * rng.standard_normal(np.count_nonzero(returned), np.float32)
        distance = hits.distance[returned] + noise
        points = (distance[:, None] * rays[returned, 3:]).astype(np.float32)
        return points, np.repeat(np.arange(beams), shots)[returned]


# Two blocks of 32 lasers, 1/3 degree apart above and 1/2 degree apart below, at 10 turns per second. Source:
# Velodyne HDL-64E user's manual; range noise and reach as on its data sheet.
HDL_64E: Final = Lidar(
    elevations=(*(2.0 - k / 3 for k in range(32)), *(-8.83 - k / 2 for k in range(32))),
    azimuth_step=0.1728,
    max_range=120.0,
    range_noise=0.02,
)
