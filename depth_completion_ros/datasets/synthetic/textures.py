"""Procedural textures: the reflectance of a surface from where on it a ray lands.

A texture gets N texture coordinates (metres), the width of a pixel on the surface there, and the triangle's
own colour. Detail finer than a pixel is averaged out, so that nothing flickers from frame to frame.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from depth_completion_ros.datasets.synthetic.materials import Material

Array = NDArray[np.float32]

# White noise in -1..1 that everything irregular is looked up in; the same in every street.
_TILE: Final = np.random.default_rng(721).uniform(-1, 1, 256 * 256).astype(np.float32)


def reflectance(material: NDArray[np.uint8], uv: Array, pixel: Array, color: Array) -> Array:
    """(N, 3) linear RGB reflectance of N points; ``pixel`` (N,) is a pixel's width on the surface, metres."""
    result = color.copy()
    for kind, texture in _TEXTURES.items():
        rows = np.flatnonzero(material == kind)
        if len(rows):
            result[rows] = texture(uv[rows, 0], uv[rows, 1], pixel[rows], color[rows])
    return result


def clouds(x: Array, y: Array) -> Array:
    """Cloud cover 0..1 of the sky seen towards (x, y) on a plane overhead."""
    cover = 0.5 * _smooth(x, y, 0.9) + 0.3 * _smooth(x + 7.3, y, 0.37) + 0.2 * _smooth(x, y + 3.1, 0.15)
    return np.clip(0.5 + 1.6 * cover, 0.0, 1.0)


def wetness(u: Array, v: Array) -> Array:
    """How much of the ground is under water, 0..1, when it rains: puddles and damp."""
    return np.clip(0.35 + 0.7 * _smooth(0.3 * u, v, 0.9) + 0.3 * _smooth(u, v, 0.21), 0.15, 1.0)


def ripples(u: Array, v: Array) -> Array:
    """(N, 3) by which the grain of wet ground turns its normal aside; water in puddles is smooth."""
    rough = (1 - wetness(u, v)) * np.float32(0.09) + np.float32(0.008)
    return np.stack([rough * _grain(u + 5 * k, v, 0.02) for k in range(2)] + [np.zeros_like(u)], axis=-1)


def _grain(u: Array, v: Array, cell: float) -> Array:
    """Noise in -1..1, constant in square cells."""
    return _cells(u * np.float32(1 / cell), v * np.float32(1 / cell))


def _cells(column: Array, row: Array) -> Array:
    """One value in -1..1 for every pair of whole numbers."""
    x, y = np.floor(column).astype(np.int64), np.floor(row).astype(np.int64)
    return _TILE[(y & 255) << 8 | (x & 255)]


def _smooth(u: Array, v: Array, cell: float) -> Array:
    """Noise in -1..1, interpolated between the corners of square cells."""
    x, y = u * np.float32(1 / cell), v * np.float32(1 / cell)
    column, row = np.floor(x), np.floor(y)
    fx, fy = x - column, y - row
    fx, fy = fx * fx * (3 - 2 * fx), fy * fy * (3 - 2 * fy)
    left, low = column.astype(np.int64), row.astype(np.int64)
    right, high = (left + 1) & 255, ((low + 1) & 255) << 8
    left, low = left & 255, (low & 255) << 8
    bottom = _TILE[low | left] * (1 - fx) + _TILE[low | right] * fx
    return bottom * (1 - fy) + (_TILE[high | left] * (1 - fx) + _TILE[high | right] * fx) * fy


def _lines(x: Array, period: float, width: float, pixel: Array) -> Array:
    """Share of a pixel that lies on lines ``width`` wide at every multiple of ``period``."""
    offset = np.abs(x - period * np.round(x / period))
    reach = np.minimum(pixel, period)
    # A pixel can reach the nearest line and the second nearest.
    shares = ((0.5 * (width + reach) - distance) / reach for distance in (offset, period - offset))
    first, second = (np.clip(share, 0.0, np.minimum(1.0, width / reach)) for share in shares)
    return np.asarray(first + second, np.float32)


