"""The method on one screen: project -> prepare -> run -> confidence -> Completion.

The node, the offline evaluation, the benchmark and the command line all go through :class:`DepthCompleter`.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from depth_completion_ros.confidence import MEANING, Calibration
from depth_completion_ros.devices import choose_device, lacks_memory
from depth_completion_ros.frame import Completion, Frame
from depth_completion_ros.geometry.decimation import (
    decimate_depth,
    decimate_image,
    enlarge_confidence,
    enlarge_depth,
)
from depth_completion_ros.geometry.outlines import widen
from depth_completion_ros.geometry.projection import project_points, remove_hidden
from depth_completion_ros.geometry.registration import register_depth
from depth_completion_ros.memory import reuse_freed_memory
from depth_completion_ros.monocular import MonocularEstimator
from depth_completion_ros.networks.execution import fastest, on_cpu
from depth_completion_ros.networks.folding import fold_batch_norm
from depth_completion_ros.networks.registry import CompletionNetwork, create
from depth_completion_ros.shipped import AUTO, Sensors, default_model, shipped_checkpoint

_logger = logging.getLogger(__name__)

# No depth sensor of a robot or vehicle reaches a kilometre: larger numbers are millimetres or raw PNG values.
MAXIMUM_DEPTH = 1000.0


class EmptySparseDepthError(ValueError):
    """Nothing was measured in the camera's view, so there is nothing to complete."""


