"""Time, memory and error of the spatial propagations: the readable reference beside the fast path.

    python benchmarks/propagation.py                        # every propagation at 352x1216 on one CPU thread
    python benchmarks/propagation.py --case non_local --device cuda

A propagation is added by one entry in ``CASES``. Every way of computing it runs in a process of its own, where the
peak of the first call is what it needs beside its inputs and its answer.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

Ways = dict[str, Callable[[], Tensor]]


def non_local(height: int, width: int, device: str) -> Ways:
    """NLSPN: 18 steps of 8 neighbours a few pixels away."""
    from depth_completion_ros.networks.propagation.non_local import propagate, propagate_reference

    steps, neighbours = 18, 8
    depth = 5 + 75 * torch.rand(1, 1, height, width, device=device)
    displacement = 2 * torch.randn(1, neighbours, 2, height, width, device=device)
    affinity = torch.rand(1, neighbours, height, width, device=device) / neighbours

    def grid_sample() -> Tensor:
        """The quickest plain way: the grid is made once; its coordinates are coarser than pixel coordinates."""
        rows = torch.arange(height, device=device).view(-1, 1) + displacement[:, :, 0]
        columns = torch.arange(width, device=device) + displacement[:, :, 1]
        grid = torch.stack(((2 * columns + 1) / width - 1, (2 * rows + 1) / height - 1), -1).flatten(1, 2)
        own = 1 - affinity.sum(1, keepdim=True)
        current = depth
        for _ in range(steps):
            samples = functional.grid_sample(current, grid, align_corners=False).view_as(affinity)
            current = own * current + (affinity * samples).sum(1, keepdim=True)
        return current

    return {
        "reference": lambda: propagate_reference(depth, displacement, affinity, steps),
        "grid_sample": grid_sample,
        "fast": lambda: propagate(depth, displacement, affinity, steps),
    }


def funnel(height: int, width: int, device: str) -> Ways:
    """EMDC: 21 steps in nine stages, which blend three dilations, then two, then keep one."""
    from depth_completion_ros.networks.propagation.funnel import propagate, propagate_reference

    depth = 5 + 75 * torch.rand(1, 1, height, width, device=device)
    measured = torch.rand_like(depth) < 0.05
    kernels = [torch.randn(1, 9, height, width, device=device) for _ in range(3)]
    blend = torch.randn(1, 3, height, width, device=device)

    def all_stages(stage: Callable[..., Tensor]) -> Tensor:
        current = depth
        for dilations in ((1, 2, 3), (1, 2), (1,)):
            branches = len(dilations)
            shares = blend[:, :branches] if branches > 1 else None
            for steps in (3, 2, 2):
                current = stage(current, kernels[:branches], shares, dilations, steps, measured)
        return current

    return {"reference": lambda: all_stages(propagate_reference), "fast": lambda: all_stages(propagate)}


def masked(height: int, width: int, device: str) -> Ways:
    """MSPN: one step of attention over 13x13 pixels with 64 channels, and what is done once for all steps."""
    from depth_completion_ros.networks.propagation.masked import MaskedPropagation, reference_step

    layer = MaskedPropagation(64).to(device)
    torch.nn.init.normal_(layer.position_bias, std=0.5)
    guidance = torch.randn(1, 64, height, width, device=device)
    depth = 5 + 75 * torch.rand(1, 1, height, width, device=device)
    mask = (torch.rand_like(depth) < 0.05).float()

    def reference() -> Tensor:
        attend = reference_step(layer.normalised(guidance), *layer.weights(guidance), layer.window)
        return attend(depth, mask)[:, :1]

    return {"reference": reference, "fast": lambda: layer(guidance, depth, depth * mask, mask, 1)[0]}


def recursive(height: int, width: int, device: str) -> Ways:
    """The lite networks: two maps along all rows and columns of half the image."""
    from depth_completion_ros.networks.propagation.recursive import spread, spread_reference

    size = height // 2, width // 2
    maps, trust = 5 + 75 * torch.rand(1, 2, *size, device=device), torch.rand(1, 1, *size, device=device) + 0.01
    affinity = torch.rand(1, 4, *size, device=device)
    return {
        "reference": lambda: spread_reference(maps, trust, affinity),
        "fast": lambda: spread(maps, trust, affinity),
    }


CASES: dict[str, Callable[[int, int, str], Ways]] = {
    "funnel": funnel,
    "masked": masked,
    "non_local": non_local,
    "recursive": recursive,
}


def main() -> None:
    """Prints one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--size", nargs=2, type=int, default=(352, 1216), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument("--repeat", type=int, default=10)
    options = parser.parse_args()

    height, width = options.size
    print(f"{height}x{width}, {options.device}, {options.threads} CPU threads, PyTorch {torch.__version__}")
    print(f"{'propagation':<14}{'way':<14}{'median ms':>10}{'p95 ms':>10}{'peak MB':>10}{'max relative error':>20}")
    for case in options.case:
        for way in CASES[case](16, 16, "cpu"):
            arguments = (case, way, (height, width), options.device, options.threads, options.repeat)
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                median, p95, peak, error = pool.apply(measure, arguments)
            print(f"{case:<14}{way:<14}{median:>10.1f}{p95:>10.1f}{peak:>10.0f}{error:>20.1e}", flush=True)


def measure(
    case: str, way: str, size: tuple[int, int], device: str, threads: int, repeat: int
) -> tuple[float, float, float, float]:
    """Median and 95th percentile in ms, peak extra memory in MB, largest error relative to the reference."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    with torch.inference_mode():
        small = CASES[case](64, 96, device)
        small[way]()  # loads and compiles what the first call needs

        ways = CASES[case](*size, device)
        run = ways[way]
        before = _memory(device, reset=True)
        answer = run()
        peak = _memory(device) - before
        milliseconds = sorted(_milliseconds(run, device) for _ in range(repeat))
        expected = ways["reference"]()
    error = ((answer - expected).abs() / expected.abs().clamp(min=1e-3)).max()
    p95 = milliseconds[min(len(milliseconds) - 1, round(0.95 * len(milliseconds)))]
    return statistics.median(milliseconds), p95, peak / 1e6, float(error)


def _milliseconds(run: Callable[[], Tensor], device: str) -> float:
    start = time.perf_counter()
    run()
    if device != "cpu":
        torch.cuda.synchronize(device)
    return (time.perf_counter() - start) * 1e3


def _memory(device: str, reset: bool = False) -> float:
    """Peak memory in bytes since the last reset: of the GPU's allocator, or of this process (Linux)."""
    if device != "cpu":
        torch.cuda.synchronize(device)
        if reset:
            torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.max_memory_allocated(device)
    if reset:
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return 1024 * int(status["VmHWM"].split()[0])


if __name__ == "__main__":
    main()
