"""Chains of transforms, of which every frame is a known shift or turn of its parent."""

from types import SimpleNamespace as Message

import numpy as np
import pytest

from depth_completion_ros.datasets.bag.transforms import TransformTree

HALF = np.sqrt(0.5)


def message(*edges):
    return Message(
        transforms=[
            Message(
                header=Message(frame_id=parent),
                child_frame_id=child,
                transform=Message(
                    translation=Message(**dict(zip("xyz", shift, strict=True))),
                    rotation=Message(**dict(zip("xyzw", turn, strict=True))),
                ),
            )
            for parent, child, shift, turn in edges
        ]
    )


STRAIGHT = (0, 0, 0, 1)


@pytest.fixture
def tree():
    tree = TransformTree()
    tree.add(message(("base", "mast", (0, 0, 2), (0, HALF, 0, HALF)), ("mast", "lidar", (1, 0, 0), (0, 0, HALF, HALF))))
    tree.add(message(("/base", "/camera", (0, 3, 0), STRAIGHT), ("map", "elsewhere", (0, 0, 0), STRAIGHT)))
    return tree


def test_through_the_common_ancestor(tree):
    # The lidar's x axis is the mast's y axis, and the mast's x axis points down.
    point = tree.lookup("camera", "lidar") @ (5, 0, 0, 1)
    np.testing.assert_allclose(point, (0, 5 - 3, 2 - 1, 1), atol=1e-15)


def test_there_and_back(tree):
    np.testing.assert_allclose(tree.lookup("lidar", "camera") @ tree.lookup("camera", "lidar"), np.eye(4), atol=1e-15)


def test_a_frame_to_itself(tree):
    np.testing.assert_array_equal(tree.lookup("lidar", "lidar"), np.eye(4))
    np.testing.assert_array_equal(tree.lookup("unheard_of", "unheard_of"), np.eye(4))


def test_leading_slashes_do_not_matter(tree):
    np.testing.assert_array_equal(tree.lookup("/camera", "/lidar"), tree.lookup("camera", "lidar"))


def test_frames_that_are_not_connected(tree):
    assert tree.lookup("camera", "elsewhere") is None
    assert tree.lookup("camera", "unheard_of") is None
    assert tree.describe() == "base -> camera, base -> mast, map -> elsewhere, mast -> lidar"


def test_the_latest_transform_counts(tree):
    tree.add(message(("base", "camera", (0, 4, 0), STRAIGHT)))
    np.testing.assert_allclose(tree.lookup("camera", "mast") @ (0, 0, 0, 1), (0, -4, 2, 1))


def test_a_transform_that_is_none_is_passed_over_once_aloud(tree, caplog):
    before = tree.lookup("camera", "lidar")
    wrong = (("base", "camera", (0, 0, 0), (0, 0, 0, 0)), ("base", "mast", (0, np.nan, 0), STRAIGHT))
    for _ in range(3):
        tree.add(message(*wrong, ("base", "gripper", (1, 0, 0), STRAIGHT)))
    np.testing.assert_array_equal(tree.lookup("camera", "lidar"), before)
    assert tree.lookup("base", "gripper")[0, 3] == 1
    assert [record.message.split(" is ")[0] for record in caplog.records] == [
        "transform base -> camera",
        "transform base -> mast",
    ]


def test_a_loop(tree):
    tree.add(message(("lidar", "base", (0, 0, 0), STRAIGHT)))
    with pytest.raises(ValueError, match="form a loop at frame 'lidar'"):
        tree.lookup("camera", "lidar")
