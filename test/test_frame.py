import numpy as np
import pytest

from depth_completion_ros.frame import Frame
from depth_completion_ros.geometry.camera import Camera

CAMERA = Camera(4, 3, 2.0, 2.0, 1.5, 1.0)


def test_a_frame_takes_what_fits():
    frame = Frame(
        1,
        CAMERA,
        image=np.zeros((3, 4, 3), np.uint8),
        points=np.zeros((5, 3), np.float32),
        rings=np.zeros(5, np.uint16),
        ground_truth=np.zeros((3, 4), np.float32),
    )
    np.testing.assert_array_equal(frame.extrinsic, np.eye(4))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"image": np.zeros((4, 3, 3), np.uint8)}, r"image is \(4, 3, 3\) uint8, expected \(3, 4, 3\) uint8"),
        ({"image": np.zeros((3, 4, 3), np.float32)}, "image is .* float32, expected .* uint8"),
        ({"points": np.zeros((5, 4), np.float32)}, r"points is \(5, 4\)"),
        ({"points": np.zeros((5, 3), np.float32), "rings": np.zeros(4, int)}, r"rings is \(4,\) int64"),
        ({"extrinsic": np.eye(3)}, "extrinsic is"),
        ({"depth": np.zeros((6, 8), np.float32)}, r"depth is \(6, 8\) float32, expected \(3, 4\)"),
        ({"ground_truth": np.zeros((3, 4))}, "ground_truth is .* float64"),
    ],
)
def test_what_does_not_fit_is_refused_with_both_shapes(content, message):
    with pytest.raises(ValueError, match=message):
        Frame(1, CAMERA, **content)


def test_a_depth_camera_brings_its_own_size():
    Frame(1, CAMERA, depth=np.zeros((6, 8), np.float32), depth_camera=Camera(8, 6, 4.0, 4.0, 3.5, 2.5))
