"""``depth-completion train``: a network from its random start to a checkpoint."""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from depth_completion_ros.cli._data import count, open_data

if TYPE_CHECKING:
    from depth_completion_ros.training.recipes import Recipe
    from depth_completion_ros.training.samples import Share


def add_parser(subparsers: Any) -> None:
    """Adds the command to ``depth-completion``."""
    parser = subparsers.add_parser(
        "train",
        help="train a network",
        description="Trains a network by its paper's recipe. The output folder is the checkpoint; a training that was "
        "stopped goes on when the same command is given again. Several GPUs: torchrun --nproc-per-node N "
        "-m depth_completion_ros.cli.main train ...",
    )
    parser.add_argument("--model", required=True, help="see 'depth-completion models'")
    parser.add_argument("--preset", help="size of the model, such as lite (default: the model's own)")
    parser.add_argument(
        "--option", action="append", default=[], metavar="NAME=VALUE", help="option of the model, such as mode=sdr"
    )
    parser.add_argument(
        "--data",
        nargs="+",
        required=True,
        metavar="SOURCE",
        help="'synthetic', a KITTI depth completion folder, or any other source with ground truth; options follow "
        "after commas: synthetic,frames=500,seed=7 or /kitti/train,raw_root=/kitti/raw. Of several sources each has "
        "as many samples as frames, or its share by weight=X",
    )
    parser.add_argument(
        "--held-out",
        nargs="+",
        default=[],
        metavar="SOURCE",
        help="score the weights on these whole frames, too, if they know their LiDAR's rings at 32, 16, 8 and 4 lines",
    )
    parser.add_argument("--init", type=Path, metavar="DIR", help="start from the weights of this checkpoint")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder of the training")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="keep frames there once they are made or read")
    parser.add_argument(
        "--estimator",
        type=Path,
        metavar="DIR",
        help="monocular depth network that makes the initial depth where frames have none, for models such as MSPN "
        "in mode sdr",
    )
    parser.add_argument(
        "--recipe",
        metavar="NAME",
        help="kitti, nyu or mipi, of the paper (default: its first), or any, ours for the preset lite on any data",
    )
    recipe = parser.add_argument_group("what replaces a part of the recipe")
    length = recipe.add_mutually_exclusive_group()
    length.add_argument("--epochs", type=float, metavar="N", help="how often every frame is seen")
    length.add_argument("--steps", type=int, metavar="N", help="steps of the optimiser")
    recipe.add_argument("--batch", type=int, metavar="N", help="samples per step, over all GPUs")
    recipe.add_argument("--rate", type=float, metavar="X", help="learning rate")
    recipe.add_argument("--clip", type=float, metavar="X", help="largest norm of the gradient")
    recipe.add_argument("--crop", type=int, nargs=2, metavar=("H", "W"), help="pixels of a sample")
    recipe.add_argument("--top", type=int, metavar="H", help="rows that are cut off the top of images first, 0: none")
    recipe.add_argument("--height", type=int, metavar="H", help="height that images are resized to first, 0: none")
    recipe.add_argument("--lines", type=int, nargs=2, metavar=("MIN", "MAX"), help="LiDAR lines of a sample")
    recipe.add_argument("--points", type=int, nargs=2, metavar=("MIN", "MAX"), help="or single points of a sample")
    recipe.add_argument("--holes", type=float, nargs=2, metavar=("MIN", "MAX"), help="share of a sample without depth")
    recipe.add_argument("--image-dropout", type=float, metavar="P", help="share of samples whose camera is dead")
    machine = parser.add_argument_group("the machine")
    machine.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: %(default)s)")
    machine.add_argument("--precision", default="float32", help="float32, bfloat16, float16 (default: %(default)s)")
    machine.add_argument("--accumulate", type=int, default=1, metavar="N", help="compute a batch in N parts")
    machine.add_argument("--workers", type=int, default=2, metavar="N", help="processes that make samples")
    machine.add_argument("--threads", type=count, metavar="N", help="CPU threads of the network (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="of everything random (default: %(default)s)")
    parser.add_argument("--save-every", type=int, default=500, metavar="N", help="steps (default: %(default)s)")
    parser.add_argument("--held-out-every", type=int, default=500, metavar="N", help="steps (default: %(default)s)")
    parser.add_argument("--tensorboard", action="store_true", help="write curves and pictures for TensorBoard")
    parser.add_argument("--picture-every", type=int, default=100, metavar="N", help="steps (default: %(default)s)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Trains, or goes on with it."""
    import torch

    from depth_completion_ros.datasets import assignment
    from depth_completion_ros.training.processes import join_processes
    from depth_completion_ros.training.recipes import recipe
    from depth_completion_ros.training.samples import SampleStream
    from depth_completion_ros.training.trainer import Settings, Trainer

    if options.threads:
        torch.set_num_threads(options.threads)
    chosen = _adapt(recipe(options.model, options.recipe), options)
    model_options = dict(assignment(text) for text in options.option)
    if options.preset is not None:
        model_options["preset"] = options.preset
    epochs = chosen.epochs if options.epochs is None else options.epochs
    if not epochs > 0:
        raise ValueError(f"training: epochs is {epochs:g}, expected more than 0")
    with join_processes(options.device) as processes:
        shares, others = (
            [open_share(text, options.cache, options.estimator, str(processes.device)) for text in texts]
            for texts in (options.data, options.held_out)
        )
        stream = SampleStream(shares, chosen.augmentation, chosen.sparsity, options.seed)
        steps = options.steps
        if steps is None:
            steps = max(1, round(epochs * stream.epoch_length / chosen.batch))
        settings = Settings(
            steps=steps,
            accumulate=options.accumulate,
            seed=options.seed,
            workers=options.workers,
            precision=options.precision,
            save_every=options.save_every,
            held_out_every=options.held_out_every,
            picture_every=options.picture_every,
            tensorboard=options.tensorboard,
        )
        trainer = Trainer(
            options.model,
            model_options,
            chosen,
            stream,
            options.output,
            settings,
            processes,
            init=options.init,
            held_out=[share.source for share in others],
        )
        if options.estimator and not trainer.network.uses_initial_depth:
            raise ValueError(f"model {options.model!r} with these options starts from no initial depth: no --estimator")
        trainer.run()
        if processes.rank == 0:
            print(f"{options.model} after {trainer.step} steps: use it with --checkpoint {options.output}")
    return 0


def open_share(text: str, cache: Path | None, estimator: Path | None = None, device: str = "cpu") -> Share:
    """Opens a data set given as ``path,option=value,...``.

    Args:
        text: the data set.
        cache: where frames are kept, and their estimates apart from them, or None.
        estimator: what estimates the initial depth of frames that have none, or None.
        device: where it runs.

    Raises:
        ValueError: it is no source of frames, has no such option, or its frames cannot be had in any order, or there
            is no such estimator.
        OSError: it is not there.
        ImportError: the estimator needs a package that is missing.
    """
    from depth_completion_ros.datasets import IndexedSource, source_and_options
    from depth_completion_ros.datasets.cache import CachedSource, keep_frames
    from depth_completion_ros.training.initial_depth import EstimatedSource
    from depth_completion_ros.training.samples import Share

    source, weight = open_data(text, cache)
    if not isinstance(source, IndexedSource):
        raise ValueError(f"{source.name} can only be read in order, but training takes frames at random")
    if estimator is not None:
        frames, source = source, EstimatedSource(source, estimator, device)
        if cache is not None:
            assert isinstance(frames, CachedSource)
            source = keep_frames(source, cache, f"{frames.label},estimator={estimator.resolve()}")
    # The weight has a place of its own; the path has none, as a folder may be moved.
    _, options = source_and_options(text)
    kept = ",".join(f"{name}={value}" for name, value in sorted(options.items()) if name != "weight")
    return Share(source, len(source) if weight is None else weight, kept)


def _adapt(recipe: Recipe, options: argparse.Namespace) -> Recipe:
    """The recipe with what the command line replaces."""
    from depth_completion_ros.training.sparsity import Sparsity

    augmentation, sparsity = recipe.augmentation, recipe.sparsity
    if options.crop:
        augmentation = replace(augmentation, crop=tuple(options.crop))
    if options.top is not None:
        augmentation = replace(augmentation, top=options.top)
    if options.height is not None:
        augmentation = replace(augmentation, height=options.height or None)
    if options.image_dropout is not None:
        augmentation = replace(augmentation, image_dropout=options.image_dropout)
    if options.lines or options.points or options.holes:
        sparsity = Sparsity(*(span and tuple(span) for span in (options.lines, options.points, options.holes)))
    optimizer = recipe.optimizer if options.rate is None else partial(recipe.optimizer, lr=options.rate)
    batch = recipe.batch if options.batch is None else options.batch
    clip = recipe.clip if options.clip is None else options.clip
    changed = replace(recipe, augmentation=augmentation, sparsity=sparsity, batch=batch, clip=clip)
    return replace(changed, optimizer=optimizer)
