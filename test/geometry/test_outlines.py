"""Nearer surfaces grow by a pixel at their outlines, and only there."""

import torch

from depth_completion_ros.geometry.outlines import widen


def test_the_nearer_surface_is_wider_by_a_pixel_on_every_side():
    depth = torch.full((12, 16), 20.0)
    depth[4:7, 5:9] = 6.0
    depth[0, 15] = 6.0  # at a corner of the image
    expected = depth.clone()
    expected[3:8, 5:9] = expected[4:7, 4:10] = 6.0
    expected[1, 15] = expected[0, 14] = 6.0
    assert torch.equal(widen(depth), expected)


def test_of_two_nearer_surfaces_the_nearest_counts():
    depth = torch.tensor([[8.0, 20.0, 5.0]])
    assert widen(depth).tolist() == [[8.0, 5.0, 5.0]]


def test_a_slope_is_no_outline():
    ground = (9 / torch.arange(13, 101.0)[:, None]).expand(-1, 40)  # each row at 92 % of the one above, or more
    assert torch.equal(widen(ground), ground)


def test_what_is_unknown_neither_grows_nor_gets_any_depth():
    depth = torch.tensor([[0.0, 9.0, 4.0, torch.nan, 9.0, 9.0]])
    torch.testing.assert_close(widen(depth), torch.tensor([[0.0, 4.0, 4.0, torch.nan, 9.0, 9.0]]), equal_nan=True)
