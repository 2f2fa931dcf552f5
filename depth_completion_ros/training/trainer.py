"""Training of a network, which can be killed at any time and goes on as if it had not been."""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from depth_completion_ros.checkpoints import WEIGHTS_FILE, load_checkpoint, save_checkpoint
from depth_completion_ros.datasets.base import FrameSource
from depth_completion_ros.evaluation.preview import draw_preview
from depth_completion_ros.files import write_atomically
from depth_completion_ros.frame import Completion
from depth_completion_ros.memory import reuse_freed_memory
from depth_completion_ros.networks.registry import CompletionNetwork, create
from depth_completion_ros.pipeline import DepthCompleter
from depth_completion_ros.training.held_out import Score, score
from depth_completion_ros.training.identity import check_same, identify
from depth_completion_ros.training.journal import CURVE, Journal
from depth_completion_ros.training.processes import Processes
from depth_completion_ros.training.recipes import Recipe
from depth_completion_ros.training.samples import Batch, SampleStream, load
from depth_completion_ros.training.schedules import RateScheduler

STATE: Final = "training.pt"
_COLUMNS: Final = ("loss", "gradient_norm", "learning_rate")
_PRECISIONS: Final = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}


def expect_no_training(folder: Path) -> None:
    """Raises a ValueError if a training lies in a folder that something else is to be written to."""
    if (folder / STATE).exists():
        raise ValueError(f"{folder} holds a training, whose weights would be lost; choose another folder to write to")


class NotFiniteError(ValueError):
    """The loss or its gradient became NaN or infinite; the message names the file that tells how."""


