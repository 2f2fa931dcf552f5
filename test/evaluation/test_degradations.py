"""What each degradation does to a frame, and what it leaves alone."""

from dataclasses import replace

import numpy as np
import pytest

from depth_completion_ros import Camera
from depth_completion_ros.evaluation import degradations
from depth_completion_ros.frame import Frame

CAMERA = Camera(60, 40, 50.0, 50.0, 29.5, 19.5)
# LiDAR axes: x ahead, y left, z up.
EXTRINSIC = np.array([[0, -1, 0, 0.1], [0, 0, -1, -0.2], [1, 0, 0, 0.3], [0, 0, 0, 1]], np.float64)


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    points = np.stack([rng.uniform(4, 60, 4000), rng.uniform(-30, 30, 4000), rng.uniform(-2, 2, 4000)], 1)
    image = rng.integers(0, 256, (40, 60, 3), np.uint8)
    truth = rng.uniform(1, 60, (40, 60)).astype(np.float32)
    return Frame(
        1,
        CAMERA,
        image=image,
        points=points.astype(np.float32),
        rings=rng.integers(0, 16, 4000),
        extrinsic=EXTRINSIC,
        ground_truth=truth,
    )


def test_wrong_points_lie_elsewhere_on_their_beams(frame):
    degraded = degradations.wrong_points(frame, 0.1, np.random.default_rng(0))
    moved = (degraded.points != frame.points).any(1)
    assert 0.08 < moved.mean() < 0.12
    before, after = (np.linalg.norm(each.points[moved], axis=1, keepdims=True) for each in (frame, degraded))
    np.testing.assert_allclose(degraded.points[moved] / after, frame.points[moved] / before, atol=1e-5)
    distance = after
    assert distance.min() >= 1.99 and distance.max() <= 80.01
    assert 0.35 < (distance < np.sqrt(2 * 80)).mean() < 0.65  # the middle of the logarithms


def test_a_turn_moves_the_middle_of_the_image_by_its_angle(frame):
    ahead = replace(frame, points=np.array([[20.0, 0.1, -0.2]], np.float32), rings=None)
    (u, v), (turned_u, turned_v) = (pixel(each) for each in (ahead, degradations.turned(ahead, 0.5)))
    assert turned_u - u == pytest.approx(50 * np.tan(np.radians(0.5)), rel=0.01)
    assert turned_v == pytest.approx(v, abs=0.01)
    turn = degradations.turned(frame, 0.5).extrinsic @ np.linalg.inv(frame.extrinsic)
    np.testing.assert_allclose(turn[:3, :3] @ turn[:3, :3].T, np.eye(3), atol=1e-12)
    assert np.degrees(np.arccos((np.trace(turn[:3, :3]) - 1) / 2)) == pytest.approx(0.5)


def test_a_step_moves_points_in_the_camera_by_its_length(frame):
    ahead = replace(frame, points=np.array([[20.0, 0.1, -0.2]], np.float32), rings=None)
    (u, v), (shifted_u, shifted_v) = (pixel(each) for each in (ahead, degradations.shifted(ahead, 0.05)))
    assert shifted_u - u == pytest.approx(50 * 0.05 / 20.3)
    assert shifted_v == v
    assert frame.extrinsic[0, 3] == 0.1


def test_half_of_the_image_loses_its_points(frame):
    degraded = degradations.half_without_points(frame)
    left_before, left = ((columns(each) < 30).sum() for each in (frame, degraded))
    right_before, right = ((columns(each) >= 30).sum() for each in (frame, degraded))
    assert left_before > 100 and left == 0
    assert right == right_before > 100
    assert len(degraded.rings) == len(degraded.points)


def test_night_is_dark_and_noisy(frame):
    degraded = degradations.dimmed(frame, 1 / 30, np.random.default_rng(0))
    assert degraded.image.mean() < 0.06 * frame.image.mean()
    white = replace(frame, image=np.full_like(frame.image, 150))
    noise = degradations.dimmed(white, 1 / 30, np.random.default_rng(0)).image.astype(float)
    assert noise.mean() == pytest.approx(5, abs=0.3) and 2 < noise.std() < 3.5


def test_washed_out_is_bright_and_flat(frame):
    pixels = np.array([0, 40, 85, 255], np.uint8)
    degraded = degradations.washed_out(replace(frame, image=np.resize(pixels, frame.image.shape)))
    np.testing.assert_array_equal(np.unique(degraded.image), [150, 199, 255])


def test_no_image_is_no_image(frame):
    assert degradations.without_image(frame).image is None


@pytest.mark.parametrize("name", [*degradations.OF_POINTS, *degradations.OF_IMAGE])
def test_only_what_is_named_changes(frame, name):
    degrade = (degradations.OF_POINTS | degradations.OF_IMAGE)[name]
    before = {key: None if value is None else np.array(value) for key, value in vars(frame).items()}
    degraded = degrade(frame, np.random.default_rng(0))
    again = degrade(frame, np.random.default_rng(0))
    changed = {"points", "rings", "extrinsic"} if name in degradations.OF_POINTS else {"image"}
    for key, value in before.items():
        np.testing.assert_array_equal(getattr(frame, key), value)  # the frame given stays as it was
        np.testing.assert_array_equal(getattr(degraded, key), getattr(again, key))
        if key not in changed:
            np.testing.assert_array_equal(getattr(degraded, key), value)
    assert any(not np.array_equal(getattr(degraded, key), before[key]) for key in changed)


@pytest.mark.parametrize("name", [*degradations.OF_POINTS, "night-dark image", "washed-out image"])
def test_what_is_missing_is_said(name):
    empty = Frame(1, CAMERA, name="monday")
    with pytest.raises(ValueError, match=r"frame monday has no (points|image)"):
        (degradations.OF_POINTS | degradations.OF_IMAGE)[name](empty, np.random.default_rng(0))


def optical(frame):
    return frame.points @ frame.extrinsic[:3, :3].T + frame.extrinsic[:3, 3]


def pixel(frame):
    return frame.camera.project(optical(frame))[0]


def columns(frame):
    u, v = frame.camera.project(optical(frame)).T
    return u[(u >= 0) & (u < 60) & (v >= 0) & (v < 40)]
