"""The classical model on scenes whose depth is known, because it is a formula."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from depth_completion_ros.networks.registry import create

HEIGHT, WIDTH = 96, 160


@pytest.fixture(scope="module")
def classical():
    return create("classical")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def complete(network, sparse):
    """(H, W) float32 depth and confidence of one (H, W) array."""
    output = network(None, torch.from_numpy(sparse.astype(np.float32))[None, None])
    assert output.depth.dtype == output.confidence.dtype == torch.float32
    assert output.depth.shape == output.confidence.shape == (1, 1, *sparse.shape)
    return output.depth[0, 0].numpy(), output.confidence[0, 0].numpy()


def plane(height=HEIGHT, width=WIDTH):
    """Depth of a plane, nearer downwards and to the right: its inverse depth is linear in row and column."""
    row, column = np.mgrid[:height, :width]
    return 1 / (0.02 + 0.0012 * row + 0.0003 * column)


def scan_lines(depth, spacing, first=0):
    sparse = np.zeros_like(depth)
    sparse[first::spacing, ::2] = depth[first::spacing, ::2]
    return sparse


def random_points(depth, count, rng):
    sparse = np.zeros_like(depth)
    chosen = rng.choice(depth.size, count, replace=False)
    sparse.flat[chosen] = depth.flat[chosen]
    return sparse


@pytest.mark.parametrize(
    ("spacing", "mean", "largest"),
    [(2, 0.01, 0.06), (6, 0.01, 0.06), (12, 0.02, 0.08), (24, 0.03, 0.12), (48, 0.07, 0.2)],
)
def test_a_plane_is_continued_between_scan_lines(classical, spacing, mean, largest):
    """It is 50 m away at the top and 6 m at the bottom, like a road."""
    depth, _ = complete(classical, scan_lines(plane(), spacing, spacing // 2))
    error = np.abs(depth / plane() - 1)[spacing // 2 : HEIGHT - spacing // 2]
    assert error.mean() < mean
    assert error.max() < largest


@pytest.mark.parametrize(("count", "tolerance"), [(1500, 0.01), (150, 0.02), (30, 0.06)])
def test_a_plane_is_found_from_random_points(classical, rng, count, tolerance):
    depth, _ = complete(classical, random_points(plane(), count, rng))
    assert np.median(np.abs(depth / plane() - 1)) < tolerance


def test_a_plane_goes_on_below_the_last_scan_line(classical):
    """Ten rows farther than measured: closer to the plane than the last line's depth is, but no wild guess."""
    depth, _ = complete(classical, np.where(np.arange(HEIGHT)[:, None] < HEIGHT - 10, scan_lines(plane(), 6), 0))
    below = np.s_[-1, 20:-20]
    last = plane()[HEIGHT - 12][20:-20]
    assert (np.abs(depth[below] - plane()[below]) < 0.7 * np.abs(last - plane()[below])).mean() > 0.9


def test_two_walls_keep_their_depths_up_to_the_edge(classical):
    truth = np.where(np.arange(WIDTH) < 80, 5.0, 20.0) * np.ones((HEIGHT, 1))
    depth, confidence = complete(classical, scan_lines(truth, 6))
    np.testing.assert_allclose(depth[:, :72], 5, rtol=0.05)
    np.testing.assert_allclose(depth[:, 88:], 20, rtol=0.05)
    assert confidence[:, 78:82].mean() < 0.5 * confidence[:, 20:40].mean()


def test_a_dense_map_with_holes_is_kept_and_its_holes_are_filled(classical):
    row, column = np.mgrid[:HEIGHT, :WIDTH]
    truth = 1 / (0.3 + 0.002 * row + 0.001 * column)
    sparse = truth.copy()
    sparse[20:50, 40:70] = 0
    sparse[60:62] = 0
    depth, confidence = complete(classical, sparse)
    np.testing.assert_allclose(depth[sparse > 0], truth[sparse > 0], rtol=0.005)
    np.testing.assert_allclose(depth[sparse == 0], truth[sparse == 0], rtol=0.02)
    assert confidence[35, 55] < confidence[35, 20] - 0.05


def test_edges_of_a_dense_map_stay_sharp(classical):
    truth = np.where(np.arange(WIDTH) < 81, 1.0, 3.0) * np.ones((HEIGHT, 1))
    depth, _ = complete(classical, truth)
    np.testing.assert_allclose(depth[:, :79], 1, rtol=0.03)
    np.testing.assert_allclose(depth[:, 83:], 3, rtol=0.03)


def test_a_single_measurement_fills_the_image_with_falling_confidence(classical):
    sparse = np.zeros((HEIGHT, WIDTH))
    sparse[40, 30] = 7.5
    depth, confidence = complete(classical, sparse)
    np.testing.assert_allclose(depth, 7.5, rtol=1e-5)
    along = confidence[40, 30:]
    assert along[0] > 0.95
    assert np.all(np.diff(along[::4]) < 0)
    assert along[-1] < 0.4


