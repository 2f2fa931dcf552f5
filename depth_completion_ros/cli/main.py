"""The command ``depth-completion``: every other file in this folder is one of its sub-commands.

A command file has ``add_parser(subparsers)``, which adds its parser and sets ``run``, a function from the parsed
arguments to the exit status. What takes long to import is imported within ``run``, so that ``--help`` is instant.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Sequence

from depth_completion_ros import cli
from depth_completion_ros.errors import describe

_BAD_INPUT = 2
_INTERRUPTED = 130  # what a shell reports for a process that Ctrl-C ended


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status: 0 for success, 2 for wrong input, 130 after Ctrl-C."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except (ValueError, OSError, ImportError, MemoryError) as error:
        if options.debug:
            raise
        print(f"depth-completion: error: {describe(error)}", file=sys.stderr)
        return _BAD_INPUT
    except RuntimeError as error:
        from depth_completion_ros.devices import lacks_memory

        if options.debug or not lacks_memory(error):
            raise
        what = str(error).partition("\n")[0]
        cure = "take smaller crops, batches or presets, or a larger decimation"
        print(f"depth-completion: error: too little memory, {cure}: {what}", file=sys.stderr)
        return _BAD_INPUT
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="depth-completion",
        description="Dense metric depth, with a confidence, from a camera and a sparse depth sensor.",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for module in pkgutil.iter_modules(cli.__path__):
        if module.name != "main" and not module.name.startswith("_"):
            importlib.import_module(f"{cli.__name__}.{module.name}").add_parser(commands)
    for command in commands.choices.values():
        command.add_argument("--debug", action="store_true", help="show where an error comes from")
    return parser


if __name__ == "__main__":
    sys.exit(main())
