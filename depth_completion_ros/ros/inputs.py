"""What the completion node hears: synchronised sensor messages, and the Frame they make."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from copy import copy
from typing import Any

from message_filters import SimpleFilter
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSPolicyKind, QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from rclpy.qos_overriding_options import QosCallbackResult, QoSOverridingOptions
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2
from std_msgs.msg import Header

from depth_completion_ros.frame import Frame
from depth_completion_ros.geometry.camera import Camera
from depth_completion_ros.message_arrays import (
    camera_of,
    cloud_points,
    compressed_depth_array,
    compressed_image_array,
    depth_array,
    image_array,
    is_rectified,
)
from depth_completion_ros.ros.diagnostics import Diagnostics
from depth_completion_ros.ros.extrinsics import Extrinsics, MissingExtrinsicError
from depth_completion_ros.ros.messages import header as header_of
from depth_completion_ros.ros.messages import nanoseconds
from depth_completion_ros.ros.settings import CompletionSettings
from depth_completion_ros.ros.synchronizer import LAGS, Synchronizer

# When inputs count as not coming together: messages of every input, or seconds while one is silent, without a set.
_PATIENCE_MESSAGES = 5
_PATIENCE_SECONDS = 2.0
# Durability for a camera_info that is published but once and kept for those who come later.
_OVERRIDABLE = (QoSPolicyKind.HISTORY, QoSPolicyKind.DEPTH, QoSPolicyKind.RELIABILITY, QoSPolicyKind.DURABILITY)
# A sensor whose messages arrive later than this, by the stamps, has another clock or a long way.
_LATE = 0.5


class InputFault(Exception):
    """A set of messages that makes no frame; ``kind`` names the input at fault."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Inputs:
    """Subscribes to the sensors and hands on sets of messages from the same instant.

    Args:
        node: the node to subscribe on.
        settings: which inputs there are and how far apart their stamps may be.
        diagnostics: told when inputs do not come together.
        deliver: called with each set of messages; :meth:`frame` makes a Frame of it, in any thread.
        image_optional: whether the model can do without an image, so that a camera that is silent holds nothing up.

    Raises:
        ValueError: the extrinsic is not rigid.
    """

    def __init__(
        self,
        node: Node,
        settings: CompletionSettings,
        diagnostics: Diagnostics,
        deliver: Callable[[tuple[Any, ...]], None],
        *,
        image_optional: bool,
    ) -> None:
        self._node = node
        self._settings = settings
        self._diagnostics = diagnostics
        self._extrinsics = Extrinsics(node, settings.extrinsic)
        self._subscriptions: list[Any] = []
        self._deliver = deliver
        self._alone: int | None = None  # stamp of the last sensor message that was handed on without an image
        self._jumps = 0
        self._late = ""  # the input that arrives late while sets match, once that was said
        self._arrived: Counter[str] = Counter()  # by topic
        try:
            self._subscribe_all(image_optional)
        except BaseException:  # a QoS override that is none, for one
            self.close()
            raise

    def close(self) -> None:
        """Ends the subscriptions."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._extrinsics.close()

    def _subscribe_all(self, image_optional: bool) -> None:
        self._camera = self._latest_info("camera_info")
        self._depth_camera = self._latest_info("depth/camera_info") if self._settings.sensor == "depth" else None
        self._depth_topic = self._node.resolve_topic_name("depth")

        self._topics: list[str] = []  # of the inputs, as they are remapped
        inputs: dict[str, SimpleFilter] = {}
        if self._settings.use_image:
            inputs["image"] = self._subscribe_image()
        inputs["sensor"] = self._subscribe_sensor()
        if self._settings.initial_depth == "topic":
            inputs["initial_depth"] = self._filter(Image, "initial_depth")
        self._inputs = list(inputs)
        filters = list(inputs.values())
        self.synchronizer = Synchronizer(
            filters,
            self._settings.slop,
            offsets=[self._settings.depth_offset if name == "sensor" else 0.0 for name in inputs],
            queue_size=self._settings.queue_size,
        )
        self.synchronizer.registerCallback(self._hand_on)
        self._image_optional = image_optional and self._inputs == ["image", "sensor"]
        for name, each in inputs.items():
            each.registerCallback(self._watch, name)

    def frame(self, messages: tuple[Any, ...]) -> tuple[Frame, Header]:
        """Decodes a set of messages.

        Returns:
            The frame, and the header of what is made from it: the image's stamp and the camera's optical frame. While
            a camera is silent, the stamp is that at which an image would belong to the sensor's message.

        Raises:
            InputFault: a message cannot be decoded, or does not fit the others.
        """
        given = {name: each for name, each in zip(self._inputs, messages, strict=True) if each is not None}
        sensor = given["sensor"]
        info = self._camera.get()
        camera = self._camera.describes(info, self._settings.rectified)
        header = header_of(self._stamp(sensor), info.header.frame_id)
        content: dict[str, Any] = {}
        if "image" in given:
            header = given["image"].header
            content["image"] = self._decode_image(given["image"], camera)
        if "initial_depth" in given:
            content["initial_depth"] = _decoded("initial_depth", depth_array, given["initial_depth"])
            _expect_size("initial_depth", content["initial_depth"], camera, "camera_info")
        if self._settings.sensor == "points":
            content["points"], content["rings"] = _decoded("points", cloud_points, sensor)
            content["extrinsic"] = self._extrinsic(sensor, header)
        else:
            content |= self._decode_depth(sensor, header, camera)
        return Frame(nanoseconds(header.stamp), camera, **content), header

    def info(self) -> CameraInfo:
        """The newest camera_info.

        Raises:
            InputFault: there has been none, or it describes no camera.
        """
        info = self._camera.get()
        self._camera.describes(info, self._settings.rectified)
        return info

    def values(self) -> dict[str, object]:
        """Key-value pairs for the diagnostics."""
        synchronizer = self.synchronizer
        values: dict[str, object] = {
            f"messages on {topic}": f"{self._arrived[topic]}, of {self._node.count_publishers(topic)} publisher(s)"
            for topic in self._all_topics()
        }
        values |= {
            "sets matched": synchronizer.matched,
            "time jumps": synchronizer.jumps,
            "stamp difference [ms]": f"{synchronizer.difference * 1e3:.1f}",
        }
        for (index, reason), count in sorted(synchronizer.dropped.items()):
            values[f"dropped from {self._topics[index]}: {reason}"] = count
        return values

    def missing(self) -> str:
        """What has never come, for the diagnostics."""
        silent = [topic for topic in self._all_topics() if not self._arrived[topic]]
        return f"nothing has come on {', '.join(silent)}" if silent else ""

    def _all_topics(self) -> list[str]:
        """Of the inputs and of camera_info; that of a depth camera may well not be there."""
        return [*self._topics, self._camera.topic]

    def _decode_image(self, message: Any, camera: Camera) -> NDArray:
        decode = image_array if self._settings.image_transport == "raw" else compressed_image_array
        image: NDArray = _decoded("image", decode, message)
        height, width = image.shape[:2]
        if (width, height) != (camera.width, camera.height):
            raise InputFault(
                "camera_info",
                f"camera_info is for {camera.width}x{camera.height} pixels, the images are {width}x{height}: "
                "remap camera_info to the topic that belongs to the images",
            )
        return image

    def _decode_depth(self, message: Any, header: Header, camera: Camera) -> dict[str, Any]:
        decode = depth_array if self._settings.depth_transport == "raw" else compressed_depth_array
        depth = _decoded("depth", decode, message)
        assert self._depth_camera is not None
        # A registered depth image carries the colour camera's frame and needs no camera_info; if it has one, that is of
        # the same camera. Any other has a camera of its own, be it in the same place, as in simulators.
        beside = message.header.frame_id != header.frame_id
        depth_camera = camera
        if beside or self._depth_camera.heard:
            info = self._depth_camera.get()
            # The parameter is of the images. Those of a depth camera beside them are raw as often as not.
            rectified = is_rectified(self._depth_topic, info) if beside else self._settings.rectified
            depth_camera = self._depth_camera.describes(info, rectified)
        if not beside and depth_camera == camera:
            _expect_size("depth", depth, camera, "camera_info")
            return {"depth": depth}
        _expect_size("depth", depth, depth_camera, "depth/camera_info")
        return {"depth": depth, "depth_camera": depth_camera, "extrinsic": self._extrinsic(message, header)}

    def _extrinsic(self, message: Any, header: Header) -> NDArray:
        try:
            return self._extrinsics.get(message.header.frame_id, header.frame_id)
        except MissingExtrinsicError as error:
            raise InputFault("extrinsic", str(error)) from error

    def _subscribe_image(self) -> SimpleFilter:
        if self._settings.image_transport == "raw":
            return self._filter(Image, "image")
        return self._filter(CompressedImage, "image/compressed")

    def _subscribe_sensor(self) -> SimpleFilter:
        if self._settings.sensor == "points":
            return self._filter(PointCloud2, "points")
        if self._settings.depth_transport == "raw":
            return self._filter(Image, "depth")
        return self._filter(CompressedImage, "depth/compressedDepth")

    def _filter(self, message_type: type, topic: str) -> SimpleFilter:
        # Some releases of message_filters.Subscriber take no QoS overrides.
        source = SimpleFilter()
        self._topics.append(self._subscribe(message_type, topic, source.signalMessage))
        return source

    def _latest_info(self, topic: str) -> _LatestInfo:
        latest = _LatestInfo(self._node.resolve_topic_name(topic))
        self._subscribe(CameraInfo, topic, latest.set)
        return latest

    def _subscribe(self, message_type: type, topic: str, callback: Callable[[Any], None]) -> str:
        """Subscribes, and says to which topic, as it is remapped."""
        resolved = self._node.resolve_topic_name(topic)

        def count(message: Any) -> None:
            self._arrived[resolved] += 1
            callback(message)

        # Of a copy, as rclpy writes the overrides into the profile that it is given.
        overrides = QoSOverridingOptions(_OVERRIDABLE, callback=_can_be_had)
        self._subscriptions.append(
            self._node.create_subscription(
                message_type, topic, count, copy(qos_profile_sensor_data), qos_overriding_options=overrides
            )
        )
        return resolved

    def _watch(self, message: Any, name: str) -> None:
        """Says once that messages arrive but do not come together, and why; goes on without images where it can."""
        if self.synchronizer.jumps > self._jumps:
            self._jumps = self.synchronizer.jumps
            self._alone = None
            self._extrinsics.restart()
            self._node.get_logger().warning("time jumped back (a bag in a loop?): synchronisation starts anew")
        if mismatch := self._mismatch():
            self._diagnostics.fault("synchronisation", mismatch)
        elif not any(self.synchronizer.unmatched):
            self._diagnostics.cleared(("synchronisation",))
        if name == "sensor" and self._goes_without_image():
            self._alone = self._stamp(message)
            self.synchronizer.take(self._inputs.index(name), message)
            self._deliver((None, message))

    def _hand_on(self, *messages: Any) -> None:
        """Hands on a set, unless it is older than what was handed on without an image: stamps do not run back."""
        if self._alone is None or nanoseconds(messages[0].header.stamp) > self._alone:
            self._deliver(messages)

    def _stamp(self, sensor: Any) -> int:
        """Nanoseconds at which the sensor measured: by the images' clock where there are any, else by its own."""
        offset = round(self._settings.depth_offset * 1e9) if self._settings.use_image else 0
        return nanoseconds(sensor.header.stamp) + offset

    def _goes_without_image(self) -> bool:
        return self._image_optional and self.synchronizer.silent(0)

    def _mismatch(self) -> str:
        """Why the inputs do not come together, or nothing."""
        synchronizer, slop = self.synchronizer, self._settings.slop
        unmatched = synchronizer.unmatched
        arrived = ", ".join(f"{count} on {name}" for count, name in zip(unmatched, self._topics, strict=True))
        apart = min(unmatched) >= _PATIENCE_MESSAGES
        for name, lag in zip(self._topics, synchronizer.lags(), strict=True):
            if lag > _LATE:
                # A long way and a clock that is behind look alike from here.
                late = (
                    f"the stamps on {name} are {lag:.2f} s behind those of the other input (slop {slop:g} s, {arrived} "
                    "unmatched): if its messages take so long, queue_size is to be large enough for that (now "
                    f"{self._settings.queue_size}); if its clock is behind, synchronise the clocks, or set depth_offset"
                )
                if apart or synchronizer.overflowed:
                    return late
                if min(unmatched) < LAGS and self._late != name:  # a set has come since it was late
                    self._late = name
                    self._node.get_logger().warning(late)
        if self._goes_without_image():
            return f"no images on {self._topics[0]}: going on without them, from depth alone"
        if synchronizer.waited() > _PATIENCE_SECONDS and any(map(synchronizer.silent, range(len(unmatched)))):
            return f"no frame for {synchronizer.waited():.1f} s: {arrived}; is the sensor running, the topic right?"
        if apart:
            if synchronizer.overflowed:
                early = " and ".join(self._topics[index] for index in sorted(synchronizer.overflowed))
                return (
                    f"messages on {early} leave the queue before those of the same instant arrive ({arrived} since the "
                    f"last frame): set queue_size to more than {self._settings.queue_size}"
                )
            return (
                f"no stamps within {slop:g} s of each other: {arrived} since the last frame; synchronise the sensors' "
                "clocks, or set slop or depth_offset"
            )
        return ""


