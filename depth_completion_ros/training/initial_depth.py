"""Frames with the initial depth that some networks start from, estimated from their images."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from depth_completion_ros.datasets.base import IndexedSource
from depth_completion_ros.frame import Frame
from depth_completion_ros.monocular import MonocularEstimator


class EstimatedSource(IndexedSource):
    """A source whose frames all have an initial depth, estimated where they come without; its name says by what.

    Args:
        source: of frames with images.
        folder: of the estimator, see :class:`~depth_completion_ros.monocular.MonocularEstimator`.
        device: where it runs, in each process that makes samples.

    Raises:
        ValueError: the folder holds no estimator of metric depth.
        ImportError: the package ``transformers`` is missing.
    """

    def __init__(self, source: IndexedSource, folder: Path, device: str) -> None:
        self.name, self.version = f"{source.name}+{folder.resolve().name}", source.version
        self._source, self._folder, self._device = source, folder, device
        _estimator(folder, device)

    def __len__(self) -> int:
        return len(self._source)

    def frame_name(self, index: int) -> str:
        """As the source names it."""
        return self._source.frame_name(index)

    def origin(self, index: int) -> str:
        """As of the source."""
        return self._source.origin(index)

    def __getitem__(self, index: int) -> Frame:
        """Reads a frame and estimates its initial depth.

        Raises:
            IndexError: there is no such frame.
            ValueError, OSError: it cannot be read, or has no image.
        """
        frame = self._source[index]
        if frame.initial_depth is not None:
            return frame
        if frame.image is None:
            raise ValueError(f"{self.name}/{frame.name or index} has no image to estimate an initial depth from")
        return replace(frame, initial_depth=_estimator(self._folder, self._device)(frame.image))


@lru_cache
def _estimator(folder: Path, device: str) -> MonocularEstimator:
    """One for all sources of a process; it does not travel to others."""
    return MonocularEstimator(folder, device)
