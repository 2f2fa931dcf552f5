"""What runs a description."""

from __future__ import annotations

import asyncio
import contextlib
import logging as levels
import signal
import threading
import traceback
from collections.abc import Iterator

from . import logging
from .context import LaunchContext
from .description import LaunchDescription
from .entity import LaunchDescriptionEntity
from .event import Event
from .events import IncludeLaunchDescription, Shutdown


class LaunchService:
    """Visits the entities of descriptions, and handles events until nothing is left to wait for.

    Args:
        argv: the arguments of the launch, for those who ask the context.
        noninteractive: there is no terminal that would tell the processes about Ctrl-C.
        debug: report where exceptions come from.
    """

    def __init__(
        self, *, argv: list[str] | None = None, noninteractive: bool = False, debug: bool = False
    ) -> None:
        self.context = LaunchContext(argv=argv, noninteractive=noninteractive)
        self._logger = logging.get_logger("launch")
        self._logger.setLevel(levels.DEBUG if debug else levels.INFO)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()
        self._ongoing: set[asyncio.Future[None]] = set()
        self._return_code = 0

    def include_launch_description(self, launch_description: LaunchDescription) -> None:
        """Add a description to what is launched, or will be; from any thread."""
        self.emit_event(IncludeLaunchDescription(launch_description))

    def emit_event(self, event: Event) -> None:
        """Put an event at the end of the queue; from any thread."""
        if self._loop is None:
            self.context.emit_event_sync(event)
        else:
            self._loop.call_soon_threadsafe(self.context.emit_event_sync, event)

    def shutdown(self) -> None:
        """End everything that runs; from any thread. Nothing happens where nothing runs."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._shutdown, "LaunchService.shutdown() called")

    def run(self, *, shutdown_when_idle: bool = True) -> int:
        """Launch, and wait for the end.

        Args:
            shutdown_when_idle: end when nothing is left to wait for, not only when told so.

        Returns:
            0, or 1 if an exception was raised meanwhile or SIGTERM came. A process that fails does not count.

        Raises:
            RuntimeError: this is not the main thread, which alone hears of signals.
        """
        return asyncio.run(self.run_async(shutdown_when_idle=shutdown_when_idle))

    async def run_async(self, *, shutdown_when_idle: bool = True) -> int:
        """The same, in a loop that runs already."""
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("a LaunchService can only be run in the main thread")
        self._loop, self._wake, self._return_code = asyncio.get_running_loop(), asyncio.Event(), 0
        self._logger.info(f"All log files can be found below {logging.log_dir()}")
        self._logger.info(f"Default logging verbosity is set to {levels.getLevelName(self._logger.level)}")
        try:
            with self._handle_signals(self._loop), self.context.running(self._wake.set):
                await self._run_until_done(shutdown_when_idle)
        finally:
            self._loop = None
            for future in self._ongoing:
                future.cancel()
            await asyncio.gather(*self._ongoing, return_exceptions=True)
        return self._return_code

    async def _run_until_done(self, shutdown_when_idle: bool) -> None:
        while True:
            try:
                self._wake.clear()
                if self.context.events:
                    self._process(self.context.events.popleft())
                    await asyncio.sleep(0)
                    continue
                self._forget_what_is_done()
                if self._ongoing or not (self.context.is_shutdown or shutdown_when_idle):
                    await self._wake.wait()
                elif self.context.is_shutdown:
                    return
                else:
                    self._shutdown("idle")
            except Exception as error:
                self._logger.debug(traceback.format_exc())
                reason = f"Caught exception in launch (see debug for traceback): {error}"
                self._logger.error(reason)
                self._return_code = 1
                self._shutdown(reason)

    def _process(self, event: Event) -> None:
        self._logger.debug(f"processing event {event.name}")
        if isinstance(event, IncludeLaunchDescription):
            self._visit(event.launch_description)
        self.context.is_shutdown |= isinstance(event, Shutdown)
        for handler in tuple(self.context.event_handlers):
            if handler.matches(event):
                with self.context.keep_locals():
                    entities = handler.handle(event, self.context) or ()
                    if isinstance(entities, LaunchDescriptionEntity):
                        entities = [entities]
                    for entity in entities:
                        self._visit(entity)

    def _visit(self, entity: LaunchDescriptionEntity) -> None:
        if not isinstance(entity, LaunchDescriptionEntity):
            raise RuntimeError(f"expected a launch.LaunchDescriptionEntity, got {entity!r}")
        inner = entity.visit(self.context)
        future = entity.get_asyncio_future()
        if future is not None and not future.done():
            self._ongoing.add(future)
            future.add_done_callback(lambda _: self._wake.set())
        for child in inner or ():
            self._visit(child)

    def _forget_what_is_done(self) -> None:
        done = {future for future in self._ongoing if future.done()}
        self._ongoing -= done
        for future in done:
            if not future.cancelled():
                future.result()  # raises what went wrong there

    def _shutdown(self, reason: str, due_to_sigint: bool = False) -> None:
        if not self.context.is_shutdown:
            self.context.is_shutdown = True
            self.context.emit_event_sync(Shutdown(reason=reason, due_to_sigint=due_to_sigint))

    @contextlib.contextmanager
    def _handle_signals(self, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
        def on_sigint() -> None:
            again = " again, ignoring..." if self.context.is_shutdown else ""
            self._logger.warning(f"user interrupted with ctrl-c (SIGINT){again}")
            self._shutdown("ctrl-c (SIGINT)", due_to_sigint=True)

        def on_termination(name: str) -> None:
            self._logger.error(f"user interrupted with ctrl-\\ ({name}), terminating...")
            self._return_code = 1
            self._shutdown(name)

        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT)}
        loop.add_signal_handler(signal.SIGINT, on_sigint)
        loop.add_signal_handler(signal.SIGTERM, on_termination, "SIGTERM")
        loop.add_signal_handler(signal.SIGQUIT, on_termination, "SIGQUIT")
        try:
            yield
        finally:
            for number, handler in before.items():
                loop.remove_signal_handler(number)
                signal.signal(number, handler or signal.SIG_DFL)
