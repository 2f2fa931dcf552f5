"""Pictures in and out: RGB files, KITTI's 16-bit depth files, and depth in colours that people can read."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

# KITTI depth files hold metres x 256 as uint16 (development kit of the depth benchmark, 2017).
_PNG_UNITS_PER_METRE: Final = 256.0

PNG_MAGIC: Final = b"\x89PNG\r\n\x1a\n"
# What a whole PNG or JPEG file starts with and ends with; a camera driver may pad the end.
_PICTURE_MARKS: Final = ((PNG_MAGIC, b"IEND\xaeB`\x82"), (b"\xff\xd8", b"\xff\xd9"))

StrPath = str | os.PathLike[str]


def read_image(path: StrPath) -> NDArray[np.uint8]:
    """Reads a picture as (H, W, 3) uint8 RGB; grey pictures get three equal channels.

    Pixels stay where the camera put them, because its calibration says so: EXIF rotation is ignored.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged or no picture.
    """
    return np.asarray(_decode(path, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)[..., ::-1], np.uint8, order="C")


def write_image(path: StrPath, rgb: NDArray[np.uint8]) -> None:
    """Writes (H, W, 3) uint8 RGB, or (H, W) uint8 grey, in the format that the file's ending names.

    Raises:
        ValueError: ``rgb`` is something else.
        OSError: the file cannot be written.
    """
    if rgb.dtype != np.uint8 or not (rgb.ndim == 2 or (rgb.ndim == 3 and rgb.shape[2] == 3)):
        raise ValueError(f"image is {rgb.shape} {rgb.dtype}, expected (H, W, 3) or (H, W) uint8")
    _encode(path, rgb if rgb.ndim == 2 else cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))


def read_depth_png(path: StrPath, units_per_metre: float = _PNG_UNITS_PER_METRE) -> NDArray[np.float32]:
    """Reads a depth file, a 16-bit grey PNG, as (H, W) float32 metres, 0 = none.

    Args:
        path: of the file.
        units_per_metre: of its numbers; those of KITTI are metres x 256.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, no picture, or not 16-bit grey.
    """
    pixels = _decode(path, cv2.IMREAD_UNCHANGED)
    if pixels.dtype != np.uint16 or pixels.ndim != 2:
        channels = 1 if pixels.ndim == 2 else pixels.shape[2]
        raise ValueError(
            f"{path}: a depth file is a 16-bit grey PNG (metres x {units_per_metre:g}), "
            f"this one has {8 * pixels.itemsize} bits in {channels} channel(s)"
        )
    return np.asarray(pixels, np.float32) / np.float32(units_per_metre)


def write_depth_png(path: StrPath, depth: NDArray[np.float32]) -> None:
    """Writes (H, W) metres as a KITTI depth file: uint16 = metres x 256, truncated.

    What is unknown (NaN, infinite or <= 0) becomes 0; what is known becomes at least 1, and at most 65535 (255.996 m).

    Raises:
        ValueError: ``depth`` is no (H, W) floating-point array.
        OSError: the file cannot be written.
    """
    if depth.ndim != 2 or not np.issubdtype(depth.dtype, np.floating):
        raise ValueError(f"depth is {depth.shape} {depth.dtype}, expected (H, W) floating point, in metres")
    known = np.isfinite(depth) & (depth > 0)
    pixels = np.clip(np.where(known, depth, 0) * _PNG_UNITS_PER_METRE, 1, 65535)
    _encode(path, np.where(known, pixels, 0).astype(np.uint16))


def colorize_depth(
    depth: NDArray[np.float32], minimum: float | None = None, maximum: float | None = None
) -> NDArray[np.uint8]:
    """Colours depth for people: red is near, blue is far, black is unknown (NaN or <= 0).

    Colour follows the logarithm of depth, so that a person nearby and a house far away both show their shape.

    Args:
        depth: (H, W) float32 metres.
        minimum: depth in metres of the first colour; None takes it from the picture (its 2nd percentile).
        maximum: depth in metres of the last colour; None takes it from the picture (its 98th percentile).

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ValueError: not 0 < minimum < maximum.
    """
    if minimum is None or maximum is None:
        near, far = depth_range(depth)
        minimum = near if minimum is None else minimum
        maximum = far if maximum is None else maximum
    if not 0 < minimum < maximum:
        raise ValueError(f"colours need 0 < minimum < maximum, got {minimum} m and {maximum} m")
    return _apply_colors(_log_position(depth, maximum, minimum), depth > 0, depth_colors())


def depth_range(depth: NDArray[np.float32]) -> tuple[float, float]:
    """The 2nd and the 98th percentile of the known depths, in metres; 1 and 100 where nothing is known."""
    known = depth[(depth > 0) & (depth < np.inf)]
    if not known.size:
        return 1.0, 100.0
    near, far = np.percentile(known[:: 1 + known.size // 20_000], (2, 98))  # a sample is as good, and quick
    return float(near), max(float(far), 1.05 * float(near))


def colorize_confidence(confidence: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Colours (H, W) confidence in [0, 1] for people, dark = unsure, bright = sure; (H, W, 3) uint8 RGB."""
    return _apply_colors(confidence, np.isfinite(confidence), confidence_colors())