@dataclass(frozen=True)
class Settings:
    """What is up to the user and the machine.

    Attributes:
        steps: of the optimiser, in the whole training.
        accumulate: parts that a batch is computed in, one after the other, to save memory.
        seed: of the weights, the samples and the network's own randomness.
        workers: processes that make samples; 0 makes them in the training process.
        precision: ``float32``, or ``bfloat16`` or ``float16`` for automatic mixed precision.
        save_every: steps from one saved state to the next.
        held_out_every: steps from one look at the frames held out to the next.
        picture_every: steps from one picture in TensorBoard to the next.
        tensorboard: whether to write for TensorBoard.
    """

    steps: int
    accumulate: int = 1
    seed: int = 0
    workers: int = 0
    precision: str = "float32"
    save_every: int = 500
    held_out_every: int = 500
    picture_every: int = 100
    tensorboard: bool = False

    def __post_init__(self) -> None:
        for name in ("steps", "accumulate", "save_every", "held_out_every", "picture_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"training: {name} is {getattr(self, name)}, expected 1 or more")
        if self.precision not in _PRECISIONS:
            raise ValueError(f"unknown precision {self.precision!r}; expected {', '.join(_PRECISIONS)}")


class Trainer:
    """Trains a network by a recipe.

    Whatever a step depends on is a function of the seed and the number of the step, or is saved: on a CPU, a training
    that is killed and started again ends in the same weights, bit by bit.

    Args:
        model, options: what :func:`~depth_completion_ros.networks.registry.create` builds.
        recipe: how it is trained.
        stream: what it is trained on.
        folder: where state, record and result go; a training that was begun there is continued.
        settings: see there.
        processes: all of which make a trainer of the same arguments.
        init: checkpoint of the same model and options, whose weights are the first; by default they are random.
        held_out: data sets to score the averaged weights on, before the first step, after every ``held_out_every``
            and after the last. They change nothing in the training.

    Raises:
        ValueError: the model cannot be built, the checkpoint is of another one, the batch cannot be divided, or the
            folder holds another training, or weights of another origin.
        OSError: the checkpoint cannot be read.
    """

    def __init__(
        self,
        model: str,
        options: dict[str, Any],
        recipe: Recipe,
        stream: SampleStream,
        folder: Path,
        settings: Settings,
        processes: Processes,
        *,
        init: Path | None = None,
        held_out: Sequence[FrameSource] = (),
    ) -> None:
        self.recipe, self.stream, self.folder = recipe, stream, folder
        self.settings, self.processes, self.held_out = settings, processes, held_out
        self._part, rest = divmod(recipe.batch, processes.count * settings.accumulate)
        if rest or not self._part:
            raise ValueError(
                f"a batch of {recipe.batch} cannot be divided among {processes.count} process(es) "
                f"in {settings.accumulate} part(s) each"
            )
        torch.manual_seed(settings.seed)
        self.network = create(model, **options).to(processes.device).train()
        if init is not None:
            _copy(load_checkpoint(init), self.network, init)
        self.network.crop = recipe.augmentation.crop
        self.network.image_optional = self.network.uses_image and recipe.augmentation.image_dropout > 0
        self.average = deepcopy(self.network).eval()
        self.optimizer = recipe.optimizer(p for p in self.network.parameters() if p.requires_grad)
        self.scheduler = RateScheduler(self.optimizer, recipe.schedule, recipe.epochs, settings.steps)
        self.scaler = torch.amp.GradScaler(processes.device.type, enabled=settings.precision == "float16")
        self.step = 0
        torch.manual_seed(settings.seed + processes.rank)
        self._identity = identify(
            self.network,
            recipe,
            stream,
            init=init is not None,
            steps=settings.steps,
            batch=[recipe.batch, settings.accumulate],
            seed=settings.seed,
            precision=settings.precision,
        )
        self.folder.mkdir(parents=True, exist_ok=True)
        if (self.folder / STATE).exists():
            self._restore()
        elif (self.folder / WEIGHTS_FILE).exists() and not (self.folder / CURVE).exists():
            raise ValueError(f"{folder} holds weights that are of no training and would be lost; choose another folder")

    def run(self) -> None:
        """Trains to the last step; then the averaged weights in the folder are those that ``--checkpoint`` is to have.

        Raises:
            NotFiniteError: the loss or its gradient is NaN or infinite.
            ValueError, OSError: a sample cannot be made, or lacks what the network needs.
            ImportError: TensorBoard is asked for and not installed.
        """
        reuse_freed_memory()
        on_gpu = self.processes.device.type == "cuda"
        batches = load(self.stream, self._numbers(), self.settings.workers, pin=on_gpu)
        module: nn.Module = self.network
        if self.processes.count > 1:
            module = nn.SyncBatchNorm.convert_sync_batchnorm(module) if on_gpu else module
            module = DistributedDataParallel(module, [self.processes.device] if on_gpu else None)
        first = self.processes.rank == 0
        journal = None
        if first:
            journal = Journal(self.folder, _COLUMNS, self.step, tensorboard=self.settings.tensorboard)
        bar = tqdm(total=self.settings.steps, initial=self.step, unit="step", disable=None if first else True)
        try:
            if self.step == 0 and journal is not None and self.held_out:
                journal.add_scores(0, self._score())
            while self.step < self.settings.steps:
                parts = [part.to(self.processes.device) for part in islice(batches, self.settings.accumulate)]
                values = self._step(module, parts)
                bar.update()
                bar.set_postfix(loss=f"{values['loss']:.4g}")
                if journal is not None:
                    journal.add(self.step, values)
                    if journal.wants_pictures and self.step % self.settings.picture_every == 0:
                        journal.add_picture(self.step, self._picture(parts[0]))
                    if self.held_out and self._is_due(self.settings.held_out_every):
                        journal.add_scores(self.step, self._score())
                if self._is_due(self.settings.save_every):
                    self._save()
        finally:
            bar.close()
            if journal is not None:
                journal.close()

    def _is_due(self, every: int) -> bool:
        return self.step % every == 0 or self.step == self.settings.steps

    def _numbers(self) -> Iterator[list[int]]:
        """The samples of each part of the batches that this process has still to train on."""
        for step in range(self.step, self.settings.steps):
            for part in range(self.settings.accumulate):
                start = step * self.recipe.batch + (part * self.processes.count + self.processes.rank) * self._part
                yield list(range(start, start + self._part))

    def _step(self, module: nn.Module, parts: list[Batch]) -> dict[str, float]:
        """One step of the optimiser, and its numbers for the record."""
        self.optimizer.zero_grad(set_to_none=True)
        total = 0.0
        for number, part in enumerate(parts):
            # Gradients are exchanged once, with the last part.
            last = number == len(parts) - 1
            wait = module.no_sync() if isinstance(module, DistributedDataParallel) and not last else nullcontext()
            with wait:
                loss = self._loss(module, part)
                if self.processes.any(not bool(torch.isfinite(loss))):
                    self._stop("loss", loss.item(), part)
                self.scaler.scale(loss / len(parts)).backward()
            total += loss.item() / len(parts)
        self.scaler.unscale_(self.optimizer)
        norm = float(nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip))
        # A scaler looks for its scale by trying too large ones; without one the scale is 1, and below that it is not
        # the scale that is too large.
        if self.processes.any(not np.isfinite(norm) and self.scaler.get_scale() <= 1):
            self._stop("gradient", norm, parts[-1])
        rate = self.optimizer.param_groups[0]["lr"]
        self.scaler.step(self.optimizer)
        self.scaler.update()
        total = self.processes.mean(total)
        self.scheduler.step(total)
        self.step += 1
        self._average()
        return {"loss": total, "gradient_norm": norm, "learning_rate": rate}

    def _loss(self, module: nn.Module, batch: Batch) -> Tensor:
        dtype = _PRECISIONS[self.settings.precision]
        image = batch.normalized_image(self.network) if self.network.uses_image else None
        initial = batch.initial_depth if self.network.uses_initial_depth else None
        if initial is None and self.network.uses_initial_depth:
            raise ValueError(
                f"not every frame of {', '.join(batch.names[:3])}{', ...' if len(batch.names) > 3 else ''} has the "
                "initial depth that the network starts from: give an estimator"
            )
        with torch.autocast(self.processes.device.type, dtype) if dtype else nullcontext():
            output = module(image, batch.sparse_depth, initial)
        return self.recipe.loss(output, batch)

    def _average(self) -> None:
        """Moves the average on: of all weights; statistics, such as those of batch norm, are averages already."""
        decay = min(self.recipe.average, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for average, weight in zip(self.average.parameters(), self.network.parameters(), strict=True):
                average.lerp_(weight, 1 - decay)
            for kept, buffer in zip(self.average.buffers(), self.network.buffers(), strict=True):
                kept.copy_(buffer)

    def _save(self) -> None:
        """Saves all that a continued training needs, and the averaged weights for use."""
        randomness = self.processes.gather(_randomness())
        if self.processes.rank:
            return
        state = {
            "identity": self._identity,
            "step": self.step,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "scaler": self.scaler.state_dict(),
            "randomness": randomness,
        }
        buffer = io.BytesIO()
        torch.save(state, buffer)
        # The weights first: a training whose state says that it is done never writes them again.
        save_checkpoint(self.average, self.folder)
        write_atomically(self.folder / STATE, buffer.getvalue())

    def _restore(self) -> None:
        path = self.folder / STATE
        # Each state_dict is moved to where it belongs. Adam counts its steps on the CPU: on a GPU, it waits for each.
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
            why = str(error).partition("\n")[0] or "it is empty"
            raise ValueError(f"{path} is damaged or was copied in part ({why}); delete it to begin anew") from error
        check_same(self._identity, state["identity"], path)
        self.step = state["step"]
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])
        self.scaler.load_state_dict(state["scaler"])
        # With another number of processes there is no randomness to go on with: the seed's is as good.
        if len(state["randomness"]) == self.processes.count:
            _set_randomness(state["randomness"][self.processes.rank])

    def _stop(self, what: str, value: float, batch: Batch) -> None:
        """Ends the training, with all that is needed to find out why.

        Raises:
            NotFiniteError: always.
        """
        if np.isfinite(value):
            raise NotFiniteError(f"step {self.step + 1}: the {what} of another process is not finite, see its message")
        path = self.folder / f"not_finite_step_{self.step + 1}_process_{self.processes.rank}.pt"
        content = {"batch": vars(batch.to(torch.device("cpu"))), "network": self.network.state_dict()}
        buffer = io.BytesIO()
        torch.save(content, buffer)
        write_atomically(path, buffer.getvalue())
        raise NotFiniteError(
            f"step {self.step + 1}: the {what} is {value} on {', '.join(batch.names[:3])}"
            f"{', ...' if len(batch.names) > 3 else ''}; batch and weights before it are in {path}"
        )

    def _score(self) -> list[Score]:
        """The errors of the averaged weights, used as they will be: from a checkpoint, by the pipeline."""
        device = self.processes.device
        # Building a network draws random weights, which must not be missing in the training.
        with torch.random.fork_rng([device] if device.type == "cuda" else []), TemporaryDirectory() as folder:
            save_checkpoint(self.average, folder)
            return score(DepthCompleter(self.average.name, str(device), checkpoint=folder), self.held_out)

    @torch.no_grad()
    def _picture(self, batch: Batch) -> np.ndarray:
        """The first sample of a batch, completed with the averaged weights."""
        image = batch.normalized_image(self.average)[:1] if self.average.uses_image else None
        initial = None if batch.initial_depth is None else batch.initial_depth[:1]
        output = self.average(image, batch.sparse_depth[:1], initial if self.average.uses_initial_depth else None)
        maps = (output.depth, output.confidence, batch.sparse_depth)
        depth, confidence, sparse = (each[0, 0].float().cpu().numpy() for each in maps)
        completion = Completion(depth, confidence.clip(0, 1), sparse)
        return draw_preview(completion, batch.image[0].cpu().numpy(), batch.ground_truth[0, 0].cpu().numpy())


def _copy(source: CompletionNetwork, network: CompletionNetwork, path: Path) -> None:
    """Gives a network the weights of another one of its kind.

    Raises:
        ValueError: it is of another kind.
    """
    kinds = [f"{each.name} {dict(each.options)}" for each in (source, network)]
    if kinds[0] != kinds[1]:
        raise ValueError(f"{path} has weights of {kinds[0]}, which cannot be the first of {kinds[1]}")
    network.load_state_dict(source.state_dict())
    network.image_mean, network.image_std = source.image_mean, source.image_std


def _randomness() -> dict[str, Any]:
    return {"cpu": torch.get_rng_state(), "cuda": torch.cuda.get_rng_state() if torch.cuda.is_available() else None}


def _set_randomness(state: dict[str, Any]) -> None:
    torch.set_rng_state(state["cpu"])
    if state["cuda"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])
