"""Single points of a depth image, and holes in it."""

import numpy as np
import pytest

from depth_completion_ros.geometry.thinning import cut_holes, keep_points


def depth_image(seed=0):
    return np.random.default_rng(seed).uniform(1, 9, (96, 128)).astype(np.float32)


def test_points_are_as_many_as_asked_for():
    depth, rng = depth_image(), np.random.default_rng(0)
    sparse = keep_points(depth, 40, rng)
    assert np.count_nonzero(sparse) == 40
    np.testing.assert_array_equal(sparse[sparse > 0], depth[sparse > 0])
    np.testing.assert_array_equal(keep_points(sparse, 1000, rng), sparse)  # which has no more
    assert not np.array_equal(keep_points(depth, 40, rng), sparse)


def test_holes_cover_the_share_that_is_asked_for():
    depth, rng = depth_image(), np.random.default_rng(0)
    for share in (0.1, 0.3, 0.5):
        for _ in range(50):
            sparse = cut_holes(depth, share, rng)
            np.testing.assert_array_equal(sparse[sparse > 0], depth[sparse > 0])
            missing = np.mean(sparse == 0)
            assert share <= missing < share + 0.2  # the last ellipse may be a large one
    np.testing.assert_array_equal(cut_holes(depth, 0, rng), depth)


@pytest.mark.parametrize("size", [(16, 128), (128, 16)])
def test_holes_may_be_anywhere(size):
    rng = np.random.default_rng(0)
    kept = sum(cut_holes(np.ones(size, np.float32), 0.1, rng) for _ in range(200))
    assert kept.min() > 0 and kept.max() < 200
