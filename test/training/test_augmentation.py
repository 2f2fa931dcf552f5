"""Augmented pictures show a possible scene: planes stay planes, and pictures stay on top of each other."""

from dataclasses import replace

import numpy as np
import pytest
from planes import CAMERA, Planes, plane_depth

from depth_completion_ros.geometry.camera import Camera
from depth_completion_ros.pipeline import sparse_depth_of
from depth_completion_ros.training.augmentation import (
    Augmentation,
    Pictures,
    augment,
    change_color,
    cut_top,
    draw_view,
    resize,
    view,
)

STILL = Augmentation((64, 96), flip=0, rotation=0, zoom=(1, 1), color=0, image_dropout=0)
CHANGES = {
    "crop": {},
    "flip": {"flip": 1},
    "upside down": {"upside_down": 1},
    "rotation": {"rotation": 20},
    "zoom": {"zoom": (1.2, 1.6)},
    "all": {"flip": 0.5, "upside_down": 0.5, "rotation": 20, "zoom": (1, 1.6)},
}
OBLONG = replace(CAMERA, fy=140.0)


def pictures_of(index=0, camera=CAMERA):
    source = Planes(camera=camera)
    frame = source[index]
    truth = frame.ground_truth
    return Pictures(camera, frame.image, sparse_depth_of(frame), truth, truth.copy()), source.plane(index)


def motion(matrix, zoom, camera):
    """What happens to the points of the scene, in three dimensions."""
    focal = np.array((camera.fx, camera.fy))
    transform = np.diag((1, 1, 1 / zoom))
    transform[:2, :2] = matrix[:2, :2] / zoom * focal / focal[:, None]
    return transform


