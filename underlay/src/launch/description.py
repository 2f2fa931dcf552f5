"""A system to launch."""

from __future__ import annotations

from collections.abc import Iterable

from .actions.scope import DeclareLaunchArgument, declared_arguments
from .context import LaunchContext
from .entity import Action, LaunchDescriptionEntity


class LaunchDescription(LaunchDescriptionEntity):
    """Entities in the order in which they are to be visited.

    Args:
        initial_entities: the first of them.
    """

    def __init__(self, initial_entities: Iterable[LaunchDescriptionEntity] | None = None) -> None:
        self.entities = list(initial_entities or ())

    def add_entity(self, entity: LaunchDescriptionEntity) -> None:
        """Add an entity to the end."""
        self.entities.append(entity)

    def add_action(self, action: Action) -> None:
        """Add an action to the end."""
        self.add_entity(action)

    def visit(self, context: LaunchContext) -> list[LaunchDescriptionEntity]:
        """All entities."""
        return self.entities

    def get_sub_entities(self) -> list[LaunchDescriptionEntity]:
        """All entities."""
        return self.entities

    def get_launch_arguments(self) -> list[DeclareLaunchArgument]:
        """The arguments that are declared here and in what is included, as far as that is known without launching.

        Of an argument that is declared more than once, the first declaration is listed.
        """
        return [argument for argument, _ in declared_arguments(self)]
