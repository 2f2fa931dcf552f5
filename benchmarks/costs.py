"""What every model costs: parameters, multiply-adds, time and memory of one frame, as a Markdown table.

python benchmarks/costs.py                       # every preset at 1216x352 on the CPU
python benchmarks/costs.py --preset lite --threads 1

Each model runs in a process of its own, so that its peak memory is its own. Multiply-adds are those of convolutions
and matrix products as PyTorch's FlopCounterMode counts them; of the propagations only MSPN's is made of such.
"""

import argparse
import json
import resource
import subprocess
import sys
import time

import cv2
import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from depth_completion_ros import DepthCompleter
from depth_completion_ros.networks.registry import models


def measure(name: str, preset: str, options: argparse.Namespace) -> dict[str, float]:
    """The costs of one model, in this process."""
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)
    random = np.random.default_rng(0)
    height, width = options.height, options.width
    image = random.integers(0, 256, (height, width, 3), np.uint8)
    sparse = np.zeros((height, width), np.float32)
    # 16 scan lines over the lower two thirds, as a LiDAR on a car leaves them.
    for row in np.linspace(height / 3, height - 1, 16).astype(int):
        sparse[row, ::2] = random.uniform(3, 60)
    completer = DepthCompleter(name, options.device, **({"preset": preset} if preset else {}))
    parameters = sum(parameter.numel() for parameter in completer.network.parameters())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    durations = []
    for _ in range(options.repeat + 1):
        started = time.perf_counter()
        completer(image, sparse)
        durations.append((time.perf_counter() - started) * 1e3)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    with FlopCounterMode(display=False) as counter:
        completer(image, sparse)
    return {
        "parameters": parameters / 1e6,
        "multiply_adds": counter.get_total_flops() / 2e9,
        "milliseconds": float(np.median(durations[1:])),
        "megabytes": peak / 1024,
    }


def main() -> None:
    """Measures every model that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="one model; default: all")
    parser.add_argument("--preset", help="one preset; default: all")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--width", type=int, default=1216)
    parser.add_argument("--height", type=int, default=352)
    parser.add_argument("--here", action="store_true", help="measure --model and --preset in this process, as JSON")
    options = parser.parse_args()
    if options.here:
        print(json.dumps(measure(options.model, options.preset, options)))
        return
    print("| model | preset | parameters, M | multiply-adds, G | ms | peak memory, MB |\n|---|---|---|---|---|---|")
    for info in models():
        for preset in info.presets or ("",):
            if options.model in (None, info.name) and (options.preset in (None, preset) or not preset):
                arguments = [*sys.argv[1:], "--here", "--model", info.name, "--preset", preset]
                command = [sys.executable, __file__, *arguments]
                cost = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
                print(
                    f"| {info.name} | {preset or '-'} | {cost['parameters']:.2f} | {cost['multiply_adds']:.1f} "
                    f"| {cost['milliseconds']:.0f} | {cost['megabytes']:.0f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
