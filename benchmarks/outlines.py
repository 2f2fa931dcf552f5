"""Where the outlines that a network finds lie, as the LiDAR sees them.

python benchmarks/outlines.py RECORDINGS                               # mspn, 32 lines
python benchmarks/outlines.py RECORDINGS --lines 16 --model nlspn

Some of a LiDAR's lines are withheld. Around every outline in the completed depth, a jump to 1.3 times the depth within
4 pixels, each withheld return is of the nearer or of the farther surface, whichever it is closer to. The table tells
how many are of the nearer one, by their distance from the outline in pixels, negative where the network puts the
nearer surface: with outlines in the right place, as many beyond them as are missing before them. First as the network
answers, then as the package widens that (`depth_completion_ros/geometry/outlines.py`).
"""

import argparse
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np

from depth_completion_ros.datasets import open_source
from depth_completion_ros.errors import describe
from depth_completion_ros.evaluation.holdout import RingCount, hold_out
from depth_completion_ros.pipeline import DepthCompleter

_AROUND = np.ones((9, 9), np.uint8)
_JUMP = 1.3
_OFF = 1.15  # ratio of depth by which a return may be neither between the two surfaces nor of them
_FARTHEST = 4


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", type=Path, nargs="+")
    parser.add_argument("--lines", type=int, default=32)
    parser.add_argument("--model", default="mspn")
    options = parser.parse_args()
    completer, rings = DepthCompleter(options.model, "cpu"), RingCount()
    try:
        frames = [frame for recording in options.recordings for frame in open_source(str(recording))]
        held_out = [hold_out(frame, options.lines, rings.including(frame)) for frame in frames]
    except (ValueError, OSError) as error:
        parser.error(describe(error))
    print(f"{'pixels outside':>16}{'returns':>10}{'nearer':>8}")
    for widens in (False, True):
        completer.network.widens_outlines = widens
        returns: dict[int, list[bool]] = defaultdict(list)
        for frame in held_out:
            for distance, nearer in _beside_outlines(completer.complete(frame).depth, frame.ground_truth):
                returns[distance].extend(nearer)
        print("widened" if widens else "as the network answers")
        for distance, nearer in sorted(returns.items()):
            print(f"{distance:16}{len(nearer):10}{np.mean(nearer):8.2f}")


def _beside_outlines(depth: np.ndarray, truth: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """For each distance from the outlines, whether the returns there are of the nearer surface."""
    nearest, farthest = cv2.erode(depth, _AROUND), cv2.dilate(depth, _AROUND)
    between = np.sqrt(nearest * farthest)
    scored = (farthest > _JUMP * nearest) & (truth > nearest / _OFF) & (truth < farthest * _OFF)
    inside = depth < between
    outwards, inwards = (
        cv2.distanceTransform(each.astype(np.uint8), cv2.DIST_L2, 5).round() for each in (~inside, inside)
    )
    distance = np.where(inside, -inwards, outwards)
    steps = [each for each in range(-_FARTHEST, _FARTHEST + 1) if each]
    return [(step, (truth < between)[scored & (distance == step)]) for step in steps]


if __name__ == "__main__":
    main()
