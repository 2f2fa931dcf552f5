"""Best-match synchronisation of sensor messages, as a ``message_filters`` filter.

``message_filters.ApproximateTimeSynchronizer`` in Python pairs greedily, never pairs again after time jumped back
(a looped bag) and stays locked when its callback raises. This one pairs two messages only when each is the nearest
of its kind to the other, and starts anew when time jumps back.
"""

from __future__ import annotations

import threading
from bisect import insort
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from message_filters import SimpleFilter

from depth_completion_ros.ros.messages import nanoseconds

# Reasons for a message to leave without a partner, the keys of `Synchronizer.dropped`.
NO_PARTNER = "no partner within the slop"
NEARER_ONE = "another message was nearer"
OVERFLOW = "queue full"
TIME_JUMP = "time jumped back"

LAGS = 3  # messages of an input that have to be late before it is; one alone does not count

# An input is silent when nothing has come of it for so long: in seconds, its own intervals, and messages of the others.
_SILENT_SECONDS = 0.5
_SILENT_INTERVALS = 3
_SILENT_MESSAGES = 3  # all may pause, and one of them is the first to go on


class Synchronizer(SimpleFilter):
    """Calls back with one message per input, all from the same instant.

    The first input is the pivot: its message is matched with the nearest one of every other input, and passed on
    only if no other pivot message is nearer to those. Each message is used at most once.

    A pair is passed on as soon as no better one can come: when the stamps are equal, when a later message has
    arrived, or when the rate seen so far says that the next message will be farther away. So a LiDAR sweep
    stamped a little before its image does not wait for the next sweep. A message is not paired with the second
    nearest where the nearest has left a full queue.

    Args:
        inputs: the filters to synchronise, the pivot first; one alone is passed through.
        slop: largest stamp difference of a pair, seconds.
        offsets: seconds added to the stamps of each input, for sensors with a known delay; default none.
        queue_size: messages kept per input while waiting for a partner.

    Attributes:
        dropped: messages that left without a partner, counted by (input index, reason).
        matched: number of sets passed on.
        difference: largest stamp difference within the last set, seconds.
        jumps: how often time jumped back.
        unmatched: messages of each input since the last set.
        overflowed: inputs (their indices) whose queue was too short since the last set.
    """

    def __init__(
        self,
        inputs: Sequence[SimpleFilter],
        slop: float,
        offsets: Sequence[float] | None = None,
        queue_size: int = 10,
    ) -> None:
        super().__init__()
        if offsets is not None and len(offsets) != len(inputs):
            raise ValueError(f"{len(offsets)} offsets for {len(inputs)} inputs; expected one per input")
        self.dropped: Counter[tuple[int, str]] = Counter()
        self.matched = 0
        self.difference = 0.0
        self.jumps = 0
        self.unmatched = [0] * len(inputs)
        self.overflowed: set[int] = set()
        self._slop = round(slop * 1e9)
        self._offsets = [round(offset * 1e9) for offset in offsets or [0.0] * len(inputs)]
        self._queues = [_Queue() for _ in inputs]
        self._queue_size = queue_size
        self._since: int | None = None
        # Of each input, the newest stamp of every input when it was last heard.
        self._heard: list[list[int | None]] = [[None] * len(inputs) for _ in inputs]
        self._others = [0] * len(inputs)  # messages of the other inputs since then
        self._lock = threading.Lock()
        for index, source in enumerate(inputs):
            source.registerCallback(self._add, index)

    def take(self, index: int, message: Any) -> None:
        """A message of an input was used by itself: it waits for no partner any more."""
        with self._lock:
            queue = self._queues[index]
            queue.items = [item for item in queue.items if item.message is not message]

    def waited(self) -> float:
        """Seconds, by the stamps, since the last set or since the first message."""
        newest = max((queue.newest for queue in self._queues if queue.newest is not None), default=None)
        return 0.0 if newest is None or self._since is None else (newest - self._since) * 1e-9

    def lags(self) -> list[float]:
        """Seconds by which the messages of each input arrive behind the newest stamp of the others.

        The least of the last three, so that one late message does not count.
        """
        return [min(queue.lags) * 1e-9 if len(queue.lags) == LAGS else 0.0 for queue in self._queues]

    def silent(self, index: int) -> bool:
        """Whether an input has stopped, or never begun, by the stamps of the others.

        Whatever its clock says, and however much faster the others are.
        """
        passed = (
            queue.newest - heard
            for queue, heard in zip(self._queues, self._heard[index], strict=True)
            if queue.newest is not None and heard is not None
        )
        patience = max(_SILENT_SECONDS * 1e9, _SILENT_INTERVALS * self._queues[index].interval)
        return self._others[index] >= _SILENT_MESSAGES and max(passed, default=0) > patience

    def _add(self, message: Any, index: int) -> None:
        # Callbacks run outside the lock: one that raises or takes long must not hold up the inputs.
        with self._lock:
            self.unmatched[index] += 1
            self._enqueue(index, _Stamped(nanoseconds(message.header.stamp) + self._offsets[index], message))
            sets = list(iter(self._next_set, None))
        for matched in sets:
            self.signalMessage(*matched)

    def _enqueue(self, index: int, item: _Stamped) -> None:
        queue = self._queues[index]
        if queue.newest is not None and item.stamp < queue.newest - self._slop:
            self.jumps += 1
            self._since = None
            for other, stale in enumerate(self._queues):
                self.dropped[other, TIME_JUMP] += len(stale.items)
                stale.clear()
            self._heard = [[None] * len(self._queues) for _ in self._queues]
        queue.lags.append(max((other.newest or 0) - item.stamp for other in self._queues))
        queue.add(item)
        if self._since is None:
            self._since = item.stamp
        self._heard[index] = [other.newest for other in self._queues]
        self._others = [0 if other == index else count + 1 for other, count in enumerate(self._others)]
        for heard in self._heard:
            if heard[index] is None:  # not heard before this input began
                heard[index] = item.stamp
        if len(queue.items) > self._queue_size:
            queue.lost = queue.items.pop(0).stamp
            self.dropped[index, OVERFLOW] += 1
            self.overflowed.add(index)

    def _next_set(self) -> tuple[Any, ...] | None:
        """Takes the next set that is certain off the queues; None when there is none yet."""
        pivots, *others = self._queues
        while pivots.items:
            pivot = pivots.items[0]
            partners: list[_Stamped] = []
            reason = ""
            for queue in others:
                partner = queue.nearest(pivot.stamp)
                if partner is None:
                    return None
                if abs(partner.stamp - pivot.stamp) > self._slop:
                    reason = NO_PARTNER
                elif queue.has_lost_nearer(pivot.stamp, partner) or pivots.has_lost_nearer(partner.stamp, pivot):
                    reason = OVERFLOW
                elif (nearest := pivots.nearest(partner.stamp)) is None:
                    return None
                elif nearest is not pivot:
                    reason = NEARER_ONE
                partners.append(partner)
            del pivots.items[0]
            if reason:
                self.dropped[0, reason] += 1
                continue
            for index, (queue, partner) in enumerate(zip(others, partners, strict=True), start=1):
                passed = queue.items.index(partner)
                self.dropped[index, NEARER_ONE] += passed
                del queue.items[: passed + 1]
            self.matched += 1
            self.unmatched = [0] * len(self._queues)
            self.overflowed.clear()
            self._since = pivot.stamp
            self.difference = max((abs(partner.stamp - pivot.stamp) for partner in partners), default=0) * 1e-9
            return (pivot.message, *(partner.message for partner in partners))
        return None


