"""How replay, completion and evaluation find each other, so that not even the first frame is lost.

Discovery is one-sided: a node may know of a subscriber that does not know of it yet, and the other way round, and what
is published before the publisher knows of its subscriber never arrives. So nobody sends before every publisher has
been seen to know its subscribers: its own process can ask it, other processes ask by :class:`Introduction`.
"""

from __future__ import annotations

import time
from typing import Any

from lifecycle_msgs.srv import GetState
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile

COMPLETION = "depth_completion"  # the name of the completion node
EVALUATION = "evaluation"
# For what is said once: who comes later hears it, too.
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)

_RETRY = 0.5  # seconds; a node that does not know of the asking one yet cannot answer it


class Introduction:
    """Makes sure that the completion node knows of everything that ``node`` has subscribed to until now.

    A node can answer a service only when it knows of who listens to the answer, and DDS tells it of a process's
    subscriptions and clients one after the other, in the order in which they were made. So once the completion node
    has answered to any question, here for its lifecycle state, its publishers know the older subscriptions.
    """

    def __init__(self, node: Node) -> None:
        self._client: Any = node.create_client(GetState, f"{COMPLETION}/get_state")
        self._question: Any = None
        self._asked = 0.0

    def made(self) -> bool:
        """Whether the completion node has answered; to be called until it has, while ``node`` spins."""
        if self._question is not None and self._question.done():
            return True
        now = time.monotonic()
        if self._client.service_is_ready() and now - self._asked > _RETRY:
            if self._question is not None:
                self._client.remove_pending_request(self._question)
            self._question, self._asked = self._client.call_async(GetState.Request()), now
        return False


def reaches(publisher: Publisher, node: Node, listener: str) -> bool:
    """Whether ``publisher``, which is of ``node``, knows of a subscription of the node called ``listener``."""
    subscriptions = node.get_subscriptions_info_by_topic(publisher.topic_name)
    known = any(subscription.node_name == listener for subscription in subscriptions)
    return known and publisher.get_subscription_count() > 0
