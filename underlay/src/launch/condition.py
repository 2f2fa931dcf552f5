"""Whether an action is to be taken."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .context import LaunchContext


class Condition:
    """A question that is put to the context when an action's turn has come.

    Args:
        predicate: answers it.
    """

    def __init__(self, *, predicate: Callable[[LaunchContext], bool]) -> None:
        self._predicate = predicate

    def evaluate(self, context: LaunchContext) -> bool:
        """The answer in this context."""
        return self._predicate(context)
