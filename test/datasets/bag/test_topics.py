"""Which topics are taken for what."""

import re

import numpy as np
import pytest
from messages import Bag
from recordings import depth_picture, picture

from depth_completion_ros.datasets.bag.storage import Storage
from depth_completion_ros.datasets.bag.topics import BagTopics, choose_topics

POINTS = np.zeros((1, 3), np.float32)


@pytest.fixture
def make(tmp_path):
    """Makes a bag with one message in each topic; the kind is an image encoding, 'info' or 'cloud'."""

    def make(**kinds):
        with Bag(tmp_path / "bag") as bag:
            for name, kind in kinds.items():
                topic = f"/{name.replace('__', '/')}"
                if kind == "info":
                    bag.camera_info(topic, 1)
                elif kind == "cloud":
                    bag.cloud(topic, POINTS, 1)
                elif ";" in kind:
                    bag.compressed(topic, b"", kind, 1)
                else:
                    bag.image(topic, depth_picture(0) if kind == "32FC1" else picture(0), kind, 1)
        return Storage(bag.path)

    return make


def test_the_only_topic_of_each_kind(make):
    storage = make(cam__image="rgb8", cam__camera_info="info", lidar="cloud", other="32FC1", spare__camera_info="info")
    expected = BagTopics(image="/cam/image", camera_info="/cam/camera_info", points="/lidar")
    assert choose_topics(storage, BagTopics()) == expected


def test_a_depth_image_when_there_is_no_cloud(make):
    storage = make(cam__image="mono8", cam__camera_info="info", tof__image="32FC1", tof__camera_info="info")
    chosen = choose_topics(storage, BagTopics())
    assert (chosen.depth, chosen.depth_camera_info) == ("/tof/image", "/tof/camera_info")
    assert chosen.image == "/cam/image" and not chosen.points


def test_depth_instead_of_the_cloud_when_asked_for(make):
    storage = make(image="rgb8", camera_info="info", lidar="cloud", tof="32FC1")
    chosen = choose_topics(storage, BagTopics(depth="/tof"))
    assert (chosen.points, chosen.depth) == ("", "/tof")
    with pytest.raises(ValueError, match="both given"):
        choose_topics(storage, BagTopics(depth="/tof", points="/lidar"))


def test_a_compressed_twin_is_the_same_camera(make):
    storage = make(
        cam__image="rgb8", cam__image__compressed="rgb8; jpeg compressed bgr8", cam__camera_info="info", lidar="cloud"
    )
    assert choose_topics(storage, BagTopics()).image == "/cam/image"


def test_the_calibration_beside_a_compressed_image(make):
    storage = make(
        a__image__compressed="rgb8; jpeg compressed bgr8", a__camera_info="info", b__camera_info="info", lidar="cloud"
    )
    chosen = choose_topics(storage, BagTopics())
    assert (chosen.image, chosen.camera_info) == ("/a/image/compressed", "/a/camera_info")


def test_kitti_names_come_first(make):
    storage = make(
        kitti__camera_color_left__image_raw="bgr8",
        kitti__camera_color_left__camera_info="info",
        kitti__camera_color_left__ground_truth="32FC1",
        kitti__camera_gray_left__image_raw="mono8",
        kitti__velo__pointcloud="cloud",
        accumulated="cloud",
    )
    assert choose_topics(storage, BagTopics()) == BagTopics(
        image="/kitti/camera_color_left/image_raw",
        camera_info="/kitti/camera_color_left/camera_info",
        points="/kitti/velo/pointcloud",
        ground_truth="/kitti/camera_color_left/ground_truth",
    )


@pytest.mark.parametrize(
    ("kinds", "complaint"),
    [
        ({"a": "rgb8", "b": "rgb8", "i": "info", "c": "cloud"}, "more than one topic for image: give image=<topic>"),
        ({"a": "rgb8", "i": "info", "c": "cloud", "d": "cloud"}, "more than one topic for points: give points=<topic>"),
        ({"a": "rgb8", "i": "info", "j": "info", "c": "cloud"}, "more than one topic for camera_info"),
        ({"a": "rgb8", "i": "info", "d": "32FC1", "e": "32FC1"}, "more than one topic for depth"),
        ({"i": "info", "c": "cloud"}, "no topic for image"),
        ({"a": "rgb8", "c": "cloud"}, "no topic for camera_info"),
        ({"a": "rgb8", "i": "info"}, "no topic for points or depth"),
    ],
)
def test_what_cannot_be_told_is_asked_for_with_a_list_of_topics(make, kinds, complaint):
    storage = make(**kinds)
    listed = ".*".join(f"/{name}  sensor_msgs" for name in sorted(kinds))
    with pytest.raises(ValueError, match=f"(?s){re.escape(complaint)}.*its topics:.*{listed}"):
        choose_topics(storage, BagTopics())


def test_a_given_topic_must_be_there_and_of_the_right_type(make):
    storage = make(image="rgb8", camera_info="info", lidar="cloud")
    with pytest.raises(ValueError, match=r"no topic /radar of type sensor_msgs/msg/PointCloud2 for points; its topics"):
        choose_topics(storage, BagTopics(points="/radar"))
    with pytest.raises(ValueError, match=r"no topic /lidar of type sensor_msgs/msg/Image or .* for image"):
        choose_topics(storage, BagTopics(image="/lidar"))