@pytest.mark.parametrize("camera", [CAMERA, OBLONG], ids=["square", "oblong"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_depth_is_that_of_the_moved_plane(change, camera):
    for seed in range(5):
        pictures, (normal, distance) = pictures_of(seed, camera)
        rng = np.random.default_rng(seed)
        augmentation = replace(STILL, **change)
        matrix, zoom = draw_view(camera, augmentation, rng)
        seen = view(pictures, matrix, zoom, augmentation.crop)
        moved = motion(matrix, zoom, camera)
        np.testing.assert_allclose(moved[:2, :2] @ moved[:2, :2].T, np.eye(2), atol=1e-9)  # turned or mirrored
        expected = plane_depth(seen.camera, np.linalg.inv(moved).T @ normal, distance)
        tolerance = 1.2 * np.abs(np.gradient(expected)).max()  # of the nearest pixel
        for depth in (seen.ground_truth, seen.sparse_depth):
            known = depth > 0
            assert known.sum() > 150
            assert np.abs(depth - expected)[known].max() < tolerance
            assert np.abs((depth - expected)[known].mean()) < 0.1 * tolerance  # no shift by a part of a pixel
        inside = seen.ground_truth > 0
        assert np.abs(seen.initial_depth - expected)[inside].mean() < 0.02
        # The image's brightness tells the depth before it was divided by the zoom.
        bright = 255 - 8 * zoom * expected
        visible = inside & (bright > 10) & (bright < 245)
        assert np.abs(seen.image[..., 0] - bright)[visible].mean() < 3


def test_measurements_are_neither_lost_nor_doubled():
    pictures, _ = pictures_of()
    zoomed = view(pictures, np.diag((2.0, 2.0, 1.0)), 2.0, (192, 320))
    assert np.count_nonzero(zoomed.sparse_depth) == np.count_nonzero(pictures.sparse_depth)
    np.testing.assert_allclose(
        np.sort(zoomed.sparse_depth[zoomed.sparse_depth > 0]),
        np.sort(pictures.sparse_depth[pictures.sparse_depth > 0]) / 2,
    )


def test_of_measurements_that_meet_the_nearest_stays():
    sparse = np.zeros((96, 160), np.float32)
    sparse[10, 10:14] = 7, 3, 5, 9
    pictures = Pictures(CAMERA, None, sparse, sparse)
    small = view(pictures, np.diag((0.25, 0.25, 1.0)), 1.0, (24, 40))
    assert small.sparse_depth[small.sparse_depth > 0].min() == 3


def test_all_that_was_measured_moves_like_the_part_of_it():
    pictures, _ = pictures_of()
    part = pictures.sparse_depth.copy()
    part[:, : part.shape[1] // 2] = 0
    rng = np.random.default_rng(0)
    seen = augment(replace(pictures, sparse_depth=part, measured=pictures.sparse_depth), STILL, rng)
    kept = seen.sparse_depth > 0
    assert kept.any() and kept.sum() < (seen.measured > 0).sum()
    np.testing.assert_array_equal(seen.sparse_depth[kept], seen.measured[kept])


def test_resized_frames_keep_their_depth():
    pictures, (normal, distance) = pictures_of()
    small = resize(pictures, 48)
    assert small.image.shape == (48, 80, 3) and small.camera == CAMERA.resize(80, 48)
    expected = plane_depth(small.camera, normal, distance)
    error = np.abs(small.ground_truth - expected)
    assert error.max() < 1.2 * np.abs(np.gradient(expected)).max()
    assert np.abs(small.image[..., 0] - np.clip(255 - 8 * expected, 0, 255)).mean() < 2


def test_measurements_stay_in_the_part_of_the_picture_that_becomes_their_pixel():
    rng = np.random.default_rng(0)
    sparse = np.where(rng.random((96, 160)) < 0.1, rng.uniform(1, 9, (96, 160)), 0).astype(np.float32)
    parts = np.where(sparse > 0, sparse, np.inf).reshape(24, 4, 40, 4).min((1, 3))
    small = resize(Pictures(CAMERA, None, sparse, sparse), 24)
    np.testing.assert_array_equal(small.sparse_depth, np.where(np.isfinite(parts), parts, 0))


def test_a_frame_without_its_top_is_that_of_a_lower_camera():
    whole, (normal, distance) = pictures_of()
    whole = replace(whole, measured=whole.sparse_depth)
    cut = cut_top(whole, 30)
    for name in ("image", "sparse_depth", "ground_truth", "initial_depth", "measured"):
        np.testing.assert_array_equal(getattr(cut, name), getattr(whole, name)[30:])
    assert (cut.camera.height, cut.camera.cy) == (66, CAMERA.cy - 30)
    np.testing.assert_allclose(cut.ground_truth, plane_depth(cut.camera, normal, distance), rtol=1e-5)
    with pytest.raises(ValueError, match="160x96 pixels have no rows below the top 96"):
        cut_top(whole, 96)


def test_no_crop_shows_the_top_that_is_cut_off():
    pictures, _ = pictures_of()
    row = np.broadcast_to(np.arange(1, 97, dtype=np.float32)[:, None], (96, 160))
    pictures = replace(pictures, ground_truth=row)
    rng = np.random.default_rng(0)
    tops = {augment(pictures, replace(STILL, top=20), rng).ground_truth.min() for _ in range(100)}
    assert tops == set(range(21, 34))  # all that are left to a crop of 64 rows
    with pytest.raises(ValueError, match="160x56 pixels, without their top 40 rows, are smaller than"):
        augment(pictures, replace(STILL, top=40), rng)


def test_crops_at_the_bottom_end_where_the_image_does():
    rng = np.random.default_rng(0)
    left = set()
    for _ in range(50):
        matrix, _ = draw_view(CAMERA, replace(STILL, bottom=True, zoom=(1.0, 1.5)), rng)
        edge = (matrix @ (0, CAMERA.height - 0.5, 1))[1]
        assert -1e-6 <= edge - 63.5 < 1  # a magnified image may have a part of a row more
        left.add(round(matrix[0, 2]))
    assert len(left) > 20


def test_frames_smaller_than_the_crop_are_refused():
    pictures, _ = pictures_of()
    with pytest.raises(ValueError, match="160x96 pixels are smaller than the crop of 200x64"):
        augment(pictures, replace(STILL, crop=(64, 200)), np.random.default_rng(0))


def test_dead_cameras_come_as_often_as_asked_for():
    pictures, _ = pictures_of()
    rng = np.random.default_rng(0)
    dead = sum(augment(pictures, replace(STILL, image_dropout=0.25), rng).image is None for _ in range(400))
    assert 70 < dead < 130


def test_color_changes_by_brightness_contrast_and_saturation_one_after_the_other():
    image = np.random.default_rng(0).integers(60, 180, (20, 30, 3)).astype(np.uint8)
    changed = change_color(image, 0.2, np.random.default_rng(5))
    brightness, contrast, saturation = np.random.default_rng(5).uniform(0.8, 1.2, 3)
    luma = np.array((0.299, 0.587, 0.114))
    expected = brightness * image
    expected = contrast * expected + (1 - contrast) * (expected @ luma).mean()
    expected = saturation * expected + (1 - saturation) * (expected @ luma)[..., None]
    assert np.abs(changed - np.clip(expected, 0, 255)).max() <= 1
    assert not np.array_equal(changed, image)
    np.testing.assert_array_equal(change_color(image, 0.0, np.random.default_rng(5)), image)


def test_lens_distortion_is_left_out_of_the_camera():
    bent = Camera(160, 96, 110.0, 110.0, 71.0, 52.5, "plumb_bob", (0.1, 0, 0, 0))
    pictures = replace(pictures_of()[0], camera=bent)
    assert not augment(pictures, STILL, np.random.default_rng(0)).camera.is_distorted