@dataclass(frozen=True, order=True)
class _Stamped:
    stamp: int
    message: Any = field(compare=False)


class _Queue:
    """Messages of one input, by stamp, with what is known of their rate."""

    def __init__(self) -> None:
        self.items: list[_Stamped] = []
        self.newest: int | None = None
        self.lost: int | None = None  # stamp of the last one that left as the queue was full
        self.lags: deque[int] = deque(maxlen=LAGS)
        # The shortest of the last few intervals: gaps from lost messages must not pass for the sensor's period.
        self._intervals: deque[int] = deque(maxlen=10)

    def clear(self) -> None:
        self.items.clear()
        self.lags.clear()
        self._intervals.clear()
        self.newest = self.lost = None

    @property
    def interval(self) -> int:
        """Nanoseconds between messages; 0 while unknown."""
        return min(self._intervals, default=0)

    def add(self, item: _Stamped) -> None:
        if self.newest is None:
            self.newest = item.stamp
        elif item.stamp > self.newest:
            self._intervals.append(item.stamp - self.newest)
            self.newest = item.stamp
        insort(self.items, item)

    def nearest(self, stamp: int) -> _Stamped | None:
        """The item nearest to ``stamp``; None while one yet to come may be nearer."""
        if self.newest is None or not self.items:
            return None
        best = min(self.items, key=lambda item: abs(item.stamp - stamp))
        if self.newest >= stamp:
            return best
        distance = stamp - best.stamp
        if best.stamp == self.newest and 2 * distance < self.interval:
            return best
        return None

    def has_lost_nearer(self, stamp: int, item: _Stamped) -> bool:
        """Whether one that left a full queue was nearer to ``stamp`` than ``item`` is."""
        return self.lost is not None and abs(self.lost - stamp) < abs(item.stamp - stamp)
