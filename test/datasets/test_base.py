"""What every source of frames does with a damaged one."""

import numpy as np
import pytest

from depth_completion_ros.datasets.base import DamagedFrame, IndexedSource, nominal_stamp
from depth_completion_ros.frame import Frame
from depth_completion_ros.geometry.camera import Camera


class ThirdIsDamaged(IndexedSource):
    name = "example"

    def __len__(self):
        return 4

    def __getitem__(self, index):
        if index == 2:
            raise ValueError("2.png: damaged")
        return Frame(stamp=nominal_stamp(index), camera=Camera(4, 3, 1, 1, 1, 1), depth=np.ones((3, 4), np.float32))


def test_reading_goes_on_after_a_damaged_frame():
    items = list(ThirdIsDamaged().read())
    assert [isinstance(item, DamagedFrame) for item in items] == [False, False, True, False]
    assert items[2].name == "2" and str(items[2].error) == "2.png: damaged"


def test_iteration_fails_loudly():
    frames = iter(ThirdIsDamaged())
    assert next(frames).stamp < next(frames).stamp
    with pytest.raises(ValueError, match=r"2\.png: damaged"):
        next(frames)


def test_nominal_stamps_are_ten_a_second_and_never_zero():
    assert [nominal_stamp(index) for index in range(3)] == [100_000_000, 200_000_000, 300_000_000]
