"""Actions that say what happens when."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from .. import events, logging
from ..entity import Action, LaunchDescriptionEntity
from ..event import Event, EventHandler
from ..event_handlers import OnShutdown
from ..events.process import ProcessExited
from ..utilities import normalize_to_list_of_substitutions, perform_substitutions, resolve

if TYPE_CHECKING:
    from ..condition import Condition
    from ..context import LaunchContext
    from ..substitution import SomeSubstitutionsType


class OpaqueFunction(Action):
    """Call a function of the context, and visit the entities it returns.

    Args:
        function: is called with the context, ``args`` and ``kwargs``.
        args: further arguments.
        kwargs: further arguments by name.
        condition: as for every action.
    """

    def __init__(
        self,
        *,
        function: Callable[..., Iterable[LaunchDescriptionEntity] | None],
        args: Iterable[Any] = (),
        kwargs: dict[str, Any] | None = None,
        condition: Condition | None = None,
    ) -> None:
        super().__init__(condition=condition)
        self._function, self._args, self._kwargs = function, tuple(args), dict(kwargs or {})

    def execute(self, context: LaunchContext) -> Iterable[LaunchDescriptionEntity] | None:
        """Call the function."""
        return self._function(context, *self._args, **self._kwargs)


class LogInfo(Action):
    """Write a line to the screen and the log file.

    Args:
        msg: the line.
        condition: as for every action.
    """

    def __init__(self, *, msg: SomeSubstitutionsType, condition: Condition | None = None) -> None:
        super().__init__(condition=condition)
        self.msg = normalize_to_list_of_substitutions(msg)

    def execute(self, context: LaunchContext) -> None:
        """Write it."""
        logging.get_logger("launch.user").info(perform_substitutions(context, self.msg))


class RegisterEventHandler(Action):
    """From now on, have a handler look at every event.

    Args:
        event_handler: the handler.
        condition: as for every action.
    """

    def __init__(self, event_handler: EventHandler, *, condition: Condition | None = None) -> None:
        super().__init__(condition=condition)
        self.event_handler = event_handler

    def execute(self, context: LaunchContext) -> None:
        """Register it."""
        context.register_event_handler(self.event_handler)

    def get_sub_entities(self) -> Iterable[LaunchDescriptionEntity]:
        """What the handler will have visited, as far as it is known."""
        entities = self.event_handler.entities or ()
        return [entities] if isinstance(entities, LaunchDescriptionEntity) else entities


class EmitEvent(Action):
    """Put an event at the end of the queue.

    Args:
        event: the event.
        condition: as for every action.
    """

    def __init__(self, *, event: Event, condition: Condition | None = None) -> None:
        super().__init__(condition=condition)
        self.event = event

    def execute(self, context: LaunchContext) -> None:
        """Put it there."""
        context.emit_event_sync(self.event)


class Shutdown(EmitEvent):
    """End everything.

    Args:
        reason: why, for people.
        condition: as for every action.
    """

    def __init__(self, *, reason: str = "reason not given", condition: Condition | None = None) -> None:
        super().__init__(event=events.Shutdown(reason=reason), condition=condition)

    def execute(self, context: LaunchContext) -> None:
        """Tell everything to end."""
        event = context.get_locals_as_dict().get("event")
        if isinstance(event, ProcessExited):
            logging.get_logger("launch").info(
                f"process[{event.process_name}] was required: shutting down launched system"
            )
        super().execute(context)


class TimerAction(Action):
    """Have entities visited later, unless everything ends before.

    Args:
        period: in seconds.
        actions: the entities.
        condition: as for every action.
    """

    def __init__(
        self,
        *,
        period: float | SomeSubstitutionsType,
        actions: Iterable[LaunchDescriptionEntity],
        condition: Condition | None = None,
    ) -> None:
        super().__init__(condition=condition)
        self._period = normalize_to_list_of_substitutions(
            str(period) if isinstance(period, (int, float)) else period
        )
        self._actions = list(actions)
        self._task: asyncio.Task[None] | None = None

    def execute(self, context: LaunchContext) -> None:
        """Start to wait."""
        period = float(resolve(context, self._period))
        context.register_event_handler(
            EventHandler(
                matcher=lambda event: isinstance(event, events.TimerEvent) and event.timer_action is self,
                entities=self._actions,
                handle_once=True,
            )
        )
        context.register_event_handler(OnShutdown(on_shutdown=lambda event, context: self.cancel()))
        self._task = context.asyncio_loop.create_task(self._fire(context, period))

    def cancel(self) -> None:
        """Do not wait any longer, and forget the entities."""
        if self._task is not None:
            self._task.cancel()

    def get_asyncio_future(self) -> asyncio.Future[None] | None:
        """Done when the time has come."""
        return self._task

    def get_sub_entities(self) -> Iterable[LaunchDescriptionEntity]:
        """What will be visited."""
        return self._actions

    async def _fire(self, context: LaunchContext, period: float) -> None:
        await asyncio.sleep(period)
        context.emit_event_sync(events.TimerEvent(timer_action=self))
