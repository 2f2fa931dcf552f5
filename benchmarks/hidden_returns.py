"""How much of the error on a recording lies at returns that its camera may not see.

python benchmarks/hidden_returns.py ../kitti/2011_09_26                # mspn beside `classical`
python benchmarks/hidden_returns.py RECORDINGS --lines 8 --model nlspn,auxiliary,classical

Some of a LiDAR's lines are withheld and scored against, as by `depth-completion evaluate`, less returns that have a
much nearer one beside them. Of what shines or is of glass hardly anything returns, so that what the LiDAR sees past it
or through it stays, although the camera sees the glass. Here "beside" is taken ever wider: the second column is the
share of the scored returns that is left, the others are RMSE / MAE in mm.
"""

import argparse
from pathlib import Path

import numpy as np

from depth_completion_ros.datasets import open_source
from depth_completion_ros.errors import describe
from depth_completion_ros.evaluation.holdout import RingCount, drop_occluded, hold_out
from depth_completion_ros.evaluation.metrics import depth_errors, mean_errors
from depth_completion_ros.pipeline import DepthCompleter, sparse_depth_of

_BESIDE = ((3, 4), (6, 8), (10, 10), (15, 15), (20, 20))  # columns and rows; the first are those of `evaluate`


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", type=Path, nargs="+", help="of which each frame counts as much as any other")
    parser.add_argument("--lines", default="32,16,8,4")
    parser.add_argument("--model", default="mspn,classical")
    options = parser.parse_args()
    amounts = [int(lines) for lines in options.lines.split(",")]
    try:
        frames = [frame for recording in options.recordings for frame in open_source(str(recording))]
        count = RingCount()
        rings = [count.including(frame) for frame in frames]
        held_out_of = {
            lines: [hold_out(frame, lines, known) for frame, known in zip(frames, rings, strict=True)]
            for lines in amounts
        }
    except (ValueError, OSError) as error:
        parser.error(describe(error))
    scans = [sparse_depth_of(frame) for frame in frames]
    completers = {name: DepthCompleter(name, "cpu") for name in options.model.split(",")}
    print(f"{'':>8}{'beside':>10}{'left':>8}" + "".join(f"{name:>16}" for name in completers))
    for lines, held_out in held_out_of.items():
        depths = {name: [each.complete(frame).depth for frame in held_out] for name, each in completers.items()}
        for columns, rows in _BESIDE:
            truths = [
                drop_occluded(given.ground_truth, scan, columns, rows)
                for given, scan in zip(held_out, scans, strict=True)
            ]
            left = np.mean([(t > 0).sum() / (f.ground_truth > 0).sum() for t, f in zip(truths, held_out, strict=True)])
            row = f"{lines:>8}{f'{columns} x {rows}':>10}{100 * left:7.1f}%"
            for maps in depths.values():
                errors = mean_errors([depth_errors(depth, truth) for depth, truth in zip(maps, truths, strict=True)])
                row += f"{f'{errors.rmse_mm:.0f} / {errors.mae_mm:.0f}':>16}"
            print(row, flush=True)


if __name__ == "__main__":
    main()
