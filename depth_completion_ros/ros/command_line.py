"""What a launch file makes of the command line of ``ros2 launch``.

launch hands every ``name:=value`` on, to the launch file that it starts and to those which that includes, and does not
say when nobody asks for a name. Only a launch file that the command line names can tell what does not belong there: in
one that another includes, the arguments are those of the other.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterable
from itertools import pairwise

PACKAGE = "depth_completion_ros"

# What launch and launch_ros themselves read, in every launch file.
_EVERYWHERE = {
    "emulate_tty",
    "launch-prefix",
    "launch-prefix-filter",
    "ros_namespace",
    "sigkill_timeout",
    "sigterm_timeout",
}


def is_launched_itself(file: str) -> bool:
    """Whether the command line names this launch file of ours, by its path or its package; else another includes it."""
    words = [word for word in sys.argv if not word.startswith("-")]
    by_path = any(os.path.isfile(word) and os.path.samefile(word, file) for word in words)
    return by_path or (PACKAGE, os.path.basename(file)) in pairwise(words)


def refuse_unknown_arguments(file: str, given: Iterable[str], declared: Collection[str]) -> None:
    """Finds what the user has misspelt, where that can be told.

    Args:
        file: the launch file.
        given: the words ``name:=value``, ``argv`` of a launch context.
        declared: the names of the launch file's arguments.

    Raises:
        RuntimeError: the launch file has no argument of a name.
    """
    if not is_launched_itself(file):
        return
    for word in given:
        name = word.partition(":=")[0]
        if name not in declared and name not in _EVERYWHERE:
            raise RuntimeError(f"{os.path.basename(file)} has no argument {name}; it has {', '.join(declared)}")
