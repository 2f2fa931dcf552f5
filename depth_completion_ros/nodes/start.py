"""The executables: each imports its node, which takes seconds, and runs it.

An interrupt ends a node in peace. One that comes before the node has got so far must do so, too, not with a traceback
into whatever is being imported.
"""

from __future__ import annotations

import importlib
import os
import signal


def completion_node() -> int:
    """See :mod:`depth_completion_ros.nodes.completion_node`."""
    return _run("completion_node")


def evaluation_node() -> int:
    """See :mod:`depth_completion_ros.nodes.evaluation_node`."""
    return _run("evaluation_node")


def replay_node() -> int:
    """See :mod:`depth_completion_ros.nodes.replay_node`."""
    return _run("replay_node")


def _run(name: str) -> int:
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # else interrupts are ignored, as in the background of a shell
        # An exception could get lost in what is imported; there is nothing to clean up.
        signal.signal(signal.SIGINT, lambda *_: os._exit(0))
    node = importlib.import_module(f"depth_completion_ros.nodes.{name}")
    try:
        signal.signal(signal.SIGINT, before)
        status: int = node.main()
    except KeyboardInterrupt:  # before ROS has begun to care for it
        return 0
    return status
