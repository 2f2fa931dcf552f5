"""Arrays to ROS messages; the way back is :mod:`depth_completion_ros.message_arrays`."""

from __future__ import annotations

import array
import sys

import cv2
import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import TransformStamped
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, Image, PointCloud2, PointField
from std_msgs.msg import Header

from depth_completion_ros.geometry.camera import Camera
from depth_completion_ros.geometry.rotation import quaternion_of

_IMAGE_ENCODINGS = {("uint8", 3): "rgb8", ("uint8", 1): "mono8", ("uint16", 1): "16UC1", ("float32", 1): "32FC1"}
_BIG_ENDIAN = sys.byteorder == "big"


def nanoseconds(stamp: Time) -> int:
    """A message's stamp as integer nanoseconds."""
    return stamp.sec * 1_000_000_000 + stamp.nanosec


def header(stamp: int, frame_id: str) -> Header:
    """A header from nanoseconds and a frame."""
    return Header(stamp=Time(sec=stamp // 1_000_000_000, nanosec=stamp % 1_000_000_000), frame_id=frame_id)


def image_message(pixels: NDArray, header: Header) -> Image:
    """(H, W, 3) uint8 RGB, (H, W) float32 metres, (H, W) uint8 or (H, W) uint16 as an Image.

    Raises:
        ValueError: any other array.
    """
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    encoding = _IMAGE_ENCODINGS.get((pixels.dtype.name, channels))
    if encoding is None:
        raise ValueError(f"no image encoding for {pixels.shape} {pixels.dtype}")
    height, width = pixels.shape[:2]
    return Image(
        header=header,
        height=height,
        width=width,
        encoding=encoding,
        is_bigendian=_BIG_ENDIAN,
        step=width * channels * pixels.itemsize,
        data=_bytes(pixels),
    )


def unknown_as_nan(depth: NDArray[np.float32]) -> NDArray[np.float32]:
    """(H, W) metres with 0 for what is unknown, as ROS marks it: NaN (REP 117)."""
    return np.where(depth > 0, depth, np.float32(np.nan))


def camera_info_message(camera: Camera, header: Header) -> CameraInfo:
    """The CameraInfo of an unrectified image of ``camera``; K and P agree, as for a camera of its own."""
    return CameraInfo(
        header=header,
        height=camera.height,
        width=camera.width,
        distortion_model="plumb_bob" if camera.distortion_model == "none" else camera.distortion_model,
        d=list(camera.distortion) or [0.0] * 5,
        k=camera.matrix.ravel().tolist(),
        r=np.eye(3).ravel().tolist(),
        p=np.hstack([camera.matrix, np.zeros((3, 1))]).ravel().tolist(),
    )


def cloud_message(points: NDArray[np.float32], header: Header, *, rings: NDArray | None = None) -> PointCloud2:
    """(N, 3) float32 points, with their (N,) laser rings if known, as an unorganised cloud.

    Points of ring -1, which means none, are left out.
    """
    fields = [_field("x", 0), _field("y", 4), _field("z", 8)]
    if rings is None:
        return _cloud(points, fields, header)
    points, rings = points[rings >= 0], rings[rings >= 0]  # -1 is no uint16
    cloud = np.empty(len(points), np.dtype([("xyz", np.float32, 3), ("ring", np.uint16)]))
    cloud["xyz"], cloud["ring"] = points, rings
    return _cloud(cloud[:, None], [*fields, _field("ring", 12, PointField.UINT16)], header)


def coloured_cloud_message(points: NDArray[np.float32], colours: NDArray[np.uint8], header: Header) -> PointCloud2:
    """(H, W, 3) float32 points and (H, W, 3) uint8 RGB as an organised cloud; NaN points are unknown."""
    # RViz and PCL read the four bytes of the float `rgb` as the number 0xAARRGGBB.
    packed = cv2.cvtColor(colours, cv2.COLOR_RGB2RGBA if _BIG_ENDIAN else cv2.COLOR_RGB2BGRA).view(np.uint32)
    cloud = cv2.cvtColor(points, cv2.COLOR_RGB2RGBA)  # appends a fourth column, faster than NumPy does
    cloud.view(np.uint32)[..., 3] = packed[..., 0]
    fields = [_field("x", 0), _field("y", 4), _field("z", 8), _field("rgb", 12)]
    return _cloud(cloud, fields, header)


def transform_message(transform: NDArray[np.floating], header: Header, child_frame_id: str) -> TransformStamped:
    """The (4, 4) pose of ``child_frame_id`` in the header's frame."""
    message = TransformStamped(header=header, child_frame_id=child_frame_id)
    translation, rotation = message.transform.translation, message.transform.rotation
    translation.x, translation.y, translation.z = transform[:3, 3].tolist()
    rotation.x, rotation.y, rotation.z, rotation.w = quaternion_of(np.asarray(transform[:3, :3], np.float64)).tolist()
    return message


def _field(name: str, offset: int, datatype: int = PointField.FLOAT32) -> PointField:
    return PointField(name=name, offset=offset, datatype=datatype, count=1)


def _cloud(points: NDArray, fields: list[PointField], header: Header) -> PointCloud2:
    """A cloud from (N, columns) unorganised or (H, W, columns) organised points."""
    height, width = points.shape[:2] if points.ndim == 3 else (1, len(points))
    point_step = points.itemsize * points.shape[-1]
    return PointCloud2(
        header=header,
        height=height,
        width=width,
        fields=fields,
        is_bigendian=_BIG_ENDIAN,
        point_step=point_step,
        row_step=point_step * width,
        data=_bytes(points),
        is_dense=False,  # points may be NaN
    )


def _bytes(values: NDArray) -> array.array:
    """The memory of ``values``; rclpy takes an ``array.array`` as it is, and checks ``bytes`` item by item."""
    data = array.array("B")
    data.frombytes(np.ascontiguousarray(values).view(np.uint8).data)
    return data
