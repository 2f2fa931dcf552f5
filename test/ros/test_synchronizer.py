import numpy as np
import pytest
from message_filters import SimpleFilter
from std_msgs.msg import Header

from depth_completion_ros.ros.messages import header
from depth_completion_ros.ros.synchronizer import NEARER_ONE, NO_PARTNER, OVERFLOW, TIME_JUMP, Synchronizer


class Message:
    def __init__(self, seconds: float) -> None:
        self.header: Header = header(round(seconds * 1e9), "")
        self.seconds = seconds


class Bench:
    """A synchroniser, a way to feed it, and what came out."""

    def __init__(self, inputs: int = 2, slop: float = 0.05, **options) -> None:
        self.sources = [SimpleFilter() for _ in range(inputs)]
        self.synchronizer = Synchronizer(self.sources, slop, **options)
        self.sets: list[tuple[float, ...]] = []
        self.synchronizer.registerCallback(lambda *messages: self.sets.append(tuple(m.seconds for m in messages)))

    def feed(self, *arrivals: tuple[int, float]) -> None:
        for index, seconds in arrivals:
            self.sources[index].signalMessage(Message(seconds))

    def dropped(self, index: int, reason: str) -> int:
        return self.synchronizer.dropped[index, reason]


def test_equal_stamps_pair_at_once_in_either_order():
    bench = Bench()
    bench.feed((0, 1.0), (1, 1.0), (1, 1.1))
    assert bench.sets == [(1.0, 1.0)]
    bench.feed((0, 1.1))
    assert bench.sets == [(1.0, 1.0), (1.1, 1.1)]


def test_a_nearer_message_that_arrives_later_wins():
    # Greedy pairing would take the cloud at 0.96 for the image at 1.0.
    bench = Bench()
    bench.feed((0, 0.9), (1, 0.96), (0, 1.0))
    assert bench.sets == []
    bench.feed((1, 1.01))
    assert bench.sets == [(1.0, 1.01)]
    assert bench.dropped(1, NEARER_ONE) == 1


def test_a_fast_camera_gives_each_sweep_its_nearest_image():
    bench = Bench()
    images = [round(i / 30, 6) for i in range(31)]
    sweeps = [round(0.002 + i / 10, 6) for i in range(10)]
    for index, seconds in sorted([(0, t) for t in images] + [(1, t) for t in sweeps], key=lambda item: item[1]):
        bench.feed((index, seconds))
    expected = [(min(images, key=lambda image: abs(image - sweep)), sweep) for sweep in sweeps]
    assert bench.sets == expected
    assert len({image for image, _ in bench.sets}) == len(bench.sets)


def test_a_sweep_just_before_its_image_does_not_wait_for_the_next_sweep():
    bench = Bench()
    bench.feed((1, 0.0), (1, 0.1), (0, 0.11))
    # The next sweep is due at 0.2, farther away than 0.01: nothing to wait for.
    assert bench.sets == [(0.11, 0.1)]


def test_messages_farther_apart_than_the_slop_never_pair_and_are_counted():
    bench = Bench(slop=0.05)
    for i in range(5):
        bench.feed((0, i * 1.0), (1, i * 1.0 + 0.5))
    assert bench.sets == []
    assert bench.dropped(0, NO_PARTNER) >= 3


def test_time_jumping_back_starts_anew():
    bench = Bench()
    for second in (10.0, 10.1, 10.2):
        bench.feed((0, second), (1, second))
    bench.feed((0, 10.3))
    for second in (1.0, 1.1):
        bench.feed((0, second), (1, second))
    assert bench.sets == [(10.0, 10.0), (10.1, 10.1), (10.2, 10.2), (1.0, 1.0), (1.1, 1.1)]
    assert bench.dropped(0, TIME_JUMP) == 1


def test_a_late_message_within_the_slop_is_no_jump():
    bench = Bench()
    bench.feed((0, 1.0), (0, 1.1), (1, 1.1), (1, 1.06))
    assert bench.sets[-1] == (1.1, 1.1)
    assert bench.dropped(0, TIME_JUMP) == bench.dropped(1, TIME_JUMP) == 0


def test_offsets_shift_the_stamps_of_an_input():
    bench = Bench(slop=0.01, offsets=[0.0, 0.1])
    bench.feed((1, 0.9), (0, 1.0))
    assert bench.sets == [(1.0, 0.9)]
    assert bench.synchronizer.difference == pytest.approx(0.0)


def test_a_callback_that_raises_does_not_lock_the_inputs():
    bench = Bench()
    calls = []

    def fails(*_messages):
        calls.append(1)
        raise RuntimeError("boom")

    bench.synchronizer.registerCallback(fails)
    for second in (1.0, 2.0):
        bench.feed((0, second))
        with pytest.raises(RuntimeError, match="boom"):
            bench.feed((1, second))
    assert len(calls) == 2


def test_a_dead_partner_fills_the_queue_and_no_more():
    bench = Bench(queue_size=4)
    bench.feed(*[(0, float(i)) for i in range(10)])
    assert bench.dropped(0, OVERFLOW) == 6


