"""Parameters as launch files give them, to files and arguments that nodes read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import yaml
from launch import Substitution
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions

from .parameter_descriptions import ParameterFile, ParameterValue, parse_value

if TYPE_CHECKING:
    from launch import LaunchContext


def evaluate_parameters(context: LaunchContext, parameters: Mapping[Any, Any]) -> dict[str, Any]:
    """The names and values of parameters in a context.

    Args:
        context: where the substitutions are performed.
        parameters: names and values. A name may be a substitution, or in parts; mappings within make names with dots.
            A value may be a bool, an int, a float or a str, which it stays; a list of such values of one type (ints
            become floats among floats); a substitution, or a list of substitutions and strs, which together make a
            text of which YAML tells the type; a list of such lists; or a ParameterValue.

    Raises:
        TypeError: a value is nothing of this.
        ValueError: a text is not the value of a parameter.
    """
    values: dict[str, Any] = {}
    for name, value in parameters.items():
        key = perform_substitutions(context, normalize_to_list_of_substitutions(name))
        if isinstance(value, Mapping):
            values.update({f"{key}.{k}": v for k, v in evaluate_parameters(context, value).items()})
            continue
        try:
            values[key] = _evaluate(context, value)
        except (TypeError, ValueError) as error:
            raise type(error)(f"parameter '{key}': {error}") from error
    return values


def dump(value: Any) -> str:
    """A value or a document in YAML, of which ROS's parser and Python's read the same types."""
    return yaml.dump(value, Dumper=_Dumper, default_flow_style=True, width=float("inf")).removesuffix("...\n")


def _evaluate(context: LaunchContext, value: Any) -> Any:
    if isinstance(value, ParameterValue):
        return value.evaluate(context)
    if isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Substitution):
        return parse_value(perform_substitutions(context, [value]))
    if not isinstance(value, (list, tuple)) or not value:
        raise TypeError(f"expected a bool, int, float, str, a list of them that is not empty, or text, got {value!r}")
    kinds = {Substitution if isinstance(item, Substitution) else type(item) for item in value}
    if Substitution in kinds and kinds <= {Substitution, str}:
        return parse_value(perform_substitutions(context, normalize_to_list_of_substitutions(value)))
    if kinds == {int, float}:
        return [float(item) for item in value]
    if len(kinds) > 1:
        raise TypeError(f"expected a list of values of one type, got {value!r}")
    return [_evaluate(context, item) for item in value]


class _Dumper(yaml.SafeDumper):
    """Quotes every text, as the two parsers disagree about which texts are numbers."""


_Dumper.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
)


def as_parameters(given: Any) -> Mapping[Any, Any] | ParameterFile:
    """One element of a node's parameters: a mapping, or a file given in one way or another."""
    if isinstance(given, (Mapping, ParameterFile)):
        return given
    if isinstance(given, (str, os.PathLike, Substitution, list, tuple)):
        return ParameterFile(given)
    raise TypeError(f"expected a dict of parameters or the path of a YAML file, got {given!r}")
