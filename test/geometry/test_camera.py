"""Cameras against hand-computed pixels and against the lens formulas, written out here."""

import cv2
import numpy as np
import pytest
from numpy.polynomial import Polynomial

from depth_completion_ros.geometry.camera import Camera

# Lenses of the kinds that real calibrations describe: a wide industrial one, two ToF cameras, a fisheye.
LENSES = {
    "plumb_bob, 4": ("plumb_bob", (-0.12, 0.16, 0.0007, 0.0014)),
    "plumb_bob, 5": ("plumb_bob", (-0.37, 0.2, 0.0013, 0.0006, -0.068)),
    "rational_polynomial, 8": ("rational_polynomial", (0.55, -0.02, 0.0002, -0.0007, -0.003, 0.89, 0.086, -0.014)),
    "rational_polynomial, 12": (
        "rational_polynomial",
        (0.33, -0.2, 0.001, -0.001, 0.05, 0.2, -0.1, 0.02, 0.001, -0.002, 0.003, -0.001),
    ),
    "equidistant": ("equidistant", (-0.01, 0.003, -0.002, 0.0003)),
    "equidistant, all 0": ("equidistant", (0.0, 0.0, 0.0, 0.0)),
}


def camera_with(lens, width=96, height=64, focal=80.0):
    return Camera(width, height, focal, focal * 1.01, width / 2 + 1.3, height / 2 - 2.1, *lens)


def formula(xy, camera):
    """The pixels of directions (N, 2), from the formulas in OpenCV's manual."""
    x, y = xy.T
    r2 = x**2 + y**2
    if camera.distortion_model == "equidistant":
        r = np.sqrt(r2)
        theta = np.arctan(r)
        bent = theta * (1 + sum(k * theta ** (2 * i + 2) for i, k in enumerate(camera.distortion)))
        x, y = x * bent / r, y * bent / r
    else:
        d = np.zeros(12)
        d[: len(camera.distortion)] = camera.distortion
        k1, k2, p1, p2, k3, k4, k5, k6, s1, s2, s3, s4 = d
        radial = (1 + k1 * r2 + k2 * r2**2 + k3 * r2**3) / (1 + k4 * r2 + k5 * r2**2 + k6 * r2**3)
        x, y = (
            x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x**2) + s1 * r2 + s2 * r2**2,
            y * radial + p1 * (r2 + 2 * y**2) + 2 * p2 * x * y + s3 * r2 + s4 * r2**2,
        )
    return np.stack([camera.fx * x + camera.cx, camera.fy * y + camera.cy], 1)


def test_a_pinhole_projects_as_computed_by_hand():
    camera = Camera(640, 480, 500.0, 400.0, 320.0, 240.0)
    pixels = camera.project(np.array([[0, 0, 1], [1, -2, 10], [-3, 0.5, 5]], np.float32))
    np.testing.assert_allclose(pixels, [[320, 240], [370, 160], [20, 280]])
    assert pixels.dtype == np.float64


@pytest.mark.parametrize("lens", LENSES.values(), ids=LENSES)
def test_points_land_where_the_lens_formula_puts_them(lens):
    camera = camera_with(lens)
    rng = np.random.default_rng(1)
    directions = rng.uniform(-0.85, 0.85, (20_000, 2))
    depth = rng.uniform(0.5, 80, (20_000, 1))
    pixels = camera.project(np.concatenate([directions * depth, depth], 1))
    np.testing.assert_allclose(pixels, formula(directions, camera), atol=1e-9)


def test_tilted_sensors_are_opencvs_fourteen_coefficients():
    lens = ("rational_polynomial", (0.1, -0.05, 0.001, -0.001, 0.01, 0.02, 0, 0, 0, 0, 0, 0, 0.02, -0.03))
    camera = camera_with(lens)
    points = np.random.default_rng(2).uniform((-1, -1, 1.5), (1, 1, 3), (50, 3))
    expected, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), camera.matrix, np.array(lens[1]))
    np.testing.assert_allclose(camera.project(points), expected[:, 0], atol=1e-9)


@pytest.mark.parametrize("lens", [("none", ()), *LENSES.values()], ids=["none", *LENSES])
def test_what_the_lens_can_not_see_has_no_pixel(lens):
    unseen = [[0, 0, 0], [0, 0, -1], [1, 1, -5], [np.nan, 0, 1], [0, np.inf, 1], [0, 0, np.inf], [0, 0, np.nan]]
    camera = camera_with(lens)
    assert np.isnan(camera.project(np.array(unseen))).all()
    assert camera.project(np.zeros((0, 3))).shape == (0, 2)


