"""Previews hold every tile they promise, whatever is missing."""

import numpy as np
import pytest

from depth_completion_ros.evaluation.metrics import depth_errors
from depth_completion_ros.evaluation.preview import draw_preview
from depth_completion_ros.frame import Completion

SIZE = (60, 500)


@pytest.fixture
def completion():
    depth = np.broadcast_to(np.geomspace(2, 60, SIZE[1], dtype=np.float32), SIZE)
    sparse = np.where(np.random.default_rng(0).random(SIZE) < 0.05, depth, 0).astype(np.float32)
    return Completion(depth, np.ones(SIZE, np.float32), sparse)


def test_tiles_grow_with_what_there_is(completion):
    image = np.full((*SIZE, 3), 255, np.uint8)
    truth = np.array(completion.depth)
    four = draw_preview(completion, image)
    six = draw_preview(completion, image, truth, depth_errors(completion.depth, truth))
    assert draw_preview(completion).shape == four.shape
    np.testing.assert_array_equal(draw_preview(completion, image, np.zeros_like(truth)), four)
    assert six.shape[1] == four.shape[1] > 2 * SIZE[1]
    assert six.shape[0] > 1.4 * four.shape[0]


def test_image_tile_shows_the_image(completion):
    image = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    preview = draw_preview(completion, image)
    assert any((preview[top : top + 60, 6:506] == image).all() for top in range(60))


def test_wide_and_narrow_pictures_get_readable_tiles():
    for width in (100, 3000):
        depth = np.full((50, width), 5, np.float32)
        preview = draw_preview(Completion(depth, np.zeros_like(depth), depth))
        assert 900 < preview.shape[1] < 1700


def test_all_unknown_depth_is_drawn(completion):
    depth = np.full(SIZE, np.nan, np.float32)
    truth = np.ones(SIZE, np.float32)
    assert draw_preview(Completion(depth, np.zeros_like(depth), np.zeros_like(depth)), None, truth).any()
