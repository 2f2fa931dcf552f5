import numpy as np
import pytest
import torch

from depth_completion_ros.geometry.decimation import (
    decimate_depth,
    decimate_image,
    enlarge_confidence,
    enlarge_depth,
)


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


def test_planes_stay_planes_and_edges_sharp():
    rows, columns = np.mgrid[:60, :90].astype(np.float32)
    near = 1 / (0.1 + 0.001 * rows + 0.0005 * columns)
    truth = np.where(rows < 30, 4 * near, near)
    inverse = torch.from_numpy((1 / truth).reshape(20, 3, 30, 3).mean((1, 3)))
    depth = enlarge_depth(1 / inverse, 3, (59, 88)).numpy()
    assert depth.shape == (59, 88)
    np.testing.assert_allclose(depth[:27], truth[:27, :88], rtol=1e-5)
    np.testing.assert_allclose(depth[33:], truth[33:59, :88], rtol=1e-5)
    np.testing.assert_allclose(depth[27:33], truth[27:33, :88], rtol=0.02)  # that of the middle of a cell


def test_ground_far_away_is_no_edge():
    """Level ground 1.65 m below the camera: at 60 m rows lie several per cent apart."""
    rows = torch.arange(15.0, 75.0)[:, None].repeat(1, 30)
    truth = 1.65 * 721 / rows
    middles = 1 / (1 / truth).reshape(20, 3, 10, 3).mean((1, 3))
    torch.testing.assert_close(enlarge_depth(middles, 3, (60, 30)), truth, rtol=1e-4, atol=0)


def test_ground_in_sight_of_the_horizon_is_never_behind_the_camera():
    inverse = torch.arange(1.0, 30.0, 4.0)[:, None].repeat(1, 5)  # so the horizon is within the first cell
    depth = enlarge_depth(1 / inverse, 4, (32, 20))
    assert (depth > 0).all() and (depth[:4] <= 2).all()
    torch.testing.assert_close(depth[4:, 0], 1 / (torch.arange(4.0, 32.0) - 0.5), rtol=1e-5, atol=0)


@pytest.mark.parametrize("turns", range(4))
def test_an_edge_beside_the_rim_is_no_slope_beyond_it(turns):
    """The outermost cells are of a surface of their own, of which nothing else is to be seen."""
    depth = torch.full((8, 8), 10.0)
    depth[0] = 2.0
    depth = torch.rot90(depth, turns)
    expected = depth.repeat_interleave(2, 0).repeat_interleave(2, 1)
    torch.testing.assert_close(enlarge_depth(depth, 2, (16, 16)), expected)


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
    torch.testing.assert_close(large[~unknown & ~beyond], torch.full((140 - 4,), 5.0))


def test_confidence_is_linear_and_0_where_unknown():
    confidence = torch.tensor([[0.2, 0.6, torch.nan]])
    large = enlarge_confidence(confidence, 2, (1, 6))
    torch.testing.assert_close(large, torch.tensor([[0.2, 0.3, 0.5, 0.45, 0.15, 0.0]]))
