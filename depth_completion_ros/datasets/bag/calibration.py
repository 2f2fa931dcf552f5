"""What a bag says of its sensors: their cameras, and where they stand to each other."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from depth_completion_ros.datasets.bag.storage import Recorded, Storage
from depth_completion_ros.datasets.bag.topics import TRANSFORMS, BagTopics
from depth_completion_ros.datasets.bag.transforms import TransformTree, frame_name
from depth_completion_ros.geometry.camera import Camera
from depth_completion_ros.geometry.projection import rigid_transform
from depth_completion_ros.message_arrays import camera_of, is_rectified


class Calibration:
    """The calibration as of one message of a recording; :meth:`update` carries it on to the next.

    Args:
        storage: the bag.
        topics: the topics of a frame.
        rectified: whether the images are rectified; None decides by :func:`is_rectified`, which always does for the
            images of a depth camera in another place.
        extrinsic: (4, 4) rigid transform, depth sensor -> camera; None takes it from the bag's transforms.

    Attributes:
        topics: the topics whose messages :meth:`update` wants.
        camera: the camera of the image.
        depth_camera: the camera of the depth image; None when that is registered, or when there is none.

    Raises:
        ValueError: a topic has no readable message, a camera is not calibrated, or the bag does not say where the
            sensors stand.
    """

    def __init__(
        self, storage: Storage, topics: BagTopics, rectified: bool | None, extrinsic: ArrayLike | None
    ) -> None:
        self._bag = storage.path
        self._roles = topics
        self._rectified = rectified
        self._extrinsic = None if extrinsic is None else rigid_transform(extrinsic)
        first = _first_messages(storage, topics)
        self._camera_frame = frame_name(first["image"].header.frame_id)
        self._sensor_frame = frame_name(first["points" if topics.points else "depth"].header.frame_id)
        self.camera = self._camera_of("image", first["camera_info"])
        self.depth_camera: Camera | None = None
        self.topics = [topics.camera_info]
        if "depth_camera_info" in first:
            depth_camera = self._camera_of("depth", first["depth_camera_info"])
            if (depth_camera, self._sensor_frame) != (self.camera, self._camera_frame):
                self.depth_camera = depth_camera
                self.topics.append(topics.depth_camera_info)
        elif topics.depth and self._sensor_frame != self._camera_frame:
            raise ValueError(
                f"{self._bag}: {topics.depth} is in frame {self._sensor_frame!r}, not in the camera's "
                f"{self._camera_frame!r}, and no camera_info is beside it: give depth_camera_info=<topic>"
            )
        self._tree = TransformTree()
        if self._extrinsic is None:
            self._read_transforms(storage)

    @property
    def extrinsic(self) -> NDArray[np.float64]:
        """The (4, 4) rigid transform, depth sensor -> camera."""
        extrinsic = self._tree_extrinsic() if self._extrinsic is None else self._extrinsic
        assert extrinsic is not None  # _read_transforms saw to it, and transforms are only ever added
        return extrinsic

    def update(self, item: Recorded) -> None:
        """Takes in a message of one of :attr:`topics`.

        Raises:
            ValueError: it holds no camera.
        """
        if item.topic == self._roles.camera_info:
            self.camera = self._camera_of("image", item.message)
        elif item.topic == self._roles.depth_camera_info:
            self.depth_camera = self._camera_of("depth", item.message)
        else:
            self._tree.add(item.message)

    def _camera_of(self, role: Literal["image", "depth"], info: Any) -> Camera:
        topics = self._roles
        if role == "image":
            image_topic, topic, rectified = topics.image, topics.camera_info, self._rectified
        else:
            # Images of a camera beside the other one are raw as often as not, whatever those are.
            beside = self._sensor_frame != self._camera_frame
            image_topic, topic, rectified = topics.depth, topics.depth_camera_info, None if beside else self._rectified
        try:
            return camera_of(info, is_rectified(image_topic, info) if rectified is None else rectified)
        except ValueError as error:
            raise ValueError(f"{self._bag}: {topic}: {error}") from error

    def _tree_extrinsic(self) -> NDArray[np.float64] | None:
        return self._tree.lookup(self._camera_frame, self._sensor_frame)

    def _read_transforms(self, storage: Storage) -> None:
        """Reads the static transforms and, as far as they do not suffice, the moving ones up to the first complete."""
        topics = [name for name, topic in storage.topics.items() if topic.type in TRANSFORMS]
        for item in storage.messages([topic for topic in topics if topic.endswith("tf_static")]):
            if isinstance(item, Recorded):
                self._tree.add(item.message)
        if self._tree_extrinsic() is not None:
            return
        moving = [topic for topic in topics if not topic.endswith("tf_static")]
        for item in storage.messages(moving):
            if isinstance(item, Recorded):
                self._tree.add(item.message)
                if self._tree_extrinsic() is not None:
                    self.topics += moving
                    return
        raise ValueError(
            f"{self._bag} has no transform from frame {self._sensor_frame!r} to {self._camera_frame!r}: give "
            f"extrinsic=<the 16 numbers of the matrix by rows, blanks between>; its transforms: {self._tree.describe()}"
        )


def _first_messages(storage: Storage, topics: BagTopics) -> dict[str, Any]:
    """The first message of each role that has a topic; ground truth, which says nothing of the sensors, aside."""
    roles = {role: topic for role, topic in vars(topics).items() if topic and role != "ground_truth"}
    messages = storage.first_messages(set(roles.values()))
    if missing := sorted(set(roles.values()) - messages.keys()):
        raise ValueError(f"{storage.path}: no message of {', '.join(missing)} can be read")
    return {role: messages[topic] for role, topic in roles.items()}
