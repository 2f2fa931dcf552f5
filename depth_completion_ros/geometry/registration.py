"""A depth image of one camera -> the view of another."""

from __future__ import annotations

from itertools import product

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from depth_completion_ros.geometry.camera import Camera
from depth_completion_ros.geometry.projection import pixels_in_view, rigid_transform

# Neighbouring pixels belong to one surface unless it would be inclined by more than 87 degrees: tan(87 deg) = 19.
_STEEPEST = 19.0
# Beyond this enlargement the view stays sparse.
_MOST_PARTS = 8


def register_depth(
    depth: NDArray[np.float32], depth_camera: Camera, camera: Camera, extrinsic: ArrayLike
) -> NDArray[np.float32]:
    """Moves an unregistered depth image, such as that of a ToF camera, into a colour camera's view.

    Where the colour camera has more pixels, single points would leave gaps through which the background shows.
    So the depth image is taken as what it samples, surfaces: neighbouring pixels are joined, linearly in inverse
    depth (exact for planes), unless the step between them is too steep for one surface; across such a step nothing
    is made up. Where surfaces overlap, the nearest hides the others.

    Args:
        depth: (h, w) float32 metres along the optical axis of ``depth_camera``; 0 or NaN = not measured.
        depth_camera: the camera of ``depth``; may be distorted.
        camera: the camera whose view is wanted; may be distorted.
        extrinsic: (4, 4) rigid transform, depth camera -> ``camera``, both optical frames.

    Returns:
        (H, W) float32 metres along the optical axis of ``camera``, 0 = not measured.

    Raises:
        ValueError: ``depth`` is not float32 or has another size than its camera, or the extrinsic is not rigid.
    """
    if depth.dtype != np.float32:
        raise ValueError(f"depth is {depth.dtype}, expected float32 metres")
    transform = rigid_transform(extrinsic).astype(np.float32)
    measured = np.isfinite(depth) & (depth > 0)
    points = depth_camera.unproject(np.where(measured, depth, np.nan)).reshape(-1, 3)
    points = points @ transform[:3, :3].T + transform[:3, 3]
    vertices = np.empty((3, *depth.shape), np.float32)
    vertices[:2] = camera.project(points).T.reshape(2, *depth.shape)
    with np.errstate(divide="ignore"):
        vertices[2] = 1 / points[:, 2].reshape(depth.shape)
    steepest = 1 + _STEEPEST / min(depth_camera.fx, depth_camera.fy)
    samples = _surface_samples(torch.from_numpy(vertices), camera, steepest)
    return _front_surface(samples, camera, steepest).numpy()


def _surface_samples(vertices: Tensor, camera: Camera, steepest: float) -> Tensor:
    """Points of the surfaces between vertices (3, h, w), u v 1/z, NaN where there is none; (3, N), a pixel apart.

    Vertices belong to one surface if their depths differ by a factor of at most ``steepest``.
    """
    rows = _parts(vertices[:, :-1], vertices[:, 1:], camera, steepest)
    columns = _parts(vertices[:, :, :-1], vertices[:, :, 1:], camera, steepest)
    samples = []
    for row, column in product(range(rows), range(columns)):
        corners = [
            (row_weight * column_weight, vertices[:, i, j])
            for row_weight, i in _neighbours(row / rows, vertices.shape[1])
            for column_weight, j in _neighbours(column / columns, vertices.shape[2])
        ]
        joined = _joined([corner for _, corner in corners], steepest)
        samples.append(torch.stack([weight * corner for weight, corner in corners]).sum(0)[:, joined])
    return torch.cat(samples, 1)


def _front_surface(samples: Tensor, camera: Camera, steepest: float) -> Tensor:
    """(H, W) depth of the nearest surface; 0 where there is none."""
    u, v, nearness = samples
    inside, pixel = pixels_in_view(u, v, 1 / nearness, camera)
    nearness = nearness[inside]
    empty = torch.zeros(camera.height * camera.width)
    nearest = empty.scatter_reduce(0, pixel, nearness, "amax")
    # The mean of the samples of that surface: their nearest would draw slanted surfaces half a pixel too near.
    front = nearness * steepest >= nearest[pixel]
    total = empty.index_add(0, pixel[front], nearness[front])
    count = torch.bincount(pixel[front], minlength=len(empty))
    return torch.where(count > 0, count / total, 0).view(camera.height, camera.width)


def _parts(start: Tensor, end: Tensor, camera: Camera, steepest: float) -> int:
    """Into how many parts to divide edges so that 19 of 20 parts in view are at most a pixel long."""
    in_view, _ = pixels_in_view(start[0], start[1], 1 / start[2], camera)
    length = (end[:2] - start[:2]).abs().amax(0)[in_view & _joined([start, end], steepest)]
    length = length[torch.isfinite(length)]
    if not len(length):
        return 1
    # less a margin for rounding: pixels that map to pixels need no parts
    return int(np.clip(np.ceil(np.quantile(length.numpy(), 0.95) - 0.01), 1, _MOST_PARTS))


def _neighbours(fraction: float, size: int) -> list[tuple[float, slice]]:
    """The indices i and i + 1 around all i + fraction, and their linear weights."""
    if fraction == 0:
        return [(1.0, slice(0, size))]
    return [(1 - fraction, slice(0, size - 1)), (fraction, slice(1, size))]


def _joined(corners: list[Tensor], steepest: float) -> Tensor:
    nearness = torch.stack([corner[2] for corner in corners])
    return nearness.amax(0) <= steepest * nearness.amin(0)
