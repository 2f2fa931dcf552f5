import numpy as np
import pytest
import torch

from depth_completion_ros.geometry.camera import Camera
from depth_completion_ros.geometry.decimation import (
    decimate_depth,
    decimate_image,
    decimation_for,
    enlarge_confidence,
    enlarge_depth,
)


@pytest.mark.parametrize(("focal_length", "decimation"), [(300, 1), (721.5, 1), (1060, 1), (1266, 2), (2153, 3)])
def test_the_focal_length_comes_near_that_of_the_training(focal_length, decimation):
    assert decimation_for(Camera(1600, 900, focal_length, focal_length, 799.5, 449.5)) == decimation


def test_a_cell_of_a_picture_is_its_mean_at_a_ragged_end_too():
    image = np.zeros((5, 7, 3), np.uint8)
    image[:2, :2] = [[[10], [20]], [[30], [40]]]
    image[4, 6] = 200
    small = decimate_image(image, 2)
    assert small.shape == (3, 4, 3)
    assert (small[0, 0] == 25).all() and not small[1].any()
    assert (small[2, 3] == 200).all()  # the last cell has but one pixel


def test_a_cell_of_depth_is_its_nearest_surface():
    depth = np.zeros((5, 7), np.float32)
    depth[0, 0], depth[0, 1], depth[1, 1] = 10.0, 10.2, 30.0  # twice the nearest surface, once what is behind
    depth[3, 3] = 7.0
    depth[4, 6] = 3.0
    small = decimate_depth(depth, 2)
    assert small.shape == (3, 4) and small.dtype == np.float32
    expected = np.zeros((3, 4), np.float32)
    expected[0, 0], expected[1, 1], expected[2, 3] = 10.1, 7.0, 3.0
    np.testing.assert_allclose(small, expected, rtol=1e-6)


def test_slopes_are_linear_and_edges_stay_sharp():
    rows, columns = np.mgrid[:60, :90].astype(np.float32)
    slope = 10 + 0.05 * columns
    truth = np.where(rows < 30, slope, 4 * slope)
    middles = torch.from_numpy(truth.reshape(20, 3, 30, 3).mean((1, 3)))
    depth = enlarge_depth(middles, 3, (59, 88)).numpy()
    assert depth.shape == (59, 88)
    np.testing.assert_allclose(depth[:29, 2:-2], truth[:29, 2:86], rtol=1e-5)
    np.testing.assert_allclose(depth[31:, 2:-2], truth[31:59, 2:86], rtol=1e-5)
    np.testing.assert_allclose(depth[29:31, 2:-2], truth[29:31, 2:86], rtol=0.006)  # that of the middle of a cell
    blurred = enlarge_confidence(middles, 3, (59, 88)).numpy()
    assert np.abs(blurred / truth[:59, :88] - 1).max() > 0.2


def test_what_is_unknown_neither_spreads_nor_ends():
    depth = torch.full((6, 6), 5.0)
    depth[2, 3] = torch.nan
    depth[5, 5] = torch.inf
    large = enlarge_depth(depth, 2, (12, 12))
    unknown = torch.zeros(12, 12, dtype=torch.bool)
    unknown[4:6, 6:8] = True
    assert torch.equal(large.isnan(), unknown)
    beyond = torch.zeros(12, 12, dtype=torch.bool)
    beyond[10:, 10:] = True
    assert torch.equal(large.isinf(), beyond)
    assert (large[~unknown & ~beyond] == 5).all()