class DepthCompleter:
    """A completion model made ready on a device.

    >>> completer = DepthCompleter("mspn", device="auto")
    >>> completion = completer(image, sparse)

    Args:
        model: a name of :func:`depth_completion_ros.networks.registry.models`; ``auto``: that of the checkpoint, or
            without one the default for ``sensors`` (:func:`~depth_completion_ros.shipped.default_model`).
        device: ``cpu``, ``cuda``, ``cuda:1``, ... or ``auto``: the GPU if there is one and the model can use it.
        preset: size of the model, such as lite; empty: its default, or that of its weights.
        checkpoint: folder of the model's weights, as ``depth-completion train`` or ``import-checkpoint`` makes them;
            it brings the model's options along. Without one, the weights that ship for the model are used, unless
            preset or options ask for another network than they are of.
        estimator: folder of a monocular depth network, whose estimate is the initial depth of frames that have none;
            see :class:`~depth_completion_ros.monocular.MonocularEstimator`.
        see_through: remove background points that a nearer surface hides (a LiDAR above the camera sees over it).
        decimation: complete at this part of the resolution, and enlarge what comes out: 2 is half of it.
        sensors: what ``auto`` goes by.
        options: other options of the model, where no checkpoint gives them.

    Attributes:
        untrained: whether the weights are random, as there are none for these options.

    Raises:
        ValueError: the model, an option or the device is unknown or cannot be had here, or the checkpoint is of
            another model, or an estimator is given to one that starts from no initial depth.
        OSError: the checkpoint cannot be read.
    """

    def __init__(
        self,
        model: str = AUTO,
        device: str = "auto",
        *,
        preset: str | None = None,
        checkpoint: str | Path | None = None,
        estimator: str | Path | None = None,
        see_through: bool = False,
        decimation: int = 1,
        sensors: Sensors = (True, "lidar"),
        **options: Any,
    ) -> None:
        if model == AUTO and not checkpoint:
            model = default_model(*sensors)
        network, self.untrained = _build(model, checkpoint, options | ({"preset": preset} if preset else {}))
        self.model = network.name
        self.device = _device_for(network, device)
        fold_batch_norm(network)
        self.network = network.to(self.device)
        # How the network is run; a GPU's own way is found on the first frame.
        self.execution = None if self.device.type == "cuda" else on_cpu(network)
        curves = self.network.calibration
        self.calibration = Calibration(curves, self.device) if curves else None
        if estimator and not network.uses_initial_depth:
            raise ValueError(f"model {self.model!r} starts from no initial depth, so it has no use for an estimator")
        self._estimator = MonocularEstimator(estimator, self.device) if estimator else None
        self.see_through = see_through
        if decimation < 1:
            raise ValueError(f"decimation is {decimation}, expected 1 (the full resolution) or more")
        self.decimation = decimation
        reuse_freed_memory()

    @property
    def needs_image(self) -> bool:
        """Whether the model must be given an image: it uses one, and was never trained without."""
        return self.network.uses_image and not self.network.image_optional

    @property
    def confidence_meaning(self) -> str:
        """What the confidence is: the same of every calibrated model, else what the network says of its own."""
        return self.network.confidence_meaning if self.calibration is None else MEANING

    def complete(self, frame: Frame) -> Completion:
        """Completes the sparse depth of ``frame``.

        Raises:
            EmptySparseDepthError: no measurement falls into the camera's view.
            ValueError: the frame has neither points nor depth, or no image for a model that needs one.
        """
        stages = _Stages(self.device)
        sparse_depth = _within_reach(sparse_depth_of(frame), instead=0)
        hidden = 0
        if self.see_through and frame.points is not None:
            visible = remove_hidden(sparse_depth, frame.camera, frame.extrinsic)
            hidden = np.count_nonzero(sparse_depth) - np.count_nonzero(visible)
            sparse_depth = visible
        stages.done("project")
        return replace(self._complete(frame.image, sparse_depth, frame.initial_depth, stages), hidden=hidden)

    def __call__(
        self,
        image: NDArray[np.uint8] | None,
        sparse_depth: NDArray[np.float32],
        initial_depth: NDArray[np.float32] | None = None,
    ) -> Completion:
        """Completes one sparse depth image.

        Args:
            image: (H, W, 3) uint8 RGB; None, as of a dead camera, for a model that does without (``needs_image``).
            sparse_depth: (H, W) float32 metres along the optical axis, 0 = not measured.
            initial_depth: (H, W) float32 metres, a dense estimate for the models that start from one.

        Raises:
            EmptySparseDepthError: ``sparse_depth`` has no measurement.
            MemoryError: the device has too little for images of this size.
            ValueError: an array has another shape, dtype or unit, or the model needs an image and got none.
        """
        return self._complete(image, sparse_depth, initial_depth, _Stages(self.device))

    def _complete(
        self,
        image: NDArray[np.uint8] | None,
        sparse_depth: NDArray[np.float32],
        initial_depth: NDArray[np.float32] | None,
        stages: _Stages,
    ) -> Completion:
        _check_depth("sparse_depth", sparse_depth)
        if not sparse_depth.any():
            height, width = sparse_depth.shape
            raise EmptySparseDepthError(f"the {width}x{height} sparse depth holds no measurement: nothing to complete")
        if image is not None:
            _check_image(image, sparse_depth.shape)
        elif self.needs_image:
            raise ValueError(f"model {self.model!r} needs an image and got none")
        if initial_depth is None and self._estimator is not None and image is not None:
            with self._telling_of_memory(sparse_depth.shape):
                initial_depth = self._estimator(image)
                stages.done("estimate")
        if initial_depth is not None:
            if isinstance(initial_depth, np.ndarray):
                initial_depth = _within_reach(initial_depth, instead=MAXIMUM_DEPTH)  # a sky is far, not unknown
            _check_depth("initial_depth", initial_depth, sparse_depth.shape)
        elif self.network.uses_initial_depth:
            raise ValueError(f"model {self.model!r} needs an initial depth here, of the frame or of an estimator")

        measured, size = sparse_depth, sparse_depth.shape
        if self.decimation > 1:
            sparse_depth = decimate_depth(sparse_depth, self.decimation)
            image = None if image is None else decimate_image(image, self.decimation)
            initial_depth = None if initial_depth is None else decimate_depth(initial_depth, self.decimation)

        with torch.inference_mode(), self._telling_of_memory(sparse_depth.shape):
            image_batch = self._image_batch(image, sparse_depth.shape) if self.network.uses_image else None
            sparse_batch = self._depth_batch(sparse_depth)
            initial_batch = None if initial_depth is None else self._depth_batch(initial_depth)
            stages.done("prepare")

            inputs = image_batch, sparse_batch, initial_batch
            if self.execution is None:
                self.execution = fastest(self.network, inputs)
            output = self.execution.run(self.network, inputs)
            stages.done("run")

            depth, confidence = output.depth[0, 0].float(), output.confidence[0, 0].float()
            if self.network.widens_outlines and self.decimation == 1:  # decimated measurements widen them as it is
                depth = widen(depth)
            if self.calibration is not None:
                seen = image if self.network.uses_image else None
                confidence = self.calibration(depth, confidence, sparse_depth, seen)
            if self.decimation > 1:
                depth = enlarge_depth(depth, self.decimation, size)
                confidence = enlarge_confidence(confidence, self.decimation, size)
            known = (depth > 0) & (depth < math.inf)  # not NaN, either
            depth = torch.where(known, depth, torch.nan)
            confidence = torch.where(known, confidence, 0.0).clamp(0.0, 1.0)
            depth_array, confidence_array = depth.cpu().numpy(), confidence.cpu().numpy()
        stages.done("finish")
        return Completion(depth_array, confidence_array, measured, stages.milliseconds)

    @contextmanager
    def _telling_of_memory(self, size: tuple[int, ...]) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if not lacks_memory(error):
                raise
            height, width = size
            raise MemoryError(
                f"{width}x{height} pixels need more memory than {self.device} has for model {self.model!r}; "
                "use a smaller preset or a larger decimation"
            ) from error

    def _image_batch(self, image: NDArray[np.uint8] | None, size: tuple[int, ...]) -> Tensor:
        """(1, 3, H, W) float32, normalised as the network was trained: no image is the mean colour, which is 0."""
        if image is None:
            return torch.zeros(1, 3, *size, device=self.device)
        pixels = torch.from_numpy(np.require(image, requirements=["C", "W"])).to(self.device)
        # By rows of as many means as numbers: PyTorch is slow with three at a time.
        mean, std = (
            torch.tensor(each, device=self.device).mul_(255.0).repeat(size[1])
            for each in (self.network.image_mean, self.network.image_std)
        )
        return pixels.flatten(1).float().sub_(mean).div_(std).view(pixels.shape).permute(2, 0, 1)[None]

    def _depth_batch(self, depth: NDArray[np.float32]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(depth)).to(self.device)[None, None]


