"""What the completion node says: dense depth, confidence and their views, each only when somebody listens."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header

from depth_completion_ros.frame import Completion, Frame
from depth_completion_ros.images import colorize_depth
from depth_completion_ros.ros.messages import (
    camera_info_message,
    coloured_cloud_message,
    image_message,
    unknown_as_nan,
)

TOPICS: dict[str, type] = {
    "~/sparse_depth/image": Image,
    "~/confidence/image": Image,
    "~/depth/color": Image,
    "~/points": PointCloud2,
    "~/depth/camera_info": CameraInfo,
    "~/depth/image": Image,
}
_MILLIMETRES_MAXIMUM = 65535


class Outputs:
    """The publishers of the completion node, active while the node is.

    Args:
        node: the lifecycle node to publish from.
        depth_encoding: ``32FC1`` or ``16UC1``.
    """

    def __init__(self, node: LifecycleNode, depth_encoding: str) -> None:
        self._node = node
        self._encode = _millimetres if depth_encoding == "16UC1" else _metres
        self._publishers: dict[str, Any] = {}
        overrides = QoSOverridingOptions.with_default_policies()
        try:
            for topic, message_type in TOPICS.items():
                self._publishers[topic] = node.create_lifecycle_publisher(
                    message_type, topic, QoSProfile(depth=5), qos_overriding_options=overrides
                )
        except BaseException:  # a QoS override that is none, for one
            self.close()
            raise

    def close(self) -> None:
        """Ends the publishers."""
        for publisher in self._publishers.values():
            self._node.destroy_lifecycle_publisher(publisher)

    def wanted(self) -> bool:
        """Whether anybody listens to anything."""
        return any(map(self.listened_to, TOPICS))

    def publish(
        self,
        frame: Frame,
        completion: Completion,
        header: Header,
        info: CameraInfo | None,
        topics: Iterable[str] = TOPICS,
    ) -> None:
        """Publishes a completion on those of ``topics`` that somebody listens to.

        The depth image goes last: who has it can rely on the rest having been sent.

        Args:
            frame: what was completed.
            completion: what came out.
            header: the image's stamp and the camera's optical frame.
            info: the camera's own camera_info, passed on with the new header; None to make one.
            topics: in the order of publishing.
        """
        makers = {
            "~/sparse_depth/image": lambda: image_message(
                self._encode(unknown_as_nan(completion.sparse_depth)), header
            ),
            "~/confidence/image": lambda: image_message(completion.confidence, header),
            "~/depth/color": lambda: image_message(colorize_depth(completion.depth), header),
            "~/points": lambda: _cloud(frame, completion, header),
            "~/depth/camera_info": lambda: _info(frame, header, info),
            "~/depth/image": lambda: image_message(self._encode(completion.depth), header),
        }
        for topic in topics:
            if self.listened_to(topic):
                self._publishers[topic].publish(makers[topic]())

    def listened_to(self, topic: str) -> bool:
        """Whether anybody listens to ``topic``."""
        return bool(self._publishers[topic].get_subscription_count())


def _metres(depth: NDArray[np.float32]) -> NDArray:
    return depth


def _millimetres(depth: NDArray[np.float32]) -> NDArray:
    """uint16 millimetres; 0 where unknown, or too far for 16 bits."""
    millimetres = np.nan_to_num(depth, nan=0.0) * 1000.0
    return np.where(millimetres <= _MILLIMETRES_MAXIMUM, np.rint(millimetres), 0).astype(np.uint16)


def _cloud(frame: Frame, completion: Completion, header: Header) -> PointCloud2:
    colours = frame.image if frame.image is not None else colorize_depth(completion.depth)
    return coloured_cloud_message(frame.camera.unproject(completion.depth), colours, header)


def _info(frame: Frame, header: Header, info: CameraInfo | None) -> Any:
    if info is None:
        return camera_info_message(frame.camera, header)
    return CameraInfo(**{name: getattr(info, name) for name in info.get_fields_and_field_types()} | {"header": header})
