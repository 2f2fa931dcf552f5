import numpy as np
import pytest

from depth_completion_ros.datasets.synthetic.imaging import SceneCamera
from depth_completion_ros.datasets.synthetic.light import Light
from depth_completion_ros.datasets.synthetic.materials import Material
from depth_completion_ros.datasets.synthetic.mesh import box, merge, quads
from depth_completion_ros.datasets.synthetic.pose import Pose
from depth_completion_ros.datasets.synthetic.scene import Scene, open3d
from depth_completion_ros.geometry.camera import Camera

try:
    open3d()
except ImportError as error:
    pytest.skip(str(error), allow_module_level=True)

GREY = (0.2, 0.2, 0.2)
EYE = np.array([5.0, 1.0, 1.65])
FLOOR = quads([[(-900, -900, 0), (900, -900, 0), (900, 900, 0), (-900, 900, 0)]], GREY)
PINHOLE = Camera(160, 60, 90.0, 95.0, 79.0, 20.0)


def take(camera, mesh=FLOOR, sun=Light(0.0, 1.2)):  # noqa: B008 - it is frozen
    return SceneCamera(camera).take(Scene(mesh, 0), sun, Pose.of_camera(EYE), np.random.default_rng(0))


@pytest.mark.parametrize(
    "camera",
    [
        PINHOLE,
        Camera(160, 60, 90.0, 95.0, 79.0, 20.0, "plumb_bob", (-0.3, 0.1, 0.001, -0.002, 0.0)),
        Camera(160, 60, 70.0, 70.0, 79.0, 20.0, "equidistant", (0.02, -0.01, 0.0, 0.0)),
    ],
    ids=lambda camera: camera.distortion_model,
)
def test_depth_of_the_floor_is_that_of_every_lens(camera):
    image, depth = take(camera)
    down = camera.rays()[..., 1]
    near = down > 0.01
    np.testing.assert_allclose(depth[near], EYE[2] / down[near], rtol=1e-4)
    assert not depth[down < 0].any()
    assert image.shape == (60, 160, 3)
    assert image.dtype == np.uint8


def test_a_wall_across_the_street_has_one_depth_and_lies_where_it_projects_to():
    # 20 m ahead, from 2.1 m to 4.1 m to the left of the camera, up to 0.95 m below its height.
    wall = box((25, 3.1, 0), (26, 5.1, 0.7), (0.4, 0.1, 0.1))
    _, depth = take(PINHOLE, merge([FLOOR, wall]))
    rows, columns = np.nonzero(np.isclose(depth[:27], 20.0, rtol=1e-5))  # the floor is 20 m away in row 27.8
    assert columns.min() == np.ceil(79 - 90 * 4.1 / 20)
    assert columns.max() == np.floor(79 - 90 * 2.1 / 20)
    assert rows.min() == np.ceil(20 + 95 * 0.95 / 20)


def test_what_a_lens_cannot_see_is_black_and_without_depth():
    fisheye = Camera(120, 120, 30.0, 30.0, 59.5, 59.5, "equidistant", (0.0, 0.0, 0.0, 0.0))
    blind = np.isnan(fisheye.rays()).any(axis=2)
    image, depth = take(fisheye)
    assert blind.any()
    assert image[blind].max() <= 10  # the noise of the sensor
    assert not depth[blind].any()
    assert image[~blind].mean() > 50


def test_shadow_falls_away_from_the_sun():
    # A wall along the street right below the camera, 2 m high; with the sun at 45 degrees, its
    # shadow is 2 m wide.
    wall = box((5, 0.95, 0), (60, 1.05, 2.0), GREY)
    scene = Scene(merge([FLOOR, wall]), 0)
    metre = PINHOLE.fx * (45 - PINHOLE.cy) / PINHOLE.fy / 4.65  # a metre on the floor in row 45, pixels
    beside = np.arange(2, int(2 * metre) - 1)
    for azimuth, shaded, lit in (
        (-np.pi / 2, 79 - beside, 79 + beside),
        (np.pi / 2, 79 + beside, 79 - beside),
    ):
        sun = Light(azimuth, np.pi / 4)
        image, _ = SceneCamera(PINHOLE).take(
            scene, sun, Pose.of_camera(np.array([5.0, 1.0, 4.65])), np.random.default_rng(0)
        )
        assert image[45, shaded].max() < 0.8 * image[45, lit].min()


def test_edges_are_smoothed():
    # A dark slope in front of the sky: its oblique border passes through pixels that are partly sky.
    slope = quads([[(25, 11, -9), (25, -9, -9), (25, -9, 3), (25, 11, 2)]], (0.02, 0.02, 0.02))
    image, depth = take(PINHOLE, slope)
    column = slice(60, 110)
    grey = image.mean(axis=2)[:, column]
    dark, light = grey[30].mean(), grey[:10].mean()
    share = (grey - dark) / (light - dark)
    between = (share > 0.2) & (share < 0.8)
    top = np.argmax(depth[:, column] > 0, axis=0)
    rows, columns = np.nonzero(between)
    assert len(rows) > 15
    assert np.abs(rows - top[columns]).max() <= 1


def test_a_pane_shows_what_is_behind_it_and_has_its_own_depth():
    pane = quads([[(10, 9, -9), (10, -9, -9), (10, -9, 9), (10, 9, 9)]], (0.01,) * 3, Material.PANE)
    red = quads([[(20, 90, -90), (20, -90, -90), (20, -90, 90), (20, 90, 90)]], (0.6, 0.02, 0.02))
    grey = quads([[(20, 90, -90), (20, -90, -90), (20, -90, 90), (20, 90, 90)]], (0.3, 0.3, 0.3))
    hues = []
    for behind in (red, grey):
        image, depth = take(PINHOLE, merge([pane, behind]))
        np.testing.assert_allclose(depth[15:30, 60:100], 5.0, rtol=1e-4)
        hues.append(image[15:30, 60:100, 0].mean() - image[15:30, 60:100, 1].mean())
    bare, _ = take(PINHOLE, red)
    assert hues[0] > hues[1] + 20
    assert image[15:30, 60:100].mean() > 20
    assert hues[0] < bare[15:30, 60:100, 0].mean() - bare[15:30, 60:100, 1].mean()  # reflections wash it out
