from dataclasses import replace

import numpy as np
import pytest

from depth_completion_ros.datasets.synthetic.lidar import HDL_64E, LIDARS, MID_40, VLP_16, Air, Motion
from depth_completion_ros.datasets.synthetic.materials import Material
from depth_completion_ros.datasets.synthetic.mesh import box, merge, quads
from depth_completion_ros.datasets.synthetic.pose import Pose
from depth_completion_ros.datasets.synthetic.scene import Scene, open3d
from depth_completion_ros.geometry.scan_lines import rings_from_file_order

try:
    open3d()
except ImportError as error:
    pytest.skip(str(error), allow_module_level=True)

IDEAL = replace(HDL_64E, range_noise=0.0, loses_pulses=False)
ORIGIN = Pose.of_lidar(np.zeros(3))


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
    points, _ = IDEAL.scan(Scene(floor), Pose.of_lidar(np.array([7.0, -3.0, 3.7])), np.random.default_rng(0))
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
        ((0.5, 0.5, 0.5), Material.WINDOW, 10.0, 0.02, 0.08),  # glass, and nothing behind it
        ((0.01, 0.01, 0.01), Material.PLAIN, 60.0, 0.0, 0.3),  # black and far away
        ((0.5, 0.5, 0.5), Material.PLAIN, 60.0, 0.9, 0.995),
    ],
)
def test_share_of_pulses_that_come_back(color, material, half, low, high):
    points, _ = HDL_64E.scan(room(color, material, half), ORIGIN, np.random.default_rng(0))
    share = len(points) / (64 * round(360 / HDL_64E.azimuth_step))
    assert low <= share <= high


def test_beams_have_offsets_of_their_own():
    biased, rings = replace(IDEAL, range_noise=0.0, beam_bias=0.05).scan(room(), ORIGIN, np.random.default_rng(0))
    ideal, _ = replace(IDEAL, range_noise=0.0).scan(room(), ORIGIN, np.random.default_rng(0))
    off = np.linalg.norm(biased, axis=1) - np.linalg.norm(ideal, axis=1)
    of_beam = np.array([off[rings == ring].mean() for ring in range(64)])
    np.testing.assert_allclose(off, of_beam[rings], atol=1e-4)
    assert 0.03 < of_beam.std() < 0.07


def test_faint_echoes_are_noisier():
    sensor = replace(HDL_64E, range_noise=0.02)
    spread = []
    for reflectance in (0.5, 0.02):
        points, _ = sensor.scan(room((reflectance,) * 3, half=40.0), ORIGIN, np.random.default_rng(0))
        level = np.abs(points[:, 1]) < 1
        spread.append(np.abs(points[level, 0]).std())
    assert spread[1] > 1.2 * spread[0]


def test_some_panes_let_few_pulses_through_and_some_most():
    edges = np.linspace(-5, 5, 11)
    corners = [[(5, y, z), (5, y - 1, z), (5, y - 1, z + 1), (5, y, z + 1)] for z in edges[:-1] for y in edges[1:]]
    panes = quads(corners, (0.01,) * 3, Material.PANE)
    wall = quads([[(8, 50, -50), (8, -50, -50), (8, -50, 50), (8, 50, 50)]], (0.5,) * 3)
    points, _ = HDL_64E.scan(Scene(merge([panes, wall])), ORIGIN, np.random.default_rng(0))
    shots, _ = IDEAL.scan(Scene(panes), ORIGIN, np.random.default_rng(0))

    def by_pane(some):
        return np.histogram2d(*(some[:, 1:] / some[:, :1] * 5).T, bins=edges)[0]

    seen = by_pane(shots) > 50
    on_pane = np.abs(points[:, 0] - 5) < 0.2
    returned, through = (by_pane(points[each])[seen] / by_pane(shots)[seen] for each in (on_pane, ~on_pane))
    assert 0.02 < returned.mean() < 0.08
    assert 0.1 < through.mean() < 0.3
    assert (through < 0.05).mean() > 0.3 and (through > 0.8).mean() > 0.02
    np.testing.assert_allclose(points[~on_pane & (np.abs(points[:, 2]) < 3), 0], 8, atol=0.2)


def test_dark_paint_is_seen_head_on_only():
    # The share of a paint's light that scatters hangs on its colour; some of these scatter next to nothing.
    lost = []
    for shade in np.linspace(0.01, 0.03, 9):
        points, _ = HDL_64E.scan(room((shade,) * 3, Material.CAR_PAINT), ORIGIN, np.random.default_rng(0))
        off = np.abs(np.degrees(np.arctan2(points[:, 1], points[:, 0])))
        ahead, slanting = ((off > low) & (off < low + 4) for low in (0, 38))
        assert ahead.sum() > 0.5 * 64 * 8 / 0.1728
        lost.append(slanting.sum() < 0.1 * ahead.sum())
    assert 0 < sum(lost) < len(lost)


def test_paint_is_lost_at_grazing_angles_where_other_surfaces_are_seen():
    # Level and 0.3 m below the sensor, as the roof of a car ahead.
    corners = [[(7, 3, -0.3), (7, -3, -0.3), (20, -3, -0.3), (20, 3, -0.3)]]
    kept = {}
    for material in (Material.CAR_PAINT, Material.PLAIN):
        roof = Scene(quads(corners, (0.52, 0.53, 0.54), material))
        kept[material] = len(HDL_64E.scan(roof, ORIGIN, np.random.default_rng(0))[0])
    assert kept[Material.PLAIN] > 200
    assert kept[Material.CAR_PAINT] < 0.2 * kept[Material.PLAIN]


