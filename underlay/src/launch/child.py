"""A process whose output arrives line by line."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable

_LAST_WORDS_S = 0.5  # how long to wait for output that the process left in the pipe; others may hold its other end


class Child:
    """A process that runs.

    Attributes:
        pid: its id.
    """

    def __init__(self, process: asyncio.subprocess.Process, outputs: list[_Lines]) -> None:
        self.pid = process.pid
        self._process = process
        self._outputs = outputs

    @classmethod
    async def start(
        cls,
        cmd: list[str],
        *,
        cwd: str | None,
        env: dict[str, str],
        emulate_tty: bool,
        on_stdout: Callable[[str], None],
        on_stderr: Callable[[str], None],
    ) -> Child:
        """Start a process.

        Args:
            cmd: the program and its arguments.
            cwd: its working directory, None for ours.
            env: its environment.
            emulate_tty: let it believe that it writes to a terminal.
            on_stdout: is called with every line of its stdout.
            on_stderr: is called with every line of its stderr.

        Raises:
            OSError: it cannot be started.
        """
        outputs, ends = [], []
        try:
            for on_line in (on_stdout, on_stderr):
                ours, theirs = os.openpty() if emulate_tty else os.pipe()
                ends.append(theirs)
                outputs.append(await _Lines.read(ours, on_line))
            process = await asyncio.create_subprocess_exec(
                *cmd, stdin=subprocess.DEVNULL, stdout=ends[0], stderr=ends[1], cwd=cwd, env=env
            )
        except BaseException:
            for output in outputs:
                output.close()
            raise
        finally:
            for end in ends:
                os.close(end)
        return cls(process, outputs)

    async def wait(self) -> int:
        """Wait for its end and its last words.

        Returns:
            The exit status, or minus the number of the signal that ended it.
        """
        returncode = await self._process.wait()
        await asyncio.wait([output.ended for output in self._outputs], timeout=_LAST_WORDS_S)
        for output in self._outputs:
            output.close()
        return returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self._process.returncode is None:
            self._process.send_signal(number)


class _Lines(asyncio.Protocol):
    """Cuts what arrives into lines."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._on_line = on_line
        self._rest = b""
        self._transport: asyncio.BaseTransport | None = None

    @classmethod
    async def read(cls, fd: int, on_line: Callable[[str], None]) -> _Lines:
        transport, lines = await asyncio.get_running_loop().connect_read_pipe(
            lambda: cls(on_line), os.fdopen(fd, "rb", 0)
        )
        lines._transport = transport
        return lines

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._write(line)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(None)

    def close(self) -> None:
        if self._rest:
            self._write(self._rest)
            self._rest = b""
        if self._transport is not None:
            self._transport.close()

    def _write(self, line: bytes) -> None:
        self._on_line(line.rstrip(b"\r").decode(errors="replace"))
