"""What surfaces are made of: the key to their texture in the image and to their echo in the LiDAR."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import numpy as np


class Material(IntEnum):
    """Every triangle of the world has one."""

    PLAIN = 0  # painted metal, wood, cloth, skin: the triangle's own colour
    ASPHALT = 1
    ROAD_PAINT = 2
    SLABS = 3
    GRASS = 4
    PLASTER = 5
    BRICK = 6
    ROOF_TILES = 7
    FOLIAGE = 8
    BARK = 9
    CAR_PAINT = 10
    WINDOW = 11  # of a building: a frame and a mullion around glass
    PANE = 12  # clear glass: of cars, shops, doors and tables
    LAMP = 13  # shines by itself
    WOOD = 14
    TILES = 15
    FABRIC = 16
    PAPER = 17  # wallpaper, posters, book spines: patterns
    METAL = 18  # polished
    MIRROR = 19
    SCREEN = 20  # switched off: black and shiny
    GRAVEL = 21


# Mirror-like surfaces: they show what they reflect, and a LiDAR pulse that meets them rarely comes back.
GLASS: Final = (Material.WINDOW, Material.PANE)
GLOSSY: Final = (*GLASS, Material.CAR_PAINT, Material.METAL, Material.MIRROR, Material.SCREEN)
MIRRORS: Final = (*GLASS, Material.METAL, Material.MIRROR, Material.SCREEN)  # for the light of ToF cameras

PAVED: Final = (Material.ASPHALT, Material.ROAD_PAINT, Material.SLABS)  # what rain turns into mirrors

# Reflectance at a laser's near-infrared over that in the image; plants are bright there.
INFRARED_GAIN: Final = np.ones(len(Material), np.float32)
INFRARED_GAIN[[Material.FOLIAGE, Material.GRASS]] = 5.0, 4.0


def is_one_of(material: np.ndarray, kinds: tuple[Material, ...]) -> np.ndarray:
    """Marks the entries of ``material`` that are one of ``kinds``."""
    table = np.zeros(len(Material), bool)
    table[list(kinds)] = True
    return table[material]
