"""Message filters: chains of callbacks, fed by subscriptions (the subset of ROS 2's package that we use)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from depth_completion_ros_underlay import refuse_beside_ros

if TYPE_CHECKING:
    from rclpy.node import Node
    from rclpy.qos import QoSProfile

refuse_beside_ros(__name__)

__all__ = ["SimpleFilter", "Subscriber"]


class SimpleFilter:
    """The output side of every filter: hands on messages to the callbacks that registered."""

    def __init__(self) -> None:
        self.callbacks: dict[int, tuple[Callable[..., Any], tuple[Any, ...]]] = {}

    def registerCallback(self, callback: Callable[..., Any], *args: Any) -> int:
        """Have ``callback(*messages, *args)`` called for every output; callbacks run in order of registration.

        Returns:
            The number of this connection.
        """
        connection = len(self.callbacks)
        self.callbacks[connection] = (callback, args)
        return connection

    def signalMessage(self, *messages: Any) -> None:
        """Output one set of messages."""
        for callback, args in tuple(self.callbacks.values()):
            callback(*messages, *args)


class Subscriber(SimpleFilter):
    """A subscription as the first filter of a chain.

    Args:
        node: the node that subscribes.
        msg_type: the class of the messages.
        topic: the name of the topic.
        qos_profile: a profile, or the depth of a reliable, volatile queue. Pass it by name: releases of the real
            package before November 2025 take it only so, and a few later ones take nothing beyond it.
        kwargs: anything else that ``Node.create_subscription`` takes.
    """

    def __init__(
        self, node: Node, msg_type: type, topic: str, qos_profile: QoSProfile | int = 10, **kwargs: Any
    ) -> None:
        super().__init__()
        self.node = node
        self.topic = topic
        self.sub = node.create_subscription(msg_type, topic, self.callback, qos_profile, **kwargs)

    def callback(self, message: Any) -> None:
        """Hand on a message that arrived."""
        self.signalMessage(message)

    def getTopic(self) -> str:
        """The topic as it was given, not resolved."""
        return self.topic
