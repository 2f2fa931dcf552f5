"""Points of a depth sensor -> sparse depth image of a camera; one code for CPU and GPU."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from depth_completion_ros.geometry.camera import Camera

_Array = TypeVar("_Array", NDArray[np.float32], Tensor)

# How far R may be from a rotation: calibration files are rounded to a few digits.
_RIGID_TOLERANCE = 1e-3


def project_points(
    points: _Array,
    camera: Camera,
    extrinsic: ArrayLike,
    *,
    see_through: bool = False,
    device: torch.device | str | None = None,
) -> _Array:
    """Projects a point cloud into a camera; of several returns in one pixel the nearest stays.

    A return belongs to the pixel whose square holds it: [u - 0.5, u + 0.5). Returns that are behind the camera,
    outside the image, beyond what the lens sees, NaN or infinite are left out.

    Args:
        points: (N, 3+) float32 metres in the sensor's frame, an array or a tensor; further columns are ignored.
        camera: the camera to project into.
        extrinsic: (4, 4) rigid transform, sensor frame -> optical frame of the camera.
        see_through: remove background points that a nearer surface hides, see :func:`remove_hidden`.
        device: where to compute; by default where the points are.

    Returns:
        (H, W) float32 metres along the optical axis, 0 = not measured; an array for an array, for a tensor a
        tensor on the same device.

    Raises:
        ValueError: another shape or dtype than stated here, or the extrinsic is not rigid.
    """
    if points.ndim != 2 or points.shape[1] < 3:
        raise ValueError(f"points are {tuple(points.shape)}, expected (N, 3) or more columns, x y z first")
    if points.dtype not in (np.float32, torch.float32):
        raise ValueError(f"points are {points.dtype}, expected float32 metres")
    transform = rigid_transform(extrinsic)
    if isinstance(points, Tensor):
        depth = _project(points.to(device), camera, transform).to(points.device)
        return remove_hidden(depth) if see_through else depth
    # require(): torch can not share read-only or reversed arrays
    tensor = torch.from_numpy(np.require(points, requirements=["C", "W"])).to(device)
    depth = _project(tensor, camera, transform)
    return (remove_hidden(depth) if see_through else depth).cpu().numpy()


def remove_hidden(sparse_depth: _Array) -> _Array:
    """Removes measurements that the camera cannot have made because a nearer surface is in front of them.

    A LiDAR mounted above the camera sees over objects, so that background points land on foreground pixels.

    Args:
        sparse_depth: (H, W) float32 metres, 0 = not measured; an array or a tensor.

    Returns:
        The same with the hidden measurements set to 0; of the same type and device.
    """
    if not isinstance(sparse_depth, Tensor):
        return remove_hidden(torch.from_numpy(np.require(sparse_depth, requirements=["C", "W"]))).numpy()
    nearness = torch.where(sparse_depth > 0, 1 / sparse_depth, 0)
    nearest = torch.nn.functional.max_pool2d(nearness[None, None], (9, 7), 1, (4, 3))[0, 0]
    return torch.where(nearest * sparse_depth * 0.85 > 1, 0, sparse_depth)


def rigid_transform(extrinsic: ArrayLike) -> NDArray[np.float64]:
    """The (4, 4) float64 array of an extrinsic, checked.

    Raises:
        ValueError: it is not (4, 4), not finite, or not a rotation and a translation.
    """
    transform = np.asarray(extrinsic, np.float64)
    if transform.shape != (4, 4):
        raise ValueError(f"extrinsic is {transform.shape}, expected (4, 4)")
    rotation = transform[:3, :3]
    if not (
        np.isfinite(transform).all()
        and np.array_equal(transform[3], (0, 0, 0, 1))
        and np.allclose(rotation @ rotation.T, np.eye(3), atol=_RIGID_TOLERANCE)
        and np.linalg.det(rotation) > 0
    ):
        raise ValueError(f"extrinsic is not a rotation and a translation: {np.round(transform, 4).tolist()}")
    return transform


def _project(points: Tensor, camera: Camera, transform: NDArray[np.float64]) -> Tensor:
    if camera.is_distorted:
        return _nearest(*_through_lens(points, camera, transform), camera)
    matrix = torch.from_numpy((camera.matrix @ transform[:3]).T.astype(np.float32)).to(points.device)
    u, v, z = torch.addmm(matrix[3], points[:, :3], matrix[:3]).T
    return _nearest(u / z, v / z, z, camera)


def _through_lens(points: Tensor, camera: Camera, transform: NDArray[np.float64]) -> tuple[Tensor, Tensor, Tensor]:
    """Pixel coordinates u, v and depth z of the points before a distorted camera, by OpenCV's lens models."""
    matrix = torch.from_numpy(transform[:3].T.astype(np.float32)).to(points.device)
    points = torch.addmm(matrix[3], points[:, :3], matrix[:3])
    points = points[points[:, 2] > 0]
    pixels = torch.from_numpy(camera.project(points.cpu().numpy()).astype(np.float32)).to(points.device)
    return pixels[:, 0], pixels[:, 1], points[:, 2]


def _nearest(u: Tensor, v: Tensor, z: Tensor, camera: Camera) -> Tensor:
    # Compared as floats, before any cast: a cast of NaN, inf or 1e20 to an integer could land inside. NaN fails all.
    height, width = camera.height, camera.width
    inside = (z > 0) & (z < torch.inf) & (u >= -0.5) & (u < width - 0.5) & (v >= -0.5) & (v < height - 0.5)
    u, v, z = u[inside], v[inside], z[inside]
    pixel = (v + 0.5).long() * width + (u + 0.5).long()
    depth = torch.full((height * width,), torch.inf, device=z.device).scatter_reduce_(0, pixel, z, "amin")
    return depth.masked_fill_(depth == torch.inf, 0).view(height, width)
