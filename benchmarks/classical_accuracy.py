"""Accuracy and time of the classical model beside simple methods, on scan lines withheld from a KITTI raw drive.

    python benchmarks/classical_accuracy.py ~/kitti/2011_09_26/2011_09_26_drive_0052_sync

Prints two Markdown tables: root mean square and mean absolute error in millimetres (of each image, then the mean over
images; what a method leaves empty counts as 0 m) with the CPU time on one core; and how well the model's confidence
sorts its errors. Needs SciPy.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import islice

import cv2
import numpy as np
import torch
from baselines import BASELINES, Depth
from tqdm import tqdm

from depth_completion_ros import DepthCompleter
from depth_completion_ros.datasets.kitti_raw import KittiRaw
from depth_completion_ros.evaluation.holdout import hold_out
from depth_completion_ros.pipeline import sparse_depth_of

# A method and a number of lines -> rmse, mae and milliseconds of every frame.
Results = dict[tuple[str, int], list[tuple[float, float, float]]]


def main() -> None:
    """Reads the drive, runs every method at every number of lines, prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("drive", help="folder of a KITTI raw drive")
    parser.add_argument("--lines", type=int, nargs="+", default=[32, 16, 8, 4], help="(default: 32 16 8 4)")
    parser.add_argument("--frames", type=int, help="at most this many, from the first (default: all)")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)

    completer = DepthCompleter("classical", device="cpu")
    methods = {**BASELINES, "classical": lambda sparse: completer(None, sparse).depth}
    results: Results = defaultdict(list)
    sorting: dict[int, list[tuple[float, ...]]] = defaultdict(list)
    frames = islice(KittiRaw(options.drive), options.frames)
    for frame in tqdm(list(frames), unit="frame"):
        for lines in options.lines:
            thinned = hold_out(frame, lines)
            sparse = sparse_depth_of(thinned)
            truth = np.asarray(thinned.ground_truth)
            for name, complete in methods.items():
                results[name, lines].append(_score(complete, sparse, truth))
            sorting[lines].append(_sorting_by_confidence(completer, sparse, truth))
    _print_accuracy(list(methods), options.lines, results)
    _print_sorting(sorting)


def _score(complete: Callable[[Depth], Depth], sparse: Depth, truth: Depth) -> tuple[float, float, float]:
    start = time.thread_time()  # does not count what other processes take
    depth = complete(sparse)
    milliseconds = (time.thread_time() - start) * 1e3
    error = 1e3 * (depth - truth)[truth > 0]
    return float(np.sqrt(np.mean(error**2))), float(np.abs(error).mean()), milliseconds


def _sorting_by_confidence(completer: DepthCompleter, sparse: Depth, truth: Depth) -> tuple[float, ...]:
    """Mean confidence, share within 5 %, mean relative error of the surer half and of all, and normalised AUSE.

    That is the area between the error of what is kept when the least sure pixels go first and the same for the truly
    worst pixels first (the sparsification error), as a part of the area for an order without sense: 0 is perfect, 1
    is no better than chance.
    """
    completion = completer(None, sparse)
    error = np.abs(completion.depth / np.where(truth > 0, truth, 1) - 1)[truth > 0]
    confidence = completion.confidence[truth > 0]
    kept = np.arange(1, len(error) + 1)
    surest_first = error[np.argsort(-confidence, kind="stable")]
    surest = surest_first.cumsum() / kept
    best = np.sort(error).cumsum() / kept
    ause = (surest - best).mean() / (error.mean() - best).mean()
    return confidence.mean(), (error < 0.05).mean(), surest[len(error) // 2], error.mean(), ause


def _print_accuracy(methods: Sequence[str], lines: Sequence[int], results: Results) -> None:
    print("| RMSE / MAE, mm |", *(f"{count} lines |" for count in lines), "CPU ms, median |")
    print("|---|" + "---|" * (len(lines) + 1))
    for name in methods:
        means = [np.mean(results[name, count], axis=0) for count in lines]
        milliseconds = statistics.median(each[2] for count in lines for each in results[name, count])
        print(f"| {name} |", *(f"{rmse:.0f} / {mae:.0f} |" for rmse, mae, _ in means), f"{milliseconds:.1f} |")


def _print_sorting(sorting: dict[int, list[tuple[float, ...]]]) -> None:
    print("\n| lines | mean confidence | within 5 % | relative error, surer half | of all | AUSE, 1 = chance |")
    print("|---|---|---|---|---|---|")
    for lines, rows in sorting.items():
        confidence, within, surer, error, ause = np.mean(rows, axis=0)
        print(f"| {lines} | {confidence:.2f} | {within:.2f} | {surer:.3f} | {error:.3f} | {ause:.2f} |")


if __name__ == "__main__":
    main()