@pytest.mark.parametrize(
    ("model", "distortion", "limit"),
    [
        ("plumb_bob", (-0.1, 0, 0, 0), np.sqrt(1 / 0.3)),  # d/dr (r - 0.1 r^3) = 0
        ("plumb_bob", (0.1, 0, 0, 0), np.inf),
        ("plumb_bob", (0.5, -0.1, 0, 0), np.sqrt(1.5 + np.sqrt(1.5**2 + 2))),  # 1 + 1.5 s - 0.5 s^2 = 0
        ("rational_polynomial", (0, 0, 0, 0, 0, -0.25, 0, 0), 2.0),  # the pole of 1 / (1 - r^2 / 4)
        ("equidistant", (-0.2, 0, 0, 0), np.tan(np.sqrt(1 / 0.6))),
        ("equidistant", (0, -0.2, 0, 0), np.tan(1.0)),
        ("equidistant", (0, 0, -0.2, 0), np.tan((1 / 1.4) ** (1 / 6))),  # 1 - 0.2 * 7 theta^6 = 0
        ("equidistant", (0, 0, 0, -0.2), np.tan((1 / 1.8) ** (1 / 8))),  # 1 - 0.2 * 9 theta^8 = 0
        ("equidistant", (0, 0, 0, 0), np.inf),
    ],
)
def test_the_field_of_view_ends_where_the_distortion_turns_back(model, distortion, limit):
    camera = Camera(100, 100, 50, 50, 50, 50, model, distortion)
    inside = min(limit * 0.999, 1e3)
    assert np.isfinite(camera.project(np.array([[inside, 0, 1], [0, -inside, 1]]))).all()
    if np.isfinite(limit):
        assert np.isnan(camera.project(np.array([[limit * 1.001, 0, 1], [0, -limit * 100, 1]]))).all()


def rational(zeros, poles, focal=200.0, cx=125.0):
    """The lens of a polynomial in r^2 over another."""
    k1, k2, k3, k4, k5, k6 = (
        coefficient
        for roots in (zeros, poles)
        for coefficient in (*(Polynomial.fromroots(roots) / Polynomial.fromroots(roots)(0)).coef[1:], 0, 0)[:3]
    )
    lens = (k1, k2, 0.001, -0.001, k3, k4, k5, k6)
    return Camera(250, 250, focal, focal, cx, 125, "rational_polynomial", lens)


@pytest.mark.parametrize(
    ("zeros", "poles", "pair", "focal", "cx"),
    [
        ([20], [30], 0.4, 200.0, 125.0),
        ([20], [30], 1.2, 200.0, 30.0),  # in view on one side only
        # Barrel distortion: the corner is at r^2 = 0.96 as the lens bends it, and at 2.7 in truth.
        ([40], [40, -4], 1.3, 180.0, 125.0),
    ],
)
def test_a_pole_in_the_picture_with_a_zero_beside_it_is_no_end_of_the_lens(zeros, poles, pair, focal, cx):
    whole = rational(zeros, poles, focal, cx)
    factory = rational([*zeros, pair], [*poles, pair * 1.0025], focal, cx)
    assert np.isfinite(factory.rays()).all()
    directions = np.random.default_rng(0).uniform(-1.1, 1.1, (2000, 2))
    points = np.concatenate([directions, np.ones((2000, 1))], 1)
    np.testing.assert_allclose(factory.project(points), whole.project(points), atol=1e-6)


def test_a_pole_beyond_the_picture_is_part_of_the_lens_and_one_apart_from_zeros_its_end():
    beyond = rational([20, 4], [30, 4.01])
    assert np.isfinite(beyond.rays()).all()
    directions = np.random.default_rng(0).uniform(-0.9, 0.9, (2000, 2))
    pixels = beyond.project(np.concatenate([directions, np.ones((2000, 1))], 1))
    np.testing.assert_allclose(pixels, formula(directions, beyond), atol=1e-9)
    assert np.isnan(rational([20, 0.4], [30, 0.45]).rays()).any()


def test_points_far_off_the_axis_do_not_fold_back_into_the_image():
    camera = camera_with(LENSES["plumb_bob, 5"])
    off_axis = np.array([[x, 0.0, 1.0] for x in np.linspace(1, 3, 201)])
    folded = formula(off_axis[:, :2], camera)[:, 0]
    assert ((folded >= 0) & (folded < camera.width)).sum() > 20  # the polynomial alone would fold these into view
    pixels = camera.project(off_axis)[:, 0]
    seen = pixels[np.isfinite(pixels)]
    assert (np.diff(seen) > 0).all()
    assert np.isnan(pixels[off_axis[:, 0] > 2]).all()


