"""Triangle meshes with what shading needs at every corner, and the few shapes that everything is built from.

Street coordinates: x along the street, y to the left, z up, metres; the road surface is z = 0.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from depth_completion_ros.datasets.synthetic.materials import Material

Color = tuple[float, float, float]  # linear RGB reflectance, 0..1

# The corners of the six faces of a unit cube, going round each; a face's first edge is level where it can be.
_BOX: Final = np.array(
    [
        [(0, 1, 0), (0, 0, 0), (0, 0, 1), (0, 1, 1)],
        [(1, 0, 0), (1, 1, 0), (1, 1, 1), (1, 0, 1)],
        [(0, 0, 0), (1, 0, 0), (1, 0, 1), (0, 0, 1)],
        [(1, 1, 0), (0, 1, 0), (0, 1, 1), (1, 1, 1)],
        [(0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)],
        [(0, 1, 0), (1, 1, 0), (1, 0, 0), (0, 0, 0)],
    ]
)


@dataclass(frozen=True, eq=False)
class Mesh:
    """T triangles.

    Attributes:
        corners: (T, 3, 3) float32 positions of the three corners.
        normals: (T, 3, 3) float32 shading normals at the corners.
        uv: (T, 3, 2) float32 texture coordinates at the corners, metres along the surface.
        color: (T, 3) float32 linear RGB reflectance.
        material: (T,) uint8, see :class:`Material`.
    """

    corners: NDArray[np.float32]
    normals: NDArray[np.float32]
    uv: NDArray[np.float32]
    color: NDArray[np.float32]
    material: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.corners)

    def __getitem__(self, rows: NDArray) -> Mesh:
        """Some of the triangles."""
        return Mesh(self.corners[rows], self.normals[rows], self.uv[rows], self.color[rows], self.material[rows])

    def moved(self, x: float = 0.0, y: float = 0.0, z: float = 0.0, yaw: float = 0.0) -> Mesh:
        """Turned by ``yaw`` radians about the z axis, then shifted."""
        c, s = np.float32(np.cos(yaw)), np.float32(np.sin(yaw))
        corners, normals = self.corners.copy(), self.normals.copy() if yaw else self.normals
        for vectors in (corners, normals) if yaw else ():
            ahead, left = vectors[..., 0].copy(), vectors[..., 1].copy()
            vectors[..., 0] = c * ahead - s * left
            vectors[..., 1] = s * ahead + c * left
        corners += np.array([x, y, z], np.float32)
        return replace(self, corners=corners, normals=normals)

    def scaled(self, factor: float) -> Mesh:
        """Larger by ``factor`` in all directions, about the origin."""
        return replace(self, corners=self.corners * np.float32(factor), uv=self.uv * np.float32(factor))


def merge(meshes: Iterable[Mesh]) -> Mesh:
    """All triangles in one mesh, in order."""
    parts = list(meshes)
    return Mesh(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Mesh)))


def surface(
    points: ArrayLike,
    color: ArrayLike,
    material: Material = Material.PLAIN,
    uv: ArrayLike | None = None,
    normals: ArrayLike | None = None,
    smooth: bool = False,
) -> Mesh:
    """A sheet through a grid of points (R, C, 3), each cell of which becomes two triangles.

    ``uv`` (R, C, 2) defaults to the lengths along the first row and the first column. ``normals`` (R, C, 3)
    default to those of the triangles, or with ``smooth`` to those of the grid as a curved sheet.
    """
    grid = np.asarray(points, np.float32)
    if uv is None:
        across = np.concatenate([[0.0], np.cumsum(_length(grid[0, 1:] - grid[0, :-1]))])
        along = np.concatenate([[0.0], np.cumsum(_length(grid[1:, 0] - grid[:-1, 0]))])
        uv = np.stack(np.meshgrid(across, along), axis=-1)
    if normals is None and smooth:
        normals = _unit(cross(np.gradient(grid, axis=1), np.gradient(grid, axis=0)))
    corners = _cells(grid)
    count = len(corners)
    if normals is None:
        flat = _unit(cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]))
        corner_normals = np.repeat(flat[:, None], 3, axis=1)
    else:
        corner_normals = _cells(np.asarray(normals, np.float32))
    return Mesh(
        corners,
        corner_normals.astype(np.float32),
        _cells(np.asarray(uv, np.float32)),
        np.broadcast_to(np.asarray(color, np.float32), (count, 3)).copy(),
        np.full(count, material, np.uint8),
    )


def quads(
    corners: ArrayLike, color: ArrayLike, material: Material = Material.PLAIN, unit_uv: bool = False
) -> Mesh:
    """Flat quadrilaterals (Q, 4, 3), each a, b, c, d going round.

    u runs from a to b, v from a to d, in metres or, with ``unit_uv``, from 0 to 1. ``color`` is (3,) for all
    or (Q, 3).
    """
    abcd = np.asarray(corners, np.float32)
    u, v = abcd[:, 1] - abcd[:, 0], abcd[:, 3] - abcd[:, 0]
    uv = np.tile(np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32), (len(abcd), 1, 1))
    if not unit_uv:
        uv *= np.stack([_length(u), _length(v)], axis=-1)[:, None]
    normal = np.broadcast_to(_unit(cross(u, v))[:, None, None], (len(abcd), 2, 3, 3))
    halves = [[0, 1, 2], [0, 2, 3]]
    colors = np.broadcast_to(np.asarray(color, np.float32), (len(abcd), 3))
    return Mesh(
        abcd[:, halves].reshape(-1, 3, 3),
        normal.reshape(-1, 3, 3),
        uv[:, halves].reshape(-1, 3, 2),
        np.repeat(colors, 2, axis=0),
        np.full(2 * len(abcd), material, np.uint8),
    )


def panels(
    corners: ArrayLike,
    breaks: tuple[Sequence[float], Sequence[float]],
    wall: tuple[ArrayLike, Material],
    panes: dict[tuple[int, int], Color],
    pane: Material,
    recess: float = 0.0,
    clear: Container[tuple[int, int]] = (),
) -> Mesh:
    """A quadrilateral a, b, c, d cut at ``breaks`` (fractions along a-b and along a-d) into cells.

    The cells named in ``panes``, (column, row) to colour, are of the material ``pane`` and lie ``recess``
    metres behind the wall: against (b - a) x (d - a), which points outside. Those in ``clear`` are clear glass.
    """
    a, b, c, d = np.asarray(corners, np.float32)
    s, t = (np.asarray(axis, np.float32)[:, None] for axis in breaks)
    low, high = (1 - s) * a + s * b, (1 - s) * d + s * c
    grid = (1 - t)[:, None] * low + t[:, None] * high
    uv = np.stack(np.meshgrid(s * np.linalg.norm(b - a), t * np.linalg.norm(d - a)), axis=-1)
    sheet = surface(grid, wall[0], wall[1], uv)
    columns, rows = np.array(list(panes), int).reshape(-1, 2).T
    keep = ~np.isin(np.arange(len(sheet)) // 2, columns + rows * (len(s) - 1))
    parts = [sheet[keep]]
    if panes:
        turn = ((0, 0), (0, 1), (1, 1), (1, 0))
        outer = np.stack([grid[rows + down, columns + right] for down, right in turn], axis=1)
        inner = outer - recess * _unit(cross(b - a, d - a))
        glass = quads(inner, np.array(list(panes.values())), pane, unit_uv=True)
        glass.material[np.repeat([cell in clear for cell in panes], 2)] = Material.PANE
        parts.append(glass)
        if recess:
            reveals = np.stack([outer, np.roll(outer, -1, axis=1), np.roll(inner, -1, axis=1), inner], axis=2)
            parts.append(quads(reveals.reshape(-1, 4, 3), wall[0]))
    return merge(parts)


def box(low: ArrayLike, high: ArrayLike, color: ArrayLike, material: Material = Material.PLAIN) -> Mesh:
    """An axis-aligned box between two opposite corners."""
    ends = np.asarray([low, high], np.float32)
    return quads(np.where(_BOX == 0, ends[0], ends[1]), color, material)


def tube(
    start: ArrayLike,
    end: ArrayLike,
    radius: float,
    end_radius: float | None = None,
    color: ArrayLike = (0.5, 0.5, 0.5),
    material: Material = Material.PLAIN,
    sides: int = 8,
) -> Mesh:
    """A round bar from ``start`` to ``end``, open at both ends."""
    p, q = np.asarray(start, np.float64), np.asarray(end, np.float64)
    axis = _unit(q - p)
    ring = _circle(axis, sides)
    radii = radius, radius if end_radius is None else end_radius
    return surface([p + radii[0] * ring, q + radii[1] * ring], color, material, normals=[ring, ring])


def disc(
    center: ArrayLike,
    axis: ArrayLike,
    radius: float,
    color: ArrayLike,
    material: Material = Material.PLAIN,
    sides: int = 16,
) -> Mesh:
    """A flat round plate."""
    middle, normal = np.asarray(center, np.float64), _unit(np.asarray(axis, np.float64))
    ring = _circle(normal, sides)
    return surface([np.broadcast_to(middle, ring.shape), middle + radius * ring], color, material)


def ellipsoid(
    center: ArrayLike, radii: ArrayLike, color: ArrayLike, material: Material = Material.PLAIN, rings: int = 6
) -> Mesh:
    """An ellipsoid with axes along x, y, z."""
    size = np.broadcast_to(np.asarray(radii, np.float64), 3)
    polar = np.linspace(0, np.pi, rings + 1)[:, None]
    around = np.linspace(0, 2 * np.pi, 2 * rings + 1)
    level = np.sin(polar)
    unit = np.stack(
        np.broadcast_arrays(level * np.cos(around), level * np.sin(around), np.cos(polar)), axis=-1
    )
    return surface(np.asarray(center) + size * unit, color, material, normals=_unit(unit / size))


def capsule(start: ArrayLike, end: ArrayLike, radius: float, color: ArrayLike) -> Mesh:
    """A bar with round ends."""
    ends = (ellipsoid(point, radius, color, rings=4) for point in (start, end))
    return merge([tube(start, end, radius, color=color), *ends])


def _circle(axis: NDArray, sides: int) -> NDArray:
    """(sides + 1, 3) points of a unit circle about ``axis``."""
    side = _unit(cross(axis, np.array([0.0, 0.0, 1.0] if abs(axis[2]) < 0.9 else [1.0, 0.0, 0.0])))
    angle = np.linspace(0.0, 2.0 * np.pi, sides + 1)[:, None]
    return np.cos(angle) * side + np.sin(angle) * cross(axis, side)


def _cells(grid: NDArray[np.float32]) -> NDArray[np.float32]:
    """(R, C, k) grid -> (2 (R-1) (C-1), 3, k) triangle corners, both triangles of a cell side by side."""
    rows, columns, size = grid.shape
    both = np.empty((rows - 1, columns - 1, 6, size), np.float32)
    a, b, c, d = grid[:-1, :-1], grid[:-1, 1:], grid[1:, 1:], grid[1:, :-1]
    for k, corner in enumerate((a, b, c, a, c, d)):
        both[:, :, k] = corner
    return both.reshape(-1, 3, size)


def cross(a: NDArray, b: NDArray) -> NDArray:
    """The cross product along the last axis; np.cross spends most of its time on generality."""
    return a[..., [1, 2, 0]] * b[..., [2, 0, 1]] - a[..., [2, 0, 1]] * b[..., [1, 2, 0]]


def _unit(vectors: NDArray) -> NDArray:
    length = _length(vectors)[..., None]
    return vectors / np.where(length > 0, length, 1.0)


def _length(vectors: NDArray) -> NDArray:
    """Along the last axis; np.linalg.norm is slow for many short vectors."""
    return np.sqrt(np.einsum("...i,...i->...", vectors, vectors))
