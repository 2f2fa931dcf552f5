"""Compared methods as tables for people (text that is also Markdown) and for programs (CSV)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import astuple, fields
from itertools import pairwise
from typing import Any

import numpy as np

from depth_completion_ros.evaluation.accuracy import RANGES
from depth_completion_ros.evaluation.comparison import UNDISTURBED, Result
from depth_completion_ros.evaluation.given import Given
from depth_completion_ros.evaluation.metrics import DepthErrors, mean_errors
from depth_completion_ros.evaluation.reliability import ERRORS, STEPS, Reliability

_BINS_SHOWN = 10


def report(results: Sequence[Result]) -> str:
    """Every table that the results allow, each under a line that says what it shows."""
    plain = [result for result in results if result.condition == UNDISTURBED]
    sections = [("RMSE / MAE in mm, mean over frames, by what was given", _by_amount(plain))]
    for given in _amounts(plain):
        chosen = [result for result in plain if result.given == given]
        sections.append((f"RMSE / MAE in mm over all pixels, by true depth: {given}", _by_range(chosen)))
    stating = [result for result in plain if result.reliability is not None and result.frames]
    if stating:
        sections.append(("Confidence: stated and true share of pixels within 5 % of the truth", _confidence(stating)))
    for method in dict.fromkeys(result.method for result in stating):
        chosen = [result for result in stating if result.method == method]
        title = f"Reliability of {method}: true share within 5 %, in brackets the share of pixels, by stated confidence"
        sections.append((title, _reliability(chosen)))
    for given in _amounts(results) if len(plain) < len(results) else ():
        chosen = [result for result in results if result.given == given]
        for method in dict.fromkeys(result.method for result in chosen if result.condition != UNDISTURBED):
            rows = [result for result in chosen if result.method == method]
            sections.append((f"Robustness of {method}: {given}", _robustness(rows)))
    return "\n\n".join(f"{title}\n\n{table}" for title, table in sections)


def csv_files(results: Sequence[Result]) -> dict[str, str]:
    """The content of each CSV file by its name: one row for each amount given, method and condition."""
    metrics = [metric.name for metric in fields(DepthErrors)]
    accuracy: list[tuple[Any, ...]] = []
    ranges: list[tuple[Any, ...]] = []
    confidence: list[tuple[Any, ...]] = []
    bins: list[tuple[Any, ...]] = []
    curves: list[tuple[Any, ...]] = []
    for result in (result for result in results if result.frames):
        key = (str(result.given), result.method, result.condition)
        errors = astuple(mean_errors(result.accuracy.errors))
        accuracy.append((*key, result.frames, *errors, result.median_milliseconds))
        for (near, far), row in zip(pairwise(RANGES), result.accuracy.by_range(), strict=True):
            ranges.append((*key, near, far, *row))
        if result.reliability is not None:
            confidence.append((*key, *_confidence_numbers(result.reliability)))
            bins += [(*key, *row) for row in result.reliability.bins()]
            for error in ERRORS:
                by = [result.reliability.curve(error, order) for order in ("confidence", "distance", "oracle")]
                curves += [(*key, error, step / STEPS, *row) for step, row in enumerate(np.stack(by, 1).tolist())]
    head = ("given", "method", "condition")
    return {
        "accuracy.csv": _csv((*head, "frames", *metrics, "milliseconds"), accuracy),
        "accuracy_by_distance.csv": _csv((*head, "from_m", "to_m", "pixels", "rmse_mm", "mae_mm"), ranges),
        "confidence.csv": _csv((*head, "stated", "true", "calibration_error", *_AUSE), confidence),
        "reliability.csv": _csv((*head, "from", "to", "pixels", "stated", "true"), bins),
        "sparsification.csv": _csv((*head, "error", "removed", "by_confidence", "by_distance", "oracle"), curves),
    }


_AUSE = tuple(f"ause_{error}_by_{order}" for error in ERRORS for order in ("confidence", "distance"))


def _confidence_numbers(reliability: Reliability) -> tuple[float, ...]:
    areas = (reliability.ause(error, order) for error in ERRORS for order in ("confidence", "distance"))
    return (reliability.stated, reliability.true, reliability.calibration_error, *areas)


def _by_amount(results: Sequence[Result]) -> str:
    amounts = _amounts(results)
    frames = {result.given: result.frames for result in results}
    header = ["", *(f"{given} ({frames[given]} frames)" for given in amounts), "ms, median"]
    rows = []
    for method in dict.fromkeys(result.method for result in results):
        own = {result.given: result for result in results if result.method == method}
        milliseconds = np.nanmedian([own[given].median_milliseconds for given in amounts])
        rows.append([method, *(_pair(*_mean(own[given])) for given in amounts), f"{milliseconds:.0f}"])
    return _table(header, rows)


def _by_range(results: Sequence[Result]) -> str:
    limits = pairwise(RANGES)
    header = ["", *(f"{near:g} to {far:g} m" if np.isfinite(far) else f"over {near:g} m" for near, far in limits)]
    rows = [[each.method, *(_pair(rmse, mae) for _, rmse, mae in each.accuracy.by_range())] for each in results]
    return _table(header, rows)


def _confidence(results: Sequence[Result]) -> str:
    areas = (f"AUSE {error}{by}" for error in ("abs rel", "RMSE") for by in ("", " by distance"))
    header = ["", "given", "stated", "true", "calibration error", *areas]
    rows = []
    for result in results:
        assert result.reliability is not None
        numbers = (f"{value:.3f}" for value in _confidence_numbers(result.reliability))
        rows.append([result.method, str(result.given), *numbers])
    return _table(header, rows)


def _reliability(results: Sequence[Result]) -> str:
    """The bins, several taken together to fit on a screen."""
    rows = []
    tables = [np.array(result.reliability.bins()) for result in results if result.reliability is not None]
    for part in np.array_split(np.arange(len(tables[0])), _BINS_SHOWN):
        row = [f"{tables[0][part[0], 0]:.1f} to {tables[0][part[-1], 1]:.1f}"]
        for table in tables:
            pixels, true = table[part, 2], np.nan_to_num(table[part, 4])
            share = pixels.sum() / table[:, 2].sum()
            row.append(f"{pixels @ true / pixels.sum():.2f} ({share:.1%})" if pixels.any() else "-")
        rows.append(row)
    return _table(["stated", *(str(result.given) for result in results)], rows)


def _robustness(results: Sequence[Result]) -> str:
    rows = []
    for result in results:
        if result.reliability is None or not result.frames:
            rows.append([result.condition, "refused", "", ""])
            continue
        shares = (f"{share:.3f}" for share in (result.reliability.stated, result.reliability.true))
        rows.append([result.condition, _pair(*_mean(result)), *shares])
    return _table(["", "RMSE / MAE, mm", "stated confidence", "true share within 5 %"], rows)


def _mean(result: Result) -> tuple[float, float]:
    if not result.frames:
        return np.nan, np.nan
    errors = mean_errors(result.accuracy.errors)
    return errors.rmse_mm, errors.mae_mm


def _pair(rmse: float, mae: float) -> str:
    return "-" if np.isnan(rmse) else f"{rmse:.0f} / {mae:.0f}"


def _amounts(results: Iterable[Result]) -> list[Given]:
    return list(dict.fromkeys(result.given for result in results))


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns stand under one another."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        first, *others = (cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
        return "| " + " | ".join([first.strip().ljust(widths[0]), *others]) + " |"

    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([line(header), rule, *map(line, rows)])


def _csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
