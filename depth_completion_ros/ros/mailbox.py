"""A one-slot mailbox between the ROS callbacks and the thread that works."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Mailbox(Generic[T]):
    """Hands the newest item to one worker thread; an item that was not taken in time is replaced, never queued.

    Args:
        work: called in the worker thread with each item taken. It must not raise; if it does, ``on_error`` is
            called and the worker goes on.
        on_error: called in the worker thread with the exception.

    Attributes:
        replaced: items that a newer one replaced before the worker was free.
    """

    def __init__(self, work: Callable[[T], None], on_error: Callable[[Exception], None]) -> None:
        self.replaced = 0
        self._work = work
        self._on_error = on_error
        self._slot: list[T] = []
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="completion", daemon=True)
        self._thread.start()

    def put(self, item: T) -> None:
        """Leaves ``item`` for the worker, in place of one that still waits."""
        with self._changed:
            self.replaced += len(self._slot)
            self._slot[:] = [item]
            self._changed.notify()

    def close(self) -> None:
        """Ends the worker after the item at hand; what still waits is dropped."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._slot or self._closed)
                if self._closed:
                    return
                item = self._slot.pop()
            try:
                self._work(item)
            except Exception as error:  # the next frame may be good
                self._on_error(error)
