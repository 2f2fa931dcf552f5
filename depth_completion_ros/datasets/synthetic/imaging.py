"""The camera: an 8-bit colour image and the dense depth of what it sees."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from depth_completion_ros.datasets.synthetic.pose import Pose
from depth_completion_ros.datasets.synthetic.scene import Scene, rays_from
from depth_completion_ros.datasets.synthetic.shading import Sun, shade
from depth_completion_ros.geometry.camera import Camera

# Where in a pixel, right of and below its centre, the extra rays go that smooth its edges.
_SUBPIXELS: Final = ((-0.36, 0.14), (0.14, -0.36))
_EDGE: Final = 0.13  # a pixel that differs this much from a neighbour gets the extra rays
_EXPOSURE: Final = 1.05
_CONTRAST: Final = np.float32(0.65)
_NOISE: Final = 0.006  # standard deviation of the sensor's noise, of a range of 1

_STRIPS: Final = 8  # pieces of work for the processor's cores


class SceneCamera:
    """Takes pictures with one camera."""

    def __init__(self, camera: Camera) -> None:
        self._camera = camera
        rays = camera.rays()
        self._blind = ~np.isfinite(rays).all(axis=2)
        self._ahead = np.concatenate([np.nan_to_num(rays), np.ones_like(rays[..., :1])], axis=2)
        self._across = np.gradient(self._ahead, axis=1)
        self._down = np.gradient(self._ahead, axis=0)

    def take(
        self, scene: Scene, sun: Sun, pose: Pose, rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """The (H, W, 3) RGB image and the (H, W) depth in metres from a place in the world.

        Depth is 0 in the sky; where the lens sees nothing, the image is black as well.
        """
        rows = np.array_split(np.arange(self._camera.height), _STRIPS)
        with ThreadPoolExecutor() as pool:
            strips = list(pool.map(lambda strip: self._strip(scene, sun, pose, strip), rows))
            image, depth = (np.concatenate(parts) for parts in zip(*strips, strict=True))
            edges = np.array_split(np.stack(np.nonzero(_edges(image))), _STRIPS, axis=1)
            finer = pool.map(lambda pixels: self._finer(scene, sun, pose, pixels), edges)
            for pixels, extra in zip(edges, finer, strict=True):
                image[tuple(pixels)] = (image[tuple(pixels)] + extra) / (1 + len(_SUBPIXELS))
        image = cv2.GaussianBlur(image, (3, 3), 0.45)  # the lens
        image[self._blind] = depth[self._blind] = 0
        noisy = image + _NOISE * rng.standard_normal((*depth.shape, 1), np.float32)
        return (np.clip(noisy, 0, 1) * 255 + 0.5).astype(np.uint8), depth

    def _strip(
        self, scene: Scene, sun: Sun, pose: Pose, rows: NDArray[np.integer]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Image, 0..1, and depth of some rows, one ray per pixel."""
        directions = self._ahead[rows]
        rays = rays_from(pose.position, directions.reshape(-1, 3) @ pose.axes.astype(np.float32))
        hits = scene.cast(rays)
        image = _expose(shade(scene, sun, rays, hits, 1 / self._camera.fx))
        depth = np.where(np.isfinite(hits.distance), hits.distance, np.float32(0))
        return image.reshape(directions.shape), depth.reshape(directions.shape[:2])

    def _finer(
        self, scene: Scene, sun: Sun, pose: Pose, pixels: NDArray[np.integer]
    ) -> NDArray[np.float32]:
        """(N, 3) sum of what rays around the centres of N pixels see."""
        at = tuple(pixels)
        total = np.zeros((pixels.shape[1], 3), np.float32)
        for right, down in _SUBPIXELS:
            ahead = self._ahead[at] + right * self._across[at] + down * self._down[at]
            rays = rays_from(pose.position, ahead @ pose.axes.astype(np.float32))
            total += _expose(shade(scene, sun, rays, scene.cast(rays), 0.6 / self._camera.fx))
        return total


def _expose(radiance: NDArray[np.float32]) -> NDArray[np.float32]:
    """Film-like response with a gamma of 2, 0..1, and more contrast in the middle."""
    film = np.sqrt(1 - np.exp(-_EXPOSURE * radiance))
    return film * (1 - _CONTRAST + _CONTRAST * film * (3 - 2 * film))


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
