"""The smallest kernel there is, to find out whether Triton works."""

from __future__ import annotations

import torch
import triton
import triton.language as tl


def launch(device: torch.device) -> None:
    """Compiles, launches and awaits a kernel on ``device``.

    Raises:
        Exception: of any kind, if that does not work.
    """
    result = torch.zeros(1, device=device)
    with torch.cuda.device_of(result):
        _kernel[(1,)](result)
    if result.item() != 1:
        raise RuntimeError(f"a kernel that writes 1 wrote {result.item()}")


@triton.jit
def _kernel(result: tl.tensor) -> None:
    tl.store(result, 1.0)
