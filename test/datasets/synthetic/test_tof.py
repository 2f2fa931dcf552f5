from dataclasses import replace

import numpy as np
import pytest

from depth_completion_ros.datasets.synthetic.materials import Material
from depth_completion_ros.datasets.synthetic.mesh import box, merge, quads
from depth_completion_ros.datasets.synthetic.pose import Pose
from depth_completion_ros.datasets.synthetic.scene import Scene, open3d
from depth_completion_ros.datasets.synthetic.tof import Tof, TofSpots
from depth_completion_ros.geometry.camera import Camera

try:
    open3d()
except ImportError as error:
    pytest.skip(str(error), allow_module_level=True)

LENS = Camera(256, 192, 220.0, 220.0, 127.5, 95.5)
POSE = Pose.of_camera(np.zeros(3))


def wall(distance, reflectance, material=Material.PLAIN):
    corners = [(distance, 30, -30), (distance, -30, -30), (distance, -30, 30), (distance, 30, 30)]
    return quads([corners], (reflectance,) * 3, material)


def measure(mesh, sensor=Tof()):  # noqa: B008 - it is frozen
    return sensor.measure(Scene(mesh), LENS, POSE, np.random.default_rng(0))


def test_a_light_wall_is_measured_everywhere_with_noise_that_grows_with_distance():
    spread = []
    for distance in (1.0, 4.0):
        depth = measure(wall(distance, 0.5))
        assert (depth > 0).mean() > 0.99
        assert np.median(depth) == pytest.approx(distance, abs=0.005)
        spread.append(depth[depth > 0].std())
    assert 2 < spread[1] / spread[0] < 6
    assert spread[0] < 0.01


@pytest.mark.parametrize(
    ("reflectance", "material", "distance"),
    [
        (0.02, Material.PLAIN, 4.0),
        (0.5, Material.MIRROR, 2.0),
        (0.5, Material.PANE, 2.0),
        (0.5, Material.PLAIN, 12.0),
    ],
    ids=["dark", "mirror", "glass", "out of range"],
)
def test_holes(reflectance, material, distance):
    depth = measure(wall(distance, reflectance, material))
    assert (depth > 0).mean() < 0.02


def test_pixels_at_edges_fly_or_are_missing():
    board = box((1.5, -0.3, -0.3), (1.6, 0.3, 0.3), (0.5,) * 3)
    depth = measure(merge([wall(3.0, 0.5), board]), replace(Tof(), noise=0))
    between = (depth > 1.6) & (depth < 2.9)
    assert between.sum() > 50
    assert (depth == 0).sum() > between.sum()
    # They are the outline of a square of 88 pixels.
    assert between.sum() + (depth == 0).sum() < 4 * 89 * 3


def test_spots_lie_on_the_wall_in_a_grid():
    points = TofSpots().measure(Scene(wall(3.0, 0.5)), LENS, POSE, np.random.default_rng(0))
    assert points.dtype == np.float32
    assert points[:, 2].mean() == pytest.approx(3.0, abs=0.01)
    assert 0.001 < points[:, 2].std() < 0.06
    pixels = LENS.project(points)
    assert 500 < len(points) < 2000
    gaps = np.linalg.norm(pixels[:, None] - pixels[None], axis=2) + 1e3 * np.eye(len(pixels))
    assert 3.5 < np.median(gaps.min(axis=1)) < 7.5


def test_spots_do_not_come_back_from_mirrors():
    assert len(TofSpots().measure(Scene(wall(3.0, 0.5, Material.MIRROR)), LENS, POSE, np.random.default_rng(0))) == 0


def test_corners_look_rounder_and_farther_than_they_are():
    # Two walls that meet at right angles 3 m ahead, seen along the line that halves the angle.
    walls = [[(3, 0, -2), (1, side * 2, -2), (1, side * 2, 2), (3, 0, 2)] for side in (-1, 1)]
    depth = measure(quads(walls, (0.5,) * 3), replace(Tof(), noise=0))
    slant = np.abs(LENS.rays()[..., 0])
    error = np.where(depth > 0, depth - 3 / (1 + slant), 0)[40:150]
    corner, outside = error[:, 118:138], error[:, [30, 225]]
    assert 0.005 < corner[corner != 0].mean() < 0.1
    assert np.abs(outside).max() < 0.6 * corner[corner != 0].mean()


def test_glass_is_looked_through_or_is_a_hole():
    world = Scene(merge([wall(1.5, 0.01, Material.PANE), wall(3.0, 0.5)]))
    seen = [Tof(noise=0.0).measure(world, LENS, POSE, np.random.default_rng(seed)) for seed in range(12)]
    shares = np.array([(depth > 0).mean() for depth in seen])
    assert set(np.round(shares, 1)) == {0.0, 1.0}
    np.testing.assert_allclose(max(seen, key=np.mean)[90:100], 3.0, atol=0.05)
