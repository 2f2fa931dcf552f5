"""What lights the world: sun, sky and lamps, from noon to night, in rain, in fog and indoors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Rgb = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Lamp:
    """A small source: (3,) ``position`` and RGB ``intensity``, irradiance / pi at 1 m.

    It shines everywhere or, with (3,) ``ahead``, as the low beam of a car does: level, and hardly above itself.
    """

    position: NDArray[np.float64]
    intensity: NDArray[np.float64]
    ahead: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Light:
    """A bright day with some clouds, unless told otherwise.

    Attributes:
        azimuth, elevation: of the sun, radians: to the left of the x axis, and above the horizon.
        sun: RGB irradiance / pi of a surface that faces the sun.
        sky, bounce: of one that sees the whole sky; of one that sees the lit ground.
        zenith, horizon, cloud: radiance of the sky overhead, at the horizon, and of clouds.
        cover: how much of the sky is cloud: 0 as on average, -1 none, 1 all.
        haze: metres in which haze swallows 63 % of what is behind it.
        lamps: small sources of light.
        glow: radiance that lamps of the world's meshes have of their own.
        shelter: a surface with something this close in front of it gets little light from the sky, metres;
        sheltered_below: if it is not higher than this.
        mirrored_sun: the share of the sun's light on what mirrors show.
        exposed: how bright pictures are of what is their due.
        rain: 0 for dry, 1 for a downpour: how wet the ground is, and how full the air of drops.
    """

    azimuth: float
    elevation: float
    sun: Rgb = (3.1, 2.8, 2.35)
    sky: Rgb = (0.46, 0.55, 0.68)
    bounce: Rgb = (0.20, 0.175, 0.15)
    zenith: Rgb = (0.26, 0.52, 1.2)
    horizon: Rgb = (1.25, 1.35, 1.45)
    cloud: Rgb = (2.3, 2.3, 2.3)
    cover: float = 0.0
    haze: float = 900.0
    lamps: tuple[Lamp, ...] = ()
    glow: float = 0.0
    shelter: float = 1.2
    sheltered_below: float = 1.2
    mirrored_sun: float = 0.3
    exposed: float = 1.0
    rain: float = 0.0

    @property
    def is_night(self) -> bool:
        """Whether the sun is below the horizon."""
        return self.elevation < 0

    @property
    def direction(self) -> NDArray[np.float32]:
        """(3,) unit vector towards the sun."""
        level = np.cos(self.elevation)
        return np.array(
            [level * np.cos(self.azimuth), level * np.sin(self.azimuth), np.sin(self.elevation)], np.float32
        )


def any_weather(rng: np.random.Generator) -> Light:
    """Any time of day or night and weather: clear, cloudy, overcast, a low sun, haze, fog, rain or dusk."""
    light = Light(rng.uniform(-np.pi, np.pi), rng.uniform(0.35, 1.1), cover=rng.uniform(-0.6, 0.4))
    light = replace(light, sky=_tinted(rng.uniform(0.35, 1.0), light.sky), haze=900.0 * rng.uniform(1, 5))
    kind = rng.random()
    if kind < 0.2:  # overcast: no shadows
        dim = rng.uniform(0.4, 1.0)
        grey = _tinted(dim, (1.45, 1.5, 1.55))
        light = replace(light, sun=_tinted(0.05 * dim, (3, 3, 3)), sky=_tinted(dim, (0.9, 0.95, 1.0)), cover=1.0)
        light = replace(light, bounce=_tinted(dim, (0.22, 0.22, 0.22)), horizon=grey, zenith=grey, cloud=grey)
    elif kind < 0.4:  # a low sun: long shadows and warm light
        strength = rng.uniform(0.5, 1.0)
        light = replace(light, elevation=rng.uniform(0.12, 0.4), sun=_tinted(strength, (3.2, 2.4, 1.6)))
        light = replace(light, sky=_tinted(1.0, (0.36, 0.42, 0.58)), horizon=(1.6, 1.4, 1.2))
    elif kind < 0.47:  # dusk
        dim = rng.uniform(0.08, 0.3)
        light = replace(light, sun=(0.0, 0.0, 0.0), sky=_tinted(dim, (0.55, 0.6, 0.8)), glow=1.5)
        light = replace(light, bounce=_tinted(dim, (0.2, 0.2, 0.22)), zenith=_tinted(dim, (0.3, 0.5, 1.1)))
        light = replace(light, horizon=_tinted(dim, (2.0, 1.7, 1.4)), cloud=_tinted(dim, (1.5, 1.3, 1.3)))
    elif kind < 0.75:  # the contrast of a dry day, and a sky that blinds
        light = replace(light, sky=_tinted(rng.uniform(0.15, 0.4), light.sky), bounce=_tinted(0.5, light.bounce))
        light = replace(light, horizon=(2.6, 2.6, 2.6), cloud=(4.0, 4.0, 4.0), haze=3000.0)
    elif kind < 0.83:
        light = _night(rng)
    air = rng.random()
    if air < 0.1:
        light = replace(light, haze=rng.uniform(100, 500))
    elif air < 0.14:  # fog
        grey = _tinted(0.6, light.cloud)
        light = replace(light, sun=_tinted(0.1, light.sun), horizon=grey, zenith=grey, cloud=grey)
        light = replace(light, haze=rng.uniform(35, 120), sky=_tinted(0.7, grey), bounce=_tinted(0.2, grey))
    elif air < 0.22:
        light = _rain(rng, light)
    return light


def headlights(eye: NDArray[np.float64], ahead: NDArray[np.float64]) -> Lamp:
    """The low beam of the car whose camera is at ``eye`` and looks ``ahead``, both lamps as one."""
    level = ahead * (1, 1, 0) / np.hypot(*ahead[:2])
    place = eye + 1.0 * level
    return Lamp(np.array([place[0], place[1], 0.7 * min(eye[2], 1.2)]), np.array([60.0, 58.0, 52.0]), level)


def street_lamps(posts: Sequence[NDArray[np.float64]], eye: NDArray[np.float64], most: int = 5) -> tuple[Lamp, ...]:
    """Light of those of the lamp ``posts``, each the (3,) place of a lamp, that are near a camera at ``eye``."""
    near = sorted((post for post in posts if post[0] > eye[0] - 12), key=lambda post: abs(post[0] - eye[0] - 10))
    return tuple(Lamp(post, np.array([14.0, 11.0, 7.0])) for post in near[:most])


def _night(rng: np.random.Generator) -> Light:
    """Next to no light but that of lamps."""
    dim = rng.uniform(0.3, 1.5)
    sky, town = _tinted(dim, (0.004, 0.005, 0.008)), _tinted(dim, (0.014, 0.012, 0.011))
    light = Light(0.0, -0.5, sun=(0.0, 0.0, 0.0), sky=sky, bounce=_tinted(0.3, sky), zenith=sky, horizon=town)
    return replace(light, cloud=town, cover=rng.uniform(-1, 0.4), glow=1.2, exposed=rng.uniform(0.15, 0.5))


def _rain(rng: np.random.Generator, light: Light) -> Light:
    """The same time of day under clouds from which it rains."""
    grey = _tinted(rng.uniform(0.6, 0.9), light.horizon)
    light = replace(light, sun=_tinted(0.04, light.sun), zenith=grey, horizon=grey, cloud=grey, cover=1.0)
    light = replace(light, sky=_tinted(0.6, grey), bounce=_tinted(0.12, grey))
    return replace(light, rain=rng.uniform(0.3, 1.0), haze=rng.uniform(120, 600))


def indoors(rng: np.random.Generator, lamps: tuple[Lamp, ...]) -> Light:
    """Lamps, daylight through the windows, or both."""
    kind = rng.random()
    is_day, is_lit = kind < 0.75, kind > 0.35
    ambient = rng.uniform(0.1, 0.3) * (1.0 if is_lit else 0.7)
    day = 1.0 if is_day else 0.01
    return Light(
        rng.uniform(-np.pi, np.pi),
        rng.uniform(0.25, 0.9),
        sun=_tinted(day * rng.uniform(0.3, 1.3), (3.1, 2.8, 2.35)),
        sky=_tinted(ambient, rng.uniform(0.85, 1.1, 3)),
        bounce=_tinted(0.85 * ambient, (1.0, 0.95, 0.85)),
        zenith=_tinted(day, (0.5, 0.8, 1.4)),
        horizon=_tinted(day, (1.8, 1.9, 2.0)),
        cloud=_tinted(day, (2.6, 2.6, 2.6)),
        lamps=lamps if is_lit else (),
        glow=4.0 if is_lit else 0.0,
        shelter=0.35,
        sheltered_below=np.inf,
        mirrored_sun=0.0,
    )


def _tinted(strength: float, tint: Rgb | NDArray) -> Rgb:
    red, green, blue = (float(strength * channel) for channel in tint)
    return red, green, blue
