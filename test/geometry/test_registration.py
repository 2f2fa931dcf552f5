"""Registration of a synthetic box before a slanted wall, whose depth is known in every camera."""

import cv2
import numpy as np
import pytest

from depth_completion_ros.geometry.camera import Camera
from depth_completion_ros.geometry.projection import project_points
from depth_completion_ros.geometry.registration import register_depth

TOF = Camera(120, 90, 100.0, 101.0, 60.5, 44.0, "rational_polynomial", (0.5, -0.02, 2e-5, -7e-5, 0, 0.85, 0.08, 0))
COLOUR = Camera(240, 180, 150.0, 150.0, 118.0, 91.0, "plumb_bob", (-0.1, 0.05, 0.001, -0.001))
# the colour camera is 10 cm to the right, 1 cm behind, and looks 3 degrees down
TILT = cv2.Rodrigues(np.radians((3.0, 0, 0)))[0]
EXTRINSIC = np.eye(4)
EXTRINSIC[:3, :3], EXTRINSIC[:3, 3] = TILT, (-0.1, 0.0, 0.01)

WALL = (np.array([0.25, -0.1, 1.0]), 2.5)  # n . p = d in the ToF camera's frame
BOX = (1.0, (-0.2, 0.25), (-0.15, 0.2))  # depth, and the extent of its face in x and y


def true_depth(camera, to_camera):
    """The depth along the axis of ``camera``, and where it sees the box."""
    rays = np.concatenate([camera.rays(), np.ones((camera.height, camera.width, 1))], 2)
    rotation, origin = to_camera[:3, :3].T, -to_camera[:3, :3].T @ to_camera[:3, 3]
    directions = rays @ rotation.T
    wall = (WALL[1] - WALL[0] @ origin) / (directions @ WALL[0])
    box = (BOX[0] - origin[2]) / directions[..., 2]
    x, y, _ = np.moveaxis(origin + directions * box[..., None], -1, 0)
    on_box = (x > BOX[1][0]) & (x < BOX[1][1]) & (y > BOX[2][0]) & (y < BOX[2][1])
    return np.where(on_box, box, wall).astype(np.float32), on_box


def test_a_box_before_a_wall_arrives_where_the_colour_camera_sees_it():
    depth, _ = true_depth(TOF, np.eye(4))
    truth, on_box = true_depth(COLOUR, EXTRINSIC)
    registered = register_depth(depth, TOF, COLOUR, EXTRINSIC)
    assert registered.shape == (180, 240) and registered.dtype == np.float32

    five = np.ones((5, 5))
    outline = cv2.dilate(on_box.astype(np.uint8), five) != cv2.erode(on_box.astype(np.uint8), five)
    clear = (registered > 0) & ~outline
    np.testing.assert_allclose(registered[clear], truth[clear], rtol=2e-3)
    assert np.median(np.abs(registered[clear] / truth[clear] - 1)) < 3e-4
    # Of the box hardly a pixel is missing and none shows the wall, though the colour camera has 2.2 times the pixels
    inner = on_box & ~outline
    assert inner.sum() > 2500
    assert (registered[inner] > 0).mean() > 0.99
    points = TOF.unproject(depth).reshape(-1, 3)
    assert (project_points(points, COLOUR, EXTRINSIC)[inner] > 0).mean() < 0.6  # what points alone would cover
    # the wall is not drawn into the shadow that the box casts on it, where the ToF camera saw nothing
    shadow = (registered == 0) & ~on_box
    assert shadow[60:120].any(1).all()


def test_an_own_view_is_not_changed():
    depth, _ = true_depth(TOF, np.eye(4))
    depth[20:25, 30:40] = 0
    depth[50, 60:70] = np.nan
    registered = register_depth(depth, TOF, TOF, np.eye(4))
    np.testing.assert_allclose(registered, np.nan_to_num(depth), rtol=1e-6)


