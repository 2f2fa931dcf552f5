"""What is known while launching."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .event import Event, EventHandler
    from .substitution import Substitution


class LaunchContext:
    """The configurations, the environment, the event handlers and the events that wait for them.

    Args:
        argv: the arguments of the launch, for those who ask.
        noninteractive: there is no terminal that would tell the processes about Ctrl-C.

    Attributes:
        launch_configurations: the values of the launch arguments, and what else was set.
        is_shutdown: whether everything is about to end.
    """

    def __init__(self, *, argv: Iterable[str] | None = None, noninteractive: bool = False) -> None:
        self.argv = list(argv or ())
        self.noninteractive = noninteractive
        self.launch_configurations: dict[str, Any] = {}
        self.is_shutdown = False
        self.event_handlers: deque[EventHandler] = deque()
        self.events: deque[Event] = deque()
        self._locals: dict[str, Any] = {}
        self._saved: list[tuple[dict[str, Any], dict[str, str]]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._on_event: Callable[[], None] = lambda: None

    @property
    def environment(self) -> MutableMapping[str, str]:
        """The environment of this process, which the launched ones inherit."""
        return os.environ

    @property
    def asyncio_loop(self) -> asyncio.AbstractEventLoop:
        """The running loop; RuntimeError while nothing runs."""
        if self._loop is None:
            raise RuntimeError("this can only be done while a LaunchService runs")
        return self._loop

    @property
    def locals(self) -> SimpleNamespace:
        """What is known for the moment, such as the ``event`` that is handled."""
        return SimpleNamespace(**self._locals)

    def get_locals_as_dict(self) -> dict[str, Any]:
        """What is known for the moment, by name."""
        return dict(self._locals)

    def extend_locals(self, extensions: dict[str, Any]) -> None:
        """Make something known until the current event is done."""
        self._locals.update(extensions)

    def register_event_handler(self, event_handler: EventHandler) -> None:
        """Add a handler; the last that was added is the first to be asked."""
        self.event_handlers.appendleft(event_handler)

    def unregister_event_handler(self, event_handler: EventHandler) -> None:
        """Forget a handler; ValueError if it is not known."""
        self.event_handlers.remove(event_handler)

    def emit_event_sync(self, event: Event) -> None:
        """Put an event at the end of the queue."""
        self.events.append(event)
        self._on_event()

    def perform_substitution(self, substitution: Substitution) -> str:
        """The text that a substitution stands for."""
        return substitution.perform(self)

    def push(self) -> None:
        """Save the configurations and the environment."""
        self._saved.append((dict(self.launch_configurations), dict(self.environment)))

    def pop(self) -> None:
        """Go back to the configurations and the environment that were saved last."""
        self.launch_configurations, environment = self._saved.pop()
        self.environment.clear()
        self.environment.update(environment)

    @contextlib.contextmanager
    def keep_locals(self) -> Iterator[None]:
        """Forget afterwards what became known meanwhile."""
        kept = dict(self._locals)
        try:
            yield
        finally:
            self._locals = kept

    @contextlib.contextmanager
    def running(self, on_event: Callable[[], None]) -> Iterator[None]:
        """Belong to the running loop, and tell about new events."""
        self._loop, self._on_event = asyncio.get_running_loop(), on_event
        try:
            yield
        finally:
            self._loop, self._on_event = None, lambda: None
