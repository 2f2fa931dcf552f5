"""ROS messages to arrays, for live topics and for bags alike.

Nothing here imports ROS: any object with the attributes of the ROS message will do (rclpy's, rosbags', a test's).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import DTypeLike, NDArray

from depth_completion_ros.geometry.camera import Camera
from depth_completion_ros.geometry.rotation import rotation_of
from depth_completion_ros.images import PNG_MAGIC, decode_picture

# ROS names a mosaic's first two rows, OpenCV what is below and right of its first pixel.
_MOSAICS: Final = {
    "bayer_rggb": cv2.COLOR_BayerBG2RGB,
    "bayer_bggr": cv2.COLOR_BayerRG2RGB,
    "bayer_gbrg": cv2.COLOR_BayerGR2RGB,
    "bayer_grbg": cv2.COLOR_BayerGB2RGB,
}
# Encoding -> sample type, channels, OpenCV's conversion to RGB. OpenCV writes 8UC3 and 8UC4 in its own order, BGR.
_COLOR_ENCODINGS: Final[dict[str, tuple[type[np.unsignedinteger], int, int | None]]] = {
    "rgb8": (np.uint8, 3, None),
    "bgr8": (np.uint8, 3, cv2.COLOR_BGR2RGB),
    "8UC3": (np.uint8, 3, cv2.COLOR_BGR2RGB),
    "rgba8": (np.uint8, 4, cv2.COLOR_RGBA2RGB),
    "bgra8": (np.uint8, 4, cv2.COLOR_BGRA2RGB),
    "8UC4": (np.uint8, 4, cv2.COLOR_BGRA2RGB),
    "mono8": (np.uint8, 1, cv2.COLOR_GRAY2RGB),
    "8UC1": (np.uint8, 1, cv2.COLOR_GRAY2RGB),
    "mono16": (np.uint16, 1, cv2.COLOR_GRAY2RGB),
    "rgb16": (np.uint16, 3, None),
    "bgr16": (np.uint16, 3, cv2.COLOR_BGR2RGB),
    # Both names of each; of the new ones cv_bridge knows none.
    **dict.fromkeys(("uyvy", "yuv422"), (np.uint8, 2, cv2.COLOR_YUV2RGB_UYVY)),
    **dict.fromkeys(("yuyv", "yuv422_yuy2"), (np.uint8, 2, cv2.COLOR_YUV2RGB_YUY2)),
    **{f"{mosaic}8": (np.uint8, 1, conversion) for mosaic, conversion in _MOSAICS.items()},
    **{f"{mosaic}16": (np.uint16, 1, conversion) for mosaic, conversion in _MOSAICS.items()},
}
# Encoding -> sample type, metres per unit (REP 118).
_DEPTH_ENCODINGS: Final[dict[str, tuple[DTypeLike, float]]] = {
    "32FC1": (np.float32, 1.0),
    "16UC1": (np.uint16, 0.001),
    "mono16": (np.uint16, 0.001),
}
# sensor_msgs/PointField.datatype -> sample type.
# The last two are of ROS 2 Lyrical and later.
_FIELD_TYPES: Final[dict[int, str]] = dict(
    enumerate(("i1", "u1", "i2", "u2", "i4", "u4", "f4", "f8", "i8", "u8"), start=1)
)

# Metres from the origin up to which float32 coordinates are right to a millimetre.
_FARTHEST: Final = 1e4

# compressed_depth_image_transport puts an int32 and two float32 (the quantisation) before the picture.
_DEPTH_HEADER_BYTES: Final = 12

# CameraInfo.distortion_model -> the camera model; some drivers use OpenCV's name of REP 105's equidistant.
_DISTORTION_MODELS: Final = {
    "": "none",
    "none": "none",
    "pinhole": "none",
    "plumb_bob": "plumb_bob",
    "rational_polynomial": "rational_polynomial",
    "equidistant": "equidistant",
    "fisheye": "equidistant",
}


def image_array(message: Any) -> NDArray[np.uint8]:
    """The pixels of a ``sensor_msgs/Image`` as (H, W, 3) uint8 RGB; may share the message's memory.

    16-bit samples lose their lower byte. Encodings that are not listed here need ``cv_bridge``.

    Raises:
        ValueError: the sizes in the message do not add up, or its encoding cannot be decoded here.
    """
    if message.encoding not in _COLOR_ENCODINGS:
        return _decode_with_cv_bridge(message)
    sample, channels, conversion = _COLOR_ENCODINGS[message.encoding]
    pixels = _samples(message, sample, channels)
    if channels == 2 and message.width % 2:
        raise ValueError(f"image of {message.encoding} is {message.width} pixels wide, expected an even number")
    if sample == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    return np.asarray(pixels if conversion is None else cv2.cvtColor(pixels, conversion), np.uint8)


def depth_array(message: Any) -> NDArray[np.float32]:
    """The depth of a ``sensor_msgs/Image`` as (H, W) float32 metres, 0 where nothing was measured.

    32FC1 is in metres, 16UC1 and mono16 in millimetres; NaN, infinite and negative depth becomes 0.

    Raises:
        ValueError: the sizes in the message do not add up, or it has another encoding.
    """
    if message.encoding not in _DEPTH_ENCODINGS:
        raise ValueError(
            f"depth encoding {message.encoding!r} is not supported; supported: 32FC1 (metres), "
            "16UC1 and mono16 (millimetres)"
        )
    sample, unit = _DEPTH_ENCODINGS[message.encoding]
    samples = _samples(message, sample, 1)[..., 0]
    if sample == np.uint16:
        return np.multiply(samples, np.float32(unit), dtype=np.float32)
    return _measured(samples.astype(np.float32))


def compressed_image_array(message: Any) -> NDArray[np.uint8]:
    """The pixels of a ``sensor_msgs/CompressedImage`` (JPEG, PNG, ...) as (H, W, 3) uint8 RGB.

    ``compressed_image_transport`` states the format as "encoding of the image; codec compressed encoding inside", and
    what is inside may be a Bayer mosaic, or colours in another order than the codec's own.

    Raises:
        ValueError: the picture is truncated or cannot be decoded.
    """
    encoding, _, inside = message.format.partition(";")
    mosaic = None if any(color in inside for color in ("mono", "bgr", "rgb")) else _MOSAICS.get(encoding.rstrip("168"))
    flags = cv2.IMREAD_COLOR if mosaic is None else cv2.IMREAD_GRAYSCALE
    pixels = decode_picture(_bytes(message.data), flags | cv2.IMREAD_IGNORE_ORIENTATION, _compressed(message))
    if mosaic is not None:
        return np.asarray(cv2.cvtColor(pixels, mosaic), np.uint8)
    if inside and encoding.startswith("rgb") and "compressed bgr" not in inside:
        return np.asarray(pixels, np.uint8)  # what the codec took for blue was red
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)


def compressed_depth_array(message: Any) -> NDArray[np.float32]:
    """The depth of a ``sensor_msgs/CompressedImage`` as (H, W) float32 metres, 0 where nothing was measured.

    Takes what ``compressed_depth_image_transport`` writes as PNG (16UC1 in millimetres, 32FC1 as quantised inverse
    depth), and a plain 16-bit PNG in millimetres.

    Raises:
        ValueError: the picture is truncated, cannot be decoded, or is no 16-bit PNG.
    """
    data = _bytes(message.data)
    if "rvl" in message.format.lower():
        raise ValueError(f"depth format {message.format!r} is not supported; set the publisher's format to png")
    is_plain = data[: len(PNG_MAGIC)].tobytes() == PNG_MAGIC
    picture = data if is_plain else data[_DEPTH_HEADER_BYTES:]
    samples = decode_picture(picture, cv2.IMREAD_UNCHANGED, _compressed(message))
    if samples.dtype != np.uint16 or samples.ndim != 2:
        raise ValueError(f"depth format {message.format!r} holds {samples.shape} {samples.dtype}, expected 16-bit grey")
    if is_plain or not message.format.startswith("32FC1"):
        return np.multiply(samples, np.float32(0.001), dtype=np.float32)
    # The transport stores a / depth + b, and 0 for what is unknown.
    a, b = data[4:_DEPTH_HEADER_BYTES].view("<f4")
    with np.errstate(divide="ignore"):
        return _measured(np.where(samples > 0, a / (samples.astype(np.float32) - b), np.float32(0)))


def is_depth_format(format: str) -> bool:
    """Whether a ``CompressedImage.format`` says that depth is inside, not a picture."""
    return "compressedDepth" in format or format.startswith(("16UC1", "32FC1"))


def cloud_points(message: Any) -> tuple[NDArray[np.float32], NDArray[np.integer] | None]:
    """The points of a ``sensor_msgs/PointCloud2``.

    Returns:
        (N, 3) float32 x, y, z in the message's frame, NaN points included, row after row; and the (N,) integer
        field ``ring``, or None for a cloud without.

    Raises:
        ValueError: there is no x, y or z of a floating-point type, or the sizes in the message do not add up; or x, y
            and z are those of a map, so large that float32 cannot tell the points apart.
    """
    fields = {field.name: field for field in message.fields}
    for name in "xyz":
        if name not in fields or _FIELD_TYPES.get(fields[name].datatype) not in ("f4", "f8"):
            described = ", ".join(f"{field.name} (datatype {field.datatype})" for field in message.fields)
            raise ValueError(
                f"cloud has no field {name!r} of datatype 7 (float32) or 8 (float64); its fields: {described or 'none'}"
            )
    points = np.empty((message.height * message.width, 3), np.float32)
    for column, name in enumerate("xyz"):
        points[:, column] = _field(message, fields[name]).ravel()
    if any(_FIELD_TYPES[fields[name].datatype] == "f8" for name in "xyz"):
        _expect_near(points)
    if "ring" not in fields or fields["ring"].datatype not in _FIELD_TYPES:
        return points, None
    rings = _field(message, fields["ring"]).ravel()
    # Some converters store every field as float.
    return points, rings.astype(rings.dtype.newbyteorder("=") if rings.dtype.kind in "iu" else np.int32)


def camera_of(info: Any, rectified: bool = False) -> Camera:
    """The camera that a ``sensor_msgs/CameraInfo`` (of ROS 2, or of ROS 1 with its capital K, D, P) describes.

    The region of interest and the binning are applied, so that the camera fits the image as it is published. K counts
    and R does not: the extrinsic is to the camera that took the image, not to what a stereo pair is rectified to.

    Args:
        info: the message.
        rectified: the images are rectified, so P counts and the distortion does not. P's fourth column, where a
            stereo camera stands to its partner, is left to the extrinsic.

    Raises:
        ValueError: the camera is not calibrated, or its distortion model is unknown.
    """
    k, p = (np.asarray(_attribute(info, name), np.float64).reshape(3, -1)[:, :3] for name in "kp")
    # Drivers that rectify, and say no more of the lens: K and D are zero.
    rectified = rectified or not (k.any() or any(_attribute(info, "d")))
    matrix = p if rectified else k
    if not matrix[:2].any():
        raise ValueError(f"camera_info is uncalibrated: {'P' if k.any() else 'K'} is zero")
    model, distortion = ("none", ()) if rectified else _distortion(info)
    camera = Camera.from_matrix(matrix, info.width, info.height, model, distortion)
    roi = info.roi
    if roi.width and roi.height:
        camera = camera.crop(roi.x_offset, roi.y_offset, roi.width, roi.height)
    across, down = max(info.binning_x, 1), max(info.binning_y, 1)
    if (across, down) == (1, 1):
        return camera
    # What does not fill a whole binned pixel is lost at the right and at the bottom.
    width, height = camera.width // across, camera.height // down
    return camera.crop(0, 0, width * across, height * down).resize(width, height)


def is_rectified(topic: str, info: Any) -> bool:
    """Whether the images of ``topic`` are rectified, so that P of their CameraInfo counts and not K and D.

    They are when ROS's naming says so (``image_rect...``), and in KITTI bags (``/kitti/...``), whose K and D are those
    of the camera before rectification and differ from P.
    """
    if any(part.startswith("image_rect") for part in topic.split("/")):
        return True
    k, p = (np.asarray(_attribute(info, name)).reshape(3, -1)[:, :3] for name in "kp")
    return topic.startswith("/kitti/") and bool(p.any()) and not np.array_equal(k, p)


def transform_matrix(transform: Any) -> NDArray[np.float64]:
    """The (4, 4) matrix of a ``geometry_msgs/Transform``.

    Raises:
        ValueError: its quaternion is zero, or a number of it is not finite.
    """
    q, t = transform.rotation, transform.translation
    matrix = np.eye(4)
    matrix[:3, :3] = rotation_of((q.x, q.y, q.z, q.w))
    matrix[:3, 3] = t.x, t.y, t.z
    if not np.isfinite(matrix).all():
        raise ValueError(f"translation {matrix[:3, 3].tolist()} is not finite")
    return matrix


def _samples(message: Any, sample: DTypeLike, channels: int) -> NDArray:
    """The (H, W, channels) samples of an Image, a view of its memory."""
    dtype = np.dtype(sample).newbyteorder(">" if message.is_bigendian else "<")
    height, width, step = message.height, message.width, message.step
    row = width * channels * dtype.itemsize
    data = _bytes(message.data)
    if not row * height:
        raise ValueError(f"image of {width} x {height} pixels is empty")
    if step < row:
        raise ValueError(f"image step is {step} bytes, but {width} pixels of {message.encoding} take {row}")
    if data.size < step * height:
        raise ValueError(f"image data has {data.size} bytes, but step {step} x height {height} is {step * height}")
    strides = (step, channels * dtype.itemsize, dtype.itemsize)
    return np.ndarray((height, width, channels), dtype, data, 0, strides)


def _field(message: Any, field: Any) -> NDArray:
    """The (height, width) values of one PointField, a view of the cloud's memory."""
    dtype = np.dtype(_FIELD_TYPES[field.datatype]).newbyteorder(">" if message.is_bigendian else "<")
    height, width, point_step = message.height, message.width, message.point_step
    # Drivers of unorganised clouds do not always set row_step.
    row_step = width * point_step if height == 1 else message.row_step
    data = _bytes(message.data)
    if field.offset + dtype.itemsize > point_step:
        raise ValueError(
            f"cloud field {field.name!r} ends at byte {field.offset + dtype.itemsize}, beyond point_step {point_step}"
        )
    if row_step < width * point_step:
        raise ValueError(f"cloud row_step is {row_step}, but {width} points of {point_step} bytes take more")
    if data.size < row_step * height:
        raise ValueError(f"cloud data has {data.size} bytes, but row_step {row_step} x height {height} is more")
    if not height * width:
        return np.empty((0, 0), dtype)
    return np.ndarray((height, width), dtype, data, field.offset, (row_step, point_step))


