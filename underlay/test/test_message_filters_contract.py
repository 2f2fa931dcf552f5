"""message_filters: the chain, and its start at a topic."""

import time

import message_filters
import pytest
import rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from std_msgs.msg import String


class Pairs(message_filters.SimpleFilter):
    """A filter with two inputs, as one would write for a project."""

    def __init__(self, *inputs):
        super().__init__()
        self.waiting = {}
        for index, source in enumerate(inputs):
            source.registerCallback(self.add, index)

    def add(self, message, index):
        self.waiting[index] = message
        if len(self.waiting) == 2:
            self.signalMessage(self.waiting[0], self.waiting[1])
            self.waiting.clear()


def test_callbacks_get_messages_and_their_arguments_in_order():
    calls = []
    source = message_filters.SimpleFilter()
    first = source.registerCallback(lambda *args: calls.append(("first", args)), "a", "b")
    second = source.registerCallback(lambda *args: calls.append(("second", args)))
    assert first != second
    source.signalMessage(1, 2)
    assert calls == [("first", (1, 2, "a", "b")), ("second", (1, 2))]


def test_errors_of_callbacks_are_not_hidden():
    source = message_filters.SimpleFilter()
    source.registerCallback(lambda message: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        source.signalMessage(1)


def test_a_filter_of_ones_own():
    left, right = message_filters.SimpleFilter(), message_filters.SimpleFilter()
    pairs, calls = Pairs(left, right), []
    pairs.registerCallback(lambda *args: calls.append(args))
    left.signalMessage(1)
    left.signalMessage(2)
    right.signalMessage("a")
    right.signalMessage("b")
    assert calls == [(2, "a")]


@pytest.fixture
def node():
    rclpy.init(args=["--ros-args", "-r", "in:=/underlay_test/in"])
    node = rclpy.create_node("underlay_filters")
    yield node
    node.destroy_node()
    rclpy.try_shutdown()


def test_subscriber(node):
    reliable = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
    publisher = node.create_publisher(String, "in", reliable)
    source = message_filters.Subscriber(node, String, "in", qos_profile=qos_profile_sensor_data)
    received = []
    source.registerCallback(lambda message, tag: received.append((message.data, tag)), "tag")
    assert source.getTopic() == "in"
    assert source.sub.topic_name == "/underlay_test/in"
    assert source.sub.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT
    deadline = time.monotonic() + 10
    while not received and time.monotonic() < deadline:
        publisher.publish(String(data="hello"))
        rclpy.spin_once(node, timeout_sec=0.1)
    assert received[0] == ("hello", "tag")


def test_subscriber_without_qos(node):
    source = message_filters.Subscriber(node, String, "in")
    assert source.sub.qos_profile.reliability == ReliabilityPolicy.RELIABLE
    assert source.sub.qos_profile.depth == 10


def test_subscriber_passes_on_what_subscriptions_take(node):
    from rclpy.callback_groups import ReentrantCallbackGroup

    group = ReentrantCallbackGroup()
    source = message_filters.Subscriber(node, String, "in", qos_profile=1, callback_group=group)
    assert source.sub.callback_group is group
