"""What the node says about itself: each fault once in the log, and everything on ``/diagnostics``."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Container, Mapping

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

_WINDOW = 100  # frames over which durations and rates are averaged
# What is worth a warning: so many seconds without a frame, and so many of the usual intervals between two.
_STALE = 2.0
_STALE_INTERVALS = 3


class Diagnostics:
    """Collects faults, durations and counts, and publishes them every second, whatever the node's clock does.

    Safe to call from any thread.

    Args:
        node: the node that publishes.
        hardware_id: what does the work, such as ``classical on cpu``.
        values: gives further key-value pairs at the time of publishing.
        missing: says, at that time, what has not come yet; nothing if all has.
    """

    def __init__(
        self, node: Node, hardware_id: str, values: Callable[[], Mapping[str, object]], missing: Callable[[], str]
    ) -> None:
        self._node = node
        self._hardware_id = hardware_id
        self._values = values
        self._missing = missing
        self._faults: dict[str, str] = {}
        self._durations: dict[str, deque[float]] = {}
        self._finished: deque[int] = deque(maxlen=_WINDOW)
        self._frames = 0
        self._listened_to = True
        self._alive = time.monotonic()
        self._intervals: deque[float] = deque(maxlen=3)  # the least of them counts: all may pause for once
        self._lock = threading.Lock()
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 1)
        self._timer = node.create_timer(1.0, self._publish, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def close(self) -> None:
        """Stops publishing."""
        self._node.destroy_timer(self._timer)
        self._node.destroy_publisher(self._publisher)

    def fault(self, kind: str, message: str) -> None:
        """Something keeps the node from its work; logged when ``kind`` begins, not at every frame."""
        with self._lock:
            begins = kind not in self._faults
            self._faults[kind] = message
        if begins:
            self._node.get_logger().warning(message)

    def cleared(self, kinds: Container[str]) -> None:
        """The faults of these kinds are over; logged if there were any."""
        with self._lock:
            over = [kind for kind in self._faults if kind in kinds]
            for kind in over:
                del self._faults[kind]
        if over:
            self._node.get_logger().info(f"recovered from: {', '.join(over)}")

    def completed(self, milliseconds: Mapping[str, float]) -> None:
        """One frame is done; the duration of each of its stages."""
        now: int = self._node.get_clock().now().nanoseconds
        alive = time.monotonic()
        with self._lock:
            if self._frames:
                self._intervals.append(alive - self._alive)
            self._frames += 1
            self._listened_to, self._alive = True, alive
            if self._finished and now < self._finished[-1]:
                self._finished.clear()  # time jumped back
            self._finished.append(now)
            for stage, duration in milliseconds.items():
                self._durations.setdefault(stage, deque(maxlen=_WINDOW)).append(duration)

    def unheard(self) -> None:
        """A frame came, but nobody listens to what would be made of it."""
        with self._lock:
            self._listened_to, self._alive = False, time.monotonic()
            self._finished.clear()

    def _publish(self) -> None:
        with self._lock:
            faults = list(self._faults.values())
            silence = time.monotonic() - self._alive
            if silence > max(_STALE, _STALE_INTERVALS * min(self._intervals, default=0.0)):
                self._finished.clear()
                missing = self._missing()
                faults = faults or [f"no frame for {silence:.0f} s{missing and f', {missing}'}"]
            rate = _rate(self._finished)
            values: dict[str, object] = {"frames completed": self._frames, "rate [Hz]": f"{rate:.2f}"}
            for stage, durations in self._durations.items():
                values[f"{stage} [ms]"] = f"{sum(durations) / len(durations):.2f}"
        values.update(self._values())
        message = f"completing at {rate:.1f} Hz" if self._frames else "no frame yet"
        if not self._listened_to:
            message = "nobody listens to an output"
            faults = [*faults, message] if faults else []
        status = DiagnosticStatus(
            level=DiagnosticStatus.WARN if faults else DiagnosticStatus.OK,
            name=f"{self._node.get_fully_qualified_name().lstrip('/')}: depth completion",
            hardware_id=self._hardware_id,
            message="; ".join(faults) or message,
            values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
        )
        array = DiagnosticArray(status=[status])
        array.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(array)


def _rate(finished: deque[int]) -> float:
    """Frames per second of the node's clock."""
    if len(finished) < 2 or finished[-1] == finished[0]:
        return 0.0
    return (len(finished) - 1) / (finished[-1] - finished[0]) * 1e9
