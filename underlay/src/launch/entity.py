"""What descriptions are made of."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .condition import Condition
    from .context import LaunchContext


class LaunchDescriptionEntity:
    """Something in a description that is visited while launching."""

    def visit(self, context: LaunchContext) -> Iterable[LaunchDescriptionEntity] | None:
        """Do what this entity is for, without waiting.

        Returns:
            Entities that are to be visited next.
        """

    def get_asyncio_future(self) -> asyncio.Future[None] | None:
        """What to wait for after the visit before the launch can be called done."""

    def get_sub_entities(self) -> Iterable[LaunchDescriptionEntity]:
        """What is inside, as far as it is known without launching."""
        return ()


class Action(LaunchDescriptionEntity):
    """Something to do.

    Args:
        condition: do it only if this holds when its turn has come.
    """

    def __init__(self, *, condition: Condition | None = None) -> None:
        self.condition = condition

    def visit(self, context: LaunchContext) -> Iterable[LaunchDescriptionEntity] | None:
        """Execute the action if its condition holds."""
        if self.condition is None or self.condition.evaluate(context):
            return self.execute(context)
        return None

    def execute(self, context: LaunchContext) -> Iterable[LaunchDescriptionEntity] | None:
        """Do it, and return entities that are to be visited next."""
