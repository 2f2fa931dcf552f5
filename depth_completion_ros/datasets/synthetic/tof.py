"""Time-of-flight cameras: a full depth image with holes, noise and flying pixels, or a pattern of spots.

They light the scene themselves, so what comes back fades with the square of the distance; too little of it is
no measurement, and its noise grows as it fades. Some of it comes back by way of another surface, which makes the
corners of rooms rounder and farther than they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from depth_completion_ros.datasets.synthetic.materials import GLASS, INFRARED_GAIN, MIRRORS, Material, is_one_of
from depth_completion_ros.datasets.synthetic.pose import Pose
from depth_completion_ros.datasets.synthetic.scene import Scene, rays_from, see_through
from depth_completion_ros.geometry.camera import Camera

_THROUGH: Final = 0.4  # share of the frames in which glass is looked through; it is a hole in the others
_ACROSS: Final = 64  # samples across the picture of the light that comes by way of other surfaces, and
_SENT_ON: Final = 0.9  # the share of their light that these send on
_FLYING: Final = 0.35  # share of the pixels at edges that mix near and far; the others are dropped


@dataclass(frozen=True)
class Tof:
    """A full-field ToF camera.

    Attributes:
        faintest: reflectance over square metres of distance below which a pixel is a hole.
        noise: standard deviation of the depth, metres, at a reflectance of 0.5 and 1 m.
        max_range: metres.
    """

    faintest: float = 0.002
    noise: float = 0.002
    max_range: float = 10.0

    def measure(self, scene: Scene, camera: Camera, pose: Pose, rng: np.random.Generator) -> NDArray[np.float32]:
        """The (h, w) depth image, metres, 0 = hole, of a ToF sensor with the lens ``camera``."""
        rays = camera.rays()
        ahead = np.concatenate([np.nan_to_num(rays), np.ones_like(rays[..., :1])], axis=2)
        shape = rays.shape[:2]
        depth, echo, normal = _echo(scene, pose, ahead.reshape(-1, 3), self.max_range, rng)
        depth, echo, normal = depth.reshape(shape), echo.reshape(shape), normal.reshape(*shape, 3)
        # The corners get less of the sensor's own light.
        echo *= 1 / (1 + 0.5 * np.square(np.nan_to_num(rays)).sum(axis=2)) ** 2
        noise = self.noise * np.sqrt(0.5 / np.maximum(echo, 1e-6))
        # Neighbouring pixels share some of their noise, as after the filters inside such cameras.
        grain = rng.standard_normal(depth.shape, np.float32)
        grain = 0.7 * grain + 1.2 * cv2.GaussianBlur(grain, (0, 0), 1.5)
        measured = depth + _detour(depth, echo, ahead, normal, pose, camera.fx) + noise * grain
        hole = (depth == 0) | (echo < self.faintest * (1 + 0.1 * grain)) | ~np.isfinite(rays).all(axis=2)
        near, far = cv2.erode(depth, np.ones((3, 3))), cv2.dilate(depth, np.ones((3, 3)))
        edge = far > 1.06 * near
        share = rng.random(depth.shape, np.float32)
        flying = edge & (share < _FLYING) & (near > 0)
        measured[flying] = (near + (share / _FLYING) * (far - near))[flying]
        hole |= edge & ~flying
        return np.where(hole | (measured < 0.1), 0, measured).astype(np.float32)


@dataclass(frozen=True)
class TofSpots:
    """A ToF sensor that projects a grid of spots, as the phones of the MIPI 2022 challenge have.

    Every other row is shifted by half a step, the lens of the projector bends the grid like a pincushion, and the
    spots cover a part of the picture. The figures are those of EMDC's simulation, for 192 rows.

    Attributes:
        steps: the least and the greatest distance of two spots, as a share of the picture's height.
        max_range: metres.
    """

    steps: tuple[float, float] = (5 / 192, 7 / 192)
    max_range: float = 10.0

    def measure(self, scene: Scene, camera: Camera, pose: Pose, rng: np.random.Generator) -> NDArray[np.float32]:
        """(N, 3) points in the axes of a sensor that looks as wide as ``camera`` does."""
        pixels = self._grid(camera, rng)
        ahead = np.concatenate(
            [(pixels - (camera.cx, camera.cy)) / (camera.fx, camera.fy), np.ones((len(pixels), 1))], axis=1
        ).astype(np.float32)
        depth, echo, _ = _echo(scene, pose, ahead, self.max_range, rng)
        depth = depth + 0.01 * depth * np.clip(rng.normal(1, 1 / 3), 0.01, 3) * rng.standard_normal(
            len(depth), np.float32
        )
        kept = (echo > 1e-3) & (depth > 0.05)
        return (ahead * depth[:, None])[kept].astype(np.float32)

    def _grid(self, camera: Camera, rng: np.random.Generator) -> NDArray[np.float64]:
        """(N, 2) pixels of the spots."""
        step = rng.uniform(*self.steps) * camera.height
        rows, columns = np.mgrid[: camera.height : step, : camera.width : step]
        columns[1::2] += step / 2
        grid = np.stack([columns.ravel(), rows.ravel()], axis=1)
        unit = camera.height / 192
        middle = np.array([camera.width, camera.height]) / 2 + rng.uniform(-25, 25, 2) * unit
        out = (grid - middle) / unit
        radius = np.linalg.norm(out, axis=1, keepdims=True)
        bend = rng.uniform(1e-5, 5e-5)
        bent = middle + out * unit * (1 + bend * radius**2)
        bent += rng.normal(0, rng.uniform(0, 0.3) * unit, grid.shape)
        size = np.array([camera.width, camera.height])
        low = rng.uniform(0.0, 0.15, 2) * size
        high = rng.uniform(0.85, 1.0, 2) * size
        return bent[((bent >= low) & (bent < high)).all(axis=1)]


def _echo(
    scene: Scene, pose: Pose, ahead: NDArray[np.float32], max_range: float, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """True depth, 0 for none, the strength of the echo, and (N, 3) normals in the world's axes.

    The (N, 3) directions ``ahead`` have z = 1.
    """
    rays = rays_from(pose.position, pose.to_world(ahead))
    hits = scene.cast(rays)
    on_glass = is_one_of(scene.material[hits.triangle], GLASS) & np.isfinite(hits.distance)
    if rng.random() < _THROUGH:
        see_through(scene, rays, hits, np.flatnonzero(on_glass))
    length = np.linalg.norm(rays[:, 3:], axis=1)
    depth = np.where(np.isfinite(hits.distance), hits.distance, 0)
    distance = depth * length
    cosine = np.abs(np.einsum("ij,ij->i", hits.normal, rays[:, 3:])) / length
    material = scene.material[hits.triangle]
    reflectance = scene.color[hits.triangle].mean(axis=1) * INFRARED_GAIN[material]
    # A mirror sends the light elsewhere, unless it is met head-on, when it blinds the sensor.
    reflectance = np.where(is_one_of(material, MIRRORS) | (material == Material.LAMP), 0.002, reflectance)
    echo = reflectance * cosine / np.maximum(distance, 0.1) ** 2
    echo = np.where(on_glass, np.float32(0.5), 1) * echo  # it passes the pane twice
    depth[distance > max_range] = 0
    return depth.astype(np.float32), echo.astype(np.float32), hits.normal


def _detour(
    depth: NDArray[np.float32],
    echo: NDArray[np.float32],
    ahead: NDArray[np.float32],
    normal: NDArray[np.float32],
    pose: Pose,
    focal: float,
) -> NDArray[np.float32]:
    """(h, w) metres by which light that other surfaces sent on makes depth too great: multi-path interference.

    Light that a surface Q sends to a surface P has come half of |Q| + |QP| - |P| farther than what P receives from
    the sensor. How much it is follows from the form factor of the two; each sample stands for a piece of a ring
    around the pixel.
    """
    step = max(1, depth.shape[1] // _ACROSS)
    near = np.s_[step // 2 :: step, step // 2 :: step]
    point = (ahead * depth[..., None])[near]
    facing = normal[near] @ pose.axes.T
    facing *= -np.sign(np.einsum("ijk,ijk->ij", facing, point))[..., None]
    length = np.linalg.norm(point, axis=2)
    size = np.square(step / focal * depth[near])  # of a pixel, square metres
    surface = np.dstack([point, facing, echo[near], length, size])
    received = np.maximum(-np.einsum("ijk,ijk->ij", facing, point), 0.1 * length + 1e-3) / np.maximum(length, 0.1) ** 3
    share, longer = np.zeros_like(length), np.zeros_like(length)
    for radius in (1, 2, 3, 5, 8):
        for angle in np.arange(8) * np.pi / 4 + 0.3 * radius:
            down, right = np.rint([radius * np.sin(angle), radius * np.cos(angle)]).astype(int)
            other = np.roll(surface, (down, right), (0, 1))
            way = other[..., :3] - point
            distance = np.linalg.norm(way, axis=2) + 1e-3
            leaving = np.clip(-np.einsum("ijk,ijk->ij", other[..., 3:6], way) / distance, 0, 1)
            arriving = np.clip(np.einsum("ijk,ijk->ij", facing, way) / distance, 0, 1)
            area = other[..., 8] * (2 * np.pi * radius * 0.5 * radius / 8)
            form = leaving * arriving * np.minimum(area / (np.pi * distance**2), 0.2)
            part = _SENT_ON * np.minimum(other[..., 6] / received, 2) * form
            share += part
            longer += part * 0.5 * np.maximum(other[..., 7] + distance - length, 0)
    added = cv2.GaussianBlur((longer / (1 + share)).astype(np.float32), (0, 0), 1.0)
    return np.asarray(cv2.resize(added, depth.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)
