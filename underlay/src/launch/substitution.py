"""What stands for a text that is only known while launching."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .context import LaunchContext


class Substitution:
    """A text that depends on the context, such as the value of an argument."""

    def describe(self) -> str:
        """How to show it before its value is known."""
        return repr(self)

    def perform(self, context: LaunchContext) -> str:
        """Its value in a context."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it stands for")


SomeSubstitutionsType = str | Substitution | Iterable[str | Substitution]
"""A text in parts: what every argument of an action may be."""
