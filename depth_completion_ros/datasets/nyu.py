"""NYU Depth V2 as depth completion papers use it: one HDF5 file per frame.

Source: N. Silberman, D. Hoiem, P. Kohli, R. Fergus, "Indoor Segmentation and Support Inference from RGBD Images", ECCV
2012, in the files of F. Ma, S. Karaman, "Sparse-to-Dense", ICRA 2018:

    train/<scene>/<number>.h5   val/official/<number>.h5
        rgb    (3, 480, 640) uint8
        depth  (480, 640) float32 metres, holes filled
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import numpy as np

from depth_completion_ros.datasets.base import IndexedSource, nominal_stamp, state_of
from depth_completion_ros.frame import Frame
from depth_completion_ros.geometry.camera import Camera

# Of the data set's toolbox, whose first pixel is (1, 1). The lens is taken as free of distortion.
NYU_CAMERA: Final = Camera(640, 480, 518.8579, 519.4696, 325.5824 - 1, 253.7362 - 1)


class NyuDepth(IndexedSource):
    """Frames whose ``depth`` is all of their ground truth, or some points of it.

    Args:
        path: ``train``, ``val``, the folder of both, or that of one scene.
        points: how many points ``depth`` keeps, the same in every run; None for all. A training draws its own.

    Raises:
        FileNotFoundError: there is no file of a frame.
        ImportError: h5py cannot be loaded; the message says what to install.
        ValueError: ``points`` is below 1.
    """

    def __init__(self, path: str | os.PathLike[str], points: int | None = None) -> None:
        _h5py()
        if points is not None and points < 1:
            raise ValueError(f"{points} points of each frame were asked for, expected at least 1")
        path = Path(os.path.abspath(path))
        self.name = path.name
        self._root = path
        self._points = points
        self._files = sorted(path.rglob("*.h5"))
        if not self._files:
            raise FileNotFoundError(f"{path} holds no .h5 file")

    def __len__(self) -> int:
        return len(self._files)

    def frame_name(self, index: int) -> str:
        """Scene and number."""
        return "_".join(self._files[index].relative_to(self._root).with_suffix("").parts)

    def origin(self, index: int) -> str:
        """Its file."""
        return state_of(self._files[index])

    def __getitem__(self, index: int) -> Frame:
        """Reads one frame.

        Raises:
            IndexError: there is no such frame.
            ValueError, OSError: its file is damaged or missing.
        """
        path = self._files[index]
        try:
            with _h5py().File(path) as file:
                image, depth = np.asarray(file["rgb"]), np.asarray(file["depth"], np.float32)
        except FileNotFoundError:
            raise
        except (OSError, KeyError) as error:
            raise ValueError(f"{path}: damaged, or without rgb and depth ({error})") from error
        size = (NYU_CAMERA.height, NYU_CAMERA.width)
        if image.shape != (3, *size) or image.dtype != np.uint8 or depth.shape != size:
            raise ValueError(
                f"{path}: rgb is {image.shape} {image.dtype} and depth {depth.shape}, expected (3, 480, 640) uint8 "
                "and (480, 640)"
            )
        depth = np.where(np.isfinite(depth) & (depth > 0), depth, np.float32(0))
        given = depth
        if self._points is not None:
            known = np.flatnonzero(depth)
            kept = np.random.default_rng(index).choice(known, min(self._points, len(known)), replace=False)
            given = np.zeros_like(depth)
            given.flat[kept] = depth.flat[kept]
        return Frame(
            stamp=nominal_stamp(index),
            camera=NYU_CAMERA,
            image=np.ascontiguousarray(image.transpose(1, 2, 0)),
            depth=given,
            ground_truth=depth,
            name=self.frame_name(index),
        )


def _h5py() -> Any:
    try:
        import h5py
    except ImportError as error:
        raise ImportError(f"NYU's files cannot be read ({error}); pip install h5py") from error
    return h5py
