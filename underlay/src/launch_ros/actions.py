"""The actions about nodes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from launch import Action, Condition, SomeSubstitutionsType, logging
from launch.actions import ExecuteProcess
from launch.utilities import normalize_to_list_of_substitutions, resolve

from .parameter_descriptions import ParameterFile
from .parameters import as_parameters, dump, evaluate_parameters
from .substitutions import ExecutableInPackage

if TYPE_CHECKING:
    from launch import LaunchContext

__all__ = ["Node", "PushROSNamespace", "PushRosNamespace", "SetParameter"]

_GLOBAL_PARAMETERS = "global_params"
_NAMESPACE = "ros_namespace"


class Node(ExecuteProcess):
    """Start a ROS node.

    Args:
        executable: the name of its executable.
        package: the package that has it; without it, ``executable`` is a program as for ExecuteProcess.
        name: the node's name, instead of its own.
        namespace: the node's namespace, instead of its own; within what was pushed, unless it begins with a slash.
        exec_name: what the process is called in the output; by default as its executable.
        parameters: dicts of parameters and paths of YAML files, of which later ones win.
        remappings: pairs of a name and its replacement.
        arguments: arguments for the program.
        ros_arguments: further ROS arguments.
        kwargs: everything but ``cmd`` and ``name`` that :class:`launch.actions.ExecuteProcess` takes.
    """

    def __init__(
        self,
        *,
        executable: SomeSubstitutionsType,
        package: SomeSubstitutionsType | None = None,
        name: SomeSubstitutionsType | None = None,
        namespace: SomeSubstitutionsType | None = None,
        exec_name: SomeSubstitutionsType | None = None,
        parameters: Iterable[Any] = (),
        remappings: Iterable[tuple[SomeSubstitutionsType, SomeSubstitutionsType]] = (),
        arguments: Iterable[SomeSubstitutionsType] = (),
        ros_arguments: Iterable[SomeSubstitutionsType] = (),
        **kwargs: Any,
    ) -> None:
        program = executable if package is None else [ExecutableInPackage(executable, package)]
        super().__init__(cmd=[program, *(arguments or ())], name=exec_name, **kwargs)
        self._node_name = name
        self._node_namespace = namespace
        self._parameters = [as_parameters(given) for given in parameters or ()]
        self._remappings = list(remappings or ())
        self._ros_arguments = list(ros_arguments or ())
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def _command(self, context: LaunchContext) -> list[str]:
        words = [resolve(context, word) for word in self._ros_arguments]
        name = None if self._node_name is None else resolve(context, self._node_name)
        if name is not None:
            words += ["-r", f"__node:={name}"]
        namespace = context.launch_configurations.get(_NAMESPACE)
        if namespace is not None or self._node_namespace is not None:
            namespace = _within(namespace, resolve(context, self._node_namespace or ""))
            words += ["-r", f"__ns:={namespace}"]
        # A node of which the full name is known takes these parameters rather than those of a file for all nodes.
        full_name = "/**" if name is None or namespace is None else f"{namespace.rstrip('/')}/{name}"
        for key, value in context.launch_configurations.get(_GLOBAL_PARAMETERS, {}).items():
            words += ["-p", f"{key}:={dump(value).strip()}"]
        for given in self._parameters:
            path = self._parameter_file(context, given, full_name)
            if path is not None:
                words += ["--params-file", path]
        for topic, replacement in self._remappings:
            words += ["-r", f"{resolve(context, topic)}:={resolve(context, replacement)}"]
        return [*super()._command(context), "--ros-args", *words]

    def _parameter_file(
        self, context: LaunchContext, given: Mapping[Any, Any] | ParameterFile, full_name: str
    ) -> str | None:
        if not isinstance(given, ParameterFile):
            return self._write(dump({full_name: {"ros__parameters": evaluate_parameters(context, given)}}))
        path = given.evaluate(context)
        if not os.path.isfile(path):
            logging.get_logger("launch_ros").warning(f"Parameter file path is not a file: {path}")
            return None
        return self._write(given.read(context)) if given.allow_substs else path

    def _write(self, text: str) -> str:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="launch_params_")
        path = Path(self._folder.name, f"{len(os.listdir(self._folder.name))}.yaml")
        path.write_text(text, encoding="utf-8")
        return str(path)

    def _clean_up(self) -> None:
        if self._folder is not None:
            self._folder.cleanup()


class PushROSNamespace(Action):
    """Put all nodes that are started from now on into a namespace, within those that were pushed before.

    Args:
        namespace: the namespace.
        condition: as for every action.
    """

    def __init__(self, namespace: SomeSubstitutionsType, *, condition: Condition | None = None) -> None:
        super().__init__(condition=condition)
        self.namespace = normalize_to_list_of_substitutions(namespace)

    def execute(self, context: LaunchContext) -> None:
        """Note it among the configurations, so that a group limits how far it reaches."""
        outer = context.launch_configurations.get(_NAMESPACE)
        context.launch_configurations[_NAMESPACE] = _within(outer, resolve(context, self.namespace))


PushRosNamespace = PushROSNamespace  # its name in Humble


def _within(outer: str | None, namespace: str) -> str:
    absolute = namespace if namespace.startswith("/") else f"{outer or ''}/{namespace}"
    return "/" + absolute.strip("/")


class SetParameter(Action):
    """Give a parameter to every node that is started from now on, unless the node gets it otherwise.

    Args:
        name: its name.
        value: its value, as in a dict of a node's parameters.
        condition: as for every action.
    """

    def __init__(self, name: SomeSubstitutionsType, value: Any, *, condition: Condition | None = None) -> None:
        super().__init__(condition=condition)
        self.name = normalize_to_list_of_substitutions(name)
        self.value = value

    def execute(self, context: LaunchContext) -> None:
        """Note it among the configurations, so that a group limits how far it reaches."""
        parameters = evaluate_parameters(context, {tuple(self.name): self.value})
        known = context.launch_configurations.get(_GLOBAL_PARAMETERS, {})
        context.launch_configurations[_GLOBAL_PARAMETERS] = {**known, **parameters}
