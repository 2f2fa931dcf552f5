"""Pinhole and fisheye cameras with the lens distortions of ``sensor_msgs/CameraInfo``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.polynomial import Polynomial
from numpy.typing import ArrayLike, NDArray

# Number of coefficients each model takes, in the order of CameraInfo.d.
_COEFFICIENTS: Final = {"none": (0,), "plumb_bob": (4, 5), "rational_polynomial": (8, 12, 14), "equidistant": (4,)}

# A pole and a zero of a rational lens this close, relative to the pole, are one accident of its fit.
_ACCIDENTAL: Final = 0.01
# A pixel has a ray if projecting that ray comes back to it within this many pixels,
_INVERSE_TOLERANCE: Final = 0.05
# and the search for it ends at this many, or after so many steps.
_INVERSE_PRECISION: Final = 1e-5
_INVERSE_STEPS: Final = 20
# Tangential distortion and the like bring no pixel into the lens circle that is this many times its radius away.
_INVERSE_MARGIN: Final = 1.2


@dataclass(frozen=True)
class Camera:
    """Intrinsics of one image size, in pixels; the centre of the top left pixel is (0, 0).

    Attributes:
        width, height: image size.
        fx, fy: focal lengths.
        cx, cy: principal point.
        distortion_model: ``none``, ``plumb_bob``, ``rational_polynomial`` or ``equidistant``, as in CameraInfo.
        distortion: coefficients in the order of CameraInfo.d (OpenCV's).

    Raises:
        ValueError: an unknown distortion model, a wrong number of coefficients, a value that is not finite, or a
            size or focal length <= 0.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    distortion_model: str = "none"
    distortion: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        # A list or an array of coefficients would not hash, and cameras are keys of the ray cache.
        object.__setattr__(self, "distortion", tuple(float(c) for c in self.distortion))
        if self.width != int(self.width) or self.height != int(self.height) or self.width < 1 or self.height < 1:
            raise ValueError(f"camera is {self.width} x {self.height} pixels, expected whole numbers of at least 1")
        object.__setattr__(self, "width", int(self.width))
        object.__setattr__(self, "height", int(self.height))
        if not np.isfinite([self.fx, self.fy, self.cx, self.cy]).all() or self.fx <= 0 or self.fy <= 0:
            raise ValueError(
                f"camera has fx={self.fx}, fy={self.fy}, cx={self.cx}, cy={self.cy}; "
                "expected finite values and focal lengths above 0 (is it calibrated?)"
            )
        if self.distortion_model not in _COEFFICIENTS:
            raise ValueError(
                f"unknown distortion model {self.distortion_model!r}; available: {', '.join(_COEFFICIENTS)}"
            )
        counts = _COEFFICIENTS[self.distortion_model]
        if len(self.distortion) not in counts:
            raise ValueError(
                f"distortion model {self.distortion_model!r} got {len(self.distortion)} coefficients, "
                f"expected {' or '.join(map(str, counts))}"
            )
        if not np.isfinite(self.distortion).all():
            raise ValueError(f"distortion coefficients {self.distortion} are not all finite")

    @classmethod
    def from_matrix(
        cls,
        matrix: ArrayLike,
        width: int,
        height: int,
        distortion_model: str = "none",
        distortion: Sequence[float] = (),
    ) -> Camera:
        """The camera of a (3, 3) intrinsic matrix K.

        Raises:
            ValueError: as for the constructor, or K is not [[fx, 0, cx], [0, fy, cy], [0, 0, 1]].
        """
        k = np.asarray(matrix, np.float64)
        if k.shape != (3, 3):
            raise ValueError(f"intrinsic matrix is {k.shape}, expected (3, 3)")
        if k[0, 1] != 0 or k[1, 0] != 0 or not np.array_equal(k[2], (0, 0, 1)):
            raise ValueError(f"intrinsic matrix is {k.tolist()}, expected [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]")
        fx, fy, cx, cy = (float(v) for v in (k[0, 0], k[1, 1], k[0, 2], k[1, 2]))
        return cls(width, height, fx, fy, cx, cy, distortion_model, tuple(distortion))

    @property
    def matrix(self) -> NDArray[np.float64]:
        """The (3, 3) intrinsic matrix K."""
        return np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])

    @property
    def is_distorted(self) -> bool:
        """Whether straight lines come out bent; an equidistant lens bends them even when its coefficients are 0."""
        return self.distortion_model == "equidistant" or any(self.distortion)

    def undistorted(self) -> Camera:
        """The distortion-free camera with the same matrix and size."""
        return replace(self, distortion_model="none", distortion=())

    def crop(self, x: int, y: int, width: int, height: int) -> Camera:
        """The camera of the image part ``image[y : y + height, x : x + width]``.

        Raises:
            ValueError: the part is not inside the image.
        """
        if x < 0 or y < 0 or x + width > self.width or y + height > self.height:
            raise ValueError(
                f"crop of {width} x {height} pixels at ({x}, {y}) is not inside the {self.width} x {self.height} image"
            )
        return replace(self, width=width, height=height, cx=self.cx - x, cy=self.cy - y)

    def resize(self, width: int, height: int) -> Camera:
        """The camera of the image scaled to another size, as ``cv2.resize`` scales it.

        Pixel edges, not pixel centres, map linearly: u' + 0.5 = (u + 0.5) * width' / width.
        """
        sx, sy = width / self.width, height / self.height
        return replace(
            self,
            width=width,
            height=height,
            fx=self.fx * sx,
            fy=self.fy * sy,
            cx=(self.cx + 0.5) * sx - 0.5,
            cy=(self.cy + 0.5) * sy - 0.5,
        )

    def project(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Where the lens puts points: (N, 3) metres in the optical frame -> (N, 2) float64 pixels (u, v).

        NaN where the lens does not see a point: z <= 0, not finite, or so far off the axis that the distortion
        polynomial runs backwards there and would fold the point into the image. Pixels may lie outside the image.

        Raises:
            ValueError: ``points`` is not (N, 3).
        """
        points = np.asarray(points, np.float64)
        if points.ndim != 2 or points.shape[1] != 3:
            raise ValueError(f"points are {points.shape}, expected (N, 3)")
        pixels = np.full((len(points), 2), np.nan)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            xy = points[:, :2] / points[:, 2:]
            seen = np.isfinite(points).all(1) & (points[:, 2] > 0) & (np.hypot(*xy.T) < _field_of_view(self))
        pixels[seen] = _distort(xy[seen], self)
        return pixels

    def rays(self) -> NDArray[np.float32]:
        """The (H, W, 2) viewing directions (x/z, y/z) of all pixels; NaN where the lens model has no inverse.

        Computed once per camera and shared: the array is read-only.
        """
        return _rays(self)

    def unproject(self, depth: NDArray[np.floating]) -> NDArray[np.float32]:
        """The (H, W, 3) points in the optical frame, metres, of an (H, W) depth image in metres.

        A depth that is 0 or NaN gives the point (0, 0, 0) or NaN.

        Raises:
            ValueError: ``depth`` has another size than the camera.
        """
        depth = np.asarray(depth, np.float32)
        if depth.shape != (self.height, self.width):
            raise ValueError(f"depth is {depth.shape}, expected {(self.height, self.width)} like the camera")
        points = np.empty((*depth.shape, 3), np.float32)
        np.multiply(self.rays(), depth[..., None], out=points[..., :2])
        points[..., 2] = depth
        return points


def _distort(xy: NDArray[np.float64], camera: Camera) -> NDArray[np.float64]:
    """(N, 2) directions x/z, y/z inside the field of view -> (N, 2) pixels."""
    if not camera.is_distorted:
        return xy * np.array((camera.fx, camera.fy)) + np.array((camera.cx, camera.cy))
    project = cv2.fisheye.projectPoints if camera.distortion_model == "equidistant" else cv2.projectPoints
    points = np.concatenate([xy, np.ones((len(xy), 1))], 1)[:, None]
    pixels = np.empty_like(xy)
    # In blocks, as OpenCV always computes the Jacobian too: at 300,000 points it would fill 80 MB, 2.5 times slower.
    for start in range(0, len(xy), 8192):
        block = slice(start, start + 8192)
        seen, _ = project(points[block], np.zeros(3), np.zeros(3), camera.matrix, _effective_distortion(camera))
        pixels[block] = seen.reshape(-1, 2)
    return pixels


@lru_cache(maxsize=32)
def _effective_distortion(camera: Camera) -> NDArray[np.float64]:
    """The distortion, less what of a rational lens has no meaning within the picture.

    The fits of some factories have a pole in view with a zero right beside it. Both cancel but at that radius, where
    they throw points anywhere and the lens would seem to end. A pair beyond the picture has a part in the fit.
    """
    stated = np.array(camera.distortion)
    if camera.distortion_model != "rational_polynomial":
        return stated
    k1, k2, _, _, k3, k4, k5, k6 = stated[:8]
    zeros, poles = (Polynomial([1, *each]).trim().roots() for each in ((k1, k2, k3), (k4, k5, k6)))
    for pole in poles[(np.abs(poles.imag) < 1e-9) & (poles.real > 0)]:
        beside = np.abs(zeros - pole) < _ACCIDENTAL * abs(pole)
        if beside.any():
            without = stated.copy()
            without[[0, 1, 4]] = _from_roots(np.delete(zeros, beside.argmax()))
            without[[5, 6, 7]] = _from_roots(poles[poles != pole])
            lens = replace(camera, distortion=tuple(without))
            if not _farthest_view(lens) ** 2 < pole.real:
                return _effective_distortion(lens)  # where there may be another
    return stated


def _farthest_view(camera: Camera) -> float:
    """The radius hypot(x/z, y/z) in the picture's farthest corner; NaN if the lens does not reach all of them."""
    right, bottom = camera.width - 1, camera.height - 1
    corners = np.array([(0, 0), (right, 0), (0, bottom), (right, bottom)], np.float64)
    return float(np.hypot(*_undistort(corners, camera).T).max())


def _from_roots(roots: NDArray[np.complexfloating]) -> NDArray[np.float64]:
    """a, b, c of the polynomial 1 + a s + b s^2 + c s^3 with these, at most three, roots."""
    polynomial = Polynomial.fromroots(roots) if len(roots) else Polynomial([1])
    factors = (polynomial / polynomial(0)).coef.real[1:]
    return np.pad(factors, (0, 3 - len(factors)))


def _radial_polynomials(camera: Camera) -> tuple[Polynomial, Polynomial]:
    """N and D of what of the distortion depends on the radius alone.

    It is theta_d = theta N(theta^2) / D for a fisheye, with D = 1; r_d = r N(r^2) / D(r^2) for other lenses.
    """
    coefficients = _effective_distortion(camera)
    if camera.distortion_model == "equidistant":
        return Polynomial([1, *coefficients]), Polynomial([1])
    k1, k2, _, _, k3, k4, k5, k6 = (*coefficients, 0.0, 0.0, 0.0, 0.0)[:8]
    return Polynomial([1, k1, k2, k3]), Polynomial([1, k4, k5, k6])


@lru_cache(maxsize=32)
def _field_of_view(camera: Camera) -> float:
    """The radius hypot(x/z, y/z) up to which the distorted radius grows with the undistorted one."""
    if not camera.is_distorted:
        return np.inf
    numerator, denominator = _radial_polynomials(camera)
    # of r N(s) / D(s) with s = r^2 by r: [(N + 2 s N') D - 2 s N D'] / D^2
    two_s = Polynomial([0, 2])
    derivative = (numerator + two_s * numerator.deriv()) * denominator - two_s * numerator * denominator.deriv()
    limit = np.sqrt(min(_first_positive_root(derivative), _first_positive_root(denominator)))
    if camera.distortion_model == "equidistant":
        return float(np.tan(limit)) if limit < np.pi / 2 else np.inf
    return float(limit)


def _first_positive_root(polynomial: Polynomial) -> float:
    """The smallest real root above 0, infinity if there is none."""
    roots = polynomial.trim().roots()
    real = roots.real[(np.abs(roots.imag) < 1e-9) & (roots.real > 0)]
    return float(real.min()) if len(real) else np.inf


@lru_cache(maxsize=8)
def _rays(camera: Camera) -> NDArray[np.float32]:
    v, u = np.mgrid[: camera.height, : camera.width]
    pixels = np.stack([u, v], -1).reshape(-1, 2).astype(np.float64)
    if camera.is_distorted:
        rays = _undistort(pixels, camera)
    else:
        rays = (pixels - (camera.cx, camera.cy)) / (camera.fx, camera.fy)
    shared = rays.astype(np.float32).reshape(camera.height, camera.width, 2)
    shared.flags.writeable = False
    return shared


def _undistort(pixels: NDArray[np.float64], camera: Camera) -> NDArray[np.float64]:
    """(N, 2) pixels -> (N, 2) directions x/z, y/z; NaN where there is none.

    OpenCV's own inverses find none at the rim of wide lenses that have one: that of a fisheye ends where the distorted
    angle is 90 degrees, the other does not converge.
    """
    focal, centre = np.array([camera.fx, camera.fy]), np.array([camera.cx, camera.cy])
    angles, radii = _radial_table(camera)
    rays, apart = np.empty(pixels.shape), np.full(len(pixels), np.inf)
    bent = (pixels - centre) / focal
    margin = 1.0 if camera.distortion_model == "equidistant" else _INVERSE_MARGIN  # all of a fisheye's is radial
    inexact = np.flatnonzero(np.hypot(*bent.T) < margin * radii[-1])
    bent = bent[inexact]
    # The table undoes what depends on the radius alone. The rest is small, tangential distortion above all: by as much
    # as the projected ray misses its pixel, the next one is taken from farther on.
    for _ in range(_INVERSE_STEPS):
        radius = np.hypot(*bent.T)
        ratio = np.tan(np.interp(radius, radii, angles)) / np.maximum(radius, np.finfo(float).tiny)
        rays[inexact] = bent * ratio[:, None]
        error = pixels[inexact] - _distort(rays[inexact], camera)
        apart[inexact] = np.abs(error).max(1)
        more = apart[inexact] > _INVERSE_PRECISION
        bent, inexact = (bent + error / focal)[more], inexact[more]
    rays[apart > _INVERSE_TOLERANCE] = np.nan
    return rays


def _radial_table(camera: Camera) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(M,) angles off the axis, radians, over the field of view, and the (M,) growing radii r_d that they come to."""
    # By a hundredth of a pixel short of its end, where the tangent of 90 degrees or a pole is.
    angles = np.linspace(0, np.arctan(_field_of_view(camera)) * (1 - 1e-5), 4096)
    numerator, denominator = _radial_polynomials(camera)
    radii = angles if camera.distortion_model == "equidistant" else np.tan(angles)
    return angles, radii * numerator(radii**2) / denominator(radii**2)
