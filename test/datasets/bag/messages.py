"""Bags made message by message, with what our own writer does not write: ROS 1, compression, other layouts."""

import itertools

import numpy as np
from rosbags.rosbag1 import Writer as Ros1Writer
from rosbags.rosbag2 import StoragePlugin
from rosbags.rosbag2 import Writer as Ros2Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore


class Bag:
    """Writes a .bag file (ROS 1) or a rosbag2 folder, by the ending of its path."""

    def __init__(self, path, storage=StoragePlugin.MCAP):
        self.path = path
        self.ros1 = path.suffix == ".bag"
        self.store = get_typestore(Stores.ROS1_NOETIC if self.ros1 else Stores.ROS2_JAZZY)
        if self.ros1:
            self.writer = Ros1Writer(path)
            definition = "geometry_msgs/TransformStamped[] transforms"
            self.store.register(get_types_from_msg(definition, "tf2_msgs/msg/TFMessage"))
        else:
            self.writer = Ros2Writer(path, version=8, storage_plugin=storage)
        self.connections = {}
        self.sequence = itertools.count()

    def __enter__(self):
        self.writer.open()
        return self

    def __exit__(self, *_):
        self.writer.close()

    def make(self, type_name, **values):
        return self.store.types[type_name](**values)

    def write(self, topic, message, time):
        if topic not in self.connections:
            self.connections[topic] = self.writer.add_connection(topic, message.__msgtype__, typestore=self.store)
        serialize = self.store.serialize_ros1 if self.ros1 else self.store.serialize_cdr
        self.writer.write(self.connections[topic], time, serialize(message, message.__msgtype__))

    def header(self, stamp, frame_id):
        time = self.make("builtin_interfaces/msg/Time", sec=stamp // 10**9, nanosec=stamp % 10**9)
        extra = {"seq": next(self.sequence)} if self.ros1 else {}
        return self.make("std_msgs/msg/Header", stamp=time, frame_id=frame_id, **extra)

    def image(self, topic, pixels, encoding, stamp, frame_id="camera", time=None):
        message = self.make(
            "sensor_msgs/msg/Image",
            header=self.header(stamp, frame_id),
            height=pixels.shape[0],
            width=pixels.shape[1],
            encoding=encoding,
            is_bigendian=0,
            step=pixels[0].nbytes,
            data=np.ascontiguousarray(pixels).reshape(-1).view(np.uint8),
        )
        self.write(topic, message, stamp if time is None else time)

    def compressed(self, topic, data, format, stamp, frame_id="camera"):
        message = self.make(
            "sensor_msgs/msg/CompressedImage",
            header=self.header(stamp, frame_id),
            format=format,
            data=np.frombuffer(data, np.uint8),
        )
        self.write(topic, message, stamp)

    def camera_info(self, topic, stamp, frame_id="camera", k=(15, 16, 9.5, 5.5), p=None, d=(), size=(20, 12)):
        p = p or k
        values = {
            "d": np.array(d, float),
            "k": np.array([k[0], 0, k[2], 0, k[1], k[3], 0, 0, 1], float),
            "r": np.eye(3).ravel(),
            "p": np.array([p[0], 0, p[2], 5, 0, p[1], p[3], 0, 0, 0, 1, 0], float),
        }
        message = self.make(
            "sensor_msgs/msg/CameraInfo",
            header=self.header(stamp, frame_id),
            width=size[0],
            height=size[1],
            distortion_model="plumb_bob",
            binning_x=0,
            binning_y=0,
            roi=self.make(
                "sensor_msgs/msg/RegionOfInterest", x_offset=0, y_offset=0, height=0, width=0, do_rectify=False
            ),
            **{name.upper() if self.ros1 else name: value for name, value in values.items()},
        )
        self.write(topic, message, stamp)

    def cloud(self, topic, points, stamp, frame_id="lidar", time=None):
        message = self.make(
            "sensor_msgs/msg/PointCloud2",
            header=self.header(stamp, frame_id),
            height=1,
            width=len(points),
            fields=[
                self.make("sensor_msgs/msg/PointField", name=name, offset=4 * index, datatype=7, count=1)
                for index, name in enumerate("xyz")
            ],
            is_bigendian=False,
            point_step=12,
            row_step=12 * len(points),
            data=np.ascontiguousarray(points).reshape(-1).view(np.uint8),
            is_dense=True,
        )
        self.write(topic, message, stamp if time is None else time)

    def transforms(self, topic, stamp, *edges):
        """Edges are (parent, child, translation, quaternion); in ROS 1 with the leading slash that was usual."""
        slash = "/" if self.ros1 else ""
        message = self.make(
            "tf2_msgs/msg/TFMessage",
            transforms=[
                self.make(
                    "geometry_msgs/msg/TransformStamped",
                    header=self.header(stamp, slash + parent),
                    child_frame_id=slash + child,
                    transform=self.make(
                        "geometry_msgs/msg/Transform",
                        translation=self.make("geometry_msgs/msg/Vector3", **named("xyz", t)),
                        rotation=self.make("geometry_msgs/msg/Quaternion", **named("xyzw", q)),
                    ),
                )
                for parent, child, t, q in edges
            ],
        )
        self.write(topic, message, stamp)


def named(names, values):
    return dict(zip(names, map(float, values), strict=True))
