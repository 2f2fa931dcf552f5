import pytest

from depth_completion_ros.errors import describe


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (FileNotFoundError(2, "no such checkpoint", "nowhere"), "nowhere: no such checkpoint"),
        (OSError("the disk is gone"), "the disk is gone"),
        (ValueError("no depth"), "no depth"),
    ],
)
def test_what_an_error_says(error, message):
    assert describe(error) == message
