"""Filling against maps small enough to fill by hand."""

import torch

from depth_completion_ros.networks.gaps import blurred, fill_gaps, gaussian, mean_measurement


def image(rows):
    return torch.tensor(rows, dtype=torch.float32)[None, None]


def test_gaps_take_the_mean_of_the_smallest_block_that_holds_a_known_pixel():
    nan = torch.nan  # which stands for anything
    values = image([[4.0, nan, nan, nan], [nan, 8.0, nan, nan]])
    known = values.isfinite()
    # The left 2x2 block answers 6; the right one takes the 6 of the whole.
    expected = image([[4, 6, 6, 6], [6, 8, 6, 6]])
    torch.testing.assert_close(fill_gaps(values, known), expected)


def test_fading_and_interpolation():
    values = image([[8.0, 0, 0, 0], [0, 0, 0, 0]])
    filled = fill_gaps(values, values > 0, fade=0.5)
    # The left block answers 8 and the right one half of the 8 of the whole, 4. Between the blocks' centres, which lie
    # between columns 0 and 1 and between 2 and 3, a quarter of the way is one pixel's half; then that fades, too.
    expected = image([[8, 3.5, 2.5, 2], [4, 3.5, 2.5, 2]])
    torch.testing.assert_close(filled, expected)


def test_odd_sizes_and_images_without_anything_known():
    values = torch.zeros(2, 1, 5, 7)
    values[0, 0, 4, 6] = 3.0
    filled = fill_gaps(values, values > 0)
    torch.testing.assert_close(filled[0], torch.full((1, 5, 7), 3.0))
    assert not filled[1].any()


def test_mean_measurement_of_each_image():
    sparse_depth = torch.stack([image([[2.0, 0], [0, 6]])[0], image([[0.0, 0], [0, 0]])[0]])
    assert mean_measurement(sparse_depth).flatten().tolist() == [4.0, 0.0]


def test_a_gaussian_blurs_every_channel_by_itself():
    maps = torch.zeros(2, 2, 21, 25)
    maps[0, 1, 10, 12] = 1
    bell = blurred(maps, gaussian(1.5, 9, maps.device))
    assert not bell[1].any() and not bell[0, 0].any()
    torch.testing.assert_close(bell.sum().item(), 1.0)
    ratio = torch.exp(torch.tensor(-0.5 * (2**2 + 3**2) / 1.5**2))
    torch.testing.assert_close(bell[0, 1, 12, 15] / bell[0, 1, 10, 12], ratio)
    assert not bell[0, 1, :, :8].any() and not bell[0, 1, 15:].any()
