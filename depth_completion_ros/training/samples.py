"""What a network is trained on: an endless, reproducible stream of samples from any mix of data sets.

Sample number n is the same in every run of the same seed and data, whichever process makes it, and however often a
training was stopped before it.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from depth_completion_ros.datasets.base import IndexedSource
from depth_completion_ros.evaluation.holdout import drop_occluded
from depth_completion_ros.frame import Frame
from depth_completion_ros.geometry.projection import HIDDEN_RATIO
from depth_completion_ros.geometry.thinning import cut_holes, keep_points
from depth_completion_ros.networks.registry import CompletionNetwork
from depth_completion_ros.pipeline import sparse_depth_of
from depth_completion_ros.training.augmentation import Augmentation, Pictures, augment
from depth_completion_ros.training.sparsity import Sparsity, draw_lines

_logger = logging.getLogger(__name__)

_ATTEMPTS = 50  # to draw a crop with anything in it
_IN_A_ROW = 20  # frames without: then it is the data, not a frame
_LUMA = (0.299, 0.587, 0.114)


class NothingToSeeError(ValueError):
    """There is no measurement, or no ground truth, to train on."""


@dataclass(frozen=True)
class Share:
    """A data set and how many of the samples come from it, relative to the other data sets.

    Attributes:
        source: of the frames.
        weight: its share of the samples.
        options: what decides on its frames beside its name, in words.
    """

    source: IndexedSource
    weight: float
    options: str = ""


@dataclass
class Batch:
    """Samples of one crop size, (N, ..., H, W); depth in metres, 0 = none.

    Attributes:
        image: (N, H, W, 3) uint8 RGB, 0 where there is no image.
        has_image: (N,) bool.
        sparse_depth: (N, 1, H, W) float32.
        ground_truth: (N, 1, H, W) float32.
        withheld: (N, 1, H, W) float32, what was measured beside the sparse depth, but for what the camera cannot see.
        initial_depth: (N, 1, H, W) float32, or None unless all frames have one.
        names: of the data set and the frame, of each sample.
    """

    image: Tensor
    has_image: Tensor
    sparse_depth: Tensor
    ground_truth: Tensor
    withheld: Tensor
    initial_depth: Tensor | None
    names: list[str]

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""
        away = device.type != "cpu"  # what comes back has to be there before it is read
        tensors = {key: value.to(device, non_blocking=away) for key, value in self._tensors().items()}
        return Batch(**{**vars(self), **tensors})

    def pin_memory(self) -> Batch:
        """The same in memory that a GPU reads on its own."""
        return Batch(**{**vars(self), **{key: value.pin_memory() for key, value in self._tensors().items()}})

    def normalized_image(self, network: CompletionNetwork) -> Tensor:
        """(N, 3, H, W) as the network takes it; the mean colour, which is 0, where there is no image."""
        mean, std = (255 * torch.tensor(v, device=self.image.device) for v in (network.image_mean, network.image_std))
        normalized = ((self.image.float() - mean) / std).permute(0, 3, 1, 2)
        return normalized * self.has_image[:, None, None, None]

    @property
    def gray(self) -> Tensor:
        """(N, 1, H, W) gray values in 0..255.

        Raises:
            ValueError: a sample has no image.
        """
        if not self.has_image.all():
            missing = next(name for name, has in zip(self.names, self.has_image, strict=True) if not has)
            raise ValueError(f"{missing} has no image, which the network is to learn to reconstruct")
        return (self.image.float() @ torch.tensor(_LUMA, device=self.image.device))[:, None]

    def _tensors(self) -> dict[str, Tensor]:
        return {key: value for key, value in vars(self).items() if isinstance(value, Tensor)}


class SampleStream(Dataset[tuple[Pictures, str]]):
    """Sample number 0, 1, 2, ..., without end.

    An epoch has as many samples as the data sets have frames. Within it, each data set has its share, and takes its
    frames in a new random order, none a second time before all had their turn. In place of a frame without any
    measurement or ground truth, of which a long recording may well have one, stands the next, with a warning.

    Args:
        shares: the data sets; every frame must come with a ground truth.
        augmentation: of every frame.
        sparsity: how much of what was measured a sample has.
        seed: of everything that is drawn.

    Raises:
        ValueError: there is no data, or a weight is not positive.
    """

    def __init__(self, shares: Sequence[Share], augmentation: Augmentation, sparsity: Sparsity, seed: int) -> None:
        if not shares or min(share.weight for share in shares) <= 0:
            raise ValueError("a training needs data, and weights above 0")
        self.shares = tuple(shares)
        self.augmentation = augmentation
        self.sparsity = sparsity
        self.seed = seed
        self.epoch_length = sum(len(share.source) for share in shares)
        if not self.epoch_length:
            raise ValueError(f"{', '.join(share.source.name for share in shares)}: no frame to train on")
        self._order = self._draw_order(0)
        self._epoch = 0

    def __getitem__(self, number: int) -> tuple[Pictures, str]:
        """The sample and its name.

        Raises:
            ValueError: the frame has no ground truth or does not fit the recipe, or many in a row have nothing to see.
            OSError: the frame cannot be read.
        """
        epoch, position = divmod(number, self.epoch_length)
        if epoch != self._epoch:
            self._order, self._epoch = self._draw_order(epoch), epoch
        for place in range(position, position + _IN_A_ROW):
            which, index = self._order[place % self.epoch_length]
            sample = self._draw(self.shares[which].source, int(index), np.random.default_rng([self.seed, number]))
            if sample is not None:
                return sample
        raise ValueError(f"{_IN_A_ROW} frames in a row have no measurement or no ground truth: nothing to train on")

    def _draw(self, source: IndexedSource, index: int, rng: np.random.Generator) -> tuple[Pictures, str] | None:
        frame = source[index]
        name = f"{source.name}/{frame.name or index}"
        try:
            return draw_sample(frame, name, self.augmentation, self.sparsity, rng), name
        except NothingToSeeError as error:
            _logger.warning("%s; the next frame takes its place", error)
            return None

    def _draw_order(self, epoch: int) -> NDArray[np.int64]:
        """(epoch_length, 2) which data set and which of its frames."""
        rng = np.random.default_rng([self.seed, epoch, 1])  # of three numbers, so that no sample has the same
        weights = np.array([share.weight for share in self.shares])
        ends = np.rint(np.cumsum(weights) / weights.sum() * self.epoch_length).astype(int)
        order = np.empty((self.epoch_length, 2), np.int64)
        for which, (start, end) in enumerate(zip((0, *ends), ends, strict=False)):
            frames = len(self.shares[which].source)
            rounds = [rng.permutation(frames) for _ in range(-(-(end - start) // frames))] or [np.empty(0, np.int64)]
            order[start:end, 0] = which
            order[start:end, 1] = np.concatenate(rounds)[: end - start]
        return rng.permutation(order)


def draw_sample(
    frame: Frame, name: str, augmentation: Augmentation, sparsity: Sparsity, rng: np.random.Generator
) -> Pictures:
    """One variation of a frame, with at least one measurement and one pixel of ground truth.

    Raises:
        NothingToSeeError: there is none in many crops.
        ValueError: see :meth:`SampleStream.__getitem__`.
    """
    if frame.ground_truth is None:
        raise ValueError(f"{name} has no ground truth to train on")
    measured = sparse_depth_of(frame)
    for _ in range(_ATTEMPTS):
        by_points = sparsity.points is not None and (sparsity.lines is None or rng.random() < 0.5)
        lines = None if by_points else sparsity.lines
        sparse = measured if lines is None else draw_lines(frame, lines, rng)
        pictures = Pictures(frame.camera, frame.image, sparse, frame.ground_truth, frame.initial_depth, measured)
        seen = augment(pictures, augmentation, rng)
        if by_points and sparsity.points is not None:
            count = int(rng.integers(sparsity.points[0], sparsity.points[1] + 1))
            seen = replace(seen, sparse_depth=keep_points(seen.sparse_depth, count, rng))
        if sparsity.holes is not None:
            seen = replace(seen, sparse_depth=cut_holes(seen.sparse_depth, rng.uniform(*sparsity.holes), rng))
        if seen.sparse_depth.any() and seen.ground_truth.any():
            return seen
    height, width = augmentation.crop
    raise NothingToSeeError(
        f"{name}: none of {_ATTEMPTS} crops of {width}x{height} pixels had a measurement and ground truth in it"
    )


def collate(samples: Sequence[tuple[Pictures, str]]) -> Batch:
    """Joins samples of one crop size."""
    pictures = [picture for picture, _ in samples]
    empty = np.zeros((*pictures[0].sparse_depth.shape, 3), np.uint8)
    images = [empty if picture.image is None else picture.image for picture in pictures]
    initial = [picture.initial_depth for picture in pictures if picture.initial_depth is not None]
    return Batch(
        image=torch.from_numpy(np.stack(images)),
        has_image=torch.tensor([picture.image is not None for picture in pictures]),
        sparse_depth=_stack([picture.sparse_depth for picture in pictures]),
        ground_truth=_stack([picture.ground_truth for picture in pictures]),
        withheld=_stack([_withheld(picture) for picture in pictures]),
        initial_depth=_stack(initial) if len(initial) == len(pictures) else None,
        names=[name for _, name in samples],
    )


def _withheld(pictures: Pictures) -> NDArray[np.float32]:
    """(H, W) the rest of the measurements, by which a network is scored where there is no other ground truth.

    Those are left out that scoring takes for hidden, unless the ground truth knows that the camera does see them: many
    of these lie right behind an edge, where there is most to learn, and without them edges would seem to be farther
    out than they are.
    """
    if pictures.measured is None:
        return np.zeros_like(pictures.sparse_depth)
    rest = np.where(pictures.sparse_depth > 0, np.float32(0), pictures.measured)
    seen = pictures.ground_truth >= HIDDEN_RATIO * rest
    return np.where(seen, rest, drop_occluded(rest, pictures.sparse_depth))


def load(stream: SampleStream, batches: Iterable[list[int]], workers: int, *, pin: bool) -> Iterator[Batch]:
    """Makes the batches, each given by the numbers of its samples, in ``workers`` processes; 0 makes them here.

    Raises:
        ValueError, OSError: as for a sample.
    """
    # Not forked from this process: threads of PyTorch, OpenCV or Open3D, once started here, hang in a fork.
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload([__name__])
    loader = DataLoader(
        stream,
        batch_sampler=batches,
        num_workers=workers,
        collate_fn=collate,
        pin_memory=pin,
        worker_init_fn=_prepare_worker,
        multiprocessing_context=processes if workers else None,
        # Or the loader would draw from the one that the network's own randomness comes from.
        generator=torch.Generator(),
    )
    try:
        yield from loader
    except (ValueError, OSError) as error:
        if not workers:
            raise
        # The message of one that comes from a worker is a whole traceback.
        raise ValueError(str(error).strip().splitlines()[-1].partition(": ")[2]) from error


def _prepare_worker(worker: int) -> None:
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    threading.Thread(target=_end_with_training, daemon=True).start()


def _end_with_training() -> None:
    """Ends a worker whose training was killed; it would wait for ever for what to make next."""
    training = multiprocessing.parent_process()
    if training is not None:
        training.join()
        os._exit(1)


def _stack(maps: Sequence[NDArray[np.float32]]) -> Tensor:
    return torch.from_numpy(np.stack(maps)[:, None])