def test_a_plane_seen_from_elsewhere_follows_from_similar_triangles():
    # A wall parallel to both images, 2 m away; the second camera is 0.1 m to the right and 1 m closer.
    first, second = Camera(40, 30, 40.0, 40.0, 19.5, 14.5), Camera(80, 60, 60.0, 60.0, 39.5, 29.5)
    extrinsic = np.eye(4)
    extrinsic[:3, 3] = (-0.1, 0, -1.0)
    registered = register_depth(np.full((30, 40), 2.0, np.float32), first, second, extrinsic)
    # x = 2 (u - 19.5) / 40 for u = 0 ... 39 is seen at 39.5 + 60 (x - 0.1)
    columns = np.flatnonzero(registered.any(0))
    assert (columns[0], columns[-1]) == (0, 79)
    np.testing.assert_array_equal(registered, 1.0)


def test_surfaces_are_not_joined_across_a_step():
    camera = Camera(20, 20, 20.0, 20.0, 9.5, 9.5)
    depth = np.full((20, 20), 2.0, np.float32)
    depth[:, 10:] = 1.0
    registered = register_depth(depth, camera, camera.resize(72, 72), np.eye(4)).round(6)
    assert set(np.unique(registered)) == {0, 1, 2}
    # the centres of the columns 9 and 10 are at 33.7 and 37.3
    assert (registered[2:70, 2:34] == 2).all() and (registered[2:70, 37:70] == 1).all()
    assert (registered[:, 35:37] == 0).all()


@pytest.mark.parametrize(("focal", "joined"), [(20.0, True), (200.0, False)])
def test_how_steep_a_surface_can_be_depends_on_the_pixels_that_sampled_it(focal, joined):
    """Neighbours of 2 and 2.6 m are a slope in a coarse image and a step in a fine one, whatever the view is of."""
    first = Camera(20, 20, focal, focal, 9.5, 9.5)
    second = first.resize(80, 80) if joined else Camera(20, 20, 40.0, 40.0, 9.2, 9.5)
    depth = np.full((20, 20), 2.0, np.float32)
    depth[:, 10:] = 2.6
    registered = register_depth(depth, first, second, np.eye(4))
    if joined:  # the centres of the columns 9 and 10 are at 37.5 and 41.5
        between = 1 / np.interp(np.arange(38, 42), [37.5, 41.5], [1 / 2.0, 1 / 2.6])
        np.testing.assert_allclose(registered[40, 38:42], between, rtol=0.05)
    else:  # both are seen in one pixel, and the nearer one hides the other
        assert set(np.unique(registered.round(6))) == {0, 2, np.float32(2.6)}


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf, -1.0])
def test_what_was_not_measured_stays_empty(value):
    assert not register_depth(np.full((90, 120), value, np.float32), TOF, COLOUR, EXTRINSIC).any()


def test_a_camera_that_looks_away_sees_nothing_of_it():
    depth, _ = true_depth(TOF, np.eye(4))
    turned = np.diag([-1.0, 1.0, -1.0, 1.0])
    assert not register_depth(depth, TOF, COLOUR, turned).any()
    # and one in the midst of the points, which come as near as they like, is served without drowning in samples
    amidst = np.eye(4)
    amidst[2, 3] = -2.0
    assert register_depth(depth, TOF, COLOUR, amidst).any()


def test_wrong_arguments_are_refused():
    depth = np.ones((90, 120), np.float32)
    with pytest.raises(ValueError, match=r"depth is \(90, 120\), expected \(180, 240\)"):
        register_depth(depth, COLOUR, COLOUR, EXTRINSIC)
    with pytest.raises(ValueError, match="depth is uint16, expected float32 metres"):
        register_depth(depth.astype(np.uint16), TOF, COLOUR, EXTRINSIC)
    with pytest.raises(ValueError, match="not a rotation and a translation"):
        register_depth(depth, TOF, COLOUR, 1000 * EXTRINSIC)
