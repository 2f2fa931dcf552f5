"""Ray casting: what a ray meets first among the street's still and moving triangles."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from depth_completion_ros.datasets.synthetic.materials import GLASS, Material, is_one_of
from depth_completion_ros.datasets.synthetic.mesh import Mesh


def open3d() -> ModuleType:
    """Imports Open3D, which only the synthetic data needs.

    Raises:
        ImportError: it, or a system library it loads, is missing; the message says how to install both.
    """
    try:
        import open3d as module
    except (ImportError, OSError) as error:
        raise ImportError(
            "the synthetic street casts its rays with Open3D, which cannot be loaded "
            f"({error}); install it with `pip install open3d` and, on Debian or Ubuntu, "
            "`apt-get install libusb-1.0-0 libgl1 libegl1 libgomp1`"
        ) from error
    return module


@dataclass(frozen=True, eq=False)
class Hits:
    """What N rays met.

    Attributes:
        distance: (N,) float32 in lengths of the ray's direction, inf where nothing was met.
        triangle: (N,) integer row in the scene's tables; 0 where nothing was met.
        barycentric: (N, 2) float32 weights of the triangle's second and third corner.
        normal: (N, 3) float32 unit normal of the triangle, on either side.
    """

    distance: NDArray[np.float32]
    triangle: NDArray[np.integer]
    barycentric: NDArray[np.float32]
    normal: NDArray[np.float32]

    def __getitem__(self, rows: NDArray) -> Hits:
        """Some of them."""
        return Hits(self.distance[rows], self.triangle[rows], self.barycentric[rows], self.normal[rows])

    def put(self, rows: NDArray, others: Hits) -> None:
        """Overwrites some of them."""
        self.distance[rows] = others.distance
        self.triangle[rows] = others.triangle
        self.barycentric[rows] = others.barycentric
        self.normal[rows] = others.normal


class Scene:
    """A still world, built once, and moving meshes that every frame sets anew.

    Clear panes throw shadows like anything else, unless ``panes_shade`` is False, which costs a second tree.

    Attributes:
        material, color, corner_attributes: tables that ``Hits.triangle`` indexes: (T,) uint8, (T, 3) float32,
            and (T, 3, 5) float32 normal and texture coordinates of each corner.
    """

    def __init__(self, still: Mesh, moving_capacity: int = 0, panes_shade: bool = True) -> None:
        self._still = _caster(still)
        self._shading = self._still if panes_shade else _caster(still[still.material != Material.PANE])
        self._moving = None
        self._still_count = len(still)
        total = len(still) + moving_capacity
        self.material = np.zeros(total, np.uint8)
        self.color = np.zeros((total, 3), np.float32)
        self.corner_attributes = np.zeros((total, 3, 5), np.float32)
        self._fill(slice(0, len(still)), still)

    def move(self, moving: Mesh) -> None:
        """Replaces all moving triangles."""
        self._moving = _caster(moving)
        self._fill(slice(self._still_count, self._still_count + len(moving)), moving)

    def cast(self, rays: NDArray[np.float32]) -> Hits:
        """The first hit of (N, 6) rays: origin and direction."""
        tensor = open3d().core.Tensor.from_numpy(rays)
        hits = _hits(self._still.cast_rays(tensor))
        if self._moving is None:
            return hits
        moving = _hits(self._moving.cast_rays(tensor))
        nearer = np.flatnonzero(moving.distance < hits.distance)
        hits.put(nearer, moving[nearer])
        hits.triangle[nearer] += self._still_count
        return hits

    def beyond(self, rays: NDArray[np.float32], distance: NDArray[np.float32]) -> Hits:
        """What (N, 6) rays meet behind the surface that all met at (N,) ``distance``, as seen from their start."""
        passed = 1.00001 * distance + np.float32(0.001)
        hits = self.cast(rays_from(rays[:, :3] + passed[:, None] * rays[:, 3:], rays[:, 3:]))
        hits.distance[:] += passed
        return hits

    def blocked(self, rays: NDArray[np.float32], reach: float = np.inf) -> NDArray[np.bool_]:
        """Whether (N, 6) rays meet anything within ``reach`` lengths of their directions."""
        tensor = open3d().core.Tensor.from_numpy(rays)
        blocked = self._shading.test_occlusions(tensor, 0.0, reach).numpy()
        if self._moving is not None:
            blocked |= self._moving.test_occlusions(tensor, 0.0, reach).numpy()
        return blocked

    def _fill(self, rows: slice, mesh: Mesh) -> None:
        self.material[rows] = mesh.material
        self.color[rows] = mesh.color
        self.corner_attributes[rows, :, :3] = mesh.normals
        self.corner_attributes[rows, :, 3:] = mesh.uv


def see_through(scene: Scene, rays: NDArray[np.float32], hits: Hits, rows: NDArray[np.integer]) -> None:
    """Moves some of the ``hits``, which are on glass, to what is behind it, through three panes at most."""
    for _ in range(3):
        if not len(rows):
            return
        hits.put(rows, scene.beyond(rays[rows], hits.distance[rows]))
        on_glass = is_one_of(scene.material[hits.triangle[rows]], GLASS)
        rows = rows[on_glass & np.isfinite(hits.distance[rows])]


def rays_from(start: ArrayLike, direction: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, 6) rays from one or N starting points in N directions, or in one."""
    count, _ = np.broadcast_shapes(np.shape(start), direction.shape)
    rays = np.empty((count, 6), np.float32)
    rays[:, :3] = start
    rays[:, 3:] = direction
    return rays


def _caster(mesh: Mesh) -> Any:
    o3d = open3d()
    caster = o3d.t.geometry.RaycastingScene()
    triangles = np.arange(3 * len(mesh), dtype=np.uint32).reshape(-1, 3)
    vertices = np.ascontiguousarray(mesh.corners.reshape(-1, 3))
    caster.add_triangles(o3d.core.Tensor.from_numpy(vertices), o3d.core.Tensor.from_numpy(triangles))
    return caster


def _hits(answer: dict) -> Hits:
    distance = answer["t_hit"].numpy()
    triangle = answer["primitive_ids"].numpy().astype(np.int64)
    triangle[~np.isfinite(distance)] = 0
    return Hits(distance, triangle, answer["primitive_uvs"].numpy(), answer["primitive_normals"].numpy())
