"""The processes that train together: one, or as many as ``torchrun`` started, one per GPU."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from typing import Any, Final

import torch
from torch import distributed

from depth_completion_ros.devices import choose_device

# While the first process scores the frames held out, the others wait, which may take longer than the usual 10 to 30
# minutes. Of one that has died they need not wait to hear: torchrun ends them.
_LONGEST_WAIT: Final = timedelta(hours=6)


@dataclass(frozen=True)
class Processes:
    """This process among those that train.

    Attributes:
        rank: its number.
        count: how many there are.
        device: what it computes on.
    """

    rank: int
    count: int
    device: torch.device

    def any(self, flag: bool) -> bool:
        """Whether the flag of any process is set, so that all come to the same decision."""
        if self.count == 1:
            return flag
        flags = torch.tensor(float(flag), device=self.device)
        distributed.all_reduce(flags, distributed.ReduceOp.MAX)
        return bool(flags.item())

    def mean(self, value: float) -> float:
        """The mean over all processes."""
        if self.count == 1:
            return value
        total = torch.tensor(value, dtype=torch.float64, device=self.device)
        distributed.all_reduce(total)
        return total.item() / self.count

    def gather(self, value: Any) -> list[Any]:
        """What each process gives, by rank."""
        values = [value] * self.count
        if self.count > 1:
            distributed.all_gather_object(values, value)
        return values


@contextmanager
def join_processes(device: str = "auto") -> Iterator[Processes]:
    """Joins the processes that ``torchrun`` started, if it did.

    Args:
        device: ``cpu``, ``cuda``, or ``auto``: a GPU if there is one.

    Raises:
        ValueError: there is no such device, or PyTorch cannot compute on it.
    """
    rank, count = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    chosen = choose_device(device, int(os.environ.get("LOCAL_RANK", 0)) if count > 1 else None)
    if chosen.type == "cuda":
        if chosen.index is None:
            chosen = torch.device("cuda", torch.cuda.current_device())
        torch.cuda.set_device(chosen)
    if count > 1:
        # Its functions have the group of their import for a default. Imported later, by DistributedDataParallel, they
        # would keep the group's threads running into the end of the interpreter, where these can abort the process.
        import_module("torch.distributed.nn.functional")
        distributed.init_process_group("nccl" if chosen.type == "cuda" else "gloo", timeout=_LONGEST_WAIT)
    try:
        yield Processes(rank, count, chosen)
    finally:
        if count > 1:
            distributed.destroy_process_group()