def colorize_error(
    depth: NDArray[np.float32], ground_truth: NDArray[np.float32], minimum: float, maximum: float
) -> NDArray[np.uint8]:
    """Colours the relative error of depth for people where there is ground truth, black elsewhere.

    Colour follows the logarithm of the error: blue is right, red is wrong. Lone pixels of ground truth are
    drawn as larger dots.

    Args:
        depth: (H, W) float32 metres, NaN where unknown, which counts as the greatest error.
        ground_truth: (H, W) float32 metres, 0 where unknown.
        minimum: |depth - truth| / truth of the first colour.
        maximum: |depth - truth| / truth of the last colour.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    scored = ground_truth > 0
    error = np.where(scored, np.float32(maximum), np.float32(0.0))
    np.divide(np.abs(depth - ground_truth), ground_truth, out=error, where=scored & (depth > 0))
    np.maximum(error, minimum, out=error, where=scored)
    error = _enlarge_dots(error)
    return _apply_colors(_log_position(error, minimum, maximum), error > 0, error_colors())


def overlay_sparse(
    image: NDArray[np.uint8],
    sparse: NDArray[np.float32],
    minimum: float | None = None,
    maximum: float | None = None,
) -> NDArray[np.uint8]:
    """Draws the measurements of (H, W) sparse depth on an (H, W, 3) uint8 RGB picture, in depth's colours.

    The picture is darkened, and lone measurements are drawn as larger dots of which the nearest shows. ``minimum``
    and ``maximum`` are those of :func:`colorize_depth`.

    Raises:
        ValueError: the sizes differ, or not 0 < minimum < maximum.
    """
    if image.shape[:2] != sparse.shape:
        raise ValueError(f"image is {image.shape[:2]}, sparse depth {sparse.shape}; expected the same size")
    inverse = np.divide(1.0, sparse, out=np.zeros(sparse.shape, np.float32), where=sparse > 0)
    inverse = _enlarge_dots(inverse)
    dots = inverse > 0
    depth = np.divide(1.0, inverse, out=np.zeros_like(inverse), where=dots)
    darkened = (image * np.float32(0.6)).astype(np.uint8)
    return np.where(dots[..., None], colorize_depth(depth, minimum, maximum), darkened)


def _enlarge_dots(value: NDArray[np.float32]) -> NDArray[np.float32]:
    """Lets every value > 0 cover some pixels, the greatest on top, unless dots would cover the whole picture."""
    side = 3 if value.shape[1] < 1600 else 5
    if side**2 * np.count_nonzero(value) > value.size:
        return value
    return np.asarray(cv2.dilate(value, np.ones((side, side), np.uint8)), np.float32)


def _log_position(value: NDArray[np.float32], first: float, last: float) -> NDArray[np.float32]:
    """Where values > 0 lie between ``first`` (0) and ``last`` (1) on a logarithmic scale."""
    with np.errstate(divide="ignore", invalid="ignore"):
        position = np.log(value)
    position -= np.float32(np.log(first))
    position *= np.float32(1.0 / np.log(last / first))
    return position


def _apply_colors(
    position: NDArray[np.float32], known: NDArray[np.bool_], colors: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """(H, W) positions 0..1 through a (256, 3) table whose first colour stands for what is unknown."""
    index = np.clip(np.where(known, position, 0) * np.float32(254.0) + np.float32(1.5), 1, 255)
    return np.asarray(cv2.applyColorMap(index.astype(np.uint8) * known, colors[:, None]), np.uint8)


@cache
def depth_colors() -> NDArray[np.uint8]:
    """Blue over green to red as a (256, 3) uint8 RGB table whose first colour is black."""
    # Turbo without its darkest ends, which would be lost on a dark picture.
    middle = np.linspace(16, 244, 256).astype(np.uint8)[:, None]
    return _with_black(cv2.applyColorMap(middle, cv2.COLORMAP_TURBO))


@cache
def confidence_colors() -> NDArray[np.uint8]:
    """Dark violet over green to yellow as a (256, 3) uint8 RGB table whose first colour is black."""
    return _with_black(cv2.applyColorMap(np.arange(256, dtype=np.uint8)[:, None], cv2.COLORMAP_VIRIDIS))


@cache
def error_colors() -> NDArray[np.uint8]:
    """Blue over pale yellow to dark red as a (256, 3) uint8 RGB table whose first colour is black."""
    blue_green_red = np.transpose(
        [(149, 54, 49), (209, 173, 116), (248, 243, 224), (144, 224, 254), (67, 109, 244), (38, 0, 165)]
    )
    anchors = np.linspace(0, 255, blue_green_red.shape[1])
    colors = np.stack([np.interp(np.arange(256), anchors, channel) for channel in blue_green_red], axis=1)
    return _with_black(colors[:, None])


def _with_black(colors: NDArray) -> NDArray[np.uint8]:
    """(256, 1, 3) BGR colours as a (256, 3) uint8 RGB table whose first colour is black."""
    table = np.array(colors[:, 0, ::-1], np.uint8)
    table[0] = 0
    return table


def decode_picture(data: NDArray[np.uint8], flags: int, source: object) -> NDArray:
    """Decodes an encoded picture with OpenCV, and refuses a truncated one, of which OpenCV makes a half grey picture.

    Args:
        data: the bytes of the file.
        flags: OpenCV's ``IMREAD_*``.
        source: what the picture is, for the message.

    Raises:
        ValueError: it is damaged, truncated or no picture.
    """
    start, end = data[:8].tobytes(), data[-1024:].tobytes()
    truncated = any(start.startswith(magic) and mark not in end for magic, mark in _PICTURE_MARKS)
    pixels = None if truncated or not data.size else cv2.imdecode(data, flags)
    if pixels is None:
        raise ValueError(f"{source}: damaged, truncated or not a picture ({data.size} bytes)")
    return np.asarray(pixels)


def _decode(path: StrPath, flags: int) -> NDArray:
    return decode_picture(np.frombuffer(Path(path).read_bytes(), np.uint8), flags, path)


def _encode(path: StrPath, pixels: NDArray) -> None:
    path = Path(path)
    try:
        good, data = cv2.imencode(path.suffix or ".png", pixels)
    except cv2.error as error:
        raise ValueError(f"{path}: no picture format is called {path.suffix!r}") from error
    if not good:
        raise OSError(f"{path}: could not be encoded")
    path.write_bytes(data.tobytes())
