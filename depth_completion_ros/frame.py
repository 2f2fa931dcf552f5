"""What flows through the program: a Frame comes in, a Completion goes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from depth_completion_ros.geometry.camera import Camera


@dataclass(frozen=True, eq=False)
class Frame:
    """What the sensors saw at one instant.

    Depth is in metres along the optical axis, 0 where nothing was measured. A frame carries LiDAR ``points`` or
    a ``depth`` image (or both are None, for a camera without a depth sensor).

    Attributes:
        stamp: time of the image, nanoseconds since the epoch of its source.
        camera: the camera that dense depth is wanted for, (height, width) = (H, W).
        image: (H, W, 3) uint8 RGB, or None where no camera image arrived.
        points: (N, 3) float32 x, y, z in metres in the depth sensor's frame, or None.
        rings: (N,) integer laser ring of every point, or None where unknown.
        extrinsic: (4, 4) float64 rigid transform, depth sensor -> camera optical frame.
        depth: (h, w) float32 image of a depth sensor, metres, or None.
        depth_camera: the camera of ``depth``; None when ``depth`` is already registered to ``camera``.
        initial_depth: (H, W) float32 metres, a dense estimate such as a monocular network's, or None.
        ground_truth: (H, W) float32 metres, 0 where unknown, or None.
        name: what its source calls this frame, for file names and messages.

    Raises:
        ValueError: an array has another shape or dtype than stated here.
    """

    stamp: int
    camera: Camera
    image: NDArray[np.uint8] | None = None
    points: NDArray[np.float32] | None = None
    rings: NDArray[np.integer] | None = None
    extrinsic: NDArray[np.float64] = field(default_factory=lambda: np.eye(4))
    depth: NDArray[np.float32] | None = None
    depth_camera: Camera | None = None
    initial_depth: NDArray[np.float32] | None = None
    ground_truth: NDArray[np.float32] | None = None
    name: str = ""

    def __post_init__(self) -> None:
        size = (self.camera.height, self.camera.width)
        depth_size = size if self.depth_camera is None else (self.depth_camera.height, self.depth_camera.width)
        points = None if self.points is None else len(self.points)
        _expect("image", self.image, (*size, 3), np.uint8)
        _expect("points", self.points, (points, 3), np.float32)
        _expect("rings", self.rings, (points,), np.integer)
        _expect("extrinsic", self.extrinsic, (4, 4), np.float64)
        _expect("depth", self.depth, depth_size, np.float32)
        _expect("initial_depth", self.initial_depth, size, np.float32)
        _expect("ground_truth", self.ground_truth, size, np.float32)


@dataclass(frozen=True, eq=False)
class Completion:
    """Dense depth of one frame.

    Attributes:
        depth: (H, W) float32 metres along the optical axis, NaN where unknown.
        confidence: (H, W) float32 in [0, 1], higher is surer; ``DepthCompleter.confidence_meaning`` says of what.
        sparse_depth: (H, W) float32 metres, 0 = not measured: what was completed.
        milliseconds: duration of each stage that made it, in order of execution.
        hidden: measurements removed because a nearer surface hides them from the camera.
    """

    depth: NDArray[np.float32]
    confidence: NDArray[np.float32]
    sparse_depth: NDArray[np.float32]
    milliseconds: Mapping[str, float] = field(default_factory=dict)
    hidden: int = 0


def _expect(name: str, array: NDArray | None, shape: tuple[int | None, ...], dtype: type) -> None:
    """Refuses an array of another shape or dtype, in a sentence that gives both."""
    if array is None:
        return
    if array.shape != shape or not np.issubdtype(array.dtype, dtype):
        raise ValueError(f"Frame.{name} is {array.shape} {array.dtype}, expected {shape} {dtype.__name__}")
