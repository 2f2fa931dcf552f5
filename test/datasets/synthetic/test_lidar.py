from dataclasses import replace

import numpy as np
import pytest

from depth_completion_ros.datasets.synthetic import HDL_64E
from depth_completion_ros.datasets.synthetic.materials import Material
from depth_completion_ros.datasets.synthetic.mesh import box, quads
from depth_completion_ros.datasets.synthetic.scene import Scene, open3d
from depth_completion_ros.geometry.scan_lines import rings_from_file_order

try:
    open3d()
except ImportError as error:
    pytest.skip(str(error), allow_module_level=True)

IDEAL = replace(HDL_64E, range_noise=0.0, loses_pulses=False)
ORIGIN = np.zeros(3)


def room(color=(0.5, 0.5, 0.5), material=Material.PLAIN, half=10.0):
    """A closed cube around the sensor."""
    return Scene(box((-half,) * 3, (half,) * 3, color, material), 0)


def test_beam_table_is_that_of_the_hdl_64e():
    steps = -np.diff(HDL_64E.elevations)
    assert len(HDL_64E.elevations) == 64
    np.testing.assert_allclose(steps[:31], 1 / 3)
    np.testing.assert_allclose(steps[32:], 1 / 2)
    assert HDL_64E.elevations[0] == 2
    assert HDL_64E.elevations[-1] == pytest.approx(-24.33)


def test_scan_of_a_room_is_complete_ring_by_ring_and_on_the_walls():
    points, rings = IDEAL.scan(room(), ORIGIN, np.random.default_rng(0))
    shots = round(360 / IDEAL.azimuth_step)
    np.testing.assert_array_equal(rings, np.repeat(np.arange(64), shots))
    np.testing.assert_allclose(np.abs(points).max(axis=1), 10, rtol=1e-5)  # infinity norm of a cube
    elevation = np.degrees(np.arctan2(points[:, 2], np.hypot(points[:, 0], points[:, 1])))
    np.testing.assert_allclose(elevation, np.array(IDEAL.elevations)[rings], atol=1e-3)


def test_file_order_is_that_of_kitti():
    points, rings = HDL_64E.scan(room(), ORIGIN, np.random.default_rng(0))
    np.testing.assert_array_equal(rings_from_file_order(points), rings)


def test_range_noise_has_the_stated_size_along_the_beam():
    noisy, _ = replace(IDEAL, range_noise=0.02).scan(room(), ORIGIN, np.random.default_rng(0))
    ideal, _ = IDEAL.scan(room(), ORIGIN, np.random.default_rng(0))
    error = np.linalg.norm(noisy, axis=1) - np.linalg.norm(ideal, axis=1)
    assert error.std() == pytest.approx(0.02, rel=0.02)
    assert abs(error.mean()) < 0.001
    np.testing.assert_allclose(np.cross(noisy, ideal) / 100, 0, atol=1e-4)


def test_points_are_in_the_sensors_frame():
    floor = quads([[(-500, -500, 2), (500, -500, 2), (500, 500, 2), (-500, 500, 2)]], (0.5, 0.5, 0.5))
    points, _ = IDEAL.scan(Scene(floor, 0), np.array([7.0, -3.0, 3.7]), np.random.default_rng(0))
    np.testing.assert_allclose(points[:, 2], -1.7, atol=1e-4)
    nearest = 1.7 / np.tan(np.radians(24.33))
    assert np.linalg.norm(points[:, :2], axis=1).min() == pytest.approx(nearest, rel=1e-4)


def test_nothing_comes_back_from_beyond_the_range():
    points, rings = IDEAL.scan(room(half=130.0), ORIGIN, np.random.default_rng(0))
    assert len(points) == len(rings) == 0


@pytest.mark.parametrize(
    ("color", "material", "half", "low", "high"),
    [
        ((0.5, 0.5, 0.5), Material.PLAIN, 10.0, 0.97, 0.995),  # a light wall nearby
        ((0.5, 0.5, 0.5), Material.WINDOW, 10.0, 0.02, 0.08),  # glass lets pulses through
        ((0.01, 0.01, 0.01), Material.PLAIN, 60.0, 0.0, 0.3),  # black and far away
        ((0.5, 0.5, 0.5), Material.PLAIN, 60.0, 0.9, 0.995),
    ],
)
def test_share_of_pulses_that_come_back(color, material, half, low, high):
    points, _ = HDL_64E.scan(room(color, material, half), ORIGIN, np.random.default_rng(0))
    share = len(points) / (64 * round(360 / HDL_64E.azimuth_step))
    assert low <= share <= high
