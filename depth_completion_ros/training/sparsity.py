"""How much of what was measured the network gets in training: so many lines or points, or all but holes.

Jun et al., "Masked Spatial Propagation Network for Sparsity-Adaptive Depth Refinement", CVPR 2024, train one network
for every sparsity: 4 to 64 lines of KITTI's LiDAR, or 10 to 1000 points of NYU's depth. They draw both numbers
uniformly, and lines at random places. Here the number of lines is log-uniform, since of 4 to 64 only one sample in
eight would else have less than 12, where there is most to learn; and half of the samples have them evenly spread, as a
LiDAR of few lines has.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from depth_completion_ros.frame import Frame
from depth_completion_ros.geometry.camera import Camera
from depth_completion_ros.geometry.projection import project_points
from depth_completion_ros.geometry.thinning import MOST_HOLES
from depth_completion_ros.pipeline import sparse_depth_of

_BANDS = 64  # in which a depth image without rings is divided, as many as KITTI's LiDAR has lines


@dataclass(frozen=True)
class Sparsity:
    """Smallest and largest numbers that are drawn from, both included.

    Attributes:
        lines: of LiDAR lines.
        points: of single measurements within the crop. With both, either is drawn as often; with neither, everything
            that was measured is given.
        holes: share of the crop that is covered by holes.
    """

    lines: tuple[int, int] | None = None
    points: tuple[int, int] | None = None
    holes: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        for name, span in (("lines", self.lines), ("points", self.points)):
            if span is not None and not 1 <= span[0] <= span[1]:
                raise ValueError(f"numbers of {name} from {span[0]} to {span[1]} were asked for, expected 1 or more")
        if self.holes is not None and not 0 <= self.holes[0] <= self.holes[1] <= MOST_HOLES:
            low, high = self.holes
            raise ValueError(f"holes in {low} to {high} of the image were asked for, expected 0 to {MOST_HOLES}")


def draw_lines(frame: Frame, span: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float32]:
    """The (H, W) sparse depth, in metres, of some lines of a frame.

    A cloud that knows its rings loses whole rings; their number bounds that of the lines. A depth image, such as those
    of the KITTI benchmark, is divided by elevation into 64 bands as in the paper's implementation. A cloud without
    rings, such as that of a solid-state LiDAR or the spots of a ToF sensor, has no lines to choose from, but random
    points: of all of them the share that the fewest lines are of the most, or more, few as often as many.

    Raises:
        ValueError: the frame has neither points nor a depth image.
    """
    if frame.points is not None:
        if frame.rings is None or not (frame.rings >= 0).any():
            kept = rng.random(len(frame.points)) < (span[0] / span[1]) ** rng.random()
            return project_points(frame.points[kept], frame.camera, frame.extrinsic)
        rings = np.unique(frame.rings[frame.rings >= 0])
        kept = rings[choose_lines(len(rings), span, rng)]
        return project_points(frame.points[np.isin(frame.rings, kept)], frame.camera, frame.extrinsic)
    depth = sparse_depth_of(frame)
    kept = choose_lines(_BANDS, span, rng)
    return np.where(np.isin(elevation_bands(depth, frame.camera), kept), depth, np.float32(0))


def choose_lines(total: int, span: tuple[int, int], rng: np.random.Generator) -> NDArray[np.int64]:
    """Which of ``total`` lines stay: evenly spread from a random start, or, as often, any.

    Their number n is in ``span``, as far as there are so many, with a probability proportional to log((n + 1) / n).
    """
    low, high = (min(limit, total) for limit in span)
    count = min(int(low * ((high + 1) / low) ** rng.random()), high)
    if rng.random() < 0.5:
        return (rng.integers(total) + total * np.arange(count)) // count
    return rng.choice(total, count, replace=False)


def elevation_bands(depth: NDArray[np.float32], camera: Camera) -> NDArray[np.int64]:
    """(H, W) in which of 64 bands of equal angle, from the highest measurement to the lowest, a pixel looks."""
    rays = camera.rays()
    pitch = np.arctan2(rays[..., 1], np.hypot(rays[..., 0], 1))
    measured = pitch[(depth > 0) & np.isfinite(pitch)]
    if not measured.size:
        return np.zeros(depth.shape, np.int64)
    low, high = measured.min(), measured.max()
    position = (np.nan_to_num(pitch, nan=low) - low) / max(high - low, 1e-9)
    return np.clip(position * _BANDS, 0, _BANDS - 1).astype(np.int64)
