"""Frames into a rosbag2, under the names that KITTI bags have."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from depth_completion_ros.datasets.bag.topics import CAMERA_INFO, IMAGE, KITTI, POINT_CLOUD, TRANSFORMS
from depth_completion_ros.frame import Frame
from depth_completion_ros.geometry.camera import Camera
from depth_completion_ros.geometry.rotation import is_same_pose, quaternion_of

CAMERA_FRAME: Final = "camera_color_left"
LIDAR_FRAME: Final = "velo_link"
DEPTH_FRAME: Final = "depth_camera"

_STORAGE: Final = {"mcap": StoragePlugin.MCAP, "sqlite3": StoragePlugin.SQLITE3}
_FLOAT32, _UINT16 = 7, 4  # sensor_msgs/PointField
_BIG_ENDIAN: Final = sys.byteorder == "big"
_LATCHED: Final = Qos(
    QosHistory.KEEP_LAST,
    1,
    QosReliability.RELIABLE,
    QosDurability.TRANSIENT_LOCAL,
    QosTime(0, 0),
    QosTime(0, 0),
    QosLiveliness.AUTOMATIC,
    QosTime(0, 0),
    False,
)


def write_bag(path: str | os.PathLike[str], frames: Iterable[Frame], storage: str = "mcap") -> int:
    """Writes frames to a new rosbag2 folder, from which :class:`BagSource` reads the same arrays.

    Depth and ground truth are stored as 32FC1, and everything of a frame is recorded at its stamp. Points of ring -1,
    which means none, are left out. If a frame cannot be read or written, the unfinished bag is removed.

    Args:
        path: the folder to make.
        frames: the frames, in the order of time.
        storage: ``mcap`` or ``sqlite3``.

    Returns:
        How many frames it holds.

    Raises:
        FileExistsError: ``path`` exists.
        ValueError: the storage is unknown, there is no frame, a frame has no image, or has another extrinsic than
            those before it, of which the bag's ``/tf_static`` holds one.
    """
    if storage not in _STORAGE:
        raise ValueError(f"unknown bag storage {storage!r}; available: {', '.join(_STORAGE)}")
    path = Path(path)
    if path.exists():
        raise FileExistsError(f"{path} exists already")
    count = 0
    try:
        # Version 8 of the metadata is what ROS 2 Iron and everything since can read.
        with Writer(path, version=8, storage_plugin=_STORAGE[storage]) as writer:
            messages = _MessageWriter(writer)
            for frame in frames:
                messages.write_frame(frame)
                count += 1
            if not count:
                raise ValueError(f"there is no frame to write to {path}")
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        raise
    return count


class _MessageWriter:
    """Makes the messages of frames and writes them to an open bag."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._typestore = get_typestore(Stores.ROS2_JAZZY)
        self._connections: dict[str, Any] = {}
        self._extrinsic: NDArray[np.float64] | None = None

    def write_frame(self, frame: Frame) -> None:
        if frame.image is None:
            raise ValueError(f"frame {frame.name or frame.stamp} has no image, so it cannot go into a bag")
        # A reader goes by the calibration it has seen so far, so that comes first.
        self._write_extrinsic(frame)
        self._write_camera_info(KITTI.camera_info, frame.camera, frame.stamp, CAMERA_FRAME)
        self._write_image(KITTI.image, frame.image, "rgb8", frame.stamp, CAMERA_FRAME)
        if frame.points is not None:
            self._write_cloud(frame.points, frame.rings, frame.stamp)
        if frame.depth is not None and frame.depth_camera is None:
            self._write_image(KITTI.depth, frame.depth, "32FC1", frame.stamp, CAMERA_FRAME)
        elif frame.depth is not None and frame.depth_camera is not None:
            self._write_camera_info(KITTI.depth_camera_info, frame.depth_camera, frame.stamp, DEPTH_FRAME)
            self._write_image(KITTI.depth, frame.depth, "32FC1", frame.stamp, DEPTH_FRAME)
        if frame.ground_truth is not None:
            self._write_image(KITTI.ground_truth, frame.ground_truth, "32FC1", frame.stamp, CAMERA_FRAME)

    def _write_extrinsic(self, frame: Frame) -> None:
        if self._extrinsic is not None:
            if not is_same_pose(frame.extrinsic, self._extrinsic):
                name = frame.name or frame.stamp
                raise ValueError(f"frame {name} has another extrinsic than the frames before it: a bag has one")
            return
        self._extrinsic = frame.extrinsic
        # Both depth sensors stand at the extrinsic; the one that a recording does not have does no harm.
        transforms = [
            self._make(
                "geometry_msgs/msg/TransformStamped",
                header=self._header(frame.stamp, CAMERA_FRAME),
                child_frame_id=child,
                transform=self._transform(frame.extrinsic),
            )
            for child in (LIDAR_FRAME, DEPTH_FRAME)
        ]
        message = self._make(TRANSFORMS[0], transforms=transforms)
        self._write("/tf_static", message, frame.stamp, qos=[_LATCHED])

    def _transform(self, matrix: NDArray[np.float64]) -> Any:
        (x, y, z), (qx, qy, qz, qw) = matrix[:3, 3].tolist(), quaternion_of(matrix[:3, :3]).tolist()
        return self._make(
            "geometry_msgs/msg/Transform",
            translation=self._make("geometry_msgs/msg/Vector3", x=x, y=y, z=z),
            rotation=self._make("geometry_msgs/msg/Quaternion", x=qx, y=qy, z=qz, w=qw),
        )

    def _write_image(self, topic: str, pixels: NDArray, encoding: str, stamp: int, frame_id: str) -> None:
        message = self._make(
            IMAGE,
            header=self._header(stamp, frame_id),
            height=pixels.shape[0],
            width=pixels.shape[1],
            encoding=encoding,
            is_bigendian=_BIG_ENDIAN,
            step=pixels[0].nbytes,
            data=_bytes(pixels),
        )
        self._write(topic, message, stamp)

    def _write_camera_info(self, topic: str, camera: Camera, stamp: int, frame_id: str) -> None:
        message = self._make(
            CAMERA_INFO,
            header=self._header(stamp, frame_id),
            height=camera.height,
            width=camera.width,
            distortion_model="plumb_bob" if camera.distortion_model == "none" else camera.distortion_model,
            d=np.array(camera.distortion or (0.0,) * 5),
            k=camera.matrix.ravel(),
            r=np.eye(3).ravel(),
            p=np.hstack([camera.matrix, np.zeros((3, 1))]).ravel(),
            binning_x=0,
            binning_y=0,
            roi=self._make(
                "sensor_msgs/msg/RegionOfInterest", x_offset=0, y_offset=0, height=0, width=0, do_rectify=False
            ),
        )
        self._write(topic, message, stamp)

    def _write_cloud(self, points: NDArray[np.float32], rings: NDArray[np.integer] | None, stamp: int) -> None:
        if rings is not None:  # a point of ring -1, "none", is none: -1 is no uint16
            points, rings = points[rings >= 0], rings[rings >= 0]
        # The ring is a uint16, as Velodyne's driver writes it.
        fields: list[tuple[str, Any]] = [("x", np.float32), ("y", np.float32), ("z", np.float32)]
        if rings is not None:
            fields.append(("ring", np.uint16))
        cloud = np.empty(len(points), fields)
        cloud["x"], cloud["y"], cloud["z"] = points.T
        if rings is not None:
            cloud["ring"] = rings
        message = self._make(
            POINT_CLOUD,
            header=self._header(stamp, LIDAR_FRAME),
            height=1,
            width=len(cloud),
            fields=[
                self._make(
                    "sensor_msgs/msg/PointField",
                    name=name,
                    offset=4 * index,
                    datatype=_UINT16 if name == "ring" else _FLOAT32,
                    count=1,
                )
                for index, (name, _) in enumerate(fields)
            ],
            is_bigendian=_BIG_ENDIAN,
            point_step=cloud.itemsize,
            row_step=cloud.nbytes,
            data=_bytes(cloud),
            is_dense=bool(np.isfinite(points).all()),
        )
        self._write(KITTI.points, message, stamp)

    def _header(self, stamp: int, frame_id: str) -> Any:
        time = self._make("builtin_interfaces/msg/Time", sec=stamp // 10**9, nanosec=stamp % 10**9)
        return self._make("std_msgs/msg/Header", stamp=time, frame_id=frame_id)

    def _make(self, type_name: str, **values: Any) -> Any:
        return self._typestore.types[type_name](**values)

    def _write(self, topic: str, message: Any, stamp: int, qos: Sequence[Qos] = ()) -> None:
        if topic not in self._connections:
            self._connections[topic] = self._writer.add_connection(
                topic, message.__msgtype__, typestore=self._typestore, offered_qos_profiles=qos
            )
        data = self._typestore.serialize_cdr(message, message.__msgtype__)
        self._writer.write(self._connections[topic], stamp, data)


def _bytes(values: NDArray) -> NDArray[np.uint8]:
    return np.ascontiguousarray(values).reshape(-1).view(np.uint8)
