"""Light: what colour a ray brings back from the street, with sun, shadow, sky, reflections and haze."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from depth_completion_ros.datasets.synthetic import textures
from depth_completion_ros.datasets.synthetic.light import Lamp, Light, Rgb
from depth_completion_ros.datasets.synthetic.materials import GLASS, GLOSSY, PAVED, Material, is_one_of
from depth_completion_ros.datasets.synthetic.scene import Hits, Scene, rays_from

Array = NDArray[np.float32]

_CLEAR: Final = 0.75  # share of the light that a pane lets through
_PANES: Final = 3  # behind each other that light is followed through

# Share of light that comes back mirrored when a surface is met head-on.
_MIRRORED: Final = np.full(len(Material), 0.045, np.float32)
_MIRRORED[list(GLASS)] = 0.07
_MIRRORED[[Material.METAL, Material.MIRROR]] = 0.45, 0.88


def shade(
    scene: Scene, light: Light, rays: Array, hits: Hits, pixel_angle: float, panes: int = _PANES
) -> Array:
    """(N, 3) linear RGB radiance along N rays, through so many panes of clear glass as a recursion follows.

    ``pixel_angle`` is the angle of a pixel, radians.
    """
    met = np.isfinite(hits.distance)
    if met.all():
        return _surfaces(scene, light, rays, hits, pixel_angle, panes)
    radiance = np.empty((len(rays), 3), np.float32)
    hit, missed = np.flatnonzero(met), np.flatnonzero(~met)
    radiance[missed] = _sky(_unit(rays[missed, 3:]), light)
    radiance[hit] = _surfaces(scene, light, rays[hit], hits[hit], pixel_angle, panes)
    return radiance


def _surfaces(scene: Scene, light: Light, rays: Array, hits: Hits, pixel_angle: float, panes: int) -> Array:
    length = np.sqrt(np.einsum("ij,ij->i", rays[:, 3:], rays[:, 3:]))
    distance = hits.distance * length
    view = rays[:, 3:] / length[:, None]
    point = rays[:, :3] + view * distance[:, None]
    facing = np.einsum("ij,ij->i", hits.normal, view)
    outward = hits.normal * -_side(hits.normal, view)
    material = scene.material[hits.triangle]
    normal, uv = _interpolate(scene, hits)
    # Leaves shine through, so their normals keep the side of the crown they are on.
    flip = (np.einsum("ij,ij->i", normal, view) > 0) & (material != Material.FOLIAGE)
    normal[flip] *= -1

    start = point + outward * (0.004 + 0.0004 * distance)[:, None]
    lit = np.clip(normal @ light.direction, 0.0, 1.0)
    towards_sun = np.flatnonzero(lit)
    in_shadow = scene.blocked(rays_from(start[towards_sun], light.direction))
    lit[towards_sun[in_shadow]] = 0
    # What stands on the ground shelters what is close to it. Leaves inside a crown are dark by their colours.
    open_sky = np.where(material == Material.FOLIAGE, np.float32(0.6), np.float32(1))
    low = np.flatnonzero((point[:, 2] < light.sheltered_below) & (material != Material.FOLIAGE))
    sheltered = scene.blocked(rays_from(start[low], outward[low] + np.array([0, 0, 0.4], np.float32)), light.shelter)
    open_sky[low[sheltered]] = 0.25
    # A pixel is a longer patch, the more it is seen from the side: between its width and its length.
    slant = np.maximum(np.abs(facing), 0.03)
    pixel = distance * pixel_angle / np.sqrt(slant * np.sqrt(slant))
    albedo = textures.reflectance(material, uv, pixel, scene.color[hits.triangle])
    wet = np.flatnonzero(is_one_of(material, PAVED)) if light.rain else np.zeros(0, np.int64)
    albedo[wet] *= np.float32(1 - 0.6 * light.rain)
    up = (0.5 + 0.5 * normal[:, 2]) * open_sky
    below = ((1 - up) * (0.3 + 0.7 * open_sky))[:, None]
    arriving = lit[:, None] * _rgb(light.sun) + up[:, None] * _rgb(light.sky) + below * _rgb(light.bounce)
    for lamp in light.lamps:
        arriving += _lamplight(lamp, start, normal, scene)
    radiance = albedo * arriving
    shines = material == Material.LAMP
    radiance[shines] = 1.6 * radiance[shines] + light.glow * albedo[shines]
    if light.glow:  # behind some of the curtains somebody is at home
        tone = scene.color[hits.triangle].sum(axis=1)
        home = (material == Material.WINDOW) & (tone > 0.5) & (np.modf(997 * tone)[0] < 0.4)
        radiance[home] += np.float32(0.4 * light.glow) * albedo[home] * _rgb((1.0, 0.8, 0.5))

    clear = np.flatnonzero(material == Material.PANE) if panes else ()
    if len(clear):
        behind = scene.beyond(rays[clear], hits.distance[clear])
        radiance[clear] += _CLEAR * shade(scene, light, rays[clear], behind, pixel_angle, panes - 1)
    shiny = np.concatenate([np.flatnonzero(is_one_of(material, GLOSSY)), wet])
    base = _MIRRORED[material[shiny]]
    normal[wet] = _unit(normal[wet] + textures.ripples(*uv[wet].T))
    mirrored, share = _reflections(scene, light, start[shiny], view[shiny], normal[shiny], base)
    share[len(shiny) - len(wet) :, 0] *= light.rain * textures.wetness(*uv[wet].T)
    radiance[shiny] = radiance[shiny] * (1 - share) + mirrored * share
    haze = np.exp(distance * np.float32(-1 / light.haze))[:, None]
    return radiance * haze + _rgb(light.horizon) * (1 - haze)


def _reflections(
    scene: Scene, light: Light, start: Array, view: Array, normal: Array, base: Array
) -> tuple[Array, Array]:
    """Radiance (N, 3) that glossy surfaces mirror, one bounce, and the share (N, 1) of it they send back.

    The share, ``base`` (N,) head-on, is Schlick's approximation of Fresnel's law.
    """
    cosine = -np.einsum("ij,ij->i", view, normal)
    mirrored = view + 2 * cosine[:, None] * normal
    hits = scene.cast(rays_from(start, mirrored))
    met = np.isfinite(hits.distance)
    seen = np.empty_like(mirrored)
    seen[~met] = _sky(mirrored[~met], light)
    facing_sun = np.abs(hits.normal[met] @ light.direction)[:, None]
    sunlight = light.mirrored_sun * _rgb(light.sun)
    arriving = _rgb(light.sky) + sunlight * facing_sun
    where = start[met] + mirrored[met] * hits.distance[met, None]
    for lamp in light.lamps:
        arriving = arriving + _lamplight(lamp, where, hits.normal[met] * -_side(hits.normal[met], mirrored[met]))
    arriving = arriving + light.glow * (scene.material[hits.triangle[met]] == Material.LAMP)[:, None]
    seen[met] = scene.color[hits.triangle[met]] * arriving
    # The sun itself, as large as a surface that is not quite flat makes it.
    seen[~met] += 18 * np.exp(400 * (mirrored[~met] @ light.direction - 1))[:, None] * _rgb(light.sun)
    grazing = 1 - np.clip(cosine, 0, 1)
    share = base + (1 - base) * np.square(np.square(grazing)) * grazing
    return seen, share[:, None]


def _lamplight(lamp: Lamp, start: Array, normal: Array, scene: Scene | None = None) -> Array:
    """(N, 3) light of a lamp on N surfaces, with the shadows that a ``scene`` throws."""
    towards = lamp.position.astype(np.float32) - start
    square = np.einsum("ij,ij->i", towards, towards)
    facing = np.clip(np.einsum("ij,ij->i", towards, normal), 0, None) / np.sqrt(square)
    strength = facing / np.maximum(square, 0.09)
    if lamp.ahead is not None:
        along = -towards @ lamp.ahead.astype(np.float32)
        aside, above = np.sqrt(np.maximum(square - along**2, 0)), -towards[:, 2] - 0.01 * along
        beam = np.exp(-np.square(aside / (0.45 * np.maximum(along, 0.1))))
        cut_off = 0.04 + 0.96 / (1 + np.exp(np.clip(above / (0.02 * along + 0.05), -9, 9)))
        strength *= (along > 0) * beam * cut_off / (1 + np.square(np.minimum(above, 0) / (0.1 * along + 1e-3)))
        strength *= square / np.maximum(square, 25)  # two lamps, each of which lights its own side of what is near
    if scene is not None:
        lit = np.flatnonzero(strength * lamp.intensity.max() > 1e-3)
        shadowed = scene.blocked(rays_from(start[lit], towards[lit]), 0.97)
        strength[lit[shadowed]] = 0
    return strength[:, None] * _rgb(lamp.intensity)


def _side(normal: Array, view: Array) -> Array:
    """(N, 1): 1 where a normal points along the view, -1 where it points against it."""
    return np.sign(np.einsum("ij,ij->i", normal, view))[:, None]


def _sky(direction: Array, light: Light) -> Array:
    height = np.clip(direction[:, 2], 0.0, 1.0)
    blue = np.sqrt(np.minimum(2.0 * height, 1.0))[:, None]
    clear = _rgb(light.horizon) * (1 - blue) + _rgb(light.zenith) * blue
    overhead = direction[:, :2] / (height + 0.08)[:, None]
    clouds = textures.clouds(overhead[:, 0], overhead[:, 1])
    cover = np.clip(clouds + np.float32(light.cover), 0, 1)[:, None] * np.float32(0.75)
    glow = np.exp(12 * (direction @ light.direction - 1))[:, None]
    return clear * (1 - cover) + _rgb(light.cloud) * cover + np.float32(0.23) * _rgb(light.sun) * glow


def _interpolate(scene: Scene, hits: Hits) -> tuple[Array, Array]:
    """Shading normals (N, 3) and texture coordinates (N, 2) at the hits."""
    corner = scene.corner_attributes[hits.triangle]
    b, c = hits.barycentric[:, :1], hits.barycentric[:, 1:]
    both = corner[:, 0] * (1 - b - c) + corner[:, 1] * b + corner[:, 2] * c
    return _unit(both[:, :3]), both[:, 3:]


def _unit(vectors: Array) -> Array:
    return vectors / np.sqrt(np.einsum("ij,ij->i", vectors, vectors))[:, None]


def _rgb(color: Rgb | NDArray) -> Array:
    return np.asarray(color, np.float32)
