"""What happens, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from .context import LaunchContext
    from .entity import LaunchDescriptionEntity

    SomeEntities: TypeAlias = LaunchDescriptionEntity | Iterable[LaunchDescriptionEntity] | None


class Event:
    """Something that happened while launching."""

    name = "launch.Event"


class EventHandler:
    """What to do about an event.

    Args:
        matcher: tells whether an event is meant.
        entities: what is to be visited then.
        handle_once: forget the handler after the first event.
    """

    def __init__(
        self, *, matcher: Callable[[Event], bool], entities: SomeEntities = None, handle_once: bool = False
    ) -> None:
        self._matcher = matcher
        self.entities = entities
        self.handle_once = handle_once

    def matches(self, event: Event) -> bool:
        """Whether this event is meant."""
        return self._matcher(event)

    def handle(self, event: Event, context: LaunchContext) -> SomeEntities:
        """What is to be visited; the event is ``context.locals.event`` meanwhile."""
        context.extend_locals({"event": event})
        if self.handle_once:
            context.unregister_event_handler(self)
        return self.entities
