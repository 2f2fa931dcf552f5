"""Pinhole cameras with the lens distortions of ``sensor_msgs/CameraInfo``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

# Number of coefficients each model takes, in the order of CameraInfo.d.
_COEFFICIENTS: Final = {"none": (0,), "plumb_bob": (4, 5), "rational_polynomial": (8, 12, 14), "equidistant": (4,)}


@dataclass(frozen=True)
class Camera:
    """Intrinsics of one image size, in pixels; the centre of the top left pixel is (0, 0).

    Attributes:
        width, height: image size.
        fx, fy: focal lengths.
        cx, cy: principal point.
        distortion_model: ``none``, ``plumb_bob``, ``rational_polynomial`` or ``equidistant`` (REP 104, 150-style names
            of CameraInfo).
        distortion: coefficients in the order of CameraInfo.d (OpenCV's).

    Raises:
        ValueError: an unknown distortion model, a wrong number of coefficients, or a size or focal length <= 0.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    distortion_model: str = "none"
    distortion: tuple[float, ...] = ()

    @property
    def matrix(self) -> NDArray[np.float64]:
        """The (3, 3) intrinsic matrix K."""
        return np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])
