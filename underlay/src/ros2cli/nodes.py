"""``ros2 param`` and ``ros2 lifecycle``: ask a node, and tell it."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from typing import Any

from .graph import temporary_node

_PATIENCE_S = 5.0


def add_param_verbs(parser: argparse.ArgumentParser) -> None:
    """List, get, set and describe parameters of a node."""
    verbs = parser.add_subparsers(metavar="verb", required=True)
    for name, function, summary, arguments in (
        ("list", _list, "names of the parameters of a node", ("node",)),
        ("get", _get, "a parameter", ("node", "parameter")),
        ("set", _set, "set a parameter", ("node", "parameter", "value")),
        ("describe", _describe, "what a parameter is for", ("node", "parameter")),
    ):
        verb = verbs.add_parser(name, help=summary)
        verb.set_defaults(function=function)
        for argument in arguments:
            verb.add_argument(argument)


def add_lifecycle_verbs(parser: argparse.ArgumentParser) -> None:
    """Get and set the state of a node."""
    verbs = parser.add_subparsers(metavar="verb", required=True)
    verb = verbs.add_parser("get", help="the state of a node")
    verb.add_argument("node")
    verb.set_defaults(function=_get_state)
    verb = verbs.add_parser("set", help="have a node make a transition")
    verb.add_argument("node")
    verb.add_argument("transition", help="configure, activate, deactivate, cleanup or shutdown")
    verb.set_defaults(function=_set_state)


class _Services:
    """The services of a node."""

    def __init__(self, own: Any, name: str) -> None:
        self._own = own
        self._name = "/" + name.strip("/")

    def call(self, kind: Any, service: str, **request: Any) -> Any:
        import rclpy

        client = self._own.create_client(kind, f"{self._name}/{service}")
        if not client.wait_for_service(_PATIENCE_S):
            raise RuntimeError(f"Node not found: nobody offers the service {self._name}/{service}")
        future = client.call_async(kind.Request(**request))
        rclpy.spin_until_future_complete(self._own, future, timeout_sec=_PATIENCE_S)
        if not future.done():
            raise RuntimeError(f"{self._name} does not answer")
        return future.result()


@contextlib.contextmanager
def _services(name: str) -> Iterator[_Services]:
    with temporary_node() as own:
        yield _Services(own, name)


def _list(args: argparse.Namespace) -> None:
    from rcl_interfaces.srv import ListParameters

    with _services(args.node) as services:
        names = services.call(ListParameters, "list_parameters").result.names
    print("\n".join(f"  {name}" for name in sorted(names)))


def _get(args: argparse.Namespace) -> str | None:
    from rcl_interfaces.srv import GetParameters
    from rclpy.parameter import Parameter, parameter_value_to_python

    with _services(args.node) as services:
        values = services.call(GetParameters, "get_parameters", names=[args.parameter]).values
    if not values or values[0].type == Parameter.Type.NOT_SET.value:
        return "Parameter not set"
    kind = Parameter.Type(values[0].type).name.replace("_", " ").capitalize()
    value: Any = parameter_value_to_python(values[0])
    if kind.endswith("array"):
        print(f"{kind.removesuffix(' array')} values are: {list(value)}")
    else:
        print(f"{kind} value is: {value}")
    return None


def _set(args: argparse.Namespace) -> str | None:
    from launch_ros.parameter_descriptions import parse_value
    from rcl_interfaces.srv import SetParameters
    from rclpy.parameter import Parameter

    try:
        value = parse_value(args.value)
    except ValueError:
        value = args.value
    parameter = Parameter(args.parameter, value=value).to_parameter_msg()
    with _services(args.node) as services:
        result = services.call(SetParameters, "set_parameters", parameters=[parameter]).results[0]
    if not result.successful:
        return f"Setting parameter failed: {result.reason}"
    print("Set parameter successful")
    return None


def _describe(args: argparse.Namespace) -> str | None:
    from rcl_interfaces.srv import DescribeParameters
    from rclpy.parameter import Parameter

    with _services(args.node) as services:
        found = services.call(DescribeParameters, "describe_parameters", names=[args.parameter]).descriptors
    if not found or found[0].type == Parameter.Type.NOT_SET.value:
        return "Parameter not set"
    parameter = found[0]
    print(f"Parameter name: {parameter.name}")
    print(f"  Type: {Parameter.Type(parameter.type).name.lower().replace('_', ' ')}")
    if parameter.description:
        print(f"  Description: {parameter.description}")
    constraints = ["    Read only: true"] if parameter.read_only else []
    for limits in (*parameter.integer_range, *parameter.floating_point_range):
        constraints += [f"    Min value: {limits.from_value}", f"    Max value: {limits.to_value}"]
        constraints += [f"    Step: {limits.step}"] if limits.step else []
    constraints += [parameter.additional_constraints] if parameter.additional_constraints else []
    print("  Constraints:", *constraints, sep="\n")
    return None


def _get_state(args: argparse.Namespace) -> None:
    from lifecycle_msgs.srv import GetState

    with _services(args.node) as services:
        state = services.call(GetState, "get_state").current_state
    print(f"{state.label} [{state.id}]")


def _set_state(args: argparse.Namespace) -> str | None:
    from lifecycle_msgs.msg import Transition
    from lifecycle_msgs.srv import ChangeState, GetAvailableTransitions

    with _services(args.node) as services:
        offered = services.call(GetAvailableTransitions, "get_available_transitions").available_transitions
        ids = {each.transition.label: each.transition.id for each in offered}
        if args.transition not in ids:
            return f"Unknown transition '{args.transition}', available now are: {', '.join(ids)}"
        transition = Transition(id=ids[args.transition])
        if not services.call(ChangeState, "change_state", transition=transition).success:
            return "Transitioning failed"
    print("Transitioning successful")
    return None
