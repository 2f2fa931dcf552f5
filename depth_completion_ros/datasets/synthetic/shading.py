"""Light: what colour a ray brings back from the street, with sun, shadow, sky, reflections and haze."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from depth_completion_ros.datasets.synthetic import textures
from depth_completion_ros.datasets.synthetic.materials import GLASS, GLOSSY, Material, is_one_of
from depth_completion_ros.datasets.synthetic.scene import Hits, Scene, rays_from

Array = NDArray[np.float32]

_SUN: Final = np.array([3.1, 2.8, 2.35], np.float32)  # irradiance / pi of a surface that faces the sun
_SKY: Final = np.array([0.46, 0.55, 0.68], np.float32)  # and of one that sees the whole sky
_BOUNCE: Final = np.array([0.20, 0.175, 0.15], np.float32)  # and of one that sees the sunlit ground
_ZENITH: Final = np.array([0.26, 0.52, 1.2], np.float32)
_HORIZON: Final = np.array([1.25, 1.35, 1.45], np.float32)
_CLOUD: Final = np.array([2.3, 2.3, 2.3], np.float32)
_HAZE_LENGTH: Final = 900.0  # metres in which haze swallows 63 % of what is behind it
_SHELTER: Final = 1.2  # a surface with something this close in front of it gets little light from the sky


@dataclass(frozen=True)
class Sun:
    """Where the sun stands, radians: to the left of the street's direction, and above the horizon."""

    azimuth: float
    elevation: float

    @property
    def direction(self) -> Array:
        """(3,) unit vector towards the sun."""
        level = np.cos(self.elevation)
        return np.array(
            [level * np.cos(self.azimuth), level * np.sin(self.azimuth), np.sin(self.elevation)], np.float32
        )


def shade(scene: Scene, sun: Sun, rays: Array, hits: Hits, pixel_angle: float) -> Array:
    """(N, 3) linear RGB radiance along N rays; ``pixel_angle`` is the angle of a pixel, radians."""
    met = np.isfinite(hits.distance)
    if met.all():
        return _surfaces(scene, sun, rays, hits, pixel_angle)
    radiance = np.empty((len(rays), 3), np.float32)
    hit, missed = np.flatnonzero(met), np.flatnonzero(~met)
    radiance[missed] = _sky(_unit(rays[missed, 3:]), sun)
    radiance[hit] = _surfaces(scene, sun, rays[hit], _rows(hits, hit), pixel_angle)
    return radiance


def _surfaces(scene: Scene, sun: Sun, rays: Array, hits: Hits, pixel_angle: float) -> Array:
    length = np.sqrt(np.einsum("ij,ij->i", rays[:, 3:], rays[:, 3:]))
    distance = hits.distance * length
    view = rays[:, 3:] / length[:, None]
    point = rays[:, :3] + view * distance[:, None]
    facing = np.einsum("ij,ij->i", hits.normal, view)
    outward = hits.normal * -np.sign(facing)[:, None]
    material = scene.material[hits.triangle]
    normal, uv = _interpolate(scene, hits)
    # Leaves shine through, so their normals keep the side of the crown they are on.
    flip = (np.einsum("ij,ij->i", normal, view) > 0) & (material != Material.FOLIAGE)
    normal[flip] *= -1

    start = point + outward * (0.004 + 0.0004 * distance)[:, None]
    lit = np.clip(normal @ sun.direction, 0.0, 1.0)
    towards_sun = np.flatnonzero(lit)
    in_shadow = scene.blocked(rays_from(start[towards_sun], sun.direction))
    lit[towards_sun[in_shadow]] = 0
    # What stands on the ground shelters what is close to it. Leaves inside a crown are dark by their colours.
    open_sky = np.where(material == Material.FOLIAGE, np.float32(0.6), np.float32(1))
    low = np.flatnonzero((point[:, 2] < _SHELTER) & (material != Material.FOLIAGE))
    sheltered = scene.blocked(
        rays_from(start[low], outward[low] + np.array([0, 0, 0.4], np.float32)), _SHELTER
    )
    open_sky[low[sheltered]] = 0.25
    # A pixel is a longer patch, the more it is seen from the side: between its width and its length.
    slant = np.maximum(np.abs(facing), 0.03)
    pixel = distance * pixel_angle / np.sqrt(slant * np.sqrt(slant))
    albedo = textures.reflectance(material, uv, pixel, scene.color[hits.triangle])
    up = (0.5 + 0.5 * normal[:, 2]) * open_sky
    light = lit[:, None] * _SUN + up[:, None] * _SKY + ((1 - up) * (0.3 + 0.7 * open_sky))[:, None] * _BOUNCE
    radiance = albedo * light
    radiance[material == Material.LAMP] *= 1.6

    shiny = np.flatnonzero(is_one_of(material, GLOSSY))
    is_glass = is_one_of(material[shiny], GLASS)
    mirrored, share = _reflections(scene, sun, start[shiny], view[shiny], normal[shiny], is_glass)
    radiance[shiny] = radiance[shiny] * (1 - share) + mirrored * share
    haze = np.exp(distance * np.float32(-1 / _HAZE_LENGTH))[:, None]
    return radiance * haze + _HORIZON * (1 - haze)


