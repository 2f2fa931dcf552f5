"""Which recorded messages belong to one instant."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, order=True)
class _Stamped:
    stamp: int
    message: Any = field(compare=False)


class StampMatcher:
    """Matches the messages of a pivot stream with those of its partner streams by stamp, as they are read.

    Two messages match when each is the nearest of its stream to the other and they are no more than ``slop`` apart;
    each is used once, and what was passed over is not gone back to. Messages wait only until no better match can
    come, or until the recording has gone on for ``patience``, so that a stream which ends early or starts late does
    not pile up the others in memory. When stamps jump back (a looped recording) matching starts anew.

    Args:
        pivot: name of the stream to which the others are matched.
        partners: names of the other streams.
        slop: largest stamp difference, nanoseconds.
        patience: how much later than its partner a message may come, nanoseconds.
    """

    def __init__(self, pivot: str, partners: Sequence[str], slop: int, patience: int = 2_000_000_000) -> None:
        self._pivot = pivot
        self._partners = tuple(partners)
        self._slop = slop
        self._patience = patience
        self._queues: dict[str, list[_Stamped]] = {stream: [] for stream in (pivot, *partners)}
        self._newest: dict[str, int] = {}

    def add(self, stream: str, stamp: int, message: Any) -> Iterator[dict[str, Any]]:
        """Takes in a message and yields the matches that are now certain: stream name -> message.

        Every message of the pivot stream comes out once, with as many partners as it has.
        """
        if stamp < self._newest.get(stream, stamp) - self._patience:
            yield from self.finish()
        self._newest[stream] = max(stamp, self._newest.get(stream, stamp))
        insort(self._queues[stream], _Stamped(stamp, message))
        while self._queues[self._pivot] and self._is_certain(self._queues[self._pivot][0]):
            yield self._take_first()
        if not self._queues[self._pivot] and stream != self._pivot:
            # Out of reach of all pivots to come, as far as patience goes.
            self._drop_before(stream, self._newest[stream] - self._patience - self._slop)

    def finish(self) -> Iterator[dict[str, Any]]:
        """Yields the matches of all messages that still wait."""
        while self._queues[self._pivot]:
            yield self._take_first()
        for queue in self._queues.values():
            queue.clear()
        self._newest.clear()

    def _is_certain(self, pivot: _Stamped) -> bool:
        if max(self._newest.values()) > pivot.stamp + self._patience:
            return True
        for stream in self._partners:
            if self._newest.get(stream, pivot.stamp - 1) < pivot.stamp:
                return False
            partner = self._nearest(stream, pivot.stamp)
            if partner is not None and partner.stamp > self._newest[self._pivot]:
                return False
        return True

    def _take_first(self) -> dict[str, Any]:
        pivots = self._queues[self._pivot]
        pivot = pivots.pop(0)
        match = {self._pivot: pivot.message}
        for stream in self._partners:
            queue = self._queues[stream]
            partner = self._nearest(stream, pivot.stamp)
            if partner is not None and self._belong(pivot, partner):
                match[stream] = partner.message
                del queue[: queue.index(partner) + 1]
            # The next pivot is not earlier than this one, so these are out of its reach as well.
            self._drop_before(stream, pivot.stamp - self._slop)
        return match

    def _drop_before(self, stream: str, stamp: int) -> None:
        queue = self._queues[stream]
        while queue and queue[0].stamp < stamp:
            del queue[0]

    def _belong(self, pivot: _Stamped, partner: _Stamped) -> bool:
        distance = abs(partner.stamp - pivot.stamp)
        following = self._queues[self._pivot][:1]
        return distance <= self._slop and all(abs(partner.stamp - other.stamp) >= distance for other in following)

    def _nearest(self, stream: str, stamp: int) -> _Stamped | None:
        return min(self._queues[stream], key=lambda item: abs(item.stamp - stamp), default=None)
