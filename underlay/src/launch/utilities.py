"""Texts in parts, as launch files give them, to lists of substitutions and on to plain texts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from .substitution import SomeSubstitutionsType, Substitution

if TYPE_CHECKING:
    from .context import LaunchContext


def normalize_to_list_of_substitutions(subs: SomeSubstitutionsType) -> list[Substitution]:
    """The parts of a text, each a substitution.

    Raises:
        TypeError: a part is neither a str nor a substitution.
    """
    from .substitutions import TextSubstitution

    parts = [subs] if isinstance(subs, (str, Substitution)) or not isinstance(subs, Iterable) else subs
    normalized: list[Substitution] = []
    for part in parts:
        if not isinstance(part, (str, Substitution)):
            raise TypeError(f"expected a str or a launch.Substitution, got {part!r} of type {type(part).__name__}")
        normalized.append(TextSubstitution(text=part) if isinstance(part, str) else part)
    return normalized


def perform_substitutions(context: LaunchContext, subs: Iterable[Substitution]) -> str:
    """The text that the parts make in a context."""
    return "".join(context.perform_substitution(sub) for sub in subs)


def resolve(context: LaunchContext, text: SomeSubstitutionsType) -> str:
    """The text that something given in a launch file makes in a context."""
    return perform_substitutions(context, normalize_to_list_of_substitutions(text))
