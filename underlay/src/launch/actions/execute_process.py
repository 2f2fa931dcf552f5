"""The action that starts a process and looks after it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from .. import logging
from ..child import Child
from ..entity import Action
from ..event_handlers import OnProcessExit, OnShutdown
from ..events import Shutdown
from ..events.process import ProcessExited, ProcessStarted
from ..substitutions import LaunchConfiguration
from ..utilities import normalize_to_list_of_substitutions, perform_substitutions, resolve

if TYPE_CHECKING:
    from ..condition import Condition
    from ..context import LaunchContext
    from ..event import SomeEntities
    from ..substitution import SomeSubstitutionsType

_numbers = itertools.count(1)
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)

# Where the lines of stdout and stderr go.
_OUTPUTS = {
    "screen": ({"screen": True, "log": False}, {"screen": True, "log": False}),
    "log": ({"screen": False, "log": True}, {"screen": True, "log": True}),
    "both": ({"screen": True, "log": True}, {"screen": True, "log": True}),
}


class ExecuteProcess(Action):
    """Start a process. At the end of the launch it is sent SIGINT, later SIGTERM, and then SIGKILL.

    Args:
        cmd: the program and its arguments.
        name: what it is called in the output, before its number; by default as the program.
        cwd: its working directory.
        env: its environment, instead of ours.
        additional_env: variables to add to its environment.
        output: ``screen``, ``log`` (the log file, stderr also to the screen) or ``both``.
        emulate_tty: let it believe that it writes to a terminal, so that it does not hold back lines.
        sigterm_timeout: seconds from SIGINT to SIGTERM.
        sigkill_timeout: seconds from SIGTERM to SIGKILL.
        on_exit: entities to visit when it has exited, or a function of the event and the context.
        respawn: start it again when it has exited, until the end of the launch.
        respawn_delay: seconds to wait before that.
        condition: as for every action.
    """

    def __init__(
        self,
        *,
        cmd: Iterable[SomeSubstitutionsType],
        name: SomeSubstitutionsType | None = None,
        cwd: SomeSubstitutionsType | None = None,
        env: Mapping[Any, SomeSubstitutionsType] | None = None,
        additional_env: Mapping[Any, SomeSubstitutionsType] | None = None,
        output: SomeSubstitutionsType = "log",
        emulate_tty: bool = False,
        sigterm_timeout: SomeSubstitutionsType = LaunchConfiguration("sigterm_timeout", default=5),  # noqa: B008
        sigkill_timeout: SomeSubstitutionsType = LaunchConfiguration("sigkill_timeout", default=5),  # noqa: B008
        on_exit: SomeEntities | Callable[[ProcessExited, LaunchContext], SomeEntities] = None,
        respawn: bool | SomeSubstitutionsType = False,
        respawn_delay: float | None = None,
        condition: Condition | None = None,
    ) -> None:
        super().__init__(condition=condition)
        self.cmd = [normalize_to_list_of_substitutions(part) for part in cmd]
        self._name = name
        self._cwd = cwd
        self._env = env
        self._additional_env = additional_env or {}
        self._output = output
        self._emulate_tty = emulate_tty
        self._timeouts = (sigterm_timeout, sigkill_timeout)
        self._on_exit = on_exit
        self._respawn = str(respawn) if isinstance(respawn, bool) else respawn
        self._respawn_delay = respawn_delay or 0.0
        self._stopping = asyncio.Event()
        self._interrupt = True
        self._task: asyncio.Task[None] | None = None

    def execute(self, context: LaunchContext) -> None:
        """Start the process, and look after it until it has exited."""
        if self._task is not None:
            raise RuntimeError(f"{self._task.get_name()}: an action can start its process only once")
        if context.is_shutdown:
            return
        cmd = self._command(context)
        env = dict(context.environment) if self._env is None else _resolve_all(context, self._env)
        process: dict[str, Any] = {
            "action": self,
            "name": f"{resolve(context, self._name or os.path.basename(cmd[0]))}-{next(_numbers)}",
            "cmd": cmd,
            "cwd": None if self._cwd is None else resolve(context, self._cwd),
            "env": env | _resolve_all(context, self._additional_env),
        }
        output = resolve(context, self._output)
        if output not in _OUTPUTS:
            raise ValueError(f"output of {process['name']} is '{output}', expected one of {', '.join(_OUTPUTS)}")
        patience = [float(resolve(context, timeout)) for timeout in self._timeouts]
        respawn = resolve(context, self._respawn).lower() in ("true", "1")
        handlers = OnShutdown(on_shutdown=self._stop), OnProcessExit(target_action=self, on_exit=self._on_exit)
        for handler in handlers:
            context.register_event_handler(handler)
        self._task = context.asyncio_loop.create_task(
            self._look_after(context, process, output, patience, respawn), name=process["name"]
        )

    def get_asyncio_future(self) -> asyncio.Future[None] | None:
        """Done when the process has exited, and will not be started again."""
        return self._task

    def _command(self, context: LaunchContext) -> list[str]:
        return [perform_substitutions(context, part) for part in self.cmd]

    def _clean_up(self) -> None:
        """Remove what was made for the command."""

    def _stop(self, event: Shutdown, context: LaunchContext) -> None:
        self._interrupt = context.noninteractive or not event.due_to_sigint
        self._stopping.set()

    async def _look_after(
        self, context: LaunchContext, process: dict[str, Any], output: str, patience: list[float], respawn: bool
    ) -> None:
        try:
            while await self._live(context, process, output, patience) and respawn:
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), self._respawn_delay)
                if self._stopping.is_set():
                    break
        finally:
            self._clean_up()

    async def _live(
        self, context: LaunchContext, process: dict[str, Any], output: str, patience: list[float]
    ) -> bool:
        """One life of the process; False if there was none."""
        if context.is_shutdown:
            return False
        name, cmd = process["name"], process["cmd"]
        logger = logging.get_logger(name)
        on_stdout, on_stderr = (
            lambda line, where=where: logging.write_process_output(f"[{name}] {line}", **where)
            for where in _OUTPUTS[output]
        )
        try:
            child = await Child.start(
                cmd,
                cwd=process["cwd"],
                env=process["env"],
                emulate_tty=self._emulate_tty,
                on_stdout=on_stdout,
                on_stderr=on_stderr,
            )
        except OSError as error:
            logger.error(f"process cannot be started: {error} [cmd '{' '.join(cmd)}']")
            return False
        logger.info(f"process started with pid [{child.pid}]")
        context.emit_event_sync(ProcessStarted(**process, pid=child.pid))
        exited = asyncio.ensure_future(child.wait())
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({exited, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not exited.done():
                await self._end(child, exited, name, patience)
            returncode = await exited
        finally:
            stopping.cancel()
            if not exited.done():  # the launch itself was cancelled
                child.send_signal(signal.SIGKILL)
        if returncode == 0:
            logger.info(f"process has finished cleanly [pid {child.pid}]")
        else:
            logger.error(f"process has died [pid {child.pid}, exit code {returncode}, cmd '{' '.join(cmd)}'].")
        context.emit_event_sync(ProcessExited(**process, pid=child.pid, returncode=returncode))
        return True

    async def _end(self, child: Child, exited: asyncio.Future[int], name: str, patience: list[float]) -> None:
        logger = logging.get_logger(name)
        last = ""
        for number, seconds in zip(_SIGNALS, (*patience, None), strict=True):
            if last:
                logger.error(f"process[{name}] failed to terminate {last}, escalating to '{number.name}'")
            if number != signal.SIGINT or self._interrupt:
                logger.info(f"sending signal '{number.name}' to process[{name}]")
                child.send_signal(number)
            if (await asyncio.wait({exited}, timeout=seconds))[0]:
                return
            last = f"'{seconds:g}' seconds after receiving '{number.name}'"


def _resolve_all(context: LaunchContext, variables: Mapping[Any, SomeSubstitutionsType]) -> dict[str, str]:
    return {resolve(context, name): resolve(context, value) for name, value in variables.items()}