def test_confidence_falls_where_measurements_disagree(classical, rng):
    flat = scan_lines(np.full((HEIGHT, WIDTH), 10.0), 6)
    noisy = flat * np.exp(rng.normal(0, 0.3, flat.shape) * (np.arange(WIDTH) >= WIDTH // 2))
    _, confidence = complete(classical, noisy)
    assert confidence[:, : WIDTH // 2 - 20].mean() > 0.9
    assert confidence[:, WIDTH // 2 + 20 :].mean() < 0.4


def test_confidence_sorts_the_errors_of_a_cluttered_scene(classical, rng):
    """Boxes of random depth before a plane, measured on lines: the surer half is far better."""
    truth = plane(192, 320)
    for _ in range(25):
        top, left = rng.integers(0, 160), rng.integers(0, 280)
        box = truth[top : top + rng.integers(10, 60), left : left + rng.integers(10, 60)]
        box[:] = np.minimum(box, rng.uniform(3, 15))
    sparse = scan_lines(truth, 12)
    depth, confidence = complete(classical, sparse)
    error = np.abs(depth / truth - 1)[sparse == 0]
    surest_first = np.argsort(-confidence[sparse == 0])
    surer, less_sure = np.array_split(error[surest_first], 2)
    assert surer.mean() < 0.25 * less_sure.mean()
    assert (error[confidence[sparse == 0] > 0.9] < 0.05).mean() > 0.9


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (2, 3), (5, 4), (33, 17), (160, 90), (101, 203)])
@pytest.mark.parametrize("measured", [1, 0.05, 1.0])
def test_every_pixel_of_any_size_gets_a_depth_within_the_measured_range(classical, rng, size, measured):
    pixels = size[0] * size[1]
    count = measured if isinstance(measured, int) else max(1, round(measured * pixels))
    sparse = random_points(rng.uniform(0.5, 90, size).astype(np.float32), count, rng)
    depth, confidence = complete(classical, sparse)
    assert depth.min() >= sparse[sparse > 0].min()
    assert depth.max() <= sparse.max()
    assert confidence.min() >= 0
    assert confidence.max() <= 1


@pytest.mark.parametrize("scale", [1e-3, 1.0, 10.0])
def test_the_unit_of_depth_does_not_matter(classical, rng, scale):
    sparse = random_points(plane(), 200, rng)
    depth, confidence = complete(classical, sparse)
    scaled_depth, scaled_confidence = complete(classical, sparse * scale)
    np.testing.assert_allclose(scaled_depth, depth * scale, rtol=1e-3)
    np.testing.assert_allclose(scaled_confidence, confidence, atol=1e-3)


def test_nothing_is_extrapolated_far_into_the_sky(classical):
    """A steep road below an empty upper half: the sky stays within the range that was measured."""
    row = np.arange(HEIGHT)[:, None] - HEIGHT // 2
    road = np.where(row > 2, 60.0 / np.maximum(row, 1), 0) * np.ones(WIDTH)
    depth, confidence = complete(classical, scan_lines(road, 6, 3))
    assert depth.max() <= road.max() * (1 + 1e-6)
    assert confidence[:20].max() < 0.5


def test_the_images_of_a_batch_do_not_mix(classical, rng):
    batch = np.stack([random_points(plane(), 50, rng), scan_lines(plane() / 3, 8)])[:, None].astype(np.float32)
    both = classical(None, torch.from_numpy(batch))
    for index in range(2):
        depth, confidence = complete(classical, batch[index, 0])
        np.testing.assert_array_equal(both.depth[index, 0].numpy(), depth)
        np.testing.assert_array_equal(both.confidence[index, 0].numpy(), confidence)


def test_neither_the_input_nor_earlier_calls_matter(classical, rng):
    sparse = torch.from_numpy(random_points(plane(), 300, rng).astype(np.float32))[None, None]
    before = sparse.clone()
    first = classical(None, sparse).depth
    with ThreadPoolExecutor(4) as threads:
        others = list(threads.map(lambda _: classical(None, sparse).depth, range(8)))
    assert torch.equal(sparse, before)
    assert all(torch.equal(first, other) for other in others)


def test_a_strided_tensor_is_as_good_as_a_contiguous_one(classical, rng):
    sparse = torch.from_numpy(random_points(plane(), 300, rng).astype(np.float32))
    view = sparse.T.contiguous().T[None, None]
    assert torch.equal(classical(None, view).depth, classical(None, sparse[None, None]).depth)


def test_nothing_measured_is_refused(classical):
    with pytest.raises(ValueError, match="the 9x8 sparse depth holds no measurement"):
        classical(None, torch.zeros(1, 1, 8, 9))


def test_what_stands_upright_goes_on_above_the_highest_measurement(classical):
    """Two walls and the ground before them, seen up to half of the image's height."""
    height, width = 60, 120
    rows = np.arange(height, dtype=np.float32)[:, None]
    wall = np.where(np.arange(width) < width // 2, np.float32(10), np.float32(30))
    scene = np.minimum(np.broadcast_to(wall, (height, width)), 60 / np.maximum(rows - 25, 0.5))
    sparse = np.zeros_like(scene)
    sparse[30::4, ::2] = scene[30::4, ::2]
    depth = complete(classical, sparse)[0]
    for columns in (slice(15, 45), slice(75, 105)):
        np.testing.assert_allclose(depth[29, columns], depth[30, columns], rtol=0.02)
        np.testing.assert_allclose(depth[:30, columns], scene[30:31, columns].repeat(30, 0), rtol=0.35)
        np.testing.assert_allclose(depth[20:30, columns], scene[30:31, columns].repeat(10, 0), rtol=0.15)
