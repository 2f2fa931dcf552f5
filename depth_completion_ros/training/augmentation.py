"""What training does to a frame's pictures so that no network sees the same frame twice: shared by all data sets.

Geometry is one affine map of pixels, so that every picture is resampled once. Flips, rotation about the optical axis
and the zoom with its division of depth are those of Ma and Karaman, "Sparse-to-Dense", ICRA 2018, which the papers of
the networks follow.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from depth_completion_ros.geometry.camera import Camera

# Where more than this share of the pixels is measured, a depth image is a picture, not scattered measurements.
_DENSE = 0.3
_LUMA = np.array((0.299, 0.587, 0.114))


@dataclass(frozen=True)
class Augmentation:
    """How much is changed, at most.

    Attributes:
        crop: (height, width) in pixels of what training sees.
        bottom: whether the crop has the lowest rows there are, instead of any.
        top: so many rows are cut off the top of images before anything else.
        height: images are first resized to this height, None leaves their size; depth stays as it is.
        flip: probability of exchanging left and right.
        upside_down: probability of exchanging top and bottom.
        rotation: largest angle of the rotation, either way, degrees.
        zoom: smallest and largest magnification. A magnified image shows the same things from nearer by, so that depth
            is divided by it.
        color: brightness, contrast and saturation are changed by factors within 1 +- this.
        image_dropout: probability that the camera is dead, which a network must survive that is to drive a vehicle.
    """

    crop: tuple[int, int]
    bottom: bool = False
    top: int = 0
    height: int | None = None
    flip: float = 0.5
    upside_down: float = 0.0
    rotation: float = 5.0
    zoom: tuple[float, float] = (1.0, 1.5)
    color: float = 0.4
    image_dropout: float = 0.1

    def __post_init__(self) -> None:
        if not 0 <= self.image_dropout <= 1:
            raise ValueError(f"a camera cannot be dead in {self.image_dropout:g} of the samples, expected 0 to 1")


@dataclass(frozen=True)
class Pictures:
    """One frame's pictures, all of the size of ``camera``; float32 depth in metres, 0 = none.

    Attributes:
        camera: without distortion, that of the lens is neglected.
        image: (H, W, 3) uint8 RGB; None where no camera image arrived.
        sparse_depth: (H, W).
        ground_truth: (H, W).
        initial_depth: (H, W) or None.
        measured: (H, W), all that was measured, of which ``sparse_depth`` is a part; or None.
    """

    camera: Camera
    image: NDArray[np.uint8] | None
    sparse_depth: NDArray[np.float32]
    ground_truth: NDArray[np.float32]
    initial_depth: NDArray[np.float32] | None = None
    measured: NDArray[np.float32] | None = None


def augment(pictures: Pictures, augmentation: Augmentation, rng: np.random.Generator) -> Pictures:
    """Draws one variation of a frame.

    Raises:
        ValueError: what is left of the frame without its top is smaller than the crop.
    """
    if augmentation.top:
        pictures = cut_top(pictures, augmentation.top)
    if augmentation.height is not None and augmentation.height != pictures.camera.height:
        pictures = resize(pictures, augmentation.height)
    matrix, zoom = draw_view(pictures.camera, augmentation, rng)
    seen = view(pictures, matrix, zoom, augmentation.crop)
    if seen.image is None or rng.random() < augmentation.image_dropout:
        return replace(seen, image=None)
    return replace(seen, image=change_color(seen.image, augmentation.color, rng))


def cut_top(pictures: Pictures, rows: int) -> Pictures:
    """The same frame without the uppermost rows.

    Raises:
        ValueError: it has no others.
    """
    camera = pictures.camera
    if rows >= camera.height:
        raise ValueError(f"images of {camera.width}x{camera.height} pixels have no rows below the top {rows}")
    left = {name: each[rows:] for name, each in vars(pictures).items() if name != "camera" and each is not None}
    return replace(pictures, camera=camera.crop(0, rows, camera.width, camera.height - rows), **left)


def resize(pictures: Pictures, height: int) -> Pictures:
    """The same frame by a camera of another height in pixels; depth does not change."""
    camera = pictures.camera.resize(round(pictures.camera.width * height / pictures.camera.height), height)
    size = (camera.width, camera.height)
    image = pictures.image
    if image is not None:
        smooth = cv2.INTER_AREA if height < pictures.camera.height else cv2.INTER_LINEAR
        image = np.asarray(cv2.resize(image, size, interpolation=smooth), np.uint8)
    scale = np.array((camera.width / pictures.camera.width, camera.height / pictures.camera.height))
    matrix = np.diag((*scale, 1.0))
    matrix[:2, 2] = scale / 2 - 0.5  # edges of pixels, not their centres, are what is scaled
    rest = view(replace(pictures, image=None), matrix, 1.0, (camera.height, camera.width))
    return replace(rest, camera=camera, image=image)


def draw_view(
    camera: Camera, augmentation: Augmentation, rng: np.random.Generator
) -> tuple[NDArray[np.float64], float]:
    """The (3, 3) affine map of pixels (u, v, 1) to those of the crop, and the zoom in it.

    Raises:
        ValueError: the image is smaller than the crop.
    """
    angle = np.radians(rng.uniform(-augmentation.rotation, augmentation.rotation))
    zoom = float(rng.uniform(*augmentation.zoom))
    height, width = (int(zoom * side + 1e-6) for side in (camera.height, camera.width))
    rows, columns = augmentation.crop
    if height < rows or width < columns:
        cut = f", without their top {augmentation.top} rows," if augmentation.top else ""
        raise ValueError(
            f"images of {camera.width}x{camera.height} pixels{cut} are smaller than the crop of {columns}x{rows}: "
            "choose a smaller crop, or a height to resize images to"
        )
    matrix = _rotation(camera, angle)
    matrix = np.array([[zoom, 0, zoom / 2 - 0.5], [0, zoom, zoom / 2 - 0.5], [0, 0, 1]]) @ matrix
    if rng.random() < augmentation.flip:
        matrix = np.array([[-1, 0, width - 1], [0, 1, 0], [0, 0, 1.0]]) @ matrix
    if rng.random() < augmentation.upside_down:
        matrix = np.array([[1, 0, 0], [0, -1, height - 1], [0, 0, 1.0]]) @ matrix
    matrix[0, 2] -= rng.integers(width - columns + 1)
    matrix[1, 2] -= height - rows if augmentation.bottom else rng.integers(height - rows + 1)
    return matrix, zoom


def view(pictures: Pictures, matrix: NDArray[np.float64], zoom: float, size: tuple[int, int]) -> Pictures:
    """What a camera of ``size`` (height, width) shows whose pixels are ``matrix`` times those of the frame.

    The focal lengths stay: things are ``zoom`` times nearer, and turned or mirrored as the matrix says. Colours are
    interpolated, and black beyond the frame; depth is taken from the nearest pixel, but scattered measurements are
    moved one by one, so that none is lost or doubled.
    """
    rows, columns = size
    affine = matrix[:2]

    def warp(picture: NDArray, interpolation: int, border: int) -> NDArray:
        return cv2.warpAffine(picture, affine, (columns, rows), flags=interpolation, borderMode=border)

    def moved(depth: NDArray[np.float32]) -> NDArray[np.float32]:
        if np.count_nonzero(depth) > _DENSE * depth.size:
            return warp(depth, cv2.INTER_NEAREST, cv2.BORDER_CONSTANT) / np.float32(zoom)
        return _move(depth, affine, size) / np.float32(zoom)

    image, initial, measured = pictures.image, pictures.initial_depth, pictures.measured
    if image is not None:
        image = np.asarray(warp(image, cv2.INTER_LINEAR, cv2.BORDER_CONSTANT), np.uint8)
    if initial is not None:
        initial = warp(initial, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE) / np.float32(zoom)
    truth = warp(pictures.ground_truth, cv2.INTER_NEAREST, cv2.BORDER_CONSTANT) / np.float32(zoom)
    cx, cy = affine @ (pictures.camera.cx, pictures.camera.cy, 1)
    camera = replace(pictures.camera.undistorted(), width=columns, height=rows, cx=float(cx), cy=float(cy))
    return Pictures(
        camera, image, moved(pictures.sparse_depth), truth, initial, None if measured is None else moved(measured)
    )


def change_color(image: NDArray[np.uint8], amount: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Changes brightness, contrast about the mean gray, and saturation, by factors within 1 +- ``amount``."""
    brightness, contrast, saturation = rng.uniform(1 - amount, 1 + amount, 3)
    # All three are affine in the colours of a pixel, and so is what they do together.
    mean = brightness * float(_LUMA @ image.reshape(-1, 3).mean(0))
    matrix = saturation * np.eye(3) + (1 - saturation) * _LUMA[None]
    linear = brightness * contrast * matrix
    offset = np.full((3, 1), (1 - contrast) * mean)  # gray: the saturation leaves it
    return np.asarray(cv2.transform(image, np.hstack([linear, offset])), np.uint8)


def _rotation(camera: Camera, angle: float) -> NDArray[np.float64]:
    """Pixels turned about the middle of the image, as a camera sees that turns about its optical axis."""
    focal = np.array((camera.fx, camera.fy))
    middle = np.array((camera.width - 1, camera.height - 1)) / 2
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = np.eye(3)
    matrix[:2, :2] = focal[:, None] * turn / focal  # pixels need not be square
    matrix[:2, 2] = middle - matrix[:2, :2] @ middle
    return matrix


def _move(sparse: NDArray[np.float32], affine: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float32]:
    """Moves every measurement to its new pixel; of several in one the nearest stays."""
    row, column = np.nonzero(sparse)
    depth = sparse[row, column]
    u, v = np.rint(affine @ np.stack([column, row, np.ones(len(row))])).astype(np.int64)
    inside = (u >= 0) & (v >= 0) & (u < size[1]) & (v < size[0])
    u, v, depth = u[inside], v[inside], depth[inside]
    farthest_first = np.argsort(-depth, kind="stable")
    moved = np.zeros(size, np.float32)
    moved[v[farthest_first], u[farthest_first]] = depth[farthest_first]
    return moved
