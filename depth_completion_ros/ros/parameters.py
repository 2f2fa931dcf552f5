"""Typed node parameters, declared, described and validated from one dataclass.

>>> @dataclass(frozen=True)
... class Settings:
...     slop: float = setting(0.05, "largest stamp difference of a pair, seconds", minimum=0.0)
>>> settings = declare(node, Settings)
>>> settings.slop
0.05
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, get_type_hints

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

T = TypeVar("T")

_QOS_OVERRIDES = "qos_overrides."  # which publishers and subscriptions declare when they are made
_OF_ROS = ("use_sim_time", "start_type_description_service")  # some releases have them, and others ignore them

_TYPES: dict[Any, Parameter.Type] = {
    bool: Parameter.Type.BOOL,
    int: Parameter.Type.INTEGER,
    float: Parameter.Type.DOUBLE,
    str: Parameter.Type.STRING,
    tuple[float, ...]: Parameter.Type.DOUBLE_ARRAY,
}


def setting(
    default: Any,
    description: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] = (),
    lengths: tuple[int, ...] = (),
    live: bool = False,
) -> Any:
    """A field of a settings dataclass: one parameter.

    Args:
        default: its value when nothing sets it; its type is that of the annotation.
        description: one sentence with the unit, shown by ``ros2 param describe``.
        minimum: the least number allowed.
        maximum: the greatest number allowed.
        choices: the strings allowed.
        lengths: the numbers of elements allowed in an array.
        live: whether it may change while the node runs.
    """
    return dataclasses.field(
        default=default,
        metadata={
            "description": description,
            "minimum": minimum,
            "maximum": maximum,
            "choices": choices,
            "lengths": lengths,
            "live": live,
        },
    )


def declare(
    node: Node,
    settings_type: type[T],
    on_change: Callable[[T], None] | None = None,
    is_running: Callable[[], bool] = lambda: True,
) -> T:
    """Declares every field of ``settings_type`` on ``node`` and returns their values.

    A parameter that somebody sets but nobody declares is warned of. Later changes are validated alike; while
    ``is_running()`` only live ones are taken, others are refused with a reason. ``on_change`` gets the new settings
    after each change.

    Raises:
        ValueError: an overridden value is out of range, or of the wrong type; the message names the parameter.
    """
    assert dataclasses.is_dataclass(settings_type)
    fields = {field.name: field for field in dataclasses.fields(settings_type)}
    types = get_type_hints(settings_type)
    for field in fields.values():
        _declare_one(node, field, types[field.name])
    for name in sorted(_overrides(node)):
        if not node.has_parameter(name) and not name.startswith(_QOS_OVERRIDES) and name not in _OF_ROS:
            node.get_logger().warning(f"unknown parameter {name}: it has no effect")

    def current(changed: Sequence[Parameter] = ()) -> T:
        values = {name: _value(node, name, field, types[name]) for name, field in fields.items()}
        values.update({p.name: _convert(p.value, types[p.name]) for p in changed if p.name in fields})
        return settings_type(**values)

    def check(changed: list[Parameter]) -> SetParametersResult:
        for parameter in changed:
            field = fields.get(parameter.name)
            if field is None:
                continue  # not ours: use_sim_time, qos_overrides
            if not field.metadata["live"] and is_running():
                reason = f"{parameter.name} is read when the node is configured; clean it up first"
                return SetParametersResult(successful=False, reason=reason)
            if fault := _fault(field, parameter.value):
                return SetParametersResult(successful=False, reason=fault)
        if on_change is not None and any(parameter.name in fields for parameter in changed):
            on_change(current(changed))
        return SetParametersResult(successful=True)

    settings = current()
    node.add_on_set_parameters_callback(check)
    return settings


def _overrides(node: Node) -> Mapping[str, Parameter]:
    """What launch, a YAML file or the command line set; rclpy has no public way to see what nobody declared."""
    return node._parameter_overrides


def _declare_one(node: Node, field: dataclasses.Field[Any], kind: Any) -> None:
    meta = field.metadata
    descriptor = ParameterDescriptor(description=meta["description"])
    if meta["choices"]:
        descriptor.additional_constraints = "one of " + ", ".join(meta["choices"])
    if meta["minimum"] is not None or meta["maximum"] is not None:
        low = meta["minimum"] if meta["minimum"] is not None else -(2**31)
        high = meta["maximum"] if meta["maximum"] is not None else 2**31
        if kind is int:
            descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high))]
        else:
            descriptor.floating_point_range = [FloatingPointRange(from_value=float(low), to_value=float(high))]
    # rclpy takes an empty list for an array of bytes, so an array is declared by its type.
    default = _TYPES[kind] if _TYPES[kind] is Parameter.Type.DOUBLE_ARRAY else field.default
    whole = _whole_numbers(_overrides(node).get(field.name), kind)
    try:
        if whole is None:
            node.declare_parameter(field.name, default, descriptor)
        else:
            node.declare_parameter(field.name, whole, descriptor, ignore_override=True)
    except Exception as error:  # rclpy's own classes differ between releases
        raise ValueError(f"parameter {field.name} ({meta['description']}): {error}") from error
    if fault := _fault(field, _value(node, field.name, field, kind)):
        raise ValueError(fault)


def _whole_numbers(override: Parameter | None, kind: Any) -> float | list[float] | None:
    """Floats that YAML took for integers, as somebody wrote 1 instead of 1.0; rclpy refuses them."""
    if override is not None and kind is float and override.type_ is Parameter.Type.INTEGER:
        return float(override.value)
    if override is not None and kind == tuple[float, ...] and override.type_ is Parameter.Type.INTEGER_ARRAY:
        return [float(each) for each in override.value]
    return None


def _value(node: Node, name: str, field: dataclasses.Field[Any], kind: Any) -> Any:
    parameter = node.get_parameter_or(name, Parameter(name, _TYPES[kind], field.default))
    return _convert(parameter.value, kind)


def _convert(value: Any, kind: Any) -> Any:
    return tuple(value) if _TYPES[kind] is Parameter.Type.DOUBLE_ARRAY else value


def _fault(field: dataclasses.Field[Any], value: Any) -> str:
    """What is wrong with a value beyond the ranges that rclpy checks, or nothing."""
    choices, lengths = field.metadata["choices"], field.metadata["lengths"]
    if choices and value not in choices:
        return f"parameter {field.name} is {value!r}, expected one of {', '.join(choices)}"
    if lengths and len(value) not in lengths:
        return f"parameter {field.name} has {len(value)} elements, expected {' or '.join(map(str, lengths))}"
    return ""
