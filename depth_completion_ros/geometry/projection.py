"""Points of a depth sensor -> sparse depth image of a camera; one code for CPU and GPU."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.nn.functional import pad

from depth_completion_ros.geometry.camera import Camera

_Array = TypeVar("_Array", NDArray[np.float32], Tensor)

# How far R may be from a rotation: calibration files are rounded to a few digits.
_RIGID_TOLERANCE = 1e-3
# A measurement is behind another if that one is nearer than this part of its depth.
HIDDEN_RATIO = 0.85
# LiDAR and camera of one vehicle stand no farther apart than this, in metres: decimetres on robots, nearly one where a
# LiDAR on the roof serves cameras all around. What an extrinsic says beyond is no lever arm: clouds in the frame of
# the vehicle's base or of a map have lost where their LiDAR was, and the distance to that frame is no parallax.
_LONGEST_BASELINE = 1.0
# How far sideways a hiding surface has to continue, in pixels.
_SIDE_COLUMNS = 5


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
    if not isinstance(points, (np.ndarray, Tensor)):
        raise ValueError(f"points are a {type(points).__name__}, expected a NumPy array or a tensor")
    expected = torch.float32 if isinstance(points, Tensor) else np.float32
    if points.ndim != 2 or points.shape[1] < 3 or points.dtype != expected:
        given = f"{tuple(points.shape)} {points.dtype}"
        raise ValueError(f"points are {given}, expected (N, 3) or more columns of float32 metres, x y z first")
    transform = rigid_transform(extrinsic)
    if isinstance(points, Tensor):
        depth = _project(points.to(device), camera, transform)
        return (remove_hidden(depth, camera, transform) if see_through else depth).to(points.device)
    return project_points(_tensor(points).to(device), camera, transform, see_through=see_through).cpu().numpy()


def remove_hidden(sparse_depth: _Array, camera: Camera, extrinsic: ArrayLike) -> _Array:
    """Removes measurements that the camera cannot have made because a nearer surface is in front of them.

    A LiDAR mounted above the camera sees over objects, so that background lands on foreground pixels. It lies
    *inside* the nearer surface then: a measurement is removed if left and right of it, or above and below it,
    there are others at less than 85 % of its depth, where

    * on one side the parallax between sensor and camera, f |t| (1 / z_near - 1 / z_far) pixels at most, is enough
      to have moved the nearer one across (else the LiDAR would have seen the two in the same order); |t| counts up
      to a metre, as clouds that a driver has moved to another frame do not tell where the LiDAR is; and
    * on the other, to show that the surface goes on there, the nearer one is within 5 columns, or within 1.5 times
      the distance between scan lines as found in the image: so 4 lines work as well as 64.

    Neighbours on one side only are no reason. So ground at a grazing angle stays, and what is seen over a roof or
    beside a pole, except within a pixel of the outline; thin objects stay, being nearer themselves.

    Args:
        sparse_depth: (H, W) float32 metres, 0 = not measured; an array or a tensor.
        camera: the camera it was projected into.
        extrinsic: (4, 4) rigid transform, the sensor's own frame -> optical frame of the camera.

    Returns:
        The same with the hidden measurements set to 0; of the same type and device.

    Raises:
        ValueError: the sparse depth has another size than the camera, or the extrinsic is not rigid.
    """
    if sparse_depth.shape != (camera.height, camera.width):
        raise ValueError(
            f"sparse depth is {tuple(sparse_depth.shape)}, expected {(camera.height, camera.width)} like the camera"
        )
    baseline = float(np.linalg.norm(rigid_transform(extrinsic)[:3, 3]))
    parallax = max(camera.fx, camera.fy) * min(baseline, _LONGEST_BASELINE)
    if isinstance(sparse_depth, Tensor):
        return _remove_hidden(sparse_depth, parallax)
    return _remove_hidden(_tensor(sparse_depth), parallax).numpy()


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


def _tensor(array: NDArray[np.float32]) -> Tensor:
    """A tensor that shares the array's memory where torch can: not that of read-only or reversed arrays."""
    return torch.from_numpy(np.require(array, requirements=["C", "W"]))