def _reflections(
    scene: Scene, sun: Sun, start: Array, view: Array, normal: Array, is_glass: NDArray[np.bool_]
) -> tuple[Array, Array]:
    """Radiance (N, 3) that glossy surfaces mirror, one bounce, and the share (N, 1) of it they send back.

    The share is Schlick's approximation of Fresnel's law.
    """
    cosine = -np.einsum("ij,ij->i", view, normal)
    mirrored = view + 2 * cosine[:, None] * normal
    hits = scene.cast(rays_from(start, mirrored))
    met = np.isfinite(hits.distance)
    seen = np.empty_like(mirrored)
    seen[~met] = _sky(mirrored[~met], sun)
    facing_sun = np.abs(hits.normal[met] @ sun.direction)[:, None]
    seen[met] = scene.color[hits.triangle[met]] * (_SKY + 0.3 * _SUN * facing_sun)
    # The sun itself, as large as a surface that is not quite flat makes it.
    seen[~met] += 18 * np.exp(400 * (mirrored[~met] @ sun.direction - 1))[:, None] * _SUN
    base = np.where(is_glass, np.float32(0.07), np.float32(0.045))
    grazing = 1 - np.clip(cosine, 0, 1)
    share = base + (1 - base) * np.square(np.square(grazing)) * grazing
    return seen, share[:, None]


def _sky(direction: Array, sun: Sun) -> Array:
    height = np.clip(direction[:, 2], 0.0, 1.0)
    blue = np.sqrt(np.minimum(2.0 * height, 1.0))[:, None]
    clear = _HORIZON * (1 - blue) + _ZENITH * blue
    overhead = direction[:, :2] / (height + 0.08)[:, None]
    cover = textures.clouds(overhead[:, 0], overhead[:, 1])[:, None] * np.float32(0.75)
    glow = np.exp(12 * (direction @ sun.direction - 1))[:, None]
    return clear * (1 - cover) + _CLOUD * cover + np.array([0.7, 0.6, 0.4], np.float32) * glow


def _interpolate(scene: Scene, hits: Hits) -> tuple[Array, Array]:
    """Shading normals (N, 3) and texture coordinates (N, 2) at the hits."""
    corner = scene.corner_attributes[hits.triangle]
    b, c = hits.barycentric[:, :1], hits.barycentric[:, 1:]
    both = corner[:, 0] * (1 - b - c) + corner[:, 1] * b + corner[:, 2] * c
    return _unit(both[:, :3]), both[:, 3:]


def _rows(hits: Hits, rows: NDArray) -> Hits:
    return Hits(hits.distance[rows], hits.triangle[rows], hits.barycentric[rows], hits.normal[rows])


def _unit(vectors: Array) -> Array:
    return vectors / np.sqrt(np.einsum("ij,ij->i", vectors, vectors))[:, None]
