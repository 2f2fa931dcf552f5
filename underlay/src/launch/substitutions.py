"""The substitutions: arguments, environment variables, paths, expressions."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .substitution import SomeSubstitutionsType, Substitution
from .utilities import normalize_to_list_of_substitutions, perform_substitutions

if TYPE_CHECKING:
    from .context import LaunchContext

__all__ = [
    "EnvironmentVariable",
    "LaunchConfiguration",
    "PathJoinSubstitution",
    "PythonExpression",
    "SubstitutionFailure",
    "TextSubstitution",
    "ThisLaunchFileDir",
]


class SubstitutionFailure(RuntimeError):
    """A substitution has no value in this context."""


class TextSubstitution(Substitution):
    """A plain text."""

    def __init__(self, *, text: str) -> None:
        if not isinstance(text, str):
            raise TypeError(f"expected a str, got {text!r}")
        self.text = text

    def describe(self) -> str:
        """The text in quotes."""
        return f"'{self.text}'"

    def perform(self, context: LaunchContext) -> str:
        """The text."""
        return self.text


class LaunchConfiguration(Substitution):
    """The value of a launch argument.

    Args:
        variable_name: its name.
        default: what to take where it is not set; anything but text is made text.
    """

    def __init__(self, variable_name: SomeSubstitutionsType, *, default: Any = None) -> None:
        self.variable_name = normalize_to_list_of_substitutions(variable_name)
        self._default: list[Substitution] | None = None
        if default is not None:
            parts = default if isinstance(default, Iterable) and not isinstance(default, str) else [default]
            self._default = normalize_to_list_of_substitutions(
                part if isinstance(part, (str, Substitution)) else str(part) for part in parts
            )

    def describe(self) -> str:
        """The name of the argument."""
        return f"LaunchConfig({_describe(self.variable_name)})"

    def perform(self, context: LaunchContext) -> str:
        """The value; SubstitutionFailure where it is not set and has no default."""
        name = perform_substitutions(context, self.variable_name)
        if name in context.launch_configurations:
            return context.launch_configurations[name]
        if self._default is None:
            raise SubstitutionFailure(f"launch configuration '{name}' does not exist")
        return perform_substitutions(context, self._default)


class EnvironmentVariable(Substitution):
    """The value of an environment variable.

    Args:
        name: its name.
        default_value: what to take where it is not set.
    """

    def __init__(
        self, name: SomeSubstitutionsType, *, default_value: SomeSubstitutionsType | None = None
    ) -> None:
        self.name = normalize_to_list_of_substitutions(name)
        self._default = None if default_value is None else normalize_to_list_of_substitutions(default_value)

    def describe(self) -> str:
        """The name of the variable."""
        return f"EnvVar({_describe(self.name)})"

    def perform(self, context: LaunchContext) -> str:
        """The value; SubstitutionFailure where it is not set and has no default."""
        name = perform_substitutions(context, self.name)
        if name in context.environment:
            return context.environment[name]
        if self._default is None:
            raise SubstitutionFailure(f"environment variable '{name}' does not exist")
        return perform_substitutions(context, self._default)


class PathJoinSubstitution(Substitution):
    """A path, of which each part is one name or path."""

    def __init__(self, substitutions: Iterable[str | Substitution]) -> None:
        self.substitutions = normalize_to_list_of_substitutions(substitutions)

    def describe(self) -> str:
        """The parts."""
        return f"PathJoin({_describe(self.substitutions)})"

    def perform(self, context: LaunchContext) -> str:
        """The path."""
        return os.path.join(*(part.perform(context) for part in self.substitutions))


class PythonExpression(Substitution):
    """What a Python expression evaluates to, as text; it may use the names of the math module."""

    def __init__(self, expression: SomeSubstitutionsType) -> None:
        self.expression = normalize_to_list_of_substitutions(expression)

    def describe(self) -> str:
        """The expression in its parts."""
        return f"PythonExpr({_describe(self.expression)})"

    def perform(self, context: LaunchContext) -> str:
        """The value."""
        names = {**vars(math), "math": math}
        return str(eval(perform_substitutions(context, self.expression), {}, names))


class ThisLaunchFileDir(Substitution):
    """The folder of the launch file in which this stands."""

    def describe(self) -> str:
        """Its name."""
        return "ThisLaunchFileDir()"

    def perform(self, context: LaunchContext) -> str:
        """The absolute path; SubstitutionFailure outside of a launch file."""
        folder = context.get_locals_as_dict().get("current_launch_file_directory")
        if folder is None:
            raise SubstitutionFailure("ThisLaunchFileDir() used outside of a launch file")
        return folder


def _describe(parts: Iterable[Substitution]) -> str:
    return " + ".join(part.describe() for part in parts)
