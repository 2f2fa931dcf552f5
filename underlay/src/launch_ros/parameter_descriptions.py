"""Parameters whose type is to be told, and files of parameters with substitutions in them."""

from __future__ import annotations

import os
import typing
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import yaml
from launch import SomeSubstitutionsType, Substitution
from launch.substitutions import EnvironmentVariable, LaunchConfiguration, SubstitutionFailure
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions

from .substitutions import FindPackagePrefix, FindPackageShare

if TYPE_CHECKING:
    from launch import LaunchContext

__all__ = ["ParameterFile", "ParameterValue"]

_SCALARS = (bool, int, float, str)
_KINDS: dict[str | None, Callable[[str, str | None], Substitution]] = {
    "var": lambda name, default: LaunchConfiguration(name, default=default),
    "env": lambda name, default: EnvironmentVariable(name, default_value=default),
    "find-pkg-share": lambda name, _: FindPackageShare(name),
    "find-pkg-prefix": lambda name, _: FindPackagePrefix(name),
}


class ParameterValue:
    """A value of a given type.

    Args:
        value: the value, or a text that will say it.
        value_type: ``bool``, ``int``, ``float``, ``str``, or a ``typing.List`` of one of them. By default the type is
            what YAML takes the text for.
    """

    def __init__(self, value: Any, *, value_type: Any = None) -> None:
        self.value = value
        self.value_type = value_type

    def evaluate(self, context: LaunchContext) -> Any:
        """The value in a context.

        Raises:
            ValueError: it is not of this type.
        """
        value = self.value
        if isinstance(value, (str, Substitution)) or _is_text_in_parts(value):
            text = perform_substitutions(context, normalize_to_list_of_substitutions(value))
            if self.value_type is str:
                return text
            value = parse_value(text) if self.value_type is None else yaml.safe_load(text)
        return value if self.value_type is None else _checked(value, self.value_type)


class ParameterFile:
    """A YAML file of parameters.

    Args:
        param_file: its path.
        allow_substs: replace ``$(var <argument>)``, ``$(env <variable>)``, ``$(find-pkg-share <package>)`` and
            ``$(find-pkg-prefix <package>)`` in it; the first two may be followed by a default value.
    """

    def __init__(
        self, param_file: SomeSubstitutionsType | os.PathLike[str], *, allow_substs: bool = False
    ) -> None:
        path = os.fspath(param_file) if isinstance(param_file, os.PathLike) else param_file
        self.param_file = normalize_to_list_of_substitutions(path)
        self.allow_substs = allow_substs

    def evaluate(self, context: LaunchContext) -> str:
        """The path in a context."""
        return perform_substitutions(context, self.param_file)

    def read(self, context: LaunchContext) -> str:
        """The content of the file, after replacing what stands for something else.

        Raises:
            SubstitutionFailure: it contains a substitution that is not known, or has no value.
        """
        path = self.evaluate(context)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        try:
            return _replaced(text, context)
        except SubstitutionFailure as error:
            raise SubstitutionFailure(f"{path}: {error}") from error


def _replaced(text: str, context: LaunchContext) -> str:
    before, opening, rest = text.partition("$(")
    if not opening:
        return text
    end = _closing(rest)
    kind, name, default = (*_replaced(rest[:end], context).split(maxsplit=2), None, None)[:3]
    if kind not in _KINDS or name is None:
        raise SubstitutionFailure(f"cannot replace $({rest[:end]})")
    return before + _KINDS[kind](name, default).perform(context) + _replaced(rest[end + 1 :], context)


def _closing(text: str) -> int:
    depth = 1
    for index, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return index
    raise SubstitutionFailure(f"no ) closes $({text.splitlines()[0]}")


def parse_value(text: str) -> Any:
    """What YAML takes a text for.

    Raises:
        ValueError: this is not what a parameter can be.
    """
    try:
        value = yaml.safe_load(text) if text else ""
    except yaml.YAMLError:
        value = None
    if isinstance(value, _SCALARS) or (isinstance(value, list) and value and all(map(_like(value[0]), value))):
        return value
    raise ValueError(
        f"'{text}' is not the value of a parameter: expected a bool, an int, a float, a str, or a list of values of "
        "one of these types; if it is to be a str, wrap it in ParameterValue(..., value_type=str)"
    )


def _like(first: Any) -> Callable[[Any], bool]:
    return lambda item: type(first) in _SCALARS and type(item) is type(first)


def _is_text_in_parts(value: Any) -> bool:
    return (
        isinstance(value, (list, tuple))
        and any(isinstance(part, Substitution) for part in value)
        and all(isinstance(part, (str, Substitution)) for part in value)
    )


def _checked(value: Any, value_type: Any) -> Any:
    items = typing.get_args(value_type)
    if items and isinstance(value, (list, tuple)):
        return [_checked(item, items[0]) for item in value]
    if value_type is float and type(value) is int:
        return float(value)
    if type(value) is not value_type:
        raise ValueError(f"expected a parameter value of type {value_type}, got {value!r}")
    return value
