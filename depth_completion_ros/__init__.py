"""Dense metric depth with a confidence one can trust, from a camera and a sparse depth sensor.

>>> from depth_completion_ros import Camera, DepthCompleter, project_points
>>> sparse = project_points(points, camera, extrinsic)
>>> completion = DepthCompleter("mspn")(image, sparse)
>>> completion.depth, completion.confidence
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from depth_completion_ros.frame import Completion, Frame
    from depth_completion_ros.geometry.camera import Camera
    from depth_completion_ros.geometry.projection import project_points
    from depth_completion_ros.pipeline import DepthCompleter

__all__ = ["Camera", "Completion", "DepthCompleter", "Frame", "project_points"]

# Torch takes a second to import, so the public names load when they are first used: `depth-completion --help`
# and the nodes that need no network start at once.
_HOME = {
    "Camera": "geometry.camera",
    "Completion": "frame",
    "DepthCompleter": "pipeline",
    "Frame": "frame",
    "project_points": "geometry.projection",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
