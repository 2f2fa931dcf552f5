from dataclasses import replace

import numpy as np
import pytest

from depth_completion_ros.datasets.synthetic.imaging import Optics, SceneCamera
from depth_completion_ros.datasets.synthetic.light import (
    Lamp,
    Light,
    any_weather,
    headlights,
    indoors,
    street_lamps,
)
from depth_completion_ros.datasets.synthetic.materials import Material
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


def test_low_beams_light_the_road_ahead_and_little_above_or_beside():
    lamp = headlights(np.array([-1.0, 0, 1.2]), np.array([1.0, 0, 0]))  # 4 m before the wall, 0.84 m up
    light = Light(0.0, -0.5, **DARK, haze=1e9, lamps=(replace(lamp, intensity=0.2 * lamp.intensity),))
    image = seen(light)
    assert image[34, 40] > 1.5 * image[20, 40]
    assert image[34, 40] > 1.5 * image[34, 10]
    behind = replace(lamp, ahead=np.array([-1.0, 0, 0]))
    assert seen(replace(light, lamps=(behind,))).max() < 10


def test_street_lamps_are_those_near_the_camera():
    posts = [np.array([x, 3.0, 8.0]) for x in (-40.0, -5.0, 20.0, 50.0, 90.0, 130.0)]
    lamps = street_lamps(posts, np.zeros(3), most=3)
    assert [lamp.position[0] for lamp in lamps] == [20.0, -5.0, 50.0]


def test_a_wet_road_is_darker_and_mirrors_what_stands_on_it():
    road = quads([[(-9, -90, -1), (90, -90, -1), (90, 90, -1), (-9, 90, -1)]], (0.2, 0.2, 0.2), Material.ASPHALT)
    red = box((30, -90, -1), (31, 90, 30), (0.8, 0.01, 0.01))
    pose, dry = Pose.of_camera(np.zeros(3)), Light(np.pi, 0.5, haze=1e9)
    tints = []
    for light in (dry, replace(dry, rain=1.0)):
        eye = SceneCamera(Camera(81, 81, 80.0, 80.0, 40.0, 40.0))
        image, _ = eye.take(Scene(merge([road, red])), light, pose, np.random.default_rng(0), LINEAR)
        assert image[70:].mean() > 10
        tints.append(image[44:50].astype(float).mean(axis=(0, 1)))
    assert tints[1][1] < 0.8 * tints[0][1]
    assert tints[1][0] / tints[1][1] > 1.3 * tints[0][0] / tints[0][1]


def test_weather_of_streets_has_nights_rain_and_fog_in_modest_shares():
    lights = [any_weather(np.random.default_rng(seed)) for seed in range(600)]
    shares = [np.mean([kind(light) for light in lights]) for kind in (
        lambda light: light.is_night, lambda light: light.rain > 0, lambda light: light.haze < 100
    )]  # fmt: skip
    assert 0.04 < shares[0] < 0.12
    assert 0.04 < shares[1] < 0.12
    assert 0.005 < shares[2] < 0.1


def test_rain_on_the_lens_changes_the_picture_but_not_its_brightness_much():
    light = Light(np.pi, 0.5)
    half = merge([WALL, box((3.8, -5, -9), (3.9, 0, 9), (0.02, 0.02, 0.02))])
    dry, wet = seen(light, half), seen(light, half, replace(LINEAR, rain=1.0))
    assert 0.002 < (np.abs(dry - wet) > 3).mean() < 0.9
    assert wet.mean() == pytest.approx(dry.mean(), rel=0.15)


def test_burnt_out_pixels_bloom():
    board = box((3.9, -0.5, -0.5), (3.95, 0.5, 0.5), (50.0,) * 3)
    dark = Light(np.pi, 0.5, sun=(0.2, 0.2, 0.2), sky=(0, 0, 0), bounce=(0, 0, 0))
    plain, blooming = (seen(dark, merge([WALL, board]), replace(LINEAR, bloom=bloom)) for bloom in (0.0, 0.5))
    around = blooming - plain
    assert around[40, 48] > around[40, 60] > -1
    assert around[40, 48] > 10


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