def _visible(pixel: Array, detail: float) -> Array:
    """How much contrast is left of detail of that size, 0..1."""
    return np.asarray(1 / (1 + np.square(1.5 / detail * pixel)), np.float32)


def _scaled(color: Array, gain: NDArray) -> Array:
    return np.asarray(color * gain[:, None], np.float32)


def _asphalt(u: Array, v: Array, pixel: Array, color: Array) -> Array:
    stones = 0.5 * _grain(u, v, 0.011) * _visible(pixel, 0.011)
    stones += 0.13 * _grain(u, v, 0.037) * _visible(pixel, 0.037)
    wear = 0.08 * _smooth(u * 0.12, v, 0.55) + 0.07 * _smooth(u, v, 3.1)
    # Wheels polish two tracks in each lane; oil darkens the middle between them.
    lane = np.abs(np.abs(v) - 1.75)
    tracks = 0.10 * np.exp(-(((lane - 0.75) / 0.3) ** 2)) - 0.10 * np.exp(-((lane / 0.35) ** 2))
    return _scaled(color, 1 + stones + wear + tracks)


def _road_paint(u: Array, v: Array, pixel: Array, color: Array) -> Array:
    left = 1.5 + 1.2 * _smooth(u, v, 0.11) + 0.9 * _grain(u, v, 0.015) * _visible(pixel, 0.015)
    return _scaled(color, np.clip(left, 0.45, 1.0))


def _slabs(u: Array, v: Array, pixel: Array, color: Array) -> Array:
    row = np.floor(v / 0.4)
    shifted = u + 0.2 * (row % 2)
    joint = np.maximum(_lines(v, 0.4, 0.012, pixel), _lines(shifted, 0.4, 0.012, pixel))
    tone = 0.13 * _grain(shifted, v, 0.4) * _visible(pixel, 0.4) + 0.09 * _grain(u, v, 0.02) * _visible(
        pixel, 0.02
    )
    return _scaled(color, (1 + tone + 0.08 * _smooth(u, v, 1.7)) * (1 - 0.55 * joint))


def _grass(u: Array, v: Array, pixel: Array, color: Array) -> Array:
    blades = 0.5 * _grain(u, v, 0.02) * _visible(pixel, 0.02) + 0.3 * _smooth(u, v, 0.13) * _visible(
        pixel, 0.13
    )
    patches = _smooth(u, v, 1.9)
    tint = np.stack([1 + 0.35 * patches, 1 + 0.12 * patches, np.ones_like(u)], axis=-1)
    return _scaled(color * tint, 1 + blades)


def _plaster(u: Array, v: Array, pixel: Array, color: Array) -> Array:
    stains = 0.07 * _smooth(u, 0.25 * v, 0.5) + 0.05 * _smooth(u, v, 2.3)
    return _scaled(color, 1 + stains + 0.08 * _grain(u, v, 0.02) * _visible(pixel, 0.02))


def _brick(u: Array, v: Array, pixel: Array, color: Array) -> Array:
    row = np.floor(v / 0.075)
    shifted = u + 0.125 * (row % 2)
    mortar = np.maximum(_lines(v, 0.075, 0.012, pixel), _lines(shifted, 0.25, 0.012, pixel))[:, None]
    tone = 1 + 0.35 * _cells(shifted / 0.25, row) * _visible(pixel, 0.12) + 0.10 * _smooth(u, v, 1.3)
    return _scaled(color, tone) * (1 - mortar) + np.float32(0.30) * mortar


def _roof_tiles(u: Array, v: Array, pixel: Array, color: Array) -> Array:
    course = v / 0.34
    lap = course - np.floor(course)
    shadow = 1 - 0.45 * np.clip(1 - 5 * lap, 0, 1) * _visible(pixel, 0.34)
    wave = 0.16 * np.sin(u * np.float32(2 * np.pi / 0.24)) * _visible(pixel, 0.24)
    tone = 0.16 * _cells(u / 0.24, course) * _visible(pixel, 0.24)
    return _scaled(color, shadow * (1 + wave + tone + 0.1 * _smooth(u, v, 1.1)))