@pytest.mark.parametrize("lens", [("none", ()), *LENSES.values()], ids=["none", *LENSES])
def test_rays_are_the_inverse_of_project(lens):
    camera = camera_with(lens)
    rays = camera.rays()
    assert rays.shape == (64, 96, 2) and rays.dtype == np.float32
    points = np.concatenate([rays, np.ones((64, 96, 1), np.float32)], 2).reshape(-1, 3)
    v, u = np.mgrid[:64, :96]
    np.testing.assert_allclose(camera.project(7 * points), np.stack([u.ravel(), v.ravel()], 1), atol=1e-3)


def test_pixels_outside_the_lens_circle_have_no_ray():
    # 90 degrees off the axis lie 20 * pi / 2 = 31.4 pixels from the centre
    camera = Camera(96, 64, 20, 20, 48, 32, "equidistant", (0, 0, 0, 0))
    v, u = np.mgrid[:64, :96]
    radius = np.hypot(u - 48, v - 32)
    rays = camera.rays()
    assert np.isfinite(rays[radius < 31]).all()
    assert np.isnan(rays[radius > 31.5]).all()
    np.testing.assert_allclose(np.hypot(*rays[32, 58]), np.tan(10 / 20), rtol=1e-6)


WIDE = {
    "a fisheye whose rim is beyond a distorted angle of 90 degrees": ("equidistant", (0.05, -0.01, 0.003, 0.0)),
    "a wide lens": ("plumb_bob", (-0.28, 0.07, 0.0, 0.0)),
    "a wide lens, not quite centred": ("plumb_bob", (-0.28, 0.07, 0.001, 0.0005)),
}


@pytest.mark.parametrize("lens", WIDE.values(), ids=WIDE)
def test_pixels_at_the_rim_of_wide_lenses_have_a_ray(lens):
    camera = camera_with(lens, 128, 96, 50.0)
    v, u = np.mgrid[:96, :128]
    pixels = np.stack([u.ravel(), v.ravel()], 1)
    # up to where the formula puts what is seen at 89.5 degrees, or about as far off the axis as the lens sees
    outermost = np.tan(np.radians(89.5)) if lens[0] == "equidistant" else 2.2
    limit = (formula(np.array([[outermost, 0.0]]), camera)[0, 0] - camera.cx) / camera.fx
    within = np.hypot(*((pixels - (camera.cx, camera.cy)) / (camera.fx, camera.fy)).T) < limit
    assert within.sum() > 10_000
    rays = camera.rays().reshape(-1, 2).astype(np.float64)
    assert np.isfinite(rays[within]).all()
    np.testing.assert_allclose(formula(rays[within], camera), pixels[within], atol=1e-3)


def test_rays_are_computed_once_and_can_not_be_overwritten():
    rays = camera_with(LENSES["plumb_bob, 4"]).rays()
    assert rays is camera_with(LENSES["plumb_bob, 4"]).rays()
    with pytest.raises(ValueError, match="read-only"):
        rays[0, 0] = 0


def test_unproject_scales_rays_by_depth():
    camera = Camera(3, 2, 2.0, 4.0, 1.0, 0.0)
    points = camera.unproject(np.array([[1, 2, 3], [4, 0, np.nan]], np.float32))
    assert points.shape == (2, 3, 3) and points.dtype == np.float32
    np.testing.assert_allclose(points[0], [[-0.5, 0, 1], [0, 0, 2], [1.5, 0, 3]])
    np.testing.assert_allclose(points[1, :2], [[-2, 1, 4], [0, 0, 0]])
    assert np.isnan(points[1, 2]).all()
    with pytest.raises(ValueError, match=r"depth is \(3, 2\), expected \(2, 3\)"):
        camera.unproject(np.zeros((3, 2), np.float32))


@pytest.mark.parametrize("lens", [("none", ()), *LENSES.values()], ids=["none", *LENSES])
def test_crop_and_resize_move_pixels_as_they_move_the_image(lens):
    camera = camera_with(lens)
    points = np.random.default_rng(3).uniform((-1, -1, 1.5), (1, 1, 3), (50, 3))
    pixels = camera.project(points)
    np.testing.assert_allclose(camera.crop(10, 20, 30, 40).project(points), pixels - (10, 20))
    # the corner of the corner pixel stays the corner of the image
    np.testing.assert_allclose(camera.resize(48, 192).project(points) + 0.5, (pixels + 0.5) * (0.5, 3))
    assert camera.crop(10, 20, 30, 40).resize(60, 80).matrix[0, 0] == 2 * camera.fx


