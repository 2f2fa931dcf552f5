"""Conditions on texts that say true or false."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .condition import Condition
from .utilities import normalize_to_list_of_substitutions, perform_substitutions

if TYPE_CHECKING:
    from .context import LaunchContext
    from .substitution import SomeSubstitutionsType, Substitution

__all__ = ["IfCondition", "InvalidConditionExpressionError", "UnlessCondition", "evaluate_condition_expression"]

_ANSWERS = {"true": True, "1": True, "false": False, "0": False}


class InvalidConditionExpressionError(ValueError):
    """A text says neither true nor false."""


class IfCondition(Condition):
    """Take the action if a text says true.

    Args:
        predicate_expression: true, 1, false or 0 in any case, when its turn has come.
    """

    def __init__(self, predicate_expression: SomeSubstitutionsType) -> None:
        expression = normalize_to_list_of_substitutions(predicate_expression)
        super().__init__(predicate=lambda context: evaluate_condition_expression(context, expression))


class UnlessCondition(Condition):
    """Take the action if a text says false; see :class:`IfCondition`."""

    def __init__(self, predicate_expression: SomeSubstitutionsType) -> None:
        expression = normalize_to_list_of_substitutions(predicate_expression)
        super().__init__(predicate=lambda context: not evaluate_condition_expression(context, expression))


def evaluate_condition_expression(context: LaunchContext, expression: list[Substitution]) -> bool:
    """Whether a text says true in a context.

    Raises:
        InvalidConditionExpressionError: it says neither true nor false.
    """
    text = perform_substitutions(context, expression)
    answer = _ANSWERS.get(text.strip().lower())
    if answer is None:
        origin = " + ".join(part.describe() for part in expression)
        raise InvalidConditionExpressionError(
            f"invalid condition: expected one of {', '.join(_ANSWERS)}, got '{text}' from {origin}"
        )
    return answer