def _foliage(u: Array, v: Array, pixel: Array, color: Array) -> Array:
    fine = 0.35 * _grain(u, v, 0.03) * _visible(pixel, 0.03)
    return _scaled(color, 1 + fine + 0.25 * _smooth(u, v, 0.4) * _visible(pixel, 0.4))


def _bark(u: Array, v: Array, pixel: Array, color: Array) -> Array:
    return _scaled(color, 1 + 0.45 * _smooth(u, 0.2 * v, 0.02) * _visible(pixel, 0.03))


def _window(u: Array, v: Array, pixel: Array, color: Array) -> Array:
    """A pane with u, v in 0..1: a white frame and mullion, and folds as of a curtain in what is behind."""
    edge = np.minimum(np.minimum(u, 1 - u), np.minimum(v, 1 - v))
    frame = (edge < 0.06) | (np.abs(u - 0.5) < 0.025)
    folds = np.where(np.sin(60 * u) > 0, np.float32(0.7), np.float32(1))
    return np.where(frame[:, None], np.array([0.58, 0.57, 0.54], np.float32), _scaled(color, folds))


def _wood(u: Array, v: Array, pixel: Array, color: Array) -> Array:
    """Boards of 12 cm with a grain along u."""
    board = np.floor(v / 0.12)
    along = u + 0.7 * board
    joint = np.maximum(_lines(v, 0.12, 0.004, pixel), _lines(along, 1.4, 0.004, pixel))
    grain = 0.16 * _smooth(0.06 * along, v, 0.006) * _visible(pixel, 0.006) + 0.12 * _smooth(0.15 * along, v, 0.04)
    tone = 0.14 * _cells(along / 1.4, board) * _visible(pixel, 0.12)
    return _scaled(color, (1 + grain + tone) * (1 - 0.6 * joint))


def _floor_tiles(u: Array, v: Array, pixel: Array, color: Array) -> Array:
    grout = np.maximum(_lines(u, 0.3, 0.006, pixel), _lines(v, 0.3, 0.006, pixel))
    tone = 0.05 * _cells(u / 0.3, v / 0.3) * _visible(pixel, 0.3) + 0.07 * _smooth(u, v, 0.11)
    return _scaled(color, (1 + tone) * (1 - 0.4 * grout))


def _fabric(u: Array, v: Array, pixel: Array, color: Array) -> Array:
    weave = 0.22 * _grain(u, v, 0.004) * _visible(pixel, 0.004) + 0.1 * _grain(u, v, 0.02) * _visible(pixel, 0.02)
    return _scaled(color, 1 + weave + 0.1 * _smooth(u, v, 0.25))


def _paper(u: Array, v: Array, pixel: Array, color: Array) -> Array:
    """Blots and stripes in other hues, as on posters, covers and wallpaper."""
    bold = 0.5 * _smooth(u, v, 0.09) + 0.35 * _cells(u / 0.05, np.zeros_like(v)) * _visible(pixel, 0.05)
    hue = np.stack([_smooth(u + 3 * k, v, 0.16) for k in range(3)], axis=-1)
    return np.clip(_scaled(color, 1 + bold) * (1 + 0.25 * hue), 0, 1)


def _gravel(u: Array, v: Array, pixel: Array, color: Array) -> Array:
    stones = 0.6 * _grain(u, v, 0.04) * _visible(pixel, 0.04) + 0.3 * _grain(u, v, 0.11) * _visible(pixel, 0.11)
    return _scaled(color, 1 + stones + 0.15 * _smooth(u, v, 1.3))


_TEXTURES: Final[dict[Material, Callable[[Array, Array, Array, Array], Array]]] = {
    Material.ASPHALT: _asphalt,
    Material.ROAD_PAINT: _road_paint,
    Material.SLABS: _slabs,
    Material.GRASS: _grass,
    Material.PLASTER: _plaster,
    Material.BRICK: _brick,
    Material.ROOF_TILES: _roof_tiles,
    Material.FOLIAGE: _foliage,
    Material.BARK: _bark,
    Material.WINDOW: _window,
    Material.WOOD: _wood,
    Material.TILES: _floor_tiles,
    Material.FABRIC: _fabric,
    Material.PAPER: _paper,
    Material.GRAVEL: _gravel,
}
