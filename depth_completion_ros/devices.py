"""The device that computes: the one that was asked for, if it is there, and whether it lacks memory."""

from __future__ import annotations

import functools
import logging

import torch

_logger = logging.getLogger(__name__)

# What lack of memory is called beside torch.OutOfMemoryError: by the CPU's allocator, by the CUDA driver, also through
# Triton, by cuBLAS and cuDNN, and on a Jetson, where PyTorch asks a library how much is left that is not there.
_LACK_OF_MEMORY = ("allocate memory", "out of memory", "_ALLOC_FAILED", "NVML_SUCCESS == r")


def choose_device(device: str = "auto", process: int | None = None) -> torch.device:
    """The device of a name.

    Args:
        device: ``cpu``, ``cuda``, ``cuda:N``, or ``auto``: a GPU if there is one that PyTorch can compute on.
        process: number of this one among several of the machine, which ``cuda`` and ``auto`` mean the GPU of; None: it
            is alone, and they mean the current GPU.

    Raises:
        ValueError: there is no such device, or PyTorch cannot compute on it.
    """
    if device == "auto":
        if not torch.cuda.is_available():
            return torch.device("cpu")
        chosen = torch.device("cuda") if process is None else torch.device("cuda", process)
        if not (reason := _why_not(chosen)):
            return chosen
        if process is not None:  # the others would wait for this one on their GPUs
            raise ValueError(f"no GPU for process {process} of this machine: {reason}")
        _logger.warning("no GPU is used, the CPU computes instead: %s", reason)
        return torch.device("cpu")
    unknown = f"unknown device {device!r}; expected auto, cpu, cuda or cuda:N"
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise ValueError(unknown) from error
    if chosen.type not in ("cpu", "cuda"):
        raise ValueError(unknown)
    if chosen.type == "cuda":
        if chosen.index is None and process is not None:
            chosen = torch.device("cuda", process)
        if reason := _why_not(chosen):
            raise ValueError(f"device {device!r} was asked for, but {reason}")
    return chosen


@functools.cache
def _why_not(device: torch.device) -> str:
    """Why PyTorch cannot compute on a GPU; empty if it can."""
    if not torch.cuda.is_available():
        return f"PyTorch {torch.__version__} finds no CUDA GPU here"
    if (device.index or 0) >= torch.cuda.device_count():
        return f"the last one here is cuda:{torch.cuda.device_count() - 1}"
    try:
        # A GPU may be there for which this build of PyTorch has no code: it is too old, or too new.
        (torch.ones(1, device=device) + 1).item()
    except RuntimeError as error:
        if lacks_memory(error):  # others may have it for a moment; who needs it will be told
            return ""
        return f"PyTorch {torch.__version__} cannot compute on {torch.cuda.get_device_name(device)}: {error}"
    return ""


def give_back_freed_memory() -> None:
    """Gives freed memory of GPUs, which PyTorch keeps for later use, back to them; a Jetson's is that of the robot."""
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def lacks_memory(error: Exception) -> bool:
    """Whether the device has too little memory, or a block of its threads for one of our kernels.

    Triton tells the latter by an error of its own, known by its name here, as Triton need not be installed.
    """
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)) or type(error).__name__ == "OutOfResources":
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _LACK_OF_MEMORY)