class _LatestInfo:
    """The newest CameraInfo of a topic, and the camera it describes."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self._info: CameraInfo | None = None
        self._described: tuple[CameraInfo, bool, Camera] | None = None

    def set(self, info: CameraInfo) -> None:
        self._info = info

    @property
    def heard(self) -> bool:
        """Whether there has been one."""
        return self._info is not None

    def get(self) -> CameraInfo:
        """Raises InputFault if there is none yet."""
        if self._info is None:
            raise InputFault("camera_info", f"no camera_info on {self.topic} yet; remap the camera driver's to it")
        return self._info

    def describes(self, info: CameraInfo, rectified: bool) -> Camera:
        """The camera of the message that :meth:`get` gave; raises InputFault if it is not calibrated."""
        if self._described is None or self._described[0] is not info or self._described[1] != rectified:
            self._described = info, rectified, _decoded("camera_info", camera_of, info, rectified)
        return self._described[2]


def _can_be_had(profile: QoSProfile) -> QosCallbackResult:
    """Refuses an override of the quality of service with which nothing would ever come."""
    best_effort = profile.reliability == ReliabilityPolicy.BEST_EFFORT
    if best_effort and profile.durability == DurabilityPolicy.TRANSIENT_LOCAL:
        reason = "durability transient_local needs reliability reliable: best effort gets nothing that was sent before"
        return QosCallbackResult(successful=False, reason=reason)
    return QosCallbackResult(successful=True)


def _decoded(kind: str, decode: Callable[..., Any], message: Any, *arguments: Any) -> Any:
    """Decodes a message; one that cannot be decoded is the fault of its input."""
    try:
        return decode(message, *arguments)
    except ValueError as error:
        raise InputFault(kind, f"{kind}: {error}") from error


def _expect_size(kind: str, image: NDArray, camera: Camera, topic: str) -> None:
    """Raises InputFault for an image of another size than its camera."""
    height, width = image.shape
    if (width, height) != (camera.width, camera.height):
        raise InputFault(
            kind, f"{kind} images are {width}x{height}, their {topic} is for {camera.width}x{camera.height} pixels"
        )
