"""Compared methods as pictures; they need Matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from depth_completion_ros.evaluation.comparison import UNDISTURBED, Result
from depth_completion_ros.evaluation.metrics import mean_errors
from depth_completion_ros.evaluation.reliability import ERRORS, STEPS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ERROR_LABELS = {"abs_rel": "mean relative error of the rest", "rmse_mm": "RMSE of the rest, mm"}


def draw(results: Sequence[Result], folder: Path) -> list[Path]:
    """Writes accuracy.png, and confidence_METHOD.png for every method that states a confidence; returns their paths.

    Raises:
        ImportError: Matplotlib is missing; the message says how to install it.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(f"plots need Matplotlib (pip install matplotlib): {error}") from error

    plain = [result for result in results if result.condition == UNDISTURBED and result.frames]
    figures = {"accuracy": (11.0, 4.5)}
    stating = list(dict.fromkeys(result.method for result in plain if result.reliability is not None))
    figures |= {f"confidence_{method}": (15.0, 4.5) for method in stating}
    paths = []
    for name, size in figures.items():
        figure = Figure(figsize=size, layout="constrained")
        if name == "accuracy":
            _draw_accuracy(figure, plain)
        else:
            _draw_confidence(figure, [each for each in plain if f"confidence_{each.method}" == name])
        path = folder / f"{name}.png"
        FigureCanvasAgg(figure).print_png(path)
        paths.append(path)
    return paths


def _draw_accuracy(figure: Figure, results: Sequence[Result]) -> None:
    amounts = list(dict.fromkeys(result.given for result in results))
    axes = figure.subplots(1, 2)
    for axis, metric in zip(axes, ("rmse_mm", "mae_mm"), strict=True):
        for method in dict.fromkeys(result.method for result in results):
            own = {each.given: mean_errors(each.accuracy.errors) for each in results if each.method == method}
            values = [getattr(own[given], metric) if given in own else np.nan for given in amounts]
            stating = any(each.reliability is not None for each in results if each.method == method)
            axis.plot(values, "o-" if stating else "o:", label=method)
        axis.set_xticks(range(len(amounts)), [str(given) for given in amounts])
        axis.set(xlabel="given", ylabel=f"{metric.removesuffix('_mm').upper()}, mm", yscale="log")
        axis.grid(which="both", alpha=0.3)
    axes[0].legend(fontsize="small")


def _draw_confidence(figure: Figure, results: Sequence[Result]) -> None:
    """The reliability diagram, and for each error the sparsification curves of every amount given."""
    reliability, *sparsification = figure.subplots(1, 1 + len(ERRORS))
    reliability.plot((0, 1), (0, 1), color="0.6", linewidth=1)
    removed = np.arange(STEPS) / STEPS
    for number, result in enumerate(results):
        assert result.reliability is not None
        color, label = f"C{number}", str(result.given)
        bins = np.array(result.reliability.bins())
        enough = bins[:, 2] > 1e-3 * bins[:, 2].sum()
        error = f"{label}: calibration error {result.reliability.calibration_error:.3f}"
        reliability.plot(bins[enough, 3], bins[enough, 4], "o-", color=color, markersize=4, label=error)
        for axis, name in zip(sparsification, ERRORS, strict=True):
            by_confidence, by_distance = (result.reliability.ause(name, by) for by in ("confidence", "distance"))
            area = f"{label}: AUSE {by_confidence:.2f}, by distance {by_distance:.2f}"
            axis.plot(removed, result.reliability.curve(name, "confidence"), color=color, label=area)
            axis.plot(removed, result.reliability.curve(name, "distance"), "--", color=color, linewidth=0.8)
            axis.plot(removed, result.reliability.curve(name, "oracle"), ":", color=color, linewidth=0.8)
    reliability.set(xlabel="stated confidence", ylabel="true share within 5 %", xlim=(0, 1), ylim=(0, 1))
    reliability.set_title(results[0].method)
    reliability.legend(fontsize="small")
    for axis, name in zip(sparsification, ERRORS, strict=True):
        axis.set(xlabel="share of pixels taken away, least sure first", ylabel=_ERROR_LABELS[name], xlim=(0, 1))
        axis.set_ylim(bottom=0)
        axis.set_title("by confidence; dashed: by distance; dotted: oracle", fontsize="small")
        axis.grid(alpha=0.3)
        axis.legend(fontsize="small")
