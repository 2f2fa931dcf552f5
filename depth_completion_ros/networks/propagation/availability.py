"""Which path of a propagation a machine can take: the fast one of its device, or the reference that needs nothing."""

from __future__ import annotations

import functools
import logging
from typing import Literal

import torch
from torch import Tensor

_logger = logging.getLogger(__name__)


def fast_path(*inputs: Tensor) -> Literal["cpu", "triton"] | None:
    """The path for these inputs of a propagation; None where only the reference will do, as it does for gradients."""
    if torch.is_grad_enabled() and any(each.requires_grad for each in inputs):
        return None
    device = inputs[0].device
    if device.type == "cuda":
        return "triton" if triton_runs(device) else None
    return "cpu" if device.type == "cpu" else None


@functools.cache
def triton_runs(device: torch.device) -> bool:
    """Whether Triton can launch a kernel on ``device``; if not, the log says why, once.

    That it can be imported is not enough: its first launch compiles C, for which a slim container may lack the compiler
    or Python's headers.
    """
    try:
        from depth_completion_ros.networks.propagation import trial_triton

        trial_triton.launch(device)
    except Exception as error:  # whatever it is, the slower paths need none of it
        _logger.warning(
            "Triton does not run on %s, so that spatial propagation is slower; it needs a C compiler and Python's "
            "headers (apt install gcc python3-dev): %s: %s",
            device,
            type(error).__name__,
            error,
        )
        return False
    return True