def test_resize_agrees_with_opencvs_resize():
    camera = Camera(96, 64, 50, 50, 40, 30)
    columns = np.tile(np.arange(96, dtype=np.float32), (64, 1))
    small, camera_small = cv2.resize(columns, (24, 16), interpolation=cv2.INTER_AREA), camera.resize(24, 16)
    # the ray of a small pixel is that of the place in the large image that its value names
    np.testing.assert_allclose(camera_small.rays()[..., 0], (small - camera.cx) / camera.fx, atol=1e-6)


@pytest.mark.parametrize("window", [(-1, 0, 5, 5), (0, -1, 5, 5), (92, 0, 5, 5), (0, 60, 5, 5), (0, 0, 97, 1)])
def test_crop_refuses_to_leave_the_image(window):
    with pytest.raises(ValueError, match="is not inside the 96 x 64 image"):
        Camera(96, 64, 50, 50, 40, 30).crop(*window)


def test_all_zero_distortion_is_none_but_for_a_fisheye():
    assert not Camera(96, 64, 50, 50, 40, 30, "plumb_bob", (0, 0, 0, 0, 0)).is_distorted
    assert not Camera(96, 64, 50, 50, 40, 30).is_distorted
    assert Camera(96, 64, 50, 50, 40, 30, "plumb_bob", (0, 0, 0, 1e-4)).is_distorted
    assert Camera(96, 64, 50, 50, 40, 30, "equidistant", (0, 0, 0, 0)).is_distorted


def test_undistorted_keeps_the_matrix():
    camera = camera_with(LENSES["equidistant"])
    assert camera.undistorted() == Camera.from_matrix(camera.matrix, 96, 64)
    assert not camera.undistorted().is_distorted


def test_from_matrix_takes_arrays_and_can_be_a_key():
    k = np.array([[500.0, 0, 320], [0, 510, 240], [0, 0, 1]])
    camera = Camera.from_matrix(k, 640, 480, "plumb_bob", np.array([0.1, 0, 0, 0]))
    assert camera == Camera(640, 480, 500, 510, 320, 240, "plumb_bob", (0.1, 0, 0, 0))
    np.testing.assert_array_equal(camera.matrix, k)
    assert {camera: 1}[camera] == 1
    assert Camera(np.float64(3), 2.0, 1, 1, 0, 0).rays().shape == (2, 3, 2)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.eye(4), r"intrinsic matrix is \(4, 4\), expected \(3, 3\)"),
        ([[500, 3, 320], [0, 500, 240], [0, 0, 1]], "expected .*fx, 0, cx"),
        ([[500, 0, 320], [0, 500, 240], [0, 0, 2]], "expected .*fx, 0, cx"),
        (np.zeros((3, 3)), "expected .*fx, 0, cx"),
    ],
)
def test_from_matrix_refuses_what_is_no_intrinsic_matrix(matrix, message):
    with pytest.raises(ValueError, match=message):
        Camera.from_matrix(matrix, 640, 480)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"width": 0}, "0 x 480 pixels"),
        ({"height": -3}, "640 x -3 pixels"),
        ({"width": 640.5}, "640.5 x 480 pixels"),
        ({"fx": 0.0}, "fx=0.0"),
        ({"fy": -500.0}, "fy=-500.0"),
        ({"cx": np.nan}, "cx=nan"),
        ({"distortion_model": "brown"}, "'brown'; available: none, plumb_bob"),
        ({"distortion": (0.1,)}, "'none' got 1 coefficients, expected 0"),
        ({"distortion_model": "plumb_bob"}, "'plumb_bob' got 0 coefficients, expected 4 or 5"),
        ({"distortion_model": "equidistant", "distortion": (0,) * 5}, "got 5 coefficients, expected 4"),
        ({"distortion_model": "equidistant", "distortion": (0, 0, np.inf, 0)}, "not all finite"),
    ],
)
def test_a_camera_that_can_not_be_is_refused(changed, message):
    fields = {"width": 640, "height": 480, "fx": 500.0, "fy": 500.0, "cx": 320.0, "cy": 240.0} | changed
    with pytest.raises(ValueError, match=message):
        Camera(**fields)
