import numpy as np
import pytest

from depth_completion_ros.datasets.synthetic.imaging import Optics, SceneCamera
from depth_completion_ros.datasets.synthetic.light import Lamp, Light, any_weather, indoors
from depth_completion_ros.datasets.synthetic.mesh import box, merge, quads
from depth_completion_ros.datasets.synthetic.pose import Pose
from depth_completion_ros.datasets.synthetic.scene import Scene, open3d
from depth_completion_ros.geometry.camera import Camera

try:
    open3d()
except ImportError as error:
    pytest.skip(str(error), allow_module_level=True)

DARK = {"sun": (0, 0, 0), "sky": (0, 0, 0), "bounce": (0, 0, 0)}
WALL = quads([[(4, 9, -9), (4, -9, -9), (4, -9, 9), (4, 9, 9)]], (0.5, 0.5, 0.5))
LENS = Camera(81, 81, 40.0, 40.0, 40.0, 40.0)
LINEAR = Optics(contrast=0.0, noise=0.0)


def seen(light, mesh=WALL, optics=LINEAR):
    pose = Pose.of_camera(np.zeros(3))
    image, _ = SceneCamera(LENS).take(Scene(mesh), light, pose, np.random.default_rng(0), optics)
    return image.astype(float).mean(axis=2)


def test_a_lamp_fades_with_distance_and_angle():
    lamp = Lamp(np.array([3.0, 0, 0]), np.array([1.0, 1, 1]))
    image = seen(Light(0.0, 1.0, **DARK, haze=1e9, lamps=(lamp,)))
    radiance = -np.log(1 - np.square(image / 255)) / LINEAR.exposure
    # 1 m before the wall: intensity * albedo at its foot; 45 degrees off, it is cos 45 / 2 of that.
    assert radiance[40, 40] == pytest.approx(0.5, rel=0.03)
    assert radiance[40, 50] == pytest.approx(0.5 * np.sqrt(0.5) / 2, rel=0.05)


def test_what_stands_before_a_lamp_throws_a_shadow():
    lamp = Lamp(np.array([1.0, 0, 0]), np.array([5.0, 5, 5]))
    board = box((2.0, -0.2, 0.2), (2.02, 0.2, 0.5), (0.5,) * 3)
    image = seen(Light(0.0, 1.0, **DARK, haze=1e9, lamps=(lamp,)), merge([WALL, board]))
    # Its shadow reaches up to 1.5 m on the wall, the board itself, seen from 2 m away, to 0.5 m * 40 / 2 m.
    assert image[28, 40] < 5
    assert image[20, 40] > 50


@pytest.mark.parametrize("make", [any_weather, lambda rng: indoors(rng, ())], ids=["outdoors", "indoors"])
def test_lights_differ_and_are_never_negative(make):
    lights = [make(np.random.default_rng(seed)) for seed in range(20)]
    assert len({light.sun for light in lights}) > 5
    assert min(min(light.sun + light.sky + light.horizon + light.cloud) for light in lights) >= 0


def test_optics():
    light = Light(np.pi, 0.5)
    plain = seen(light)
    assert seen(light, optics=Optics(contrast=0.0, noise=0.0, exposure=0.3)).mean() < 0.8 * plain.mean()
    corner = seen(light, optics=Optics(contrast=0.0, noise=0.0, vignetting=0.5))
    assert corner[0, 0] == pytest.approx(0.5 * plain[0, 0], rel=0.05)
    assert corner[40, 40] == pytest.approx(plain[40, 40], abs=1)
    noisy = seen(light, optics=Optics(contrast=0.0, noise=0.05))
    assert (noisy - plain).std() == pytest.approx(0.05 * 255, rel=0.1)


def test_shake_smears_along_its_way():
    post = box((3.0, -0.1, -5), (3.1, 0.1, 5), (0.0,) * 3)
    light = Light(np.pi, 0.5)
    sharp, moved, along = (
        seen(light, merge([WALL, post]), Optics(noise=0.0, shake=shake)) for shake in ((0, 0), (6, 0), (0, 6))
    )
    steepness = [np.abs(np.diff(image[40])).max() for image in (sharp, moved, along)]
    assert steepness[1] < 0.6 * steepness[0]
    assert steepness[2] == pytest.approx(steepness[0], rel=0.1)
