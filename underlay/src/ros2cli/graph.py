"""``ros2 node`` and ``ros2 topic``: what runs, and what it says."""

from __future__ import annotations

import argparse
import array
import contextlib
import importlib
import os
import statistics
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rclpy.node import Node

_QUIET_S = 1.0  # how long nobody new must have been heard of before all are listed
_ALONE_S = 5.0  # as long as nobody at all has been: on a busy machine the first takes a while
_SHOWN = 128  # how many elements of an array to print


def add_node_verbs(parser: argparse.ArgumentParser) -> None:
    """List nodes."""
    verbs = parser.add_subparsers(metavar="verb", required=True)
    verb = verbs.add_parser("list", help="names of all nodes")
    verb.set_defaults(function=_list_nodes)


def add_topic_verbs(parser: argparse.ArgumentParser) -> None:
    """List topics and see what is published."""
    verbs = parser.add_subparsers(metavar="verb", required=True)

    verb = verbs.add_parser("list", help="names of all topics")
    verb.add_argument("-t", "--show-types", action="store_true", help="also their types")
    verb.set_defaults(function=_list_topics)

    verb = verbs.add_parser("hz", help="how often a message arrives, by the clock on the wall")
    verb.add_argument("topic")
    verb.add_argument("-w", "--window", type=int, default=10000, help="number of messages to look back at")
    verb.set_defaults(function=_hz)

    verb = verbs.add_parser("echo", help="the messages of a topic")
    verb.add_argument("topic")
    verb.add_argument("--once", action="store_true", help="only the first")
    verb.set_defaults(function=_echo)


@contextlib.contextmanager
def temporary_node() -> Iterator[Node]:
    """A node to look around with."""
    import rclpy

    rclpy.init(args=[])
    node = rclpy.create_node(f"_ros2cli_{os.getpid()}", start_parameter_services=False, enable_rosout=False)
    try:
        yield node
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


def import_type(name: str) -> Any:
    """The class of an interface, such as ``std_msgs/msg/String``."""
    package, kind, interface = name.split("/")
    return getattr(importlib.import_module(f"{package}.{kind}"), interface)


def _list_nodes(args: argparse.Namespace) -> None:
    with temporary_node() as node:
        found = _settled(node, node.get_node_names_and_namespaces)
    for name, namespace in sorted(found, key=lambda pair: pair[::-1]):
        if not name.startswith("_"):
            print(f"{namespace.rstrip('/')}/{name}")


def _list_topics(args: argparse.Namespace) -> None:
    with temporary_node() as node:
        found = _settled(node, node.get_topic_names_and_types)
    for name, types in sorted(found):
        print(f"{name} [{', '.join(types)}]" if args.show_types else name)


def _hz(args: argparse.Namespace) -> None:
    arrivals: deque[float] = deque(maxlen=args.window + 1)
    with temporary_node() as node:
        _subscribe(node, args.topic, lambda message: arrivals.append(time.monotonic()), raw=True)
        seen = None
        while True:
            _spin(node, 1.0)
            if len(arrivals) < 2 or arrivals[-1] == seen:
                continue
            seen = arrivals[-1]
            times = list(arrivals)
            gaps = [after - before for before, after in pairwise(times)]
            print(f"average rate: {1 / statistics.fmean(gaps):.3f}")
            spread = f"min: {min(gaps):.3f}s max: {max(gaps):.3f}s std dev: {statistics.pstdev(gaps):.5f}s"
            print(f"\t{spread} window: {len(gaps)}")


def _echo(args: argparse.Namespace) -> None:
    import yaml

    messages: deque[Any] = deque()
    with temporary_node() as node:
        _subscribe(node, args.topic, lambda message: messages.append(message), raw=False)
        while True:
            _spin(node, 0.1)
            while messages:
                print(yaml.safe_dump(_plain(messages.popleft()), sort_keys=False), end="---\n")
                if args.once:
                    return


def _subscribe(node: Node, topic: str, callback: Callable[[Any], None], *, raw: bool) -> None:
    """Subscribe to a topic as soon as somebody publishes it, in a way that fits to who does."""
    from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

    full_name = node.resolve_topic_name(topic)
    deadline = time.monotonic() + 2 * _QUIET_S
    while not (publishers := node.get_publishers_info_by_topic(full_name)):
        _spin(node, 0.1)
        if time.monotonic() > deadline:
            print(f"WARNING: topic [{full_name}] does not appear to be published yet", file=sys.stderr)
            deadline = float("inf")
    profiles = [publisher.qos_profile for publisher in publishers]
    qos = QoSProfile(depth=100, reliability=ReliabilityPolicy.BEST_EFFORT, durability=DurabilityPolicy.VOLATILE)
    if all(profile.reliability == ReliabilityPolicy.RELIABLE for profile in profiles):
        qos.reliability = ReliabilityPolicy.RELIABLE
    if all(profile.durability == DurabilityPolicy.TRANSIENT_LOCAL for profile in profiles):
        qos.durability = DurabilityPolicy.TRANSIENT_LOCAL
    node.create_subscription(import_type(publishers[0].topic_type), full_name, callback, qos, raw=raw)


def _settled(node: Node, look: Callable[[], Any]) -> Any:
    """What can be seen when nothing new has come for a while."""
    seen, since = look(), time.monotonic()
    while time.monotonic() - since < (_ALONE_S if _is_alone(node) else _QUIET_S):
        _spin(node, 0.1)
        if (now := look()) != seen:
            seen, since = now, time.monotonic()
    return seen


def _is_alone(node: Node) -> bool:
    return all(name.startswith("_") for name in node.get_node_names())


def _spin(node: Node, seconds: float) -> None:
    import rclpy

    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        rclpy.spin_once(node, timeout_sec=left)


def _plain(value: Any) -> Any:
    """A message as dicts, lists and scalars; long arrays are cut short."""
    if hasattr(value, "get_fields_and_field_types"):
        return {name: _plain(getattr(value, name)) for name in value.get_fields_and_field_types()}
    if isinstance(value, bytes):
        value = list(value)
    elif hasattr(value, "tolist"):
        value = value[:_SHOWN + 1].tolist()
    if isinstance(value, (list, tuple, array.array)):
        shown = [_plain(item) for item in value[:_SHOWN]]
        return [*shown, "..."] if len(value) > _SHOWN else shown
    return value
