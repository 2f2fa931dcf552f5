"""What lights the world: sun, sky and lamps, from noon to night and indoors."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Rgb = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Lamp:
    """A small source that shines everywhere: (3,) ``position`` and RGB ``intensity``, irradiance / pi at 1 m."""

    position: NDArray[np.float64]
    intensity: NDArray[np.float64]


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

    @property
    def direction(self) -> NDArray[np.float32]:
        """(3,) unit vector towards the sun."""
        level = np.cos(self.elevation)
        return np.array(
            [level * np.cos(self.azimuth), level * np.sin(self.azimuth), np.sin(self.elevation)], np.float32
        )


def any_weather(rng: np.random.Generator) -> Light:
    """Daylight of any time and weather: clear, cloudy, overcast, a low sun, haze or dusk."""
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
    if rng.random() < 0.12:
        light = replace(light, haze=rng.uniform(100, 500))
    return light


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
