"""The record of a training: ``losses.csv`` for every step, and TensorBoard for whoever has it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depth_completion_ros.datasets.cache import write_atomically

CURVE = "losses.csv"


class Journal:
    """Writes what happens in each step.

    Args:
        folder: of the training.
        columns: names of the numbers that every step has.
        start: steps done before; what was written of later ones, before a training was killed, is taken back.
        tensorboard: write events for TensorBoard, too, into the folder ``tensorboard``.

    Raises:
        ImportError: TensorBoard is asked for and not installed.
    """

    def __init__(self, folder: Path, columns: tuple[str, ...], start: int, *, tensorboard: bool) -> None:
        self._columns = columns
        self._board = _summary_writer(folder / "tensorboard", start) if tensorboard else None
        path = folder / CURVE
        lines = path.read_text().splitlines()[1 : start + 1] if path.exists() else []
        write_atomically(path, "".join(f"{line}\n" for line in (",".join(("step", *columns)), *lines)).encode())
        self._curve = path.open("a", buffering=1)  # by lines

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Adds the numbers of a step."""
        self._curve.write(",".join([str(step), *(repr(values[column]) for column in self._columns)]) + "\n")
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(name, value, step)

    @property
    def wants_pictures(self) -> bool:
        """Whether anybody would see one."""
        return self._board is not None

    def add_picture(self, step: int, picture: NDArray[np.uint8]) -> None:
        """Adds an (H, W, 3) RGB picture of what the network makes of a sample."""
        if self._board is not None:
            self._board.add_image("sample", picture, step, dataformats="HWC")

    def close(self) -> None:
        """Writes what is not written yet."""
        self._curve.close()
        if self._board is not None:
            self._board.close()


def _summary_writer(folder: Path, start: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ImportError(f"TensorBoard cannot be loaded ({error}); pip install tensorboard") from error
    return SummaryWriter(str(folder), purge_step=start + 1)
