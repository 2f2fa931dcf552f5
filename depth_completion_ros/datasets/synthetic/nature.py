"""Trees and hedges: clouds of leaves that let some light, and some laser beams, through."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from depth_completion_ros.datasets.synthetic.materials import Material
from depth_completion_ros.datasets.synthetic.mesh import Color, Mesh, cross, merge, surface, tube

LEAF_COLORS: Final[tuple[Color, ...]] = (
    (0.085, 0.145, 0.028), (0.11, 0.16, 0.03), (0.06, 0.11, 0.026), (0.17, 0.14, 0.03),
)  # fmt: skip
_BARK: Final[Color] = (0.11, 0.085, 0.06)


def tree(rng: np.random.Generator, height: float, spread: float, color: Color, leaf_count: int) -> Mesh:
    """A tree with its foot at the origin; ``spread`` is the diameter of the crown, metres."""
    leaf_size = 0.11 * np.sqrt(7000 / leaf_count) * np.sqrt(spread / 5)
    fork = rng.uniform(0.24, 0.32) * height
    lean = rng.normal(0.0, 0.03 * height, 2)
    trunk_radius = 0.022 * height
    top = np.array([*lean, 0.8 * height])
    wood = [
        tube(
            (0, 0, 0),
            (*(0.3 * lean), fork),
            1.25 * trunk_radius,
            0.85 * trunk_radius,
            _BARK,
            Material.BARK,
            10,
        ),
        tube((*(0.3 * lean), fork), top, 0.85 * trunk_radius, 0.2 * trunk_radius, _BARK, Material.BARK, 8),
    ]
    # A crown is some balls of leaves at the ends of boughs around one big ball.
    middle = np.array([*(0.6 * lean), 0.5 * (fork + height) + 0.06 * height])
    crown_half = 0.5 * (height - middle[2]) + 0.25 * (height - fork)
    balls = [(middle, np.array([0.36 * spread, 0.36 * spread, 0.85 * crown_half]))]
    for angle in np.linspace(0, 2 * np.pi, 7, endpoint=False) + rng.uniform(0, 1):
        out = rng.uniform(0.26, 0.36) * spread
        center = middle + np.array(
            [out * np.cos(angle), out * np.sin(angle), rng.uniform(-0.55, 0.45) * crown_half]
        )
        balls.append((center, rng.uniform(0.15, 0.22, 3) * spread))
        foot = *(0.4 * lean), 1.15 * fork
        wood.append(tube(foot, center, 0.3 * trunk_radius, 0.1 * trunk_radius, _BARK, Material.BARK, 5))
    share = np.array([np.prod(radii) ** (2 / 3) for _, radii in balls])
    counts = (leaf_count * share / share.sum()).astype(int)
    crown = [
        _leaf_ball(rng, center, radii, rng.uniform(0.7, 1.5, count) * leaf_size, color, middle)
        for (center, radii), count in zip(balls, counts, strict=True)
    ]
    return merge([*wood, *crown])


def hedge(rng: np.random.Generator, length: float, depth: float, height: float, color: Color) -> Mesh:
    """A clipped hedge along x from the origin, ``depth`` wide about y = 0: leaves before a lumpy core."""
    half, top = depth / 2 - 0.12, height - 0.12
    up = np.linspace(0, top, 2 + int(top / 0.3))
    profile = np.array([*((-half, z) for z in up), (0, top), *((half, z) for z in up[::-1])])
    x = np.linspace(0, length, 2 + int(length / 0.3))
    lumps = np.concatenate([np.broadcast_to(x[:, None, None], (len(x), len(profile), 1)),
                            np.broadcast_to(profile, (len(x), len(profile), 2))], axis=2)  # fmt: skip
    lumps = lumps + rng.normal(0, 0.07, lumps.shape) * (0, 1, 1)
    core = surface(lumps, 0.8 * np.asarray(color), Material.FOLIAGE, smooth=True)
    count = int(220 * length * (depth + 2 * height) / 3)
    side = rng.choice(3, count, p=np.array([height, height, depth]) / (2 * height + depth))
    u, v = rng.uniform(0, 1, (2, count))
    outward = np.array([[0, -1, 0.3], [0, 1, 0.3], [0, 0, 1]])[side]
    across = np.choose(side, [-depth / 2, depth / 2, (v - 0.5) * depth])
    up = np.where(side == 2, height - 0.06, v * height)
    position = np.stack([u * length, across, up], axis=-1) + rng.normal(0, 0.03, (count, 3))
    position[:, 2] = np.abs(position[:, 2])
    return merge([core, leaves(rng, position, outward, rng.uniform(0.06, 0.13, count), color)])


def bush(rng: np.random.Generator, color: Color) -> Mesh:
    """A ball of leaves around a dark, lumpy middle, with its foot at the origin."""
    radii = rng.uniform(0.5, 1.6, 3) * (1, 1, 0.8)
    middle = np.array([0, 0, 0.6 * radii[2]])
    polar, around = np.linspace(0, np.pi, 8)[:, None], np.linspace(0, 2 * np.pi, 14)
    ball = np.stack(np.broadcast_arrays(
        np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around), np.cos(polar)), axis=-1)  # fmt: skip
    far = rng.uniform(0.55, 0.95, ball.shape[:2])
    far[:, -1] = far[:, 0]
    core = surface(middle + ball * radii * far[..., None], 0.6 * np.asarray(color), Material.FOLIAGE, normals=ball)
    count = int(500 * radii[0] * radii[2])
    out = _directions(rng, count)
    position = middle + out * radii * rng.uniform(0.75, 1.1, (count, 1))
    position[:, 2] = np.abs(position[:, 2])
    return merge([core, leaves(rng, position, out + np.array([0, 0, 0.2]), rng.uniform(0.06, 0.16, count), color)])


def leaves(
    rng: np.random.Generator, position: NDArray, normal: ArrayLike, size: NDArray, color: Color
) -> Mesh:
    """One triangle per leaf, turned any way, but lit by the ``normal`` (N, 3) of the crown there."""
    count = len(position)
    first = _directions(rng, count)
    second = cross(first, _directions(rng, count))
    corners = position[:, None] + size[:, None, None] * np.stack(
        [first, second, -0.7 * first - 0.5 * second], axis=1
    )
    outward = np.asarray(normal) / np.linalg.norm(normal, axis=-1, keepdims=True)
    lit = outward[:, None] + 0.45 * _directions(rng, count)[:, None]
    lit = np.broadcast_to(lit / np.linalg.norm(lit, axis=-1, keepdims=True), corners.shape)
    tone = rng.uniform(0.55, 1.35, (count, 1)) * (1 + rng.normal(0, 0.08, (count, 3)))
    return Mesh(
        corners.astype(np.float32),
        lit.astype(np.float32),
        corners[..., :2].astype(np.float32),
        (np.asarray(color) * tone).astype(np.float32),
        np.full(count, Material.FOLIAGE, np.uint8),
    )


def _leaf_ball(
    rng: np.random.Generator,
    center: NDArray,
    radii: NDArray,
    sizes: NDArray,
    color: Color,
    crown_middle: NDArray,
) -> Mesh:
    count = len(sizes)
    direction = _directions(rng, count)
    shell = rng.uniform(0.35, 1.0, (count, 1)) ** 0.5
    position = center + direction * radii * shell
    # Leaves inside a crown see less sky.
    shade = 0.45 + 0.55 * shell
    ball = leaves(rng, position, position - crown_middle + 0.5 * direction, sizes, color)
    return Mesh(ball.corners, ball.normals, ball.uv, (ball.color * shade).astype(np.float32), ball.material)


def _directions(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    vectors = rng.normal(size=(count, 3))
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
