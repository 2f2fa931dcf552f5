"""The entry point of ``ros2``."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence

from depth_completion_ros_underlay import use_pip_environment

from . import graph, launch, nodes, pkg, run

_COMMANDS = {
    "launch": launch.add_arguments,
    "run": run.add_arguments,
    "pkg": pkg.add_verbs,
    "node": graph.add_node_verbs,
    "topic": graph.add_topic_verbs,
    "param": nodes.add_param_verbs,
    "lifecycle": nodes.add_lifecycle_verbs,
}


def main(*, argv: Sequence[str] | None = None) -> int | str | None:
    """Run a command.

    Args:
        argv: its words, by default those of this process.

    Returns:
        What ``sys.exit`` takes: an exit status, or a message about what went wrong.
    """
    use_pip_environment()
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(line_buffering=True, errors="replace")
    args = _parser().parse_args(argv)
    try:
        return args.function(args)
    except KeyboardInterrupt:
        return signal.SIGINT
    except RuntimeError as error:
        return str(error)


class _Parser(argparse.ArgumentParser):
    """Says of what is missing here where it can be had."""

    def error(self, message: str) -> None:  # type: ignore[override]
        if "invalid choice" in message:
            message += "; others need a ROS 2 installation (its package ros2cli), not this pip environment"
        super().error(message)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="ros2", description="The ros2 commands that work in a pip environment.")
    parser.set_defaults(function=lambda args: parser.print_help())
    commands = parser.add_subparsers(metavar="command")
    for name, add in _COMMANDS.items():
        summary = add.__doc__
        add(commands.add_parser(name, help=summary, description=summary))
    return parser
