import numpy as np
import pytest

from depth_completion_ros.datasets.synthetic.materials import Material
from depth_completion_ros.datasets.synthetic.mesh import box, merge
from depth_completion_ros.datasets.synthetic.scene import Scene, open3d, rays_from, see_through

try:
    open3d()
except ImportError as error:
    pytest.skip(str(error), allow_module_level=True)

WALL = box((20, -50, -50), (21, 50, 50), (0.1, 0.2, 0.3), Material.BRICK)
CAR = box((0, -1, -1), (4, 1, 1), (0.7, 0.1, 0.1), Material.CAR_PAINT)
# Straight ahead, past the car on its left, and backwards; twice as long as a metre.
RAYS = rays_from(np.zeros(3), np.float32([[2, 0, 0], [2, 0.5, 0], [-2, 0, 0]]))


@pytest.fixture
def scene():
    return Scene(WALL, moving_capacity=len(CAR))


def test_distance_is_in_lengths_of_the_ray(scene):
    hits = scene.cast(RAYS)
    np.testing.assert_allclose(hits.distance, (10, 10, np.inf), rtol=1e-6)
    np.testing.assert_array_equal(scene.material[hits.triangle[:2]], Material.BRICK)


def test_the_nearer_of_still_and_moving_is_seen_with_its_own_looks(scene):
    scene.move(CAR.moved(8))
    hits = scene.cast(RAYS)
    np.testing.assert_allclose(hits.distance, (4, 10, np.inf), rtol=1e-6)
    np.testing.assert_array_equal(scene.material[hits.triangle[:2]], (Material.CAR_PAINT, Material.BRICK))
    np.testing.assert_allclose(scene.color[hits.triangle[0]], (0.7, 0.1, 0.1))
    np.testing.assert_allclose(np.abs(hits.normal[0]), (1, 0, 0), atol=1e-6)


def test_what_moves_leaves_its_old_place(scene):
    scene.move(CAR.moved(8))
    scene.move(CAR.moved(12))
    assert scene.cast(RAYS).distance[0] == pytest.approx(6)
    scene.move(CAR.moved(30))  # behind the wall
    assert scene.cast(RAYS).distance[0] == pytest.approx(10)


def test_blocked_heeds_its_reach_and_both_kinds(scene):
    assert scene.blocked(RAYS).tolist() == [True, True, False]
    assert scene.blocked(RAYS, reach=9).tolist() == [False, False, False]
    scene.move(CAR.moved(8))
    assert scene.blocked(RAYS, reach=9).tolist() == [True, False, False]


def test_no_rays_meet_nothing(scene):
    none = rays_from(np.empty((0, 3)), np.float32([1, 0, 0]))
    assert len(scene.cast(none).distance) == len(scene.blocked(none)) == 0


PANES = [box((x, -50, -50), (x + 0.01, 50, 50), (0.01,) * 3, Material.PANE) for x in (5, 8)]


def test_beyond_a_hit_is_what_the_ray_meets_next():
    scene = Scene(merge([WALL, *PANES[:1]]))
    first = scene.cast(RAYS[:2])
    np.testing.assert_allclose(scene.beyond(RAYS[:2], first.distance).distance, 2.505, rtol=1e-4)


def test_glass_is_seen_through_up_to_three_surfaces():
    for count, seen in ((1, 10.0), (2, 4.005)):
        scene = Scene(merge([WALL, *PANES[:count]]))
        hits = scene.cast(RAYS)
        see_through(scene, RAYS, hits, np.array([0]))
        np.testing.assert_allclose(hits.distance, (seen, 2.5, np.inf), rtol=1e-4)


def test_panes_throw_shadows_only_where_told():
    assert Scene(PANES[0]).blocked(RAYS).tolist() == [True, True, False]
    clear = Scene(merge([WALL, PANES[0]]), panes_shade=False)
    assert clear.blocked(RAYS, reach=9).tolist() == [False, False, False]
    assert clear.blocked(RAYS).tolist() == [True, True, False]
