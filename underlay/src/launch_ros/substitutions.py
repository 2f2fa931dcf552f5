"""Where packages lie."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from ament_index_python.packages import get_package_prefix, get_package_share_directory
from depth_completion_ros_underlay import use_pip_environment
from launch import SomeSubstitutionsType, Substitution
from launch.substitutions import SubstitutionFailure
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions

if TYPE_CHECKING:
    from launch import LaunchContext

__all__ = ["ExecutableInPackage", "FindPackagePrefix", "FindPackageShare"]


class FindPackagePrefix(Substitution):
    """Where a package is installed.

    Args:
        package: its name.

    Raises:
        PackageNotFoundError: (a KeyError) when performed, if there is no such package.
    """

    def __init__(self, package: SomeSubstitutionsType) -> None:
        self.package = normalize_to_list_of_substitutions(package)

    def describe(self) -> str:
        """The package."""
        return f"{type(self).__name__}(pkg={' + '.join(part.describe() for part in self.package)})"

    def perform(self, context: LaunchContext) -> str:
        """The path."""
        use_pip_environment()
        return self.find(perform_substitutions(context, self.package))

    def find(self, package_name: str) -> str:
        """The path for a name."""
        return get_package_prefix(package_name)


class FindPackageShare(FindPackagePrefix):
    """Where the launch files, configurations and other data of a package are installed; see FindPackagePrefix."""

    def find(self, package_name: str) -> str:
        """The path for a name."""
        return get_package_share_directory(package_name)


class ExecutableInPackage(FindPackagePrefix):
    """An executable of a package: ``<prefix>/lib/<package>/<executable>``.

    Args:
        executable: its name.
        package: the name of its package.

    Raises:
        PackageNotFoundError: (a KeyError) when performed, if there is no such package.
        SubstitutionFailure: when performed, if it has no such executable.
    """

    def __init__(self, executable: SomeSubstitutionsType, package: SomeSubstitutionsType) -> None:
        super().__init__(package)
        self.executable = normalize_to_list_of_substitutions(executable)

    def perform(self, context: LaunchContext) -> str:
        """The path."""
        executable = perform_substitutions(context, self.executable)
        folder = os.path.join(super().perform(context), "lib", perform_substitutions(context, self.package))
        path = shutil.which(executable, path=folder)
        if path is None:
            there = sorted(os.listdir(folder)) if os.path.isdir(folder) else "no such folder"
            raise SubstitutionFailure(f"executable '{executable}' not found in '{folder}' ({there})")
        return path
