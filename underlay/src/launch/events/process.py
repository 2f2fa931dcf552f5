"""The events of processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..event import Event

if TYPE_CHECKING:
    from ..actions import ExecuteProcess

__all__ = ["ProcessExited", "ProcessStarted"]


class _ProcessEvent(Event):
    """Something happened to a process.

    Args:
        action: the action that started it.
        name: its unique name, such as ``completion_node-1``.
        cmd: its command line.
        cwd: its working directory, None for ours.
        env: its environment.
        pid: its id.
    """

    def __init__(
        self, *, action: ExecuteProcess, name: str, cmd: list[str], cwd: str | None, env: dict[str, str], pid: int
    ) -> None:
        self.action = action
        self.process_name = name
        self.cmd = cmd
        self.cwd = cwd
        self.env = env
        self.pid = pid


class ProcessStarted(_ProcessEvent):
    """A process started."""

    name = "launch.events.process.ProcessStarted"


class ProcessExited(_ProcessEvent):
    """A process exited.

    Args:
        returncode: its exit status, or minus the number of the signal that ended it.
        process: the process, as for every of these events.
    """

    name = "launch.events.process.ProcessExited"

    def __init__(self, *, returncode: int, **process: Any) -> None:
        super().__init__(**process)
        self.returncode = returncode