def _project(points: Tensor, camera: Camera, transform: NDArray[np.float64]) -> Tensor:
    matrix = transform[:3] if camera.is_distorted else camera.matrix @ transform[:3]
    columns = torch.from_numpy(matrix.T.astype(np.float32)).to(points.device)
    x, y, z = torch.addmm(columns[3], points[:, :3], columns[:3]).T
    # Some drivers write (0, 0, 0) where nothing came back; no sensor measures a range of zero.
    z = torch.where((points[:, 0] != 0) | (points[:, 1] != 0) | (points[:, 2] != 0), z, 0)
    if not camera.is_distorted:
        return _nearest_per_pixel(x / z, y / z, z, camera)
    ahead = z > 0
    xyz = torch.stack([x[ahead], y[ahead], z[ahead]], 1)
    u, v = torch.from_numpy(camera.project(xyz.cpu().numpy())).to(xyz).T
    return _nearest_per_pixel(u, v, xyz[:, 2], camera)


def _nearest_per_pixel(u: Tensor, v: Tensor, z: Tensor, camera: Camera) -> Tensor:
    """(H, W) depth of points at pixel coordinates (N,) u, v; in each pixel the nearest, 0 where there is none."""
    inside, pixel = pixels_in_view(u, v, z, camera)
    depth = torch.full((camera.height * camera.width,), torch.inf, device=z.device)
    depth.scatter_reduce_(0, pixel, z[inside], "amin")
    return depth.masked_fill_(depth == torch.inf, 0).view(camera.height, camera.width)


def pixels_in_view(u: Tensor, v: Tensor, z: Tensor, camera: Camera) -> tuple[Tensor, Tensor]:
    """Which points at pixel coordinates (N,) u, v and depth z are in the image, and the flat index of their pixels."""
    # Compared as floats before any cast, since NaN, infinity or 1e20 as an integer can be anything, also a pixel.
    column, row = u + 0.5, v + 0.5
    inside = (z > 0) & (z < torch.inf) & (column >= 0) & (column < camera.width) & (row >= 0) & (row < camera.height)
    return inside, row[inside].long() * camera.width + column[inside].long()


def _remove_hidden(sparse_depth: Tensor, parallax: float) -> Tensor:
    nearness = torch.where(sparse_depth > 0, 1 / sparse_depth, 0)
    if float(nearness.max()) * parallax < 1:  # even the nearest surface stands within a pixel of where it was seen
        return sparse_depth.clone()
    rows = round(1.5 * _line_distance(sparse_depth))
    hider = torch.maximum(
        _nearness_around(nearness, parallax, _SIDE_COLUMNS), _nearness_around(nearness.T.contiguous(), parallax, rows).T
    )
    return torch.where(HIDDEN_RATIO * hider * sparse_depth > 1, 0, sparse_depth)


def _line_distance(sparse_depth: Tensor) -> float:
    """The median distance, in rows, from one measurement to the next below it."""
    column, row = sparse_depth.T.nonzero().T
    distance = row.diff()[column.diff() == 0]
    return float(distance.median()) if len(distance) else 1.0


def _nearness_around(nearness: Tensor, parallax: float, reach: int) -> Tensor:
    """Up to which nearness a surface covers each pixel, by measurements before and behind it in its row."""
    # one row up and down, as a scan line is seldom exactly level
    band = torch.maximum(nearness, torch.maximum(pad(nearness, (0, 0, 1, -1)), pad(nearness, (0, 0, -1, 1))))
    before, after = _moved_here(band, parallax), _moved_here(band.flip(1), parallax).flip(1)
    near_before, near_after = _maximum_before(band, reach), _maximum_before(band.flip(1), reach).flip(1)
    return torch.maximum(torch.minimum(before, near_after), torch.minimum(near_before, after))


def _moved_here(nearness: Tensor, parallax: float) -> Tensor:
    """out[i] = max over k = 0, 1, ... of nearness[i - 1 - k] - k / parallax, in every row.

    A surface moves by parallax * (its nearness - that of the background) pixels: k pixels away from where it was
    measured, it hides what is at least k / parallax less near.
    """
    ramp = torch.arange(nearness.shape[1], device=nearness.device) / parallax
    return pad((nearness + ramp).cummax(1).values - ramp, (1, -1))


def _maximum_before(image: Tensor, reach: int) -> Tensor:
    """out[i] = max(image[i - reach], ..., image[i - 1]) in every row."""
    reach = min(reach, image.shape[1] - 1)
    width = 1
    while width < reach:  # the maximum of two overlapping windows is that of a longer one
        step = min(width, reach - width)
        image = torch.maximum(image, pad(image, (step, -step)))
        width += step
    return pad(image, (1, -1))
