"""``ros2 run``."""

from __future__ import annotations

import argparse
import os

from .pkg import executables_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Run an executable of a package."""
    parser.add_argument("package", help="the package")
    parser.add_argument("executable", help="its executable")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="arguments of the executable")
    parser.set_defaults(function=_main)


def _main(args: argparse.Namespace) -> None:
    paths = [path for path in executables_of(args.package) if os.path.basename(path) == args.executable]
    if len(paths) > 1:
        raise RuntimeError("Multiple executables found:\n- " + "\n- ".join(paths))
    if not paths:
        raise RuntimeError("No executable found")
    # The executable takes the place of this process, so that signals and the exit status need no go-between.
    os.execv(paths[0], [paths[0], *args.arguments])
