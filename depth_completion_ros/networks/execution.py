"""How a network is run: precision and memory format; for a GPU chosen by measurement where it will run.

CUDA graphs and torch.compile are left out: the propagations take as many steps as a frame's measurements ask for, and
sizes change with the camera, so that both would be built anew again and again.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
from torch import Tensor

from depth_completion_ros.devices import give_back_freed_memory, lacks_memory
from depth_completion_ros.networks.registry import CompletionNetwork, NetworkOutput

_logger = logging.getLogger(__name__)

_RUNS = 5
# Half precision is taken only if so many of the pixels stay this near to float32, relative to their depth.
_AGREEING, _TOLERANCE = 0.99, 0.005
_BFLOAT16 = ("avx512_bf16", "amx_bf16")  # measured on the first; without such instructions bfloat16 is the slower

Inputs = tuple[Tensor | None, Tensor, Tensor | None]


@dataclass(frozen=True)
class Execution:
    """One way to run a network.

    Attributes:
        half: autocast to float16 (bfloat16 on a CPU); depth itself stays float32 in every network.
        channels_last: weights and image in channels-last memory format.
    """

    half: bool = False
    channels_last: bool = False

    def __str__(self) -> str:
        return f"{'half' if self.half else 'float32'}{', channels last' if self.channels_last else ''}"

    def prepare(self, network: CompletionNetwork) -> None:
        """Puts the weights into this memory format."""
        for parameter in network.parameters():
            if parameter.ndim == 4:
                layout = torch.channels_last if self.channels_last else torch.contiguous_format
                parameter.data = parameter.data.contiguous(memory_format=layout)

    def run(self, network: CompletionNetwork, inputs: Inputs) -> NetworkOutput:
        """Runs a network that was prepared for this way."""
        image, sparse_depth, initial_depth = inputs
        if image is not None and self.channels_last:
            image = image.contiguous(memory_format=torch.channels_last)
        kind = sparse_depth.device.type
        precision = torch.float16 if kind == "cuda" else torch.bfloat16
        with torch.autocast(kind, precision) if self.half else nullcontext():
            output: NetworkOutput = network(image, sparse_depth, initial_depth)
        return output


EVERY_WAY = tuple(Execution(half, channels_last) for half in (False, True) for channels_last in (False, True))


def on_cpu(network: CompletionNetwork) -> Execution:
    """How a CPU runs a network, which is prepared for it.

    That is in the memory format that the network asks for, and in bfloat16 if the processor has instructions for it and
    the network allows it.
    """
    capabilities: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # of the latest PyTorch only
    half = network.half_on_cpu and any(capabilities.get(name) for name in _BFLOAT16)
    way = Execution(half, network.channels_last)
    way.prepare(network)
    return way


def fastest(network: CompletionNetwork, inputs: Inputs, ways: Sequence[Execution] = EVERY_WAY) -> Execution:
    """The fastest of several ways to run ``network`` on ``inputs``, of those that agree with the first; prepared.

    A way for which the device has too little memory is left out; so is one that fails where another does not, with a
    warning.

    Args:
        network: on its device, in evaluation mode.
        inputs: of a real frame: image, sparse depth and initial depth, as the network takes them.
        ways: the first for which there is memory is what the others are compared with.

    Raises:
        torch.OutOfMemoryError, triton.OutOfResources: there is too little memory for any way.
    """
    expected: Tensor | None = None
    milliseconds: dict[Execution, float] = {}
    failure: Exception | None = None
    for way in ways:
        way.prepare(network)
        try:
            depth = way.run(network, inputs).depth
            if expected is None:
                expected = depth
            elif not (error := _disagreement(depth, expected)) <= _TOLERANCE:  # NaN is no agreement either
                _logger.info("%s: %s is off by %.2g of the depth and is left out", network.name, way, error)
                continue
            milliseconds[way] = median(_time(way, network, inputs) for _ in range(_RUNS))
        except Exception as problem:
            if lacks_memory(problem):
                _logger.info("%s: %s is left out for lack of memory: %s", network.name, way, problem)
            elif milliseconds:
                _logger.warning("%s: %s is left out, it fails here: %s", network.name, way, problem)
            else:
                raise
            failure = problem.with_traceback(None)  # which would keep the memory of what has failed
    if failure is not None and not milliseconds:
        raise failure
    best = min(milliseconds, key=milliseconds.__getitem__)
    measured = "; ".join(f"{way} {duration:.1f} ms" for way, duration in milliseconds.items())
    _logger.info("%s runs in %s (%s)", network.name, best, measured)
    best.prepare(network)
    give_back_freed_memory()  # of the ways that were not chosen
    return best


def _disagreement(depth: Tensor, expected: Tensor) -> float:
    """The relative difference that 99 % of the pixels do not exceed which are finite in ``expected``.

    NaN if ``depth`` is NaN in any of them, or there are none.
    """
    error = ((depth - expected).abs() / expected.abs().clamp(min=1e-3))[expected.isfinite()]
    if not error.numel() or error.isnan().any():
        return math.nan
    return error.kthvalue(math.ceil(_AGREEING * error.numel())).values.item()


def _time(way: Execution, network: CompletionNetwork, inputs: Inputs) -> float:
    device = inputs[1].device
    started = time.perf_counter()
    way.run(network, inputs)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return (time.perf_counter() - started) * 1e3