def sparse_depth_of(frame: Frame) -> NDArray[np.float32]:
    """The (H, W) float32 sparse depth image of a frame, in its camera's view; 0 = not measured.

    Raises:
        ValueError: the frame has neither points nor a depth image.
    """
    if frame.points is not None:
        return project_points(frame.points, frame.camera, frame.extrinsic)
    if frame.depth is None:
        raise ValueError(f"frame {frame.name or frame.stamp} has neither points nor a depth image")
    if frame.depth_camera is None:
        return frame.depth
    return register_depth(frame.depth, frame.depth_camera, frame.camera, frame.extrinsic)


def _within_reach(depth: NDArray[np.float32], instead: float) -> NDArray[np.float32]:
    """The (H, W) depth with another value where no sensor reaches: stray returns, the sky of a simulator.

    One of which most are such is left as it is: its unit is wrong, which is an error.
    """
    if not depth.max(initial=0) > MAXIMUM_DEPTH:
        return depth
    far = depth > MAXIMUM_DEPTH
    if 2 * np.count_nonzero(far) > np.count_nonzero(depth):
        return depth
    return np.where(far, np.float32(instead), depth)


def _build(model: str, checkpoint: str | Path | None, options: dict[str, Any]) -> tuple[CompletionNetwork, bool]:
    """The network with the weights of the checkpoint, else those that ship for it, else random ones; whether random."""
    if checkpoint:
        if options:
            raise ValueError(f"checkpoint {checkpoint} brings its own options; {', '.join(options)} given as well")
        network = _load(checkpoint)
        if model not in (AUTO, network.name):
            raise ValueError(f"checkpoint {checkpoint} is of model {network.name!r}, {model!r} was asked for")
        return network, False
    shipped = shipped_checkpoint(model)
    if shipped is not None and _fits(shipped, options):
        return _load(shipped), False
    network = create(model, **options)
    untrained = next(network.parameters(), None) is not None
    if untrained:
        _logger.warning("model %s has random weights and completes nothing sensible: give it a checkpoint", model)
    return network, untrained


# Checkpoints need safetensors, which `classical` does without.


def _load(checkpoint: str | Path) -> CompletionNetwork:
    from depth_completion_ros.checkpoints import load_checkpoint

    return load_checkpoint(checkpoint)


def _fits(checkpoint: Path, options: dict[str, Any]) -> bool:
    """Whether the weights are of a network with these options."""
    from depth_completion_ros.checkpoints import read_header

    own = read_header(checkpoint)["options"]
    return all(name in own and own[name] == value for name, value in options.items())


def _device_for(network: CompletionNetwork, device: str) -> torch.device:
    if not network.cpu_only:
        return choose_device(device)
    if device not in ("auto", "cpu"):
        raise ValueError(f"model {network.name!r} runs on the CPU only, device {device!r} was asked for")
    return torch.device("cpu")


def _check_image(image: NDArray[np.uint8], size: tuple[int, ...]) -> None:
    expected = (*size, 3)
    if not isinstance(image, np.ndarray) or image.shape != expected or image.dtype != np.uint8:
        raise ValueError(f"image is {_describe(image)}, expected {expected} uint8 RGB, the size of the sparse depth")


def _check_depth(name: str, depth: NDArray[np.float32], size: tuple[int, ...] | None = None) -> None:
    if not isinstance(depth, np.ndarray) or depth.ndim != 2 or depth.dtype != np.float32 or not depth.size:
        raise ValueError(f"{name} is {_describe(depth)}, expected (H, W) float32 metres")
    if size is not None and depth.shape != size:
        raise ValueError(f"{name} is {_describe(depth)}, expected {size} float32, the size of the sparse depth")
    low, high = float(depth.min()), float(depth.max()) + 0.0  # -0 reads oddly
    if not (np.isfinite(low) and np.isfinite(high)):
        bad = int(np.count_nonzero(~np.isfinite(depth)))
        raise ValueError(f"{name} holds {bad} NaN or infinite values; mark what was not measured with 0")
    if low < 0 or high > MAXIMUM_DEPTH:
        raise ValueError(
            f"{name} ranges from {low:g} to {high:g}, expected metres in [0, {MAXIMUM_DEPTH:g}]; "
            "millimetres are divided by 1000, KITTI's 16-bit values by 256"
        )


def _describe(value: object) -> str:
    return f"{value.shape} {value.dtype}" if isinstance(value, np.ndarray) else type(value).__name__


class _Stages:
    """Measures consecutive stages; waits for the GPU, whose work would else be counted in a later stage."""

    def __init__(self, device: torch.device) -> None:
        self.milliseconds: dict[str, float] = {}
        self._device = device
        self._since = time.perf_counter()

    def done(self, stage: str) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        now = time.perf_counter()
        self.milliseconds[stage] = (now - self._since) * 1e3
        self._since = now
