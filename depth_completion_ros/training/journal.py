"""The record of a training: ``losses.csv``, ``held_out.csv``, and TensorBoard for whoever has it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from depth_completion_ros.files import write_atomically
from depth_completion_ros.training.held_out import Score

CURVE = "losses.csv"
HELD_OUT = "held_out.csv"


class Journal:
    """Writes what happens in each step.

    Args:
        folder: of the training.
        columns: names of the numbers that every step has.
        start: steps done before; what was written of later ones, before a training was killed, is taken back, and if
            there are none, all of it.
        tensorboard: write events for TensorBoard, too, into the folder ``tensorboard``.

    Raises:
        ImportError: TensorBoard is asked for and not installed.
    """

    def __init__(self, folder: Path, columns: tuple[str, ...], start: int, *, tensorboard: bool) -> None:
        self._columns = columns
        self._board = _summary_writer(folder / "tensorboard", start) if tensorboard else None
        self._curve = _open_table(folder / CURVE, columns, start)
        self._held_out = _open_table(folder / HELD_OUT, ("data", "lines", "frames", "rmse_mm", "mae_mm"), start)

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Adds the numbers of a step."""
        self._curve.write(",".join([str(step), *(repr(values[column]) for column in self._columns)]) + "\n")
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(name, value, step)

    def add_scores(self, step: int, scores: Iterable[Score]) -> None:
        """Adds how good the weights are after a step, on frames held out."""
        for score in scores:
            lines = "all" if score.lines is None else score.lines
            self._held_out.write(
                f"{step},{score.source},{lines},{score.frames},{score.rmse_mm:.1f},{score.mae_mm:.1f}\n"
            )
            if self._board is not None:
                self._board.add_scalar(f"{score.source}/{lines}_lines/rmse_mm", score.rmse_mm, step)
                self._board.add_scalar(f"{score.source}/{lines}_lines/mae_mm", score.mae_mm, step)

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
        self._held_out.close()
        if self._board is not None:
            self._board.close()


def _open_table(path: Path, columns: tuple[str, ...], start: int) -> TextIO:
    """A CSV file to append to by lines, with what it has of the steps up to ``start``; of a new start it has none."""
    lines = path.read_text().splitlines(keepends=True)[1:] if start and path.exists() else []
    # A training may have been killed in the middle of the last line.
    kept = [line for line in lines if line.endswith("\n") and int(line.partition(",")[0]) <= start]
    write_atomically(path, "".join((",".join(("step", *columns)) + "\n", *kept)).encode())
    return path.open("a", buffering=1)


def _summary_writer(folder: Path, start: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ImportError(f"TensorBoard cannot be loaded ({error}); pip install tensorboard") from error
    return SummaryWriter(str(folder), purge_step=start + 1)
