"""Actions about what is known: arguments, configurations, the environment, and how far they reach."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ..context import LaunchContext
from ..entity import Action, LaunchDescriptionEntity
from ..utilities import normalize_to_list_of_substitutions, perform_substitutions, resolve
from .control import OpaqueFunction, RegisterEventHandler, TimerAction

if TYPE_CHECKING:
    from ..condition import Condition
    from ..launch_description_sources import LaunchDescriptionSource
    from ..substitution import SomeSubstitutionsType

_PLACE = ("current_launch_file_path", "current_launch_file_directory")


class DeclareLaunchArgument(Action):
    """An argument of the description it stands in; its value is the launch configuration of that name.

    Args:
        name: its name.
        default_value: the value where none is given; without it, one must be given.
        description: what it is for.
        choices: all values that are valid.
        condition: as for every action.

    Raises:
        RuntimeError: the default is not one of the choices.
    """

    def __init__(
        self,
        name: str,
        *,
        default_value: SomeSubstitutionsType | None = None,
        description: str | None = None,
        choices: list[str] | None = None,
        condition: Condition | None = None,
    ) -> None:
        super().__init__(condition=condition)
        if choices is not None and isinstance(default_value, str) and default_value not in choices:
            raise RuntimeError(f'default_value "{default_value}" of argument "{name}" is not one of {choices}')
        self.name = name
        self.default_value = (
            None if default_value is None else normalize_to_list_of_substitutions(default_value)
        )
        self.choices = choices
        self.description = description or "no description given"
        if choices is not None:
            self.description = f"{description.rstrip('.')}. Valid choices are: " if description else "One of: "
            self.description += str(choices)

    def execute(self, context: LaunchContext) -> None:
        """Set the configuration, unless it is; RuntimeError where there is no value, or no valid one."""
        if self.name not in context.launch_configurations:
            if self.default_value is None:
                raise RuntimeError(
                    f'Required launch argument "{self.name}" ({self.description}) was not provided: '
                    f"add {self.name}:=<value>"
                )
            context.launch_configurations[self.name] = perform_substitutions(context, self.default_value)
        value = context.launch_configurations[self.name]
        if self.choices is not None and value not in self.choices:
            raise RuntimeError(
                f'Argument "{self.name}" provided value "{value}" is not valid. Valid options are: {self.choices}'
            )


class SetLaunchConfiguration(Action):
    """Set a launch configuration.

    Args:
        name: its name.
        value: its value.
        condition: as for every action.
    """

    def __init__(
        self, name: SomeSubstitutionsType, value: SomeSubstitutionsType, *, condition: Condition | None = None
    ) -> None:
        super().__init__(condition=condition)
        self.name = normalize_to_list_of_substitutions(name)
        self.value = normalize_to_list_of_substitutions(value)

    def execute(self, context: LaunchContext) -> None:
        """Set it."""
        context.launch_configurations[resolve(context, self.name)] = resolve(context, self.value)


class SetEnvironmentVariable(Action):
    """Set an environment variable, of this process and of all that it starts from now on.

    Args:
        name: its name.
        value: its value.
        condition: as for every action.
    """

    def __init__(
        self, name: SomeSubstitutionsType, value: SomeSubstitutionsType, *, condition: Condition | None = None
    ) -> None:
        super().__init__(condition=condition)
        self.name = normalize_to_list_of_substitutions(name)
        self.value = normalize_to_list_of_substitutions(value)

    def execute(self, context: LaunchContext) -> None:
        """Set it."""
        context.environment[resolve(context, self.name)] = resolve(context, self.value)


class GroupAction(Action):
    """Visit entities together.

    Args:
        actions: the entities.
        scoped: afterwards, configurations and environment are as before.
        launch_configurations: configurations to set first.
        condition: as for every action, here of all of them.
    """

    def __init__(
        self,
        actions: Iterable[LaunchDescriptionEntity],
        *,
        scoped: bool = True,
        launch_configurations: Mapping[str, SomeSubstitutionsType] | None = None,
        condition: Condition | None = None,
    ) -> None:
        super().__init__(condition=condition)
        self._scoped = scoped
        self._actions = [
            *(SetLaunchConfiguration(name, value) for name, value in (launch_configurations or {}).items()),
            *actions,
        ]

    def get_sub_entities(self) -> list[LaunchDescriptionEntity]:
        """What will be visited."""
        return self._actions

    def execute(self, context: LaunchContext) -> list[LaunchDescriptionEntity]:
        """All entities, between saving and going back."""
        if not self._scoped:
            return self._actions
        return [
            OpaqueFunction(function=LaunchContext.push),
            *self._actions,
            OpaqueFunction(function=LaunchContext.pop),
        ]


class IncludeLaunchDescription(Action):
    """Visit the entities of another description.

    Args:
        launch_description_source: where it comes from.
        launch_arguments: pairs of name and value. They stay set afterwards, unless a group limits them.
        condition: as for every action.
    """

    def __init__(
        self,
        launch_description_source: LaunchDescriptionSource,
        *,
        launch_arguments: Iterable[tuple[SomeSubstitutionsType, SomeSubstitutionsType]] = (),
        condition: Condition | None = None,
    ) -> None:
        super().__init__(condition=condition)
        self.launch_description_source = launch_description_source
        self.launch_arguments = tuple(launch_arguments)

    def get_sub_entities(self) -> list[LaunchDescriptionEntity]:
        """The description, if it can be had without launching."""
        try:
            return [self.launch_description_source.get_launch_description(LaunchContext())]
        except Exception:  # it depends on what is not known yet; nothing is lost but its place in a list
            return []

    def execute(self, context: LaunchContext) -> list[LaunchDescriptionEntity]:
        """The description, after its arguments; RuntimeError where one is missing."""
        description = self.launch_description_source.get_launch_description(context)
        file = self.launch_description_source.location
        given = [resolve(context, name) for name, _ in self.launch_arguments]
        for argument, conditional in declared_arguments(description, into_includes=False):
            if not conditional and argument.default_value is None and argument.name not in given:
                raise RuntimeError(
                    f"{file} needs the argument '{argument.name}' ({argument.description}), given: {given}"
                )
        outer = {key: context.get_locals_as_dict().get(key) for key in _PLACE}
        context.extend_locals(dict(zip(_PLACE, (file, os.path.dirname(file)), strict=True)))
        return [
            *(SetLaunchConfiguration(name, value) for name, value in self.launch_arguments),
            description,
            OpaqueFunction(function=LaunchContext.extend_locals, args=[outer]),
        ]


def declared_arguments(
    entity: LaunchDescriptionEntity, *, into_includes: bool = True
) -> list[tuple[DeclareLaunchArgument, bool]]:
    """The arguments declared within an entity, and whether only under some condition; the first of a name counts.

    Args:
        entity: where to look.
        into_includes: look also into the descriptions that it includes.
    """
    found: dict[str, tuple[DeclareLaunchArgument, bool]] = {}

    def search(entity: LaunchDescriptionEntity, conditional: bool) -> None:
        conditional |= isinstance(entity, (RegisterEventHandler, TimerAction))
        conditional |= isinstance(entity, Action) and entity.condition is not None
        if isinstance(entity, DeclareLaunchArgument):
            found.setdefault(entity.name, (entity, conditional))
        if into_includes or not isinstance(entity, IncludeLaunchDescription):
            for inner in entity.get_sub_entities():
                search(inner, conditional)

    search(entity, conditional=False)
    return list(found.values())
