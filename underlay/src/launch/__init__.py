"""Describe a system of processes, then run it (the subset of ROS 2's launch package that we use).

A description is a tree of entities; most are actions. The service visits them in order, which sets configurations,
starts processes and registers event handlers; from then on events (a process exited, a timer fired, shut down) bring
further entities, until nothing is left to wait for.
"""

from depth_completion_ros_underlay import refuse_beside_ros

from . import actions, conditions, event_handlers, events, logging, substitutions
from .condition import Condition
from .context import LaunchContext
from .description import LaunchDescription
from .entity import Action, LaunchDescriptionEntity
from .event import Event, EventHandler
from .launch_description_sources import LaunchDescriptionSource
from .service import LaunchService
from .substitution import SomeSubstitutionsType, Substitution

__all__ = [
    "Action",
    "Condition",
    "Event",
    "EventHandler",
    "LaunchContext",
    "LaunchDescription",
    "LaunchDescriptionEntity",
    "LaunchDescriptionSource",
    "LaunchService",
    "SomeSubstitutionsType",
    "Substitution",
    "actions",
    "conditions",
    "event_handlers",
    "events",
    "logging",
    "substitutions",
]

refuse_beside_ros(__name__)
