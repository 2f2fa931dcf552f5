"""tf2 is not among ROS 2's wheels, so a stand-in takes its place here; the parameter needs none."""

import sys
import types

import numpy as np
import pytest
from geometry_msgs.msg import TransformStamped

from depth_completion_ros.ros.extrinsics import Extrinsics, MissingExtrinsicError


class Tf2:
    """What the code uses of tf2_ros: a buffer that knows what it has been given."""

    def __init__(self):
        self.lookups = 0
        self.known = {}
        module = types.ModuleType("tf2_ros")
        module.TransformException = type("TransformException", (Exception,), {})
        tf2 = self

        class Buffer:
            def lookup_transform(self, target, source, _time):
                tf2.lookups += 1
                if (target, source) not in tf2.known:
                    raise module.TransformException(f"'{source}' does not exist")
                return tf2.known[target, source]

            def clear(self):
                tf2.known.clear()

        class TransformListener:
            def __init__(self, buffer, node):
                pass

            def unregister(self):
                pass

        module.Buffer, module.TransformListener = Buffer, TransformListener
        self.module = module


@pytest.fixture
def tf2(monkeypatch):
    tf2 = Tf2()
    monkeypatch.setitem(sys.modules, "tf2_ros", tf2.module)
    return tf2


def quarter_turn():
    message = TransformStamped()
    message.transform.rotation.z = message.transform.rotation.w = np.sqrt(0.5)
    message.transform.translation.x = 2.0
    return message


def test_tf_is_asked_until_it_knows_and_followed_when_it_moves(tf2):
    extrinsics = Extrinsics(None, ())
    for _ in range(2):
        with pytest.raises(MissingExtrinsicError, match="from 'lidar' to 'camera' in tf"):
            extrinsics.get("lidar", "camera")
    tf2.known["camera", "lidar"] = quarter_turn()
    expected = [[0, -1, 0, 2], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    np.testing.assert_allclose(extrinsics.get("lidar", "camera"), expected, atol=1e-15)
    tf2.known["camera", "lidar"].transform.translation.x = 3.0
    expected[0][3] = 3
    np.testing.assert_allclose(extrinsics.get("lidar", "camera"), expected, atol=1e-15)


def test_after_time_has_jumped_back_old_transforms_do_not_count(tf2):
    extrinsics = Extrinsics(None, ())
    tf2.known["camera", "lidar"] = quarter_turn()
    extrinsics.get("lidar", "camera")
    extrinsics.restart()
    with pytest.raises(MissingExtrinsicError):
        extrinsics.get("lidar", "camera")
    Extrinsics(None, tuple(np.eye(4).ravel())).restart()  # which has no tf to forget


def test_one_frame_needs_no_tf(tf2):
    np.testing.assert_array_equal(Extrinsics(None, ()).get("camera", "camera"), np.eye(4))
    assert tf2.lookups == 0


def test_the_parameter_wins(tf2):
    matrix = np.eye(4)
    matrix[:3, 3] = 1, 2, 3
    extrinsics = Extrinsics(None, tuple(matrix.ravel()))
    np.testing.assert_array_equal(extrinsics.get("lidar", "camera"), matrix)
    assert tf2.lookups == 0


def test_without_tf2_the_message_names_the_parameter(monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2_ros", None)
    with pytest.raises(MissingExtrinsicError, match=r"tf2_ros is not installed; set the parameter extrinsic"):
        Extrinsics(None, ()).get("lidar", "camera")


def test_a_matrix_that_is_no_rigid_transform_is_refused():
    with pytest.raises(ValueError, match="not a rotation"):
        Extrinsics(None, (2.0,) * 16)
