"""Where descriptions come from."""

from __future__ import annotations

import os
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from typing import TYPE_CHECKING

from .utilities import normalize_to_list_of_substitutions, perform_substitutions

if TYPE_CHECKING:
    from .context import LaunchContext
    from .description import LaunchDescription
    from .substitution import SomeSubstitutionsType

__all__ = ["InvalidPythonLaunchFileError", "LaunchDescriptionSource", "PythonLaunchDescriptionSource"]


class InvalidPythonLaunchFileError(Exception):
    """A launch file does not define ``generate_launch_description()``."""


class LaunchDescriptionSource:
    """A description that is there already.

    Args:
        launch_description: the description.

    Attributes:
        location: the launch file it comes from.
    """

    def __init__(self, launch_description: LaunchDescription) -> None:
        self._description = launch_description
        self.location = "<script>"

    def get_launch_description(self, context: LaunchContext) -> LaunchDescription:
        """The description."""
        return self._description


class PythonLaunchDescriptionSource(LaunchDescriptionSource):
    """A launch file: a Python module with a function ``generate_launch_description()``.

    Args:
        launch_file_path: its path.
    """

    def __init__(self, launch_file_path: SomeSubstitutionsType) -> None:
        self._path = normalize_to_list_of_substitutions(launch_file_path)
        self.location = " + ".join(part.describe() for part in self._path)

    def get_launch_description(self, context: LaunchContext) -> LaunchDescription:
        """Load the file, each time anew, and call its function."""
        self.location = os.path.abspath(perform_substitutions(context, self._path))
        loader = SourceFileLoader("python_launch_file", self.location)
        spec = spec_from_loader(loader.name, loader)
        assert spec is not None
        module = module_from_spec(spec)
        loader.exec_module(module)
        if not hasattr(module, "generate_launch_description"):
            raise InvalidPythonLaunchFileError(
                f"launch file '{self.location}' does not define the function generate_launch_description()"
            )
        return module.generate_launch_description()
