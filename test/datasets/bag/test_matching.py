"""Which messages belong together, on streams of bare stamps (here in milliseconds)."""

import weakref

import numpy as np
import pytest

from depth_completion_ros.datasets.bag.matching import StampMatcher


def run(stamped, partners=("scan",), slop=50, patience=2000):
    """Feeds (stream, stamp) one by one; returns (pivot stamp, partner stamp or None, ...) of every match."""
    matcher = StampMatcher("image", partners, slop, patience)
    matches = [match for stream, stamp in stamped for match in matcher.add(stream, stamp, stamp)]
    matches += matcher.finish()
    return [(match["image"], *(match.get(partner) for partner in partners)) for match in matches]


def streams(**stamps):
    """Streams interleaved in the order of time."""
    return sorted(((stream, stamp) for stream in stamps for stamp in stamps[stream]), key=lambda item: item[1])


def test_equal_stamps():
    assert run(streams(image=[0, 100, 200], scan=[0, 100, 200])) == [(0, 0), (100, 100), (200, 200)]


def test_a_pair_with_equal_stamps_comes_at_once():
    matcher = StampMatcher("image", ["scan"], 50)
    assert list(matcher.add("image", 0, "i")) == []
    assert list(matcher.add("scan", 0, "s")) == [{"image": "i", "scan": "s"}]


def test_the_nearest_scan_within_the_slop():
    assert run(streams(image=[0, 100, 200], scan=[-30, 20, 90, 260])) == [(0, 20), (100, 90), (200, None)]


def test_a_scan_goes_to_the_image_that_is_nearest_to_it():
    images = [0, 33, 67, 100, 133, 167, 200]
    assert [pair for pair in run(streams(image=images, scan=[10, 105, 190])) if pair[1] is not None] == [
        (0, 10),
        (100, 105),
        (200, 190),
    ]


def test_a_scan_halfway_between_two_images_goes_to_the_first():
    assert run(streams(image=[0, 100], scan=[50])) == [(0, 50), (100, None)]


def test_a_slow_camera_takes_one_scan_of_many():
    assert run(streams(image=[0, 500], scan=range(-100, 700, 20))) == [(0, 0), (500, 500)]


def test_scans_recorded_late():
    stamped = [("image", 0), ("image", 100), ("image", 200), ("scan", 0), ("scan", 100), ("scan", 200)]
    assert run(stamped) == [(0, 0), (100, 100), (200, 200)]


def test_optional_partners_may_be_missing():
    stamped = streams(image=[0, 100, 200], scan=[0, 100, 200], truth=[100])
    assert run(stamped, ("scan", "truth")) == [(0, 0, None), (100, 100, 100), (200, 200, None)]


def test_a_stream_that_ends_does_not_pile_up_the_others():
    matcher = StampMatcher("image", ["scan"], 50, patience=300)
    waiting = 0
    for stamp in range(0, 5000, 100):
        waiting += 1 - len(list(matcher.add("image", stamp, stamp)))
        assert waiting <= 5


class Scan:
    """A message that can be referred to weakly."""


@pytest.mark.parametrize("first", [1500, 10**9])
def test_scans_before_the_first_image_and_after_the_last_do_not_pile_up(first):
    matcher = StampMatcher("image", ["scan"], 50, patience=300)
    kept: weakref.WeakSet[Scan] = weakref.WeakSet()
    matched = 0
    for stamp in range(0, 5000, 100):
        scan = Scan()
        kept.add(scan)
        matched += len(list(matcher.add("scan", stamp, scan)))
        del scan
        if first <= stamp < first + 1000:
            matched += sum("scan" in match for match in matcher.add("image", stamp, stamp))
        assert len(kept) <= 5
    assert matched == (10 if first < 5000 else 0)


def test_time_that_jumps_back_starts_anew():
    once = [("image", 0), ("scan", 5), ("image", 5000), ("scan", 5005)]
    assert run(once * 3) == [(0, 5), (5000, 5005)] * 3


def test_messages_slightly_out_of_order():
    stamped = [("scan", 100), ("image", 100), ("scan", 0), ("image", 0), ("scan", 200), ("image", 200)]
    assert {(0, 0), (100, 100), (200, 200)} >= set(run(stamped))
    assert len(run(stamped)) == 3


@pytest.mark.parametrize("seed", range(30))
def test_streams_of_any_rate(seed):
    rng = np.random.default_rng(seed)
    images = np.cumsum(rng.integers(20, 90, 60)).tolist()
    scans = np.cumsum(rng.integers(20, 120, 50)).tolist()
    matches = run(streams(image=images, scan=scans))
    assert [image for image, _ in matches] == images
    pairs = [pair for pair in matches if pair[1] is not None]
    assert all(abs(image - scan) <= 50 for image, scan in pairs)
    used = [scan for _, scan in pairs]
    assert used == sorted(set(used))
    # The pairs of which each is nearer to the other than to anything else must all be there.
    distance = np.abs(np.subtract.outer(images, scans)).astype(float)
    for row, column in np.argwhere(distance <= 50):
        own = distance[row, column]
        rivals = [*np.delete(distance[row], column), *np.delete(distance[:, column], row)]
        if own < min(rivals):
            assert (images[row], scans[column]) in pairs
