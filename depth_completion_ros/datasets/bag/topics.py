"""Which topics of a bag are the camera, the depth sensor and the ground truth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from depth_completion_ros.datasets.bag.storage import Storage
from depth_completion_ros.message_arrays import is_depth_format

IMAGE: Final = "sensor_msgs/msg/Image"
COMPRESSED_IMAGE: Final = "sensor_msgs/msg/CompressedImage"
CAMERA_INFO: Final = "sensor_msgs/msg/CameraInfo"
POINT_CLOUD: Final = "sensor_msgs/msg/PointCloud2"
TRANSFORMS: Final = ("tf2_msgs/msg/TFMessage", "tf/msg/tfMessage")

_TYPES: Final = {
    "image": (IMAGE, COMPRESSED_IMAGE),
    "camera_info": (CAMERA_INFO,),
    "points": (POINT_CLOUD,),
    "depth": (IMAGE, COMPRESSED_IMAGE),
    "depth_camera_info": (CAMERA_INFO,),
    "ground_truth": (IMAGE, COMPRESSED_IMAGE),
}


@dataclass(frozen=True)
class BagTopics:
    """The topics that make a frame; an empty name stands for none.

    Attributes:
        image: the camera, Image or CompressedImage.
        camera_info: its calibration.
        points: the LiDAR, PointCloud2.
        depth: or a depth image, 32FC1 in metres or 16UC1 in millimetres, also compressed.
        depth_camera_info: calibration of the depth image, when it is not registered to the camera.
        ground_truth: dense or sparse true depth in the camera's view.
    """

    image: str = ""
    camera_info: str = ""
    points: str = ""
    depth: str = ""
    depth_camera_info: str = ""
    ground_truth: str = ""


# The names that KITTI bags have, and names in their manner for what those do not hold.
KITTI: Final = BagTopics(
    image="/kitti/camera_color_left/image_raw",
    camera_info="/kitti/camera_color_left/camera_info",
    points="/kitti/velo/pointcloud",
    depth="/kitti/depth/image_raw",
    depth_camera_info="/kitti/depth/camera_info",
    ground_truth="/kitti/camera_color_left/ground_truth",
)


def choose_topics(storage: Storage, given: BagTopics) -> BagTopics:
    """Completes the given topics from what the bag holds.

    What is not given is KITTI's topic if the bag has it, else the only topic that can be meant: for ``image`` the
    only one with pictures, for ``points`` the only cloud, for ``depth``, which is used when there is no cloud, the
    only one with depth images. A ``camera_info`` is the one beside its image. ``ground_truth`` is never guessed.

    Raises:
        ValueError: a given topic is not there or has another type, or there is none or more than one that could be
            meant (the message lists the bag's topics); or both ``points`` and ``depth`` are given.
    """
    for role, topic in vars(given).items():
        if topic and (topic not in storage.topics or storage.topics[topic].type not in _TYPES[role]):
            types = " or ".join(_TYPES[role])
            raise ValueError(f"{storage.path} has no topic {topic} of type {types} for {role}; {_listed(storage)}")

    if given.points and given.depth:
        raise ValueError(f"points={given.points} and depth={given.depth} are both given; a frame is made from one")
    pictures, depths = _image_topics(storage)
    clouds = [name for name, topic in storage.topics.items() if topic.type == POINT_CLOUD and topic.count]
    chosen = replace(given, ground_truth=given.ground_truth or _kitti("ground_truth", depths))
    chosen = replace(chosen, image=given.image or _only("image", pictures, storage))
    chosen = replace(chosen, camera_info=given.camera_info or _info_beside(chosen.image, "camera_info", storage))

    if not given.depth and (given.points or clouds):
        return replace(chosen, points=given.points or _only("points", clouds, storage))
    depths = [name for name in depths if name != chosen.ground_truth]
    depth = given.depth or _only("depth", depths, storage, "points or depth")
    beside = _beside(depth) if _beside(depth) in storage.topics else ""
    return replace(chosen, depth=depth, depth_camera_info=given.depth_camera_info or beside)


def _image_topics(storage: Storage) -> tuple[list[str], list[str]]:
    """The topics with pictures and those with depth images, told by their first message."""
    topics = storage.topics
    images = [name for name, topic in topics.items() if topic.type in (IMAGE, COMPRESSED_IMAGE) and topic.count]
    # A topic and its compressed twin are one camera.
    candidates = [name for name in images if topics[name].type == IMAGE or _uncompressed(name) not in images]
    pictures: list[str] = []
    depths: list[str] = []
    for name, message in storage.first_messages(candidates).items():
        encoding = message.encoding if topics[name].type == IMAGE else message.format
        (depths if encoding in ("32FC1", "16UC1") or is_depth_format(encoding) else pictures).append(name)
    return pictures, depths


def _kitti(role: str, candidates: list[str]) -> str:
    topic: str = getattr(KITTI, role)
    return topic if topic in candidates else ""


def _only(role: str, candidates: list[str], storage: Storage, wanted: str = "") -> str:
    if topic := _kitti(role, candidates):
        return topic
    if len(candidates) != 1:
        found = f"more than one topic for {role}" if candidates else f"no topic for {wanted or role}"
        raise ValueError(f"{storage.path} has {found}: give {role}=<topic>; {_listed(storage)}")
    return candidates[0]


def _info_beside(image: str, role: str, storage: Storage) -> str:
    infos = [name for name, topic in storage.topics.items() if topic.type == CAMERA_INFO and topic.count]
    return _beside(image) if _beside(image) in infos else _only(role, infos, storage)


def _beside(image: str) -> str:
    """image_transport's rule: /camera/image_raw and /camera/image_raw/compressed go with /camera/camera_info."""
    return f"{_uncompressed(image).rpartition('/')[0]}/camera_info"


def _uncompressed(image: str) -> str:
    for suffix in ("/compressed", "/compressedDepth"):
        image = image.removesuffix(suffix)
    return image


def _listed(storage: Storage) -> str:
    lines = (f"\n  {name}  {topic.type}  {topic.count}" for name, topic in sorted(storage.topics.items()))
    return "its topics:" + "".join(lines)