def test_haze_and_rain_swallow_far_pulses_and_drops_send_some_back():
    far = room(half=60.0)
    count = [
        len(HDL_64E.scan(far, ORIGIN, np.random.default_rng(0), air=air)[0])
        for air in (Air(), Air(haze=300.0), Air(haze=25.0))
    ]
    assert count[0] >= count[1] > 0.5 * count[0]
    assert count[2] < 0.3 * count[0]
    points, rings = HDL_64E.scan(far, ORIGIN, np.random.default_rng(0), air=Air(rain=1.0))
    early = np.linalg.norm(points, axis=1) < 55
    assert 0.005 < early.mean() < 0.02
    assert len(points) == len(rings)


def test_drops_are_measured_as_exactly_as_what_is_near():
    ground = quads([[(-9, -9, -2), (9, -9, -2), (9, 9, -2), (-9, 9, -2)]], (0.5,) * 3)  # and nothing but sky around it
    distances = []
    for noise in (0.0, 0.02):
        sensor = replace(HDL_64E, range_noise=noise)
        points, _ = sensor.scan(Scene(ground), ORIGIN, np.random.default_rng(0), air=Air(rain=1.0))
        distances.append(np.linalg.norm(points[points[:, 2] > -1.5], axis=1))
    off = distances[1] - distances[0]
    assert len(off) > 200
    assert off.std() == pytest.approx(0.02, rel=0.2)


@pytest.mark.parametrize("name", LIDARS)
def test_every_sensor_agrees_with_itself(name):
    sensor = LIDARS[name]
    directions, rings, times = sensor.directions(), sensor.rings(), sensor.times()
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1, rtol=1e-5)
    assert len(times) == len(directions)
    assert -0.0501 < times.min() < times.max() < 0.0501
    points, measured = sensor.scan(room(), ORIGIN, np.random.default_rng(0))
    assert len(points) > 0.97 * (1 - sensor.lost) * len(directions)
    if rings is None:
        assert measured is None
    else:
        elevations = np.degrees(np.arcsin(directions[:, 2]))
        assert len(np.unique(rings)) == len(sensor.elevations)
        np.testing.assert_allclose(elevations, np.array(sensor.elevations)[rings], atol=1e-3)
        assert len(measured) == len(points)


def test_rosette_fills_its_circle():
    ahead = MID_40.directions()
    angle = np.degrees(np.arccos(ahead[:, 0]))
    assert 18.5 < angle.max() < 20
    # Every cell of 2 by 2 degrees inside it has points.
    left, up = np.degrees(np.arctan2(ahead[:, 1], ahead[:, 0])), np.degrees(np.arcsin(ahead[:, 2]))
    counts, *_ = np.histogram2d(left, up, bins=8, range=[(-12, 12)] * 2)
    assert counts.min() > 10


def test_thinned_sensor_keeps_some_of_its_beams():
    four = HDL_64E.thinned(4)
    assert len(four.elevations) == 4
    assert set(four.elevations) <= set(HDL_64E.elevations)
    np.testing.assert_allclose(np.diff(np.searchsorted(-np.array(HDL_64E.elevations), -np.array(four.elevations))), 16)
    with pytest.raises(ValueError, match="65 of the 64 beams"):
        HDL_64E.thinned(65)


def test_points_at_edges_lie_on_either_surface_or_between():
    # A board 5 m ahead before a wall at 5.6 m.
    world = merge([box((5, -1, -9), (5.1, 1, 9), (0.5,) * 3), box((5.6, -99, -99), (6, 99, 99), (0.5,) * 3)])
    sharp = replace(VLP_16, range_noise=0.0, loses_pulses=False, divergence=0.0)
    blunt = replace(sharp, divergence=0.01)
    points = [sensor.scan(Scene(world), ORIGIN, np.random.default_rng(0))[0] for sensor in (sharp, blunt)]
    ahead = [p[(np.abs(p[:, 1]) < 2) & (p[:, 0] > 0), 0] for p in points]
    between = [((x > 5.1) & (x < 5.58)).sum() for x in ahead]
    assert between[0] == 0
    assert between[1] > 10
    assert ahead[1].max() < 5.65  # a bent beam meets the wall a little farther out


def test_a_moving_sensor_measures_from_where_it_is():
    motion = Motion(np.array([10.0, 0, 0]))
    points, _ = IDEAL.scan(room(), ORIGIN, np.random.default_rng(0), motion)
    still, _ = IDEAL.scan(room(), ORIGIN, np.random.default_rng(0))
    azimuth = np.degrees(np.arctan2(points[:, 1], points[:, 0]))
    level = np.abs(points[:, 2]) < 2
    # At 0 degrees the picture is taken; 90 degrees to the left are a quarter of a turn earlier.
    ahead = level & (np.abs(azimuth) < 0.3)
    np.testing.assert_allclose(points[ahead, 0], 10, atol=0.01)
    behind = level & (np.abs(azimuth) > 178) & (azimuth < 0)  # half a turn later, when it is 0.5 m farther ahead
    np.testing.assert_allclose(points[behind, 0], -10.5, atol=0.02)
    assert np.abs(points - still).max() > 0.3


def test_a_turning_sensor_sees_what_it_turned_to():
    wall = box((10, -50, -50), (11, 50, 50), (0.5,) * 3)
    points, _ = IDEAL.scan(Scene(wall), ORIGIN, np.random.default_rng(0), Motion(np.zeros(3), turn=0.5))
    # A quarter of a turn early, it was turned to the right by 0.0125 rad, so what is 45 degrees left looks nearer.
    azimuth = np.arctan2(points[:, 1], points[:, 0])
    level = (np.abs(points[:, 2]) < 0.1) & (np.abs(azimuth - np.pi / 4) < 0.003)
    heading = np.pi / 4 - 0.5 * 0.1 / 8
    np.testing.assert_allclose(np.hypot(*points[level, :2].T), 10 / np.cos(heading), rtol=0.004)
