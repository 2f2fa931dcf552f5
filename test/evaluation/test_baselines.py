"""The simple methods against what they must give on images whose answer is known."""

import numpy as np
import pytest

from depth_completion_ros.evaluation.baselines import BASELINES, ip_basic_fast, linear, nearest


def sparse(depth, share, seed=0):
    return np.where(np.random.default_rng(seed).random(depth.shape) < share, depth, 0).astype(np.float32)


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("share", [0.2, 0.004])
def test_a_wall_is_completed_everywhere(name, share):
    completed = BASELINES[name](sparse(np.full((80, 120), 12.0), share))
    assert completed.dtype == np.float32
    np.testing.assert_allclose(completed, 12, rtol=1e-5)


@pytest.mark.parametrize("name", BASELINES)
def test_every_pixel_gets_a_depth_that_was_measured_around(name):
    measured = np.zeros((100, 160), np.float32)
    measured[60, ::3], measured[95, ::3] = 30, 6  # two lines, far apart, and nothing above
    completed = BASELINES[name](measured)
    assert (completed >= 5.99).all() and (completed <= 30.01).all()


@pytest.mark.parametrize("name", BASELINES)
def test_single_spots_far_from_each_other_are_completed_too(name):
    spots = np.zeros((100, 160), np.float32)
    spots[10::20, 10::20] = 3
    np.testing.assert_allclose(BASELINES[name](spots), 3, rtol=1e-5)


@pytest.mark.parametrize("name", [name for name in BASELINES if name.startswith("IP-Basic")])
def test_ip_basic_beyond_its_hundred_metres_and_without_measurement(name):
    completed = BASELINES[name](sparse(np.full((40, 50), 150.0), 0.1))
    np.testing.assert_allclose(completed, 99.8, rtol=1e-4)
    with pytest.raises(ValueError, match="no measurement"):
        BASELINES[name](np.zeros((40, 50), np.float32))


def test_nearest_is_the_nearest():
    measured = sparse(np.random.default_rng(1).uniform(1, 80, (20, 30)), 0.05)
    row, column = np.nonzero(measured)
    v, u = np.indices(measured.shape)
    distances = (v[..., None] - row) ** 2 + (u[..., None] - column) ** 2
    closest = distances == distances.min(-1, keepdims=True)  # of several, any will do
    completed = nearest(measured)
    assert (closest & (completed[..., None] == measured[row, column])).any(-1).all()


def test_linear_is_exact_on_a_ramp_between_measurements():
    v, u = np.indices((40, 60))
    ramp = (5 + 0.3 * v + 0.1 * u).astype(np.float32)
    measured = sparse(ramp, 0.1)
    measured[[0, 0, -1, -1], [0, -1, 0, -1]] = ramp[[0, 0, -1, -1], [0, -1, 0, -1]]
    np.testing.assert_allclose(linear(measured), ramp, rtol=1e-4)


def test_linear_is_exact_on_a_ramp_across_holes_in_dense_depth():
    v, u = np.indices((40, 60))
    ramp = (5 + 0.3 * v + 0.1 * u).astype(np.float32)
    measured = ramp.copy()
    for row, column, height, width in ((3, 4, 7, 12), (15, 30, 20, 9), (22, 2, 1, 6), (33, 20, 1, 1)):
        measured[row : row + height, column : column + width] = 0
    completed = linear(measured)
    np.testing.assert_allclose(completed, ramp, rtol=1e-5)
    np.testing.assert_array_equal(completed[measured > 0], ramp[measured > 0])
    np.testing.assert_array_equal(linear(ramp), ramp)


def test_linear_takes_the_nearest_outside():
    measured = np.zeros((30, 30), np.float32)
    measured[[10, 10, 20], [10, 20, 10]] = 4, 6, 8
    completed = linear(measured)
    assert completed[0, 0] == 4 and completed[0, 29] == 6 and completed[29, 0] == 8
    assert completed[10, 15] == pytest.approx(5)


@pytest.mark.parametrize("pixels", [[(4, 5)], [(4, 5), (9, 2)], [(4, 1), (4, 5), (4, 20)], [(1, 1), (5, 5), (9, 9)]])
def test_linear_is_the_nearest_where_there_is_no_triangle(pixels):
    measured = np.zeros((20, 30), np.float32)
    for depth, pixel in enumerate(pixels, 3):
        measured[pixel] = depth
    np.testing.assert_array_equal(linear(measured), nearest(measured))


def test_ip_basic_prefers_the_near():
    measured = np.zeros((40, 40), np.float32)
    measured[20, 18], measured[20, 20] = 30, 10
    completed = ip_basic_fast(measured)
    assert completed[20, 20] == pytest.approx(10, abs=0.5)


@pytest.mark.parametrize(("depth", "reach"), [(50, 1), (20, 2), (10, 3)])
def test_ip_basic_widens_the_near_more(depth, reach):
    measured = np.full((41, 30), 90, np.float32)
    measured[20] = depth
    expected = np.where(np.abs(np.arange(41) - 20) <= reach, depth, 90)
    completed = BASELINES["IP-Basic, multi-scale"](measured)
    np.testing.assert_allclose(completed, np.broadcast_to(expected[:, None], completed.shape), rtol=1e-5)


def test_ip_basic_smooths_what_differs_by_less_than_half_a_metre_over_two_pixels():
    """A bilateral filter in its definition, over a step that the dilation has moved three rows up."""
    measured = np.repeat(np.where(np.arange(40) < 20, 11, 10.4)[:, None], 30, 1).astype(np.float32)
    before = np.roll(measured, -3, 0)
    expected = []
    for row in range(10, 25):
        total = weights = 0.0
        for down in range(-2, 3):
            for right in range(-2, 3):
                if down**2 + right**2 <= 2**2:
                    other, own = float(before[row + down, 15]), float(before[row, 15])
                    weight = np.exp(-(down**2 + right**2) / (2 * 2.0**2) - (other - own) ** 2 / (2 * 0.5**2))
                    total, weights = total + weight * other, weights + weight
        expected.append(total / weights)
    completed = BASELINES["IP-Basic, multi-scale"](measured)
    np.testing.assert_allclose(completed[10:25, 15], expected, atol=1e-3)


def test_normalised_convolution_is_the_mean_of_inverse_depth_where_nothing_is_near():
    measured = np.zeros((4, 400), np.float32)
    measured[1, :2] = 2, 4
    completed = BASELINES["normalised convolution"](measured)
    assert completed[2, 399] == pytest.approx(2 / (1 / 2 + 1 / 4))
