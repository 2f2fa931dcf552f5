"""What depth looks like on the wire; test/nodes has the whole of it."""

import numpy as np

from depth_completion_ros.ros.outputs import _millimetres


def test_depth_in_millimetres_is_rounded_and_zero_where_16_bits_cannot_say_it():
    metres = np.array([[0.0, 1.0, 1.2346, 1.2344], [np.nan, 65.53, 65.54, 500.0]], np.float32)
    encoded = _millimetres(metres)
    assert encoded.dtype == np.uint16
    np.testing.assert_array_equal(encoded, [[0, 1000, 1235, 1234], [0, 65530, 0, 0]])
