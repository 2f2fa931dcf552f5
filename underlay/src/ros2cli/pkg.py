"""``ros2 pkg``."""

from __future__ import annotations

import argparse
import os

from ament_index_python.packages import (
    PackageNotFoundError,
    get_package_prefix,
    get_package_share_directory,
    get_packages_with_prefixes,
)


def add_verbs(parser: argparse.ArgumentParser) -> None:
    """Find packages and what they contain."""
    verbs = parser.add_subparsers(metavar="verb", required=True)

    verb = verbs.add_parser("list", help="names of all packages")
    verb.set_defaults(function=_list)

    verb = verbs.add_parser("prefix", help="where a package is installed")
    verb.add_argument("package")
    verb.add_argument("--share", action="store_true", help="its share folder")
    verb.set_defaults(function=_prefix)

    verb = verbs.add_parser("executables", help="executables of a package, or of all")
    verb.add_argument("package", nargs="?")
    verb.add_argument("--full-path", action="store_true", help="paths instead of names")
    verb.set_defaults(function=_executables)


def executables_of(package: str) -> list[str]:
    """The paths of a package's executables.

    Raises:
        RuntimeError: there is no such package.
    """
    try:
        folder = os.path.join(get_package_prefix(package), "lib", package)
    except (PackageNotFoundError, ValueError):
        raise RuntimeError(f"Package '{package}' not found") from None
    files = (os.path.join(where, name) for where, _, names in os.walk(folder) for name in names)
    return sorted(path for path in files if os.access(path, os.X_OK))


def _list(args: argparse.Namespace) -> None:
    print("\n".join(sorted(get_packages_with_prefixes())))


def _prefix(args: argparse.Namespace) -> str | None:
    try:
        print((get_package_share_directory if args.share else get_package_prefix)(args.package))
    except (PackageNotFoundError, ValueError):
        return "Package not found"
    return None


def _executables(args: argparse.Namespace) -> None:
    for package in [args.package] if args.package else sorted(get_packages_with_prefixes()):
        for path in executables_of(package):
            print(path if args.full_path else f"{package} {os.path.basename(path)}")