def test_the_second_nearest_is_no_partner_where_a_full_queue_lost_the_nearest():
    """A camera of 60 Hz, and clouds that arrive 0.2 s after their stamp: by then their image has left the queue."""
    images = [(round(i / 60, 6) + 0.01, 0, round(i / 60, 6)) for i in range(120)]
    sweeps = [(round(i / 10, 6) + 0.2, 1, round(i / 10 + 0.002, 6)) for i in range(18)]
    short, long = Bench(queue_size=8), Bench(queue_size=20)
    for bench in (short, long):
        for _, index, seconds in sorted(images + sweeps):
            bench.feed((index, seconds))
        assert all(sweep - image == pytest.approx(0.002, abs=1e-5) for image, sweep in bench.sets)
    assert len(long.sets) >= 17 and not long.synchronizer.overflowed
    assert len(short.sets) < 3 and 0 in short.synchronizer.overflowed


@pytest.mark.parametrize(("rate", "offset"), [(10, 0.0), (100, 0.0), (10, -3.0)])
def test_an_input_is_silent_some_intervals_after_its_last_message_whatever_the_rates_and_clocks(rate, offset):
    bench = Bench()
    silent = bench.synchronizer.silent
    for i in range(10 * rate):
        if i % (rate // 5) == 0 and i < 4 * rate:  # 5 Hz, for 4 s
            bench.feed((0, i / rate + offset))
        bench.feed((1, i / rate + 0.001))
        assert not (silent(0) and i / rate < 4.2), "still within three intervals of the last message, at 3.8 s"
        assert silent(0) or i / rate < 4.5
        assert not silent(1)


def test_an_input_that_never_began_is_silent_and_a_slow_one_is_not():
    bench = Bench()
    for i in range(100):
        bench.feed((1, i / 10))
        assert bench.synchronizer.silent(0) == (i > 5)
    bench = Bench()
    for i in range(100):
        if i % 10 == 0:
            bench.feed((0, i / 10))
        bench.feed((1, i / 10 + 0.001))
        assert not bench.synchronizer.silent(0) or i < 10  # before its rate is known


def test_a_message_that_was_used_alone_waits_for_no_partner():
    bench = Bench(queue_size=2)
    for index in range(5):
        message = Message(0.1 * index)
        bench.sources[1].signalMessage(message)
        bench.synchronizer.take(1, message)
    assert not bench.synchronizer.dropped
    bench.feed((1, 0.5), (0, 0.4), (0, 0.5))
    assert bench.sets == [(0.5, 0.5)]


def test_one_input_passes_through():
    bench = Bench(inputs=1)
    bench.feed((0, 1.0), (0, 1.1))
    assert bench.sets == [(1.0,), (1.1,)]


def test_three_inputs_match_together():
    bench = Bench(inputs=3)
    bench.feed((0, 1.0), (1, 1.0), (2, 1.0), (0, 1.1), (2, 1.1), (1, 1.1))
    assert bench.sets == [(1.0, 1.0, 1.0), (1.1, 1.1, 1.1)]


@pytest.mark.parametrize("seed", range(5))
def test_jittered_streams_give_mutual_nearest_pairs(seed):
    """Against brute force: a pair is right when each of the two is the nearest of its kind to the other."""
    random = np.random.default_rng(seed)
    images = np.round(np.arange(60) / 20 + random.normal(0, 0.004, 60), 6)
    sweeps = np.round(np.arange(30) / 10 + random.normal(0.01, 0.004, 30), 6)
    bench = Bench()
    for index, seconds in sorted([(0, t) for t in images] + [(1, t) for t in sweeps], key=lambda item: item[1]):
        bench.feed((index, float(seconds)))
    for image, sweep in bench.sets:
        assert images[np.argmin(abs(images - sweep))] == image
        assert sweeps[np.argmin(abs(sweeps - image))] == sweep
    assert len(bench.sets) >= 28


def test_as_many_offsets_as_inputs():
    with pytest.raises(ValueError, match="1 offsets for 2 inputs"):
        Synchronizer([SimpleFilter(), SimpleFilter()], 0.05, offsets=[0.0])


def test_a_partner_waits_for_the_next_where_that_may_be_nearer():
    """The last sweep is farther away than half an interval, so the next one is due nearer to the image."""
    bench = Bench(slop=0.1)
    bench.feed((1, 0.0), (1, 0.1), (0, 0.16))
    assert bench.sets == []
    bench.feed((1, 0.2), (0, 0.26))
    assert bench.sets == [(0.16, 0.2)]


def test_one_late_message_does_not_make_its_input_late():
    bench = Bench()
    for now, lag in enumerate((0.3, 0.0, 0.0, 0.2), start=1):
        bench.feed((0, float(now)), (1, now - lag))
    assert bench.synchronizer.lags()[1] == pytest.approx(0.0)
    for now, lag in enumerate((0.3, 0.1), start=5):
        bench.feed((0, float(now)), (1, now - lag))
    assert bench.synchronizer.lags()[1] == pytest.approx(0.1)
