"""Rotation matrices and quaternions, exact to the last digits of float64."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def rotation_of(quaternion: ArrayLike) -> NDArray[np.float64]:
    """The (3, 3) rotation matrix of a quaternion (x, y, z, w), which need not be of unit length.

    Raises:
        ValueError: the quaternion is zero or not finite.
    """
    quaternion = np.asarray(quaternion, np.float64)
    length = np.linalg.norm(quaternion)
    if not (np.isfinite(length) and length > 0):
        raise ValueError(f"quaternion {quaternion.tolist()} is no rotation")
    x, y, z, w = quaternion / length
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def is_same_pose(first: ArrayLike, second: ArrayLike) -> bool:
    """Whether two rigid transforms, (4, 4) in metres, are one but for rounding: what was measured is never as exact."""
    return bool(np.allclose(first, second, rtol=0, atol=1e-6))


def quaternion_of(rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    """The unit quaternion (x, y, z, w), w >= 0, of a (3, 3) rotation matrix.

    The columns of the symmetric matrix below are all multiples of the quaternion; the longest is the best
    conditioned (S. W. Shepperd, "Quaternion from Rotation Matrix", 1978).
    """
    (a, b, c), (d, e, f), (g, h, i) = rotation
    columns = np.array(
        [
            [1 + a - e - i, b + d, c + g, h - f],
            [b + d, 1 - a + e - i, f + h, c - g],
            [c + g, f + h, 1 - a - e + i, d - b],
            [h - f, c - g, d - b, 1 + a + e + i],
        ]
    )
    quaternion = columns[np.argmax(np.diag(columns))]
    return np.copysign(1.0, quaternion[3]) * quaternion / np.linalg.norm(quaternion)


def nearest_rotation(matrix: ArrayLike) -> NDArray[np.float64]:
    """The rotation nearest to a (3, 3) matrix whose entries were rounded, as in a printed calibration.

    Raises:
        ValueError: the matrix mirrors space.
    """
    matrix = np.asarray(matrix, np.float64)
    u, _, vt = np.linalg.svd(matrix)
    if np.linalg.det(u @ vt) < 0:
        raise ValueError(f"{matrix.tolist()} is a reflection, expected a rotation")
    return np.asarray(u @ vt)
