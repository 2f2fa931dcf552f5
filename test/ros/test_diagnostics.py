"""What is worth a warning, by a clock that the test sets."""

import types

import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.time import Time

from depth_completion_ros.ros import diagnostics as module
from depth_completion_ros.ros.diagnostics import Diagnostics


class Node:
    """What of a node the diagnostics use."""

    def __init__(self, clock):
        self.clock, self.published = clock, []

    def get_clock(self):
        return types.SimpleNamespace(now=lambda: Time(seconds=self.clock.now))

    def get_logger(self):
        return types.SimpleNamespace(info=lambda text: None, warning=lambda text: None)

    def get_fully_qualified_name(self):
        return "/left/depth_completion"

    def create_publisher(self, *_):
        return types.SimpleNamespace(publish=lambda array: self.published.append(array.status[0]))

    def create_timer(self, period, callback, clock):
        self.tick = callback


@pytest.fixture
def clock(monkeypatch):
    clock = types.SimpleNamespace(now=1000.0)
    monkeypatch.setattr(module.time, "monotonic", lambda: clock.now)
    return clock


@pytest.fixture
def node(clock):
    return Node(clock)


@pytest.fixture
def diagnostics(node):
    return Diagnostics(node, "classical on cpu", dict, lambda: "nothing has come on /points")


def statuses(node, diagnostics, clock, seconds, every=None):
    """What is said in so many seconds, with a frame every few, or none."""
    begun = len(node.published)
    for second in range(1, seconds + 1):
        clock.now += 1
        if every and second % every == 0:
            diagnostics.completed({"total": 10.0})
        node.tick()
    return node.published[begun:]


@pytest.mark.parametrize("every", [1, 3, 7])
def test_a_slow_model_is_no_fault_and_has_a_rate(node, diagnostics, clock, every):
    statuses(node, diagnostics, clock, 3 * every, every)
    found = statuses(node, diagnostics, clock, 5 * every, every)
    assert {status.level for status in found} == {DiagnosticStatus.OK}
    assert {status.message for status in found} == {f"completing at {1 / every:.1f} Hz"}


def test_silence_after_frames_is_a_warning_after_three_intervals_and_says_what_is_missing(node, diagnostics, clock):
    statuses(node, diagnostics, clock, 12, 3)
    found = statuses(node, diagnostics, clock, 11)
    assert [status.level == DiagnosticStatus.WARN for status in found] == [False] * 9 + [True] * 2
    assert found[-1].message == "no frame for 11 s, nothing has come on /points"
    assert found[-1].name == "left/depth_completion: depth completion"


def test_a_long_start_is_not_taken_for_the_usual_interval(node, diagnostics, clock):
    statuses(node, diagnostics, clock, 60, 60)
    assert [status.level == DiagnosticStatus.WARN for status in statuses(node, diagnostics, clock, 3)] == [
        False,
        False,
        True,
    ]


def test_a_pause_is_not_taken_for_the_usual_interval(node, diagnostics, clock):
    statuses(node, diagnostics, clock, 5, 1)
    statuses(node, diagnostics, clock, 60)
    statuses(node, diagnostics, clock, 2, 1)
    assert [status.level == DiagnosticStatus.WARN for status in statuses(node, diagnostics, clock, 4)] == [
        False,
        False,
        False,
        True,
    ]


def test_a_fault_does_not_hide_that_nobody_listens(node, diagnostics, clock):
    diagnostics.unheard()
    (alone,) = statuses(node, diagnostics, clock, 1)
    assert (alone.level, alone.message) == (DiagnosticStatus.OK, "nobody listens to an output")
    diagnostics.fault("synchronisation", "no images")
    (both,) = statuses(node, diagnostics, clock, 1)
    assert (both.level, both.message) == (DiagnosticStatus.WARN, "no images; nobody listens to an output")
