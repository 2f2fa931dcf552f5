import numpy as np
import pytest

from depth_completion_ros.datasets.synthetic.materials import Material
from depth_completion_ros.datasets.synthetic.mesh import box, disc, ellipsoid, merge, panels, quads, tube

GREY = (0.5, 0.5, 0.5)


def area(mesh):
    a, b, c = np.moveaxis(mesh.corners.astype(np.float64), 1, 0)
    return 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1).sum()


def test_box_has_its_surface_and_its_bounds():
    mesh = box((1, 2, 3), (2, 4, 6), GREY)
    assert area(mesh) == pytest.approx(2 * (1 * 2 + 1 * 3 + 2 * 3))
    np.testing.assert_array_equal(mesh.corners.min(axis=(0, 1)), (1, 2, 3))
    np.testing.assert_array_equal(mesh.corners.max(axis=(0, 1)), (2, 4, 6))


def test_normals_of_a_box_point_outwards():
    mesh = box((-1, -1, -1), (1, 1, 1), GREY)
    assert (np.einsum("tki,tki->tk", mesh.corners, mesh.normals) > 0).all()


@pytest.mark.parametrize(
    ("mesh", "expected"),
    [
        (tube((0, 0, 0), (0, 0, 2), 0.5, sides=64), 2 * np.pi * 0.5 * 2),
        (disc((1, 2, 3), (1, 1, 0), 0.5, GREY, sides=64), np.pi * 0.25),
        (ellipsoid((1, 2, 3), 0.5, GREY, rings=32), np.pi),
    ],
)
def test_round_shapes_have_the_area_of_what_they_stand_for(mesh, expected):
    assert area(mesh) == pytest.approx(expected, rel=0.01)


def test_normals_of_an_ellipsoid_are_its_gradient():
    radii = np.array((1.0, 2.0, 3.0))
    mesh = ellipsoid((0, 0, 0), radii, GREY)
    gradient = mesh.corners / radii**2
    gradient /= np.linalg.norm(gradient, axis=-1, keepdims=True)
    np.testing.assert_allclose(mesh.normals, gradient, atol=1e-5)


def test_texture_coordinates_of_a_quad_are_metres():
    mesh = quads([[(0, 0, 0), (3, 0, 0), (3, 0, 2), (0, 0, 2)]], GREY)
    np.testing.assert_array_equal(mesh.uv, mesh.corners[..., [0, 2]])


def test_panes_lie_behind_the_wall_and_leave_no_gap():
    # A wall in the plane y = 0 whose outside is towards -y.
    corners = [(0, 0, 0), (4, 0, 0), (4, 0, 3), (0, 0, 3)]
    breaks = (0, 0.25, 0.5, 1), (0, 1 / 3, 2 / 3, 1)
    wall = panels(corners, breaks, (GREY, Material.BRICK), {(1, 1): (0, 0, 0)}, Material.WINDOW, recess=0.2)
    pane = wall.material == Material.WINDOW
    np.testing.assert_allclose(wall.corners[pane, :, 1], 0.2, atol=1e-6)
    assert wall.corners[pane].min(axis=(0, 1))[0] == pytest.approx(1)
    assert wall.corners[pane].max(axis=(0, 1))[2] == pytest.approx(2)
    assert area(wall) == pytest.approx(4 * 3 + 4 * 0.2)  # the wall, and the four reveals of a 1 m pane


def test_moved_turns_to_the_left_then_shifts():
    mesh = box((0, 0, 0), (2, 1, 1), GREY).moved(10, 20, 30, yaw=np.pi / 2)
    np.testing.assert_allclose(mesh.corners.min(axis=(0, 1)), (9, 20, 30), atol=1e-6)
    np.testing.assert_allclose(mesh.corners.max(axis=(0, 1)), (10, 22, 31), atol=1e-6)
    assert (np.einsum("tki,tki->tk", mesh.corners - np.float32([9.5, 21, 30.5]), mesh.normals) > 0).all()


def test_merge_keeps_order_and_count():
    first, second = box((0, 0, 0), (1, 1, 1), GREY), disc((5, 5, 5), (0, 0, 1), 1, GREY)
    both = merge([first, second])
    assert len(both) == len(first) + len(second)
    np.testing.assert_array_equal(both.corners[len(first) :], second.corners)