def _expect_near(points: NDArray[np.float32]) -> None:
    """Refuses a cloud most of whose returns are far from the origin; a wild one among others does no harm."""
    largest = np.abs(points).max(1)
    returned = largest[(largest > 0) & (largest < np.inf)]
    typical = float(np.median(returned)) if len(returned) else 0.0
    if typical > _FARTHEST:
        raise ValueError(
            f"cloud has coordinates of {typical / 1e3:.0f} km, which cannot be kept in float32: publish it in the "
            "sensor's own frame"
        )


def _compressed(message: Any) -> str:
    return f"compressed image of format {message.format!r}"


def _decode_with_cv_bridge(message: Any) -> NDArray[np.uint8]:
    try:
        from cv_bridge import CvBridge, CvBridgeError
    except ImportError as error:
        raise ValueError(
            f"image encoding {message.encoding!r} is not supported without cv_bridge, which is not installed; "
            f"supported: {', '.join(_COLOR_ENCODINGS)}"
        ) from error
    try:
        return np.asarray(CvBridge().imgmsg_to_cv2(message, "rgb8"), np.uint8)
    except CvBridgeError as error:
        raise ValueError(f"cv_bridge cannot make a picture of image encoding {message.encoding!r}: {error}") from error


def _distortion(info: Any) -> tuple[str, Sequence[float]]:
    """The distortion model and its coefficients; ``none`` when there is nothing to distort.

    Drivers give plumb_bob, which is the beginning of rational_polynomial, with as many coefficients as that, and the
    latter with as few: as in OpenCV, how many there are tells which it is. Zeros at the end are none.
    """
    stated = [float(c) for c in _attribute(info, "d")]
    name = info.distortion_model
    model = _DISTORTION_MODELS.get(name)
    used = stated[: max((place for place, each in enumerate(stated, start=1) if each), default=0)]
    lengths = {"none": (0,), "equidistant": (4,)}.get(model or "none", (5, 8, 12, 14))
    length = next((each for each in lengths if len(used) <= each), None)
    if model is None or length is None:
        raise ValueError(
            f"camera_info has the distortion model {name!r} with D = {stated}; "
            "supported: plumb_bob, rational_polynomial, equidistant"
        )
    # An equidistant lens bends lines even when its coefficients are all 0.
    if not used and model != "equidistant":
        return "none", ()
    if model != "equidistant":
        model = "plumb_bob" if length == 5 else "rational_polynomial"
    return model, (*used, *(0.0,) * (length - len(used)))


def _attribute(info: Any, name: str) -> Any:
    return getattr(info, name) if hasattr(info, name) else getattr(info, name.upper())


def _measured(depth: NDArray[np.float32]) -> NDArray[np.float32]:
    """Depth with 0 for what is NaN, infinite or negative."""
    return np.where((depth > 0) & (depth < np.inf), depth, np.float32(0))


def _bytes(data: Any) -> NDArray[np.uint8]:
    return np.frombuffer(data, np.uint8)
