"""The camera: an 8-bit colour image and the dense depth of what it sees."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from depth_completion_ros.datasets.synthetic.light import Light
from depth_completion_ros.datasets.synthetic.pose import Pose
from depth_completion_ros.datasets.synthetic.scene import Scene, rays_from
from depth_completion_ros.datasets.synthetic.shading import shade
from depth_completion_ros.geometry.camera import Camera

# Where in a pixel, right of and below its centre, the extra rays go that smooth its edges.
_SUBPIXELS: Final = ((-0.36, 0.14), (0.14, -0.36))
_EDGE: Final = 0.13  # a pixel that differs this much from a neighbour gets the extra rays
_METERED: Final = 12  # every so many pixels across and down, light is metered

_STRIPS: Final = 8  # pieces of work for the processor's cores


@dataclass(frozen=True)
class Optics:
    """Lens, sensor and settings of a camera.

    Attributes:
        exposure: how long the shutter is open, in a unit of its own.
        contrast: 0 for the sensor's own response; above 1, shadows are lost in black.
        is_film: whether bright light fades into white as on film, rather than being cut off.
        saturation: 1 for the world's.
        white: gains of red, green and blue.
        vignetting: loss of light in the corners, 0..1.
        blur: standard deviation, pixels.
        shake: (right, down) way of the picture while the shutter is open, pixels.
        noise: standard deviation that all pixels have, of a range of 1, the same in all three channels.
        bloom: share of the light of burnt-out pixels that spreads around them.
        rain: 0..1, streaks of falling drops, and drops on the glass before the lens.
        shot_noise: and that of the brightest pixels, which falls with the root of their light, in each channel.
    """

    exposure: float = 1.05
    contrast: float = 0.65
    is_film: bool = True
    saturation: float = 1.0
    white: tuple[float, float, float] = (1.0, 1.0, 1.0)
    vignetting: float = 0.0
    blur: float = 0.45
    shake: tuple[float, float] = (0.0, 0.0)
    noise: float = 0.006
    shot_noise: float = 0.0
    bloom: float = 0.0
    rain: float = 0.0


DEFAULT_OPTICS: Final = Optics()


class SceneCamera:
    """Takes pictures with one camera."""

    def __init__(self, camera: Camera) -> None:
        self._camera = camera
        rays = camera.rays()
        self._blind = ~np.isfinite(rays).all(axis=2)
        self._ahead = np.concatenate([np.nan_to_num(rays), np.ones_like(rays[..., :1])], axis=2)
        self._across = np.gradient(self._ahead, axis=1)
        self._down = np.gradient(self._ahead, axis=0)

    def meter(self, scene: Scene, light: Light, pose: Pose) -> float:
        """The radiance in the middle between the dark and the bright part of the picture."""
        ahead = self._ahead[::_METERED, ::_METERED].reshape(-1, 3)
        rays = rays_from(pose.position, pose.to_world(ahead))
        grey = shade(scene, light, rays, scene.cast(rays), _METERED / self._camera.fx).mean(axis=1)
        return float(np.exp(np.log(grey + 1e-4).mean()))

    def take(
        self, scene: Scene, light: Light, pose: Pose, rng: np.random.Generator, optics: Optics = DEFAULT_OPTICS
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """The (H, W, 3) RGB image and the (H, W) depth in metres from a place in the world.

        Depth is 0 in the sky; where the lens sees nothing, the image is black as well.
        """
        rows = np.array_split(np.arange(self._camera.height), _STRIPS)
        with ThreadPoolExecutor() as pool:
            strips = list(pool.map(lambda strip: self._strip(scene, light, pose, optics, strip), rows))
            image, depth = (np.concatenate(parts) for parts in zip(*strips, strict=True))
            edges = np.array_split(np.stack(np.nonzero(_edges(image))), _STRIPS, axis=1)
            finer = pool.map(lambda pixels: self._finer(scene, light, pose, optics, pixels), edges)
            for pixels, extra in zip(edges, finer, strict=True):
                image[tuple(pixels)] = (image[tuple(pixels)] + extra) / (1 + len(_SUBPIXELS))
        if optics.rain:
            image = _through_rain(image, optics.rain, rng)
        image = _through_lens(image, optics)
        image[self._blind] = depth[self._blind] = 0
        noisy = image + optics.noise * rng.standard_normal((*depth.shape, 1), np.float32)
        if optics.shot_noise:
            noisy += optics.shot_noise * np.sqrt(np.maximum(image, 0)) * rng.standard_normal(image.shape, np.float32)
        return (np.clip(noisy, 0, 1) * 255 + 0.5).astype(np.uint8), depth

    def _strip(
        self, scene: Scene, light: Light, pose: Pose, optics: Optics, rows: NDArray[np.integer]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Image, 0..1, and depth of some rows, one ray per pixel."""
        directions = self._ahead[rows]
        rays = rays_from(pose.position, pose.to_world(directions.reshape(-1, 3)))
        hits = scene.cast(rays)
        image = _expose(shade(scene, light, rays, hits, 1 / self._camera.fx), optics)
        depth = np.where(np.isfinite(hits.distance), hits.distance, np.float32(0))
        return image.reshape(directions.shape), depth.reshape(directions.shape[:2])

    def _finer(
        self, scene: Scene, light: Light, pose: Pose, optics: Optics, pixels: NDArray[np.integer]
    ) -> NDArray[np.float32]:
        """(N, 3) sum of what rays around the centres of N pixels see."""
        at = tuple(pixels)
        total = np.zeros((pixels.shape[1], 3), np.float32)
        for right, down in _SUBPIXELS:
            ahead = self._ahead[at] + right * self._across[at] + down * self._down[at]
            rays = rays_from(pose.position, pose.to_world(ahead))
            total += _expose(shade(scene, light, rays, scene.cast(rays), 0.6 / self._camera.fx), optics)
        return total


