"""Whether the kernels of this folder can run on a machine; each of them has a slower path beside it."""

from __future__ import annotations

import functools
import logging

import torch

_logger = logging.getLogger(__name__)


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
