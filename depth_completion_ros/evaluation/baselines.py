"""Simple completion methods to compare with: (H, W) float32 metres, 0 = not measured -> the same, dense."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Depth = NDArray[Any]  # (H, W) float32
Baseline = Callable[[Depth], Depth]

# IP-Basic works on 100 m - depth, so that a dilation (a maximum) lets the nearest win; below this value is empty.
_FAR = np.float32(100.0)
_EMPTY = np.float32(0.1)


def ip_basic_fast(sparse_depth: Depth) -> Depth:
    """IP-Basic with extrapolation and Gaussian blur (J. Ku, A. Harakeh, S. Waslander, CRV 2018)."""
    nearness = _invert(sparse_depth)
    nearness = cv2.dilate(nearness, _diamond(5))
    nearness = cv2.morphologyEx(nearness, cv2.MORPH_CLOSE, _square(5))
    nearness = _fill(nearness, 7)
    nearness = _extend_to_top(nearness)
    nearness = _fill_up(nearness)
    nearness = cv2.medianBlur(nearness, 5)
    return _invert(cv2.GaussianBlur(nearness, (5, 5), 0))


def ip_basic_multiscale(sparse_depth: Depth) -> Depth:
    """IP-Basic whose first dilation widens with nearness, with extrapolation and bilateral blur."""
    nearness = _invert(sparse_depth)
    dilated = nearness.copy()
    for low, high, size in ((30, np.inf, 3), (15, 30, 5), (_EMPTY, 15, 7)):  # the nearer goes over the farther
        only = np.where((sparse_depth > low) & (sparse_depth <= high), nearness, 0)
        dilated = _where_known(cv2.dilate(only, _cross(size)), otherwise=dilated)
    nearness = cv2.morphologyEx(dilated, cv2.MORPH_CLOSE, _square(5))
    smooth = _where_known(nearness, cv2.medianBlur(nearness, 5))
    if (smooth > _EMPTY).any():  # of single spots, far from each other, a median leaves nothing
        nearness = smooth
    below_top = np.maximum.accumulate(nearness > _EMPTY, axis=0)
    nearness = np.where(below_top, _fill(nearness, 9), nearness)
    nearness = _extend_to_top(nearness)
    for _ in range(6):
        nearness = _fill(nearness, 5)
    nearness = cv2.medianBlur(_fill_up(nearness), 5)
    return _invert(cv2.bilateralFilter(nearness, 5, 0.5, 2.0))


def nearest(sparse_depth: Depth) -> Depth:
    """The measurement nearest in the image."""
    from scipy.ndimage import distance_transform_edt

    row, column = distance_transform_edt(sparse_depth == 0, return_distances=False, return_indices=True)
    return sparse_depth[row, column]


def linear(sparse_depth: Depth) -> Depth:
    """Depth linear in the triangles of a Delaunay triangulation; outside of them the nearest measurement."""
    from scipy.interpolate import LinearNDInterpolator
    from scipy.spatial import QhullError

    measured = sparse_depth > 0
    # A pixel with measurements on all sides makes triangles with these alone: only the rims of what is dense count.
    among = cv2.erode(measured.astype(np.uint8), _square(3), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    rims = measured & (among == 0)
    try:
        interpolate = LinearNDInterpolator(np.argwhere(rims), sparse_depth[rims])
    except QhullError:  # fewer than three measurements, or all on one line: there is no triangle
        return nearest(sparse_depth)
    depth = sparse_depth.copy()
    depth[~measured] = interpolate(np.argwhere(~measured))
    return np.where(np.isnan(depth), nearest(sparse_depth), depth)


def normalized_convolution(sparse_depth: Depth) -> Depth:
    """Gaussian means of inverse depth at five scales; each pixel takes the finest at which enough was measured.

    Source: H. Knutsson, C.-F. Westin, "Normalized and differential convolution", CVPR 1993.
    """
    certainty = (sparse_depth > 0).astype(np.float32)
    inverse = np.divide(1, sparse_depth, out=np.zeros_like(sparse_depth), where=sparse_depth > 0)
    mean = np.full_like(inverse, inverse.sum() / certainty.sum())
    for sigma in (32, 16, 8, 4, 2):
        weight = cv2.GaussianBlur(certainty, (0, 0), sigma)
        finer = cv2.GaussianBlur(inverse, (0, 0), sigma) / np.maximum(weight, 1e-9)
        mean = np.where(weight > 1e-3, finer, mean)
    return 1 / mean


BASELINES: dict[str, Baseline] = {
    "IP-Basic, fast": ip_basic_fast,
    "IP-Basic, multi-scale": ip_basic_multiscale,
    "nearest": nearest,
    "linear": linear,
    "normalised convolution": normalized_convolution,
}


def _invert(depth: Depth) -> Depth:
    return _where_known(depth, np.maximum(_FAR - depth, 2 * _EMPTY))


def _where_known(image: Depth, new: Depth | None = None, otherwise: Depth | None = None) -> Depth:
    """``new`` (or the image itself) where the image is not empty, ``otherwise`` (or the image itself) elsewhere."""
    return np.where(image > _EMPTY, image if new is None else new, image if otherwise is None else otherwise)


def _fill(nearness: Depth, size: int) -> Depth:
    return _where_known(nearness, otherwise=cv2.dilate(nearness, _square(size)))


def _fill_up(nearness: Depth) -> Depth:
    """Dilates by 31 pixels, as the paper does once, until nothing is empty between few lines and below the last.

    The paper leaves holes there, which the benchmark would punish.
    """
    if not (nearness > _EMPTY).any():
        raise ValueError("the sparse depth holds no measurement: nothing to complete")
    while (nearness <= _EMPTY).any():
        nearness = _fill(nearness, 31)
    return nearness


def _extend_to_top(nearness: Depth) -> Depth:
    """Copies the highest value of each column to all pixels above it."""
    top = (nearness > _EMPTY).argmax(0)
    above = np.arange(len(nearness))[:, None] < top
    return np.where(above, nearness[top, np.arange(nearness.shape[1])], nearness)


def _square(size: int) -> NDArray[Any]:
    return np.ones((size, size), np.uint8)


def _cross(size: int) -> NDArray[Any]:
    return cv2.getStructuringElement(cv2.MORPH_CROSS, (size, size))


def _diamond(size: int) -> NDArray[Any]:
    row, column = np.abs(np.indices((size, size)) - size // 2)
    return (row + column <= size // 2).astype(np.uint8)
