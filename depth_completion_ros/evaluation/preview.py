"""One picture per frame that shows people what went in, what came out, and how far it is from the truth."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from depth_completion_ros.evaluation.metrics import DepthErrors
from depth_completion_ros.frame import Completion
from depth_completion_ros.images import (
    colorize_confidence,
    colorize_depth,
    colorize_error,
    confidence_colors,
    depth_colors,
    depth_range,
    error_colors,
    overlay_sparse,
)

_TILE_WIDTH: Final = (480, 828)  # smaller and larger pictures are scaled to the nearer of these widths
_CAPTION_HEIGHT: Final = 30
_MARGIN: Final = 6
_PAPER: Final = 24  # grey level behind the tiles
_INK: Final = (235, 235, 235)
_ERROR_RANGE: Final = (0.005, 0.32)

# What a caption's colour bar says: its table, and the words at its two ends.
_Legend = tuple[NDArray[np.uint8], str, str]


def draw_preview(
    completion: Completion,
    image: NDArray[np.uint8] | None = None,
    ground_truth: NDArray[np.float32] | None = None,
    errors: DepthErrors | None = None,
) -> NDArray[np.uint8]:
    """Tiles image, sparse depth, dense depth and confidence, and with ground truth that and the error.

    All depths of one picture share their colours.

    Args:
        completion: what came out, with the (H, W) sparse depth that it was made from.
        image: (H, W, 3) uint8 RGB, or None.
        ground_truth: (H, W) float32 metres, 0 where unknown; one that knows nothing is none.
        errors: the frame's errors, for the caption of the error tile.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    depth, sparse = completion.depth, completion.sparse_depth
    near, far = depth_range(depth)
    meters = (depth_colors()[::-1], f"{near:.3g}", f"{far:.3g} m")
    background = image if image is not None else np.zeros((*depth.shape, 3), np.uint8)

    tiles = [
        _tile(overlay_sparse(background, sparse, near, far), f"Sparse depth, {_coverage(sparse)}", meters),
        _tile(colorize_depth(depth, near, far), f"Dense depth, {_coverage(depth)}", meters),
        _tile(colorize_confidence(completion.confidence), "Confidence", (confidence_colors(), "0", "1")),
    ]
    if image is not None:
        tiles.insert(0, _tile(image, "Image"))
    if ground_truth is not None and ground_truth.any():
        truth = overlay_sparse(background, ground_truth, near, far)
        tiles.append(_tile(truth, f"Ground truth, {_coverage(ground_truth)}", meters))
        caption = "Error" if errors is None else f"Error: RMSE {errors.rmse_mm:.0f} mm, MAE {errors.mae_mm:.0f} mm"
        percent = (error_colors(), f"{_ERROR_RANGE[0]:.1%}", f"{_ERROR_RANGE[1]:.0%}")
        tiles.append(_tile(colorize_error(depth, ground_truth, *_ERROR_RANGE), caption, percent))
    return _grid(tiles, columns=2)


def _coverage(depth: NDArray[np.float32]) -> str:
    return f"{np.count_nonzero(depth > 0) / depth.size:.1%} of pixels"


def _tile(picture: NDArray[np.uint8], caption: str, legend: _Legend | None = None) -> NDArray[np.uint8]:
    """The picture at the common width under a line with its caption and the meaning of its colours."""
    height, width = picture.shape[:2]
    tile_width = int(np.clip(width, *_TILE_WIDTH))
    tile_height = round(height * tile_width / width)
    interpolation = cv2.INTER_AREA if tile_width < width else cv2.INTER_NEAREST
    tile = np.full((_CAPTION_HEIGHT + tile_height, tile_width, 3), _PAPER, np.uint8)
    tile[_CAPTION_HEIGHT:] = cv2.resize(picture, (tile_width, tile_height), interpolation=interpolation)
    _write(tile, caption, left=4)
    if legend is not None:
        _draw_legend(tile, legend)
    return tile


def _draw_legend(tile: NDArray[np.uint8], legend: _Legend) -> None:
    """A colour bar between its two words, at the right end of the caption."""
    colors, first, last = legend
    bar_width = 110
    right = tile.shape[1] - 4 - _text_width(last)
    bar = colors[np.linspace(1, 254, bar_width).astype(int)]
    left = right - 6 - bar_width
    tile[9 : _CAPTION_HEIGHT - 9, left : left + bar_width] = bar
    _write(tile, last, left=right)
    _write(tile, first, left=left - 6 - _text_width(first))


def _write(tile: NDArray[np.uint8], text: str, left: int) -> None:
    cv2.putText(tile, text, (left, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.5, _INK, 1, cv2.LINE_AA)


def _text_width(text: str) -> int:
    (width, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.5, 1)
    return int(width)


def _grid(tiles: list[NDArray[np.uint8]], columns: int) -> NDArray[np.uint8]:
    """Tiles of one size in rows; an incomplete last row is filled with paper."""
    height, width = tiles[0].shape[:2]
    rows = -(-len(tiles) // columns)
    size = (rows * (height + _MARGIN) + _MARGIN, columns * (width + _MARGIN) + _MARGIN, 3)
    page = np.full(size, _PAPER, np.uint8)
    for index, tile in enumerate(tiles):
        top = _MARGIN + index // columns * (height + _MARGIN)
        left = _MARGIN + index % columns * (width + _MARGIN)
        page[top : top + height, left : left + width] = tile
    return page
