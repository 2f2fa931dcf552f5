"""What an evaluated run leaves behind: metrics.json, metrics.csv, preview pictures, and a table for people."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, astuple, fields
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from depth_completion_ros.evaluation.metrics import DepthErrors, mean_errors
from depth_completion_ros.files import write_atomically
from depth_completion_ros.images import write_image

_METRICS: Final = tuple(metric.name for metric in fields(DepthErrors))

# How people read each error: its name, its unit, and digits behind the point.
_DISPLAY: Final = {
    "rmse_mm": ("RMSE", "mm", 1),
    "mae_mm": ("MAE", "mm", 1),
    "irmse_per_km": ("iRMSE", "1/km", 3),
    "imae_per_km": ("iMAE", "1/km", 3),
    "log_rmse": ("log RMSE", "", 4),
    "log_mae": ("log MAE", "", 4),
    "silog": ("SILog", "", 4),
    "abs_rel": ("abs rel", "", 4),
    "sq_rel": ("sq rel", "", 4),
}


class Report:
    """Collects the frames of a run and writes them to a folder.

    ``write`` may be called at any time, and again later; a killed run leaves the last complete files.

    >>> report = Report("output/demo", {"model": "classical", "lines": 16})
    >>> report.add("0000000010", depth_errors(depth, ground_truth))
    >>> report.add_lost("0000000011")
    >>> report.write()
    PosixPath('output/demo/metrics.json')

    Args:
        output: the folder, made when something is written to it.
        run: what was run (source, model, lines, ...), as JSON values; it becomes ``run`` in metrics.json.
    """

    def __init__(self, output: str | os.PathLike[str], run: dict[str, Any]) -> None:
        self.output = Path(output)
        self.run = run
        self.lost: list[str] = []
        self._completed: dict[str, DepthErrors | None] = {}

    @property
    def frames(self) -> int:
        """How many frames were completed, scored or not."""
        return len(self._completed)

    @property
    def errors(self) -> list[DepthErrors]:
        """The errors of the frames that were scored."""
        return [errors for errors in self._completed.values() if errors is not None]

    def add(self, name: str, errors: DepthErrors | None) -> None:
        """Counts a completed frame; ``errors`` is None where there is no ground truth to score it with.

        Raises:
            ValueError: the frame is there already.
        """
        self._expect_new(name)
        self._completed[name] = errors

    def add_lost(self, name: str) -> None:
        """Counts a frame that never came back, or could not be read.

        Raises:
            ValueError: the frame is there already.
        """
        self._expect_new(name)
        self.lost.append(name)

    def add_preview(self, name: str, picture: NDArray[np.uint8]) -> Path:
        """Writes (height, width, 3) uint8 RGB as ``previews/<name>.png`` and returns its path."""
        path = self.output / "previews" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_image(path, picture)
        return path

    def write(self) -> Path:
        """Writes metrics.json and metrics.csv, and returns the path of the first."""
        self.output.mkdir(parents=True, exist_ok=True)
        write_atomically(self.output / "metrics.csv", self._csv().encode())
        path = self.output / "metrics.json"
        write_atomically(path, (json.dumps(self.summary(), indent=2, allow_nan=False) + "\n").encode())
        return path

    def summary(self) -> dict[str, Any]:
        """What metrics.json holds: the counts, the mean errors (null if nothing was scored), the run."""
        errors = self.errors
        means = asdict(mean_errors(errors)) if errors else dict.fromkeys(_METRICS)
        return {
            "frames": self.frames,
            "lost": len(self.lost),
            "scored": len(errors),
            **means,
            "lost_frames": self.lost,
            "run": self.run,
        }

    def table(self) -> str:
        """The mean errors for people, see :func:`format_table`."""
        return format_table(self.errors, frames=self.frames, lost=len(self.lost))

    def _expect_new(self, name: str) -> None:
        if name in self._completed or name in self.lost:
            raise ValueError(f"frame {name!r} is in the report already")

    def _csv(self) -> str:
        """One row per frame in order of its name, so that equal runs give equal files."""
        rows: list[tuple[Any, ...]] = [(name, "lost") for name in self.lost]
        for name, errors in self._completed.items():
            rows.append((name, "scored", *astuple(errors)) if errors is not None else (name, "unscored"))
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("frame", "state", *_METRICS))
        writer.writerows(row + ("",) * (2 + len(_METRICS) - len(row)) for row in sorted(rows))
        return text.getvalue()


def format_table(errors: Sequence[DepthErrors], *, frames: int, lost: int) -> str:
    """The errors of a run as a table for people: mean, least and greatest over the frames, with units.

    Args:
        errors: those of every scored frame.
        frames: how many frames were completed.
        lost: how many never came back.
    """
    counts = f"{frames} frame{'' if frames == 1 else 's'}, {lost} lost"
    if not frames:
        return f"{counts}: nothing was completed"
    if not errors:
        return f"{counts}; no ground truth, so nothing was scored"
    lines = [counts if len(errors) == frames else f"{counts}, {len(errors)} with ground truth"]
    lines.append(f"{'':14}{'mean':>10}{'best':>10}{'worst':>10}")
    for metric, (label, unit, digits) in _DISPLAY.items():
        values = [getattr(frame, metric) for frame in errors]
        row = (getattr(mean_errors(errors), metric), min(values), max(values))
        lines.append(f"{label:9}{unit:5}" + "".join(f"{value:10.{digits}f}" for value in row))
    return "\n".join(lines)
