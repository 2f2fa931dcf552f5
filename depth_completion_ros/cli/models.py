"""``depth-completion models``: what is available."""

from __future__ import annotations

import argparse
import json
import textwrap
from typing import Any


def add_parser(subparsers: Any) -> None:
    """Adds the command to ``depth-completion``."""
    parser = subparsers.add_parser("models", help="list the completion models")
    parser.add_argument("--json", action="store_true", help="print the list as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Prints every registered model."""
    from depth_completion_ros.networks.registry import models

    rows = [
        {
            "name": model.name,
            "summary": model.summary,
            "uses_image": model.uses_image,
            "presets": list(model.presets),
            "source": model.source,
            "weights": _weights(model.name),
        }
        for model in models()
    ]
    print(json.dumps(rows, indent=2) if options.json else "\n\n".join(map(_describe, rows)))
    return 0


def _weights(model: str) -> str:
    """What ships for a model; nothing if nothing does."""
    from depth_completion_ros.checkpoints import WEIGHTS_FILE, read_header
    from depth_completion_ros.shipped import shipped_checkpoint

    folder = shipped_checkpoint(model)
    if folder is None:
        return ""
    header = read_header(folder)
    without = ", complete without an image too" if header.get("image_optional") else ""
    return f"{header['options']['preset']}, {(folder / WEIGHTS_FILE).stat().st_size / 1e6:.1f} MB{without}"


def _describe(row: dict[str, Any]) -> str:
    """One model for people: its name, and below it a line for each thing that is known about it."""
    image = "uses an image" if row["uses_image"] else "needs no image"
    facts = {"": f"{row['summary']}; {image}", "presets: ": ", ".join(row["presets"]), "source: ": row["source"]}
    facts["weights that ship: "] = row["weights"]
    lines = [
        textwrap.fill(label + text, 100, initial_indent="  ", subsequent_indent="    ")
        for label, text in facts.items()
        if text
    ]
    return "\n".join([row["name"], *lines])
