"""Can a network learn at all? Trains it on a handful of street scenes, until it knows them by heart.

    python benchmarks/overfit.py --model magaconv --steps 300
    python benchmarks/overfit.py                                # every model that learns

Prints the error of the depth against the dense ground truth of the same scenes, every tenth of the steps, in the mode
that the network completes in; the loss is that of its paper. A network that is connected well comes down to a small
part of the error that it starts with.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from depth_completion_ros.datasets.synthetic import SyntheticStreet
from depth_completion_ros.datasets.synthetic.drive import KITTI_CAMERA
from depth_completion_ros.networks.registry import CompletionNetwork, create, models
from depth_completion_ros.pipeline import sparse_depth_of
from depth_completion_ros.training import losses

_FRAMES_APART = 10  # of the drive, so that the scenes differ
_MAX_DEPTH = 120.0


def _nlspn(output: Any, truth: Tensor, gray: Tensor) -> Tensor:
    return losses.nlspn_loss(output.depth, truth, _MAX_DEPTH)


def _emdc(output: Any, truth: Tensor, gray: Tensor) -> Tensor:
    return losses.emdc_loss(output.depth, output.local_depth, output.global_depth, truth)


def _magaconv(output: Any, truth: Tensor, gray: Tensor) -> Tensor:
    return losses.magaconv_loss(output.depth, truth)


def _auxiliary(output: Any, truth: Tensor, gray: Tensor) -> Tensor:
    return losses.auxiliary_loss(output.depth, truth, output.gray, gray)


LOSSES: dict[str, Callable[[Any, Tensor, Tensor], Tensor]] = {
    "auxiliary": _auxiliary,
    "emdc": _emdc,
    "magaconv": _magaconv,
    "mspn": _nlspn,  # of its conventional mode
    "nlspn": _nlspn,
}


def main() -> None:
    """Prints one table per model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", nargs="+", choices=LOSSES, default=[m.name for m in models() if m.presets])
    parser.add_argument("--preset", default="lite")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--scenes", type=int, default=4)
    parser.add_argument("--size", nargs=2, type=int, default=(96, 320), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads")
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    image, gray, sparse_depth, truth = (each.to(options.device) for each in scenes(options.scenes, *options.size))
    height, width = options.size
    print(f"{options.scenes} scenes of {width}x{height}, {options.steps} steps, {options.device}")
    for model in options.model:
        torch.manual_seed(0)
        network = create(model, preset=options.preset).to(options.device)
        mean, std = (torch.tensor(each).view(1, 3, 1, 1).to(image) for each in (network.image_mean, network.image_std))
        overfit(network, ((image - mean) / std, gray, sparse_depth, truth), options.steps, options.learning_rate)


def scenes(count: int, height: int, width: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Image in 0..1, grey values in 0..255, sparse depth and ground truth: (N, C, H, W) each."""
    drive = SyntheticStreet(1 + (count - 1) * _FRAMES_APART, camera=KITTI_CAMERA.resize(width, height))
    frames = [drive[index] for index in range(0, len(drive), _FRAMES_APART)]
    image = torch.stack([torch.from_numpy(frame.image) for frame in frames]).permute(0, 3, 1, 2) / 255
    red, green, blue = image.split(1, 1)
    gray = 255 * (0.299 * red + 0.587 * green + 0.114 * blue)
    sparse_depth = torch.stack([torch.from_numpy(sparse_depth_of(frame)) for frame in frames])[:, None]
    truth = torch.stack([torch.from_numpy(frame.ground_truth) for frame in frames])[:, None]
    return image, gray, sparse_depth, truth


def overfit(network: CompletionNetwork, batch: tuple[Tensor, ...], steps: int, learning_rate: float) -> None:
    """Trains on ``batch`` and prints the curve of the error."""
    image, gray, sparse_depth, truth = batch
    loss_of = LOSSES[network.name]
    optimizer = torch.optim.AdamW(network.parameters(), learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=steps)
    print(f"\n{network.name:<12}{'step':>6}{'RMSE m':>10}{'MAE m':>10}{'median s/step':>16}")
    seconds: list[float] = []
    for step in range(steps + 1):
        if step % max(1, steps // 10) == 0:
            rmse, mae = errors(network, image, sparse_depth, truth)
            took = f"{statistics.median(seconds):16.2f}" if seconds else ""
            print(f"{'':<12}{step:>6}{rmse:>10.3f}{mae:>10.3f}{took}", flush=True)
        if step == steps:
            break
        started = time.perf_counter()
        network.train()
        loss = loss_of(network(image, sparse_depth), truth, gray)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        seconds.append(time.perf_counter() - started)


def errors(network: CompletionNetwork, image: Tensor, sparse_depth: Tensor, truth: Tensor) -> tuple[float, float]:
    """RMSE and MAE over all pixels with ground truth, in metres."""
    network.eval()
    with torch.inference_mode():
        error = (network(image, sparse_depth).depth - truth)[truth > 0]
    return error.square().mean().sqrt().item(), error.abs().mean().item()


if __name__ == "__main__":
    main()
