"""Frames for the tests here and below."""

import pytest
from recordings import lidar_frames


@pytest.fixture
def frames():
    """Five frames of a camera and a LiDAR, with ground truth."""
    return lidar_frames()
