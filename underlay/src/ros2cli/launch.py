"""``ros2 launch``."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from launch import LaunchContext, LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.actions.scope import declared_arguments
from launch.launch_description_sources import PythonLaunchDescriptionSource


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Run a launch file."""
    parser.add_argument("package", help="the package that has the launch file, or the path of a launch file")
    parser.add_argument("file", nargs="?", help="the name of the launch file in the package")
    parser.add_argument("arguments", nargs="*", help="arguments of the launch file: <name>:=<value>")
    parser.add_argument(
        "-s", "--show-args", "--show-arguments", action="store_true", help="show the arguments of the launch file"
    )
    parser.add_argument(
        "-n",
        "--noninteractive",
        action="store_true",
        default=not sys.stdin.isatty(),
        help="there is no terminal that would tell the nodes about Ctrl-C",
    )
    parser.add_argument("-d", "--debug", action="store_true", help="say more")
    parser.set_defaults(function=_main)


def _main(args: argparse.Namespace) -> int:
    words = list(args.arguments)
    if os.path.isfile(args.package):
        path = args.package
        words[:0] = [args.file] if args.file else []
    else:
        path = _find(args.package, args.file)
    source = PythonLaunchDescriptionSource(path)
    if args.show_args:
        print(describe_arguments(source.get_launch_description(LaunchContext())))
        return 0
    service = LaunchService(argv=words, noninteractive=args.noninteractive, debug=args.debug)
    arguments = parse_arguments(words)
    service.include_launch_description(
        LaunchDescription([IncludeLaunchDescription(source, launch_arguments=arguments.items())])
    )
    return service.run()


def parse_arguments(words: list[str]) -> dict[str, str]:
    """The arguments of a launch file by name; of those with the same name the last counts.

    Raises:
        RuntimeError: one is not written as name:=value.
    """
    arguments = {}
    for word in words:
        name, assign, value = word.partition(":=")
        if not (name and assign and value):
            raise RuntimeError(f"malformed launch argument '{word}', expected format '<name>:=<value>'")
        arguments[name] = value
    return arguments


def describe_arguments(description: LaunchDescription) -> str:
    """What ``ros2 launch --show-args`` prints."""
    lines = ["Arguments (pass arguments as '<name>:=<value>'):"]
    arguments = declared_arguments(description)
    for argument, conditional in arguments:
        lines += ["", f"    '{argument.name}':{'*' if conditional else ''}", f"        {argument.description}"]
        if argument.default_value is not None:
            lines.append(f"        (default: {' + '.join(part.describe() for part in argument.default_value)})")
    if not arguments:
        lines += ["", "  No arguments."]
    elif any(conditional for _, conditional in arguments):
        lines += ["", "* argument(s) which are only used if specific conditions occur"]
    return "\n".join(lines)


def _find(package: str, file: str | None) -> str:
    if file is None:
        raise RuntimeError(f"ros2 launch {package}: expected the name of a launch file in package '{package}'")
    try:
        share = get_package_share_directory(package)
    except (PackageNotFoundError, ValueError) as error:
        raise RuntimeError(f"Package '{package}' not found: {error}") from None
    paths = sorted(path for path in Path(share).rglob("*") if path.name == file and path.is_file())
    if not paths:
        launch_files = sorted(path.name for path in Path(share).rglob("*.launch.py"))
        raise RuntimeError(
            f"file '{file}' was not found in the share directory of package '{package}' which is at '{share}'; "
            f"launch files there: {', '.join(launch_files) or 'none'}"
        )
    if len(paths) > 1:
        raise RuntimeError(f"file '{file}' was found more than once: {', '.join(map(str, paths))}")
    return str(paths[0])
