"""How fast training is, and whether the samples come fast enough, as a Markdown table.

python benchmarks/training.py                                         # preset lite of every model on the CPU
python benchmarks/training.py --device cuda --batch 16 --workers 15 --precision bfloat16 --steps 60

`samples/s` is what the workers make while no network runs, `network` how many frames per second it would take if they
were there at once, `training` how many it takes, and `busy` the share of the time in which it does not wait for them:
the utilisation of a GPU. Frames come from a cache, which is filled before.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import nn

from depth_completion_ros.cli.train import open_share
from depth_completion_ros.networks.registry import models
from depth_completion_ros.training.processes import join_processes
from depth_completion_ros.training.recipes import Recipe, recipe
from depth_completion_ros.training.samples import Batch, SampleStream, Share, load
from depth_completion_ros.training.sparsity import Sparsity
from depth_completion_ros.training.trainer import Settings, Trainer

_WARM_UP = 3  # steps in which workers and kernels start


class TimedTrainer(Trainer):
    """Notes when each step begins and ends; all that is between two of them is waiting."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.times: list[tuple[float, float]] = []

    def _step(self, module: nn.Module, parts: list[Batch]) -> dict[str, float]:
        begun = time.perf_counter()
        values = super()._step(module, parts)
        if self.processes.device.type == "cuda":
            torch.cuda.synchronize(self.processes.device)
        self.times.append((begun, time.perf_counter()))
        return values


def main() -> None:
    """Measures every model that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", nargs="+", default=[m.name for m in models() if m.presets])
    parser.add_argument("--preset", default="lite")
    parser.add_argument("--data", default="synthetic-streets,frames=12")
    parser.add_argument("--cache", type=Path, help="folder of the frames (default: one that is removed afterwards)")
    parser.add_argument("--crop", type=int, nargs=2, default=(240, 1216), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--steps", type=int, default=10, help="that count, after three that do not")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of the network")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with TemporaryDirectory() as folder:
        share = open_share(options.data, options.cache or Path(folder))
        for index in range(len(share.source)):
            share.source[index]
        samples = samples_per_second(stream_of(share, adapted(recipe(options.model[0]), options)), options)
        print(f"{samples:.1f} samples/s of {options.workers} worker(s), {options.batch} of each step\n")
        print("| model | network, frames/s | training, frames/s | busy |\n|---|---|---|---|")
        for model in options.model:
            network, training, busy = measure(model, share, Path(folder) / model, options)
            print(f"| {model} {options.preset} | {network:.2f} | {training:.2f} | {busy:.0%} |", flush=True)


def adapted(chosen: Recipe, options: argparse.Namespace) -> Recipe:
    """The recipe for crops of the same size and as sparse in all models, so that their times compare."""
    augmentation = replace(chosen.augmentation, crop=tuple(options.crop), height=None)
    return replace(chosen, batch=options.batch, augmentation=augmentation, sparsity=Sparsity(lines=(4, 64)))


def stream_of(share: Share, chosen: Recipe) -> SampleStream:
    """Samples as the recipe wants them."""
    return SampleStream([share], chosen.augmentation, chosen.sparsity, seed=0)


def samples_per_second(stream: SampleStream, options: argparse.Namespace) -> float:
    """What the workers make when nothing else runs."""
    batches = options.steps * max(1, options.workers)
    first = max(2 * options.workers, 1)  # made ahead while the workers start
    numbers = [[options.batch * k + j for j in range(options.batch)] for k in range(first + batches)]
    loaded = load(stream, numbers, options.workers, pin=False)
    for _ in islice(loaded, first):
        pass
    begun = time.perf_counter()
    count = sum(len(batch.names) for batch in loaded)
    return count / (time.perf_counter() - begun)


def measure(model: str, share: Share, folder: Path, options: argparse.Namespace) -> tuple[float, float, float]:
    """Frames per second of the network and of the training, and the share of the time in which the former works."""
    chosen = adapted(recipe(model), options)
    steps = _WARM_UP + options.steps
    settings = Settings(steps=steps, workers=options.workers, precision=options.precision, save_every=steps)
    with join_processes(options.device) as processes:
        arguments = {"preset": options.preset}
        trainer = TimedTrainer(model, arguments, chosen, stream_of(share, chosen), folder, settings, processes)
        trainer.run()
    times = trainer.times[_WARM_UP:]
    working = [end - begun for begun, end in times]
    elapsed = times[-1][1] - trainer.times[_WARM_UP - 1][1]
    return options.batch / statistics.median(working), options.batch * len(times) / elapsed, sum(working) / elapsed


if __name__ == "__main__":
    main()