def _expose(radiance: NDArray[np.float32], optics: Optics) -> NDArray[np.float32]:
    """A response with a gamma of 2, 0..1, and more contrast in the middle."""
    light = radiance * np.float32(optics.exposure) * np.asarray(optics.white, np.float32)
    if optics.saturation != 1:
        grey = light.mean(axis=-1, keepdims=True)
        light = np.maximum(grey + np.float32(optics.saturation) * (light - grey), 0)
    response = np.sqrt(1 - np.exp(-light) if optics.is_film else np.minimum(light, 1))
    contrast = np.float32(optics.contrast)
    return np.maximum(response * (1 - contrast + contrast * response * (3 - 2 * response)), 0)


def _through_lens(image: NDArray[np.float32], optics: Optics) -> NDArray[np.float32]:
    """What blur, shake and vignetting leave of a picture."""
    length = np.hypot(*optics.shake)
    if length > 0.5:
        steps = np.linspace(-0.5, 0.5, 2 * int(np.ceil(length)) + 1)[:, None] * optics.shake
        reach = int(np.ceil(np.abs(steps).max()))
        kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
        np.add.at(kernel, tuple((np.rint(steps[:, ::-1]) + reach).astype(int).T), 1 / len(steps))
        image = np.asarray(cv2.filter2D(image, -1, kernel), np.float32)
    reach = 1 if optics.blur < 0.6 else int(np.ceil(2.5 * optics.blur))
    image = np.asarray(cv2.GaussianBlur(image, (2 * reach + 1,) * 2, optics.blur), np.float32)
    if optics.bloom:
        small = cv2.resize(np.where(image > 0.95, image, 0), None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
        spread = cv2.GaussianBlur(small, (0, 0), 2) + cv2.GaussianBlur(small, (0, 0), 8)
        image = image + optics.bloom * cv2.resize(spread, image.shape[1::-1])
    if optics.vignetting:
        down, across = (np.linspace(-1, 1, size, dtype=np.float32) for size in image.shape[:2])
        image = image * (1 - optics.vignetting * 0.5 * (down[:, None] ** 2 + across**2))[..., None]
    return image


def _through_rain(image: NDArray[np.float32], rain: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """A picture through falling drops, bright streaks, and drops on the glass, which blur what is behind them."""
    height, width = image.shape[:2]
    falling = (rng.random((height, width), np.float32) < 0.0015 * rain).astype(np.float32)
    length = int(rng.integers(height // 40, height // 12) + 2)
    kernel = np.zeros((length, length), np.float32)
    cv2.line(kernel, (length // 2, 0), (int(length * rng.uniform(0.3, 0.7)), length - 1), 1.0, 1)
    streaks = cv2.filter2D(falling, -1, kernel)
    image = image + np.float32(rng.uniform(0.03, 0.12)) * np.clip(streaks, 0, 1)[..., None] * (1.1 - image)
    drops = np.zeros((height, width), np.float32)
    for _ in range(rng.poisson(40 * rain) if rng.random() < 0.6 else 0):
        x, y, radius = rng.uniform(0, width), rng.uniform(0, height), rng.gamma(3, height / 250) + 1
        cv2.ellipse(drops, ((x, y), (2 * radius, 2.4 * radius), 0), 1.0, -1)
    cover = np.float32(0.7) * cv2.GaussianBlur(drops, (0, 0), 1.2)[..., None]
    blurred = cv2.GaussianBlur(np.roll(image[::-1], height // 3, 0), (0, 0), height / 50)  # upside down, as by a lens
    return image * (1 - cover) + blurred * cover


def _edges(image: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Pixels that differ from the one to the right or below, on both sides of the difference."""
    grey = image.mean(axis=2)
    edges = np.zeros(grey.shape, bool)
    right = np.abs(np.diff(grey, axis=1)) > _EDGE
    below = np.abs(np.diff(grey, axis=0)) > _EDGE
    edges[:, :-1] |= right
    edges[:, 1:] |= right
    edges[:-1] |= below
    edges[1:] |= below
    return edges
