"""Handlers of the events that launch files care for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .event import Event, EventHandler
from .events import Shutdown
from .events.process import ProcessExited, ProcessStarted

if TYPE_CHECKING:
    from .actions import ExecuteProcess
    from .context import LaunchContext
    from .event import SomeEntities

__all__ = ["OnProcessExit", "OnProcessStart", "OnShutdown"]


class _On(EventHandler):
    """A handler whose entities may come from a function of the event and the context."""

    def __init__(
        self,
        matcher: Callable[[Event], bool],
        then: SomeEntities | Callable[[Any, LaunchContext], SomeEntities],
        handle_once: bool,
    ) -> None:
        super().__init__(matcher=matcher, entities=None if callable(then) else then, handle_once=handle_once)
        self._function = then if callable(then) else None

    def handle(self, event: Event, context: LaunchContext) -> SomeEntities:
        """What is to be visited."""
        entities = super().handle(event, context)
        return entities if self._function is None else self._function(event, context)


class OnProcessStart(_On):
    """What to do when a process has started.

    Args:
        target_action: the action that started it; None for all.
        on_start: entities, or a function of the event and the context that returns some.
        handle_once: only the first time.
    """

    def __init__(
        self,
        *,
        target_action: ExecuteProcess | None = None,
        on_start: SomeEntities | Callable[[ProcessStarted, LaunchContext], SomeEntities],
        handle_once: bool = False,
    ) -> None:
        super().__init__(_of(target_action, ProcessStarted), on_start, handle_once)


class OnProcessExit(_On):
    """What to do when a process has exited.

    Args:
        target_action: the action that started it; None for all.
        on_exit: entities, or a function of the event and the context that returns some.
        handle_once: only the first time.
    """

    def __init__(
        self,
        *,
        target_action: ExecuteProcess | None = None,
        on_exit: SomeEntities | Callable[[ProcessExited, LaunchContext], SomeEntities],
        handle_once: bool = False,
    ) -> None:
        super().__init__(_of(target_action, ProcessExited), on_exit, handle_once)


class OnShutdown(_On):
    """What to do when everything is to end.

    Args:
        on_shutdown: entities, or a function of the event and the context that returns some.
        handle_once: only the first time.
    """

    def __init__(
        self,
        *,
        on_shutdown: SomeEntities | Callable[[Shutdown, LaunchContext], SomeEntities],
        handle_once: bool = False,
    ) -> None:
        super().__init__(lambda event: isinstance(event, Shutdown), on_shutdown, handle_once)


def _of(action: ExecuteProcess | None, kind: type[ProcessStarted | ProcessExited]) -> Callable[[Event], bool]:
    return lambda event: isinstance(event, kind) and action in (None, event.action)
