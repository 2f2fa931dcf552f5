"""Frames to train on: every one in a world of its own, seen by another camera and another sensor."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from depth_completion_ros.datasets.base import IndexedSource, nominal_stamp
from depth_completion_ros.datasets.synthetic.imaging import Optics, SceneCamera
from depth_completion_ros.datasets.synthetic.landscape import build_landscape
from depth_completion_ros.datasets.synthetic.lidar import LIDARS, Air, Lidar, Motion, Scanner
from depth_completion_ros.datasets.synthetic.light import Light, any_weather, headlights, indoors, street_lamps
from depth_completion_ros.datasets.synthetic.materials import GLASS, is_one_of
from depth_completion_ros.datasets.synthetic.pose import Pose, rotation
from depth_completion_ros.datasets.synthetic.room import build_room
from depth_completion_ros.datasets.synthetic.scene import Scene, open3d, rays_from
from depth_completion_ros.datasets.synthetic.tof import Tof, TofSpots
from depth_completion_ros.frame import Frame
from depth_completion_ros.geometry.camera import Camera

Sensor = Scanner | Tof | TofSpots

# The bottom of KITTI's colour images, as the depth completion benchmark crops them.
STREET_CAMERA: Final = Camera(1216, 352, 721.5377, 721.5377, 596.5593, 149.854)
ROOM_CAMERA: Final = Camera(640, 480, 525.0, 525.0, 319.5, 239.5)

ROOM_SENSORS: Final[dict[str, Sensor]] = {"tof": Tof(), "spots": TofSpots(), **LIDARS}

_FARTHEST: Final = 120.0  # metres of ground truth
_CLOSEST: Final = 0.7  # metres that a view needs before it,
_CROWDED: Final = 0.06  # but for this share of the picture
_GLAZED: Final = 0.5  # share of the picture that may be glass: through a pane right before it, no sensor measures
_ATTEMPTS: Final = 30


@dataclass(frozen=True, eq=False)
class _View:
    """What one frame is a picture of."""

    scene: Scene
    light: Light
    pose: Pose


class _Frames(IndexedSource):
    """Frames independent of each other: the same arguments and index give the same frame in any process."""

    version = 4
    kind: str
    key: float  # how bright pictures come out: the exposed light of what the camera meters
    known_sensors: ClassVar[Mapping[str, Sensor]]

    def __init__(
        self, frames: int, seed: int, camera: Camera, lens_variation: float, sensors: Sequence[Sensor] | str
    ) -> None:
        if frames < 1:
            raise ValueError(f"{frames} synthetic frames were asked for, expected at least 1")
        if seed < 0:
            raise ValueError(f"seed of the synthetic frames is {seed}, expected 0 or more")
        if not 0 <= lens_variation < 1:
            raise ValueError(f"lens_variation of the synthetic frames is {lens_variation}, expected 0 to less than 1")
        if not sensors:
            raise ValueError("synthetic frames got no depth sensor, expected at least one")
        if isinstance(sensors, str):
            if sensors not in self.known_sensors:
                known = ", ".join(self.known_sensors)
                raise ValueError(f"synthetic {self.kind} know no sensor {sensors!r}; available: {known}")
            sensors = (self.known_sensors[sensors],)
        open3d()
        self.name = f"synthetic_{self.kind}_{seed}"
        self._frames = frames
        self._seed = seed
        self._camera = camera
        self._lens_variation = lens_variation
        self._sensors = tuple(sensors)

    def __len__(self) -> int:
        return self._frames

    def frame_name(self, index: int) -> str:
        """The frame's number, ten digits."""
        return f"{index:010}"

    def __getitem__(self, index: int) -> Frame:
        """Renders one frame.

        Raises:
            IndexError: there is no such frame.
        """
        if not 0 <= index < self._frames:
            raise IndexError(f"frame {index} of {self._frames} synthetic frames")
        rng = np.random.default_rng([self._seed, index, *self.kind.encode()])
        zoom = 1 + self._lens_variation * rng.uniform(-1, 1)
        camera = replace(self._camera, fx=zoom * self._camera.fx, fy=zoom * self._camera.fy)
        eye = SceneCamera(camera)
        view = self._find_view(camera, rng)
        sensor = self._sensors[rng.integers(len(self._sensors))]
        optics = _any_optics(rng, self.key / eye.meter(view.scene, view.light, view.pose), view.light)
        image, depth = eye.take(view.scene, view.light, view.pose, rng, optics)
        return Frame(
            stamp=nominal_stamp(index),
            camera=camera,
            image=image,
            ground_truth=np.where(depth < _FARTHEST, depth, np.float32(0)),
            name=self.frame_name(index),
            **self._measure(sensor, view, camera, rng),
        )

    def _find_view(self, camera: Camera, rng: np.random.Generator) -> _View:
        """A view whose camera is not inside something nor right behind a pane; the last of many, should none be."""
        for _ in range(_ATTEMPTS):
            view = self._any_view(rng)
            ahead = np.nan_to_num(camera.rays()[::16, ::16].reshape(-1, 2))
            directions = view.pose.to_world(np.column_stack([ahead, np.ones(len(ahead), np.float32)]))
            hits = view.scene.cast(rays_from(view.pose.position, directions))
            is_glass = is_one_of(view.scene.material[hits.triangle], GLASS) & np.isfinite(hits.distance)
            if (hits.distance < _CLOSEST).mean() < _CROWDED and is_glass.mean() < _GLAZED:
                break
        return view

    @abstractmethod
    def _any_view(self, rng: np.random.Generator) -> _View: ...

    @abstractmethod
    def _measure(self, sensor: Sensor, view: _View, camera: Camera, rng: np.random.Generator) -> dict[str, Any]:
        """The parts of the frame that the depth sensor gives."""


class SyntheticFrames(_Frames):
    """Roads of many kinds, at any time of day, from any car.

    Every frame has its own landscape, light, lens, camera settings and LiDAR. Ground truth is the depth of every
    pixel that sees anything within 120 m, and 0 elsewhere. Half of the extrinsics are off by about 0.1 degrees and
    1 cm; two in five scans are raw sweeps of a moving car, relative to the time of the picture at their middle.

    Args:
        frames: how many.
        seed: frames of different seeds have nothing in common.
        camera: size and lens of the camera, by default 1216 x 352 pixels with the lens of KITTI's.
        lens_variation: focal lengths differ from that lens's by up to this share.
        sensors: the LiDARs to choose from, or the name of one, see ``LIDARS``.

    Raises:
        ValueError: an argument is out of range.
        ImportError: Open3D cannot be loaded; the message says what to install.
    """

    kind = "streets"
    key = 0.18
    known_sensors = LIDARS

    def __init__(
        self,
        frames: int = 1000,
        seed: int = 0,
        camera: Camera = STREET_CAMERA,
        lens_variation: float = 0.25,
        sensors: Sequence[Scanner] | str = (LIDARS["HDL-64E"],) * 4 + tuple(LIDARS.values()),
    ) -> None:
        super().__init__(frames, seed, camera, lens_variation, sensors)
        if not all(isinstance(sensor, Scanner) for sensor in self._sensors):
            raise ValueError(f"sensors of synthetic streets are {self._sensors}, expected LiDARs")

    def _any_view(self, rng: np.random.Generator) -> _View:
        landscape = build_landscape(rng)
        height = rng.normal(1.65, 0.1) if rng.random() < 0.5 else rng.uniform(0.9, 2.8)
        turned = rng.normal(0, 0.05) if rng.random() < 0.8 else rng.uniform(-0.9, 0.9)
        eye = np.array([0.0, landscape.lane, height])
        pose = Pose.of_camera(eye, turned, rng.normal(-0.01, 0.02), rng.normal(0, 0.012))
        light = any_weather(rng)
        if light.is_night:
            lamps = headlights(eye, pose.axes[2]), *street_lamps(landscape.lamps, eye)
            light = replace(light, lamps=lamps)
        return _View(Scene(landscape.mesh), light, pose)

    def _measure(self, sensor: Sensor, view: _View, camera: Camera, rng: np.random.Generator) -> dict[str, Any]:
        assert isinstance(sensor, Scanner)
        ahead = view.pose.axes[2]
        heading = float(np.arctan2(ahead[1], ahead[0]))
        if isinstance(sensor, Lidar):
            # What the camera cannot see is not worth the time.
            outermost = np.degrees(np.arctan(np.nanmax(np.abs(camera.rays()[..., 0]))))
            sensor = replace(sensor, sector=min(360.0, 2 * outermost + 30))
        beside = np.array([rng.normal(0, 0.2), -rng.uniform(0.05, 0.6), -rng.uniform(-0.2, 1.0)])
        if rng.random() < 0.4:
            beside = np.array([0.06, -0.08, -0.27])  # where KITTI's car has it
        mount = Pose.of_lidar(view.pose.shifted(beside).position, heading, rng.normal(0, 0.006))
        velocity = rng.uniform(0, 20) * ahead * (1, 1, 0)
        late = rng.normal(0, 0.004) * velocity if rng.random() < 0.5 else np.zeros(3)
        motion = Motion(velocity, rng.normal(0, 0.08)) if rng.random() < 0.4 else None
        scanned = Pose(mount.position + late, mount.axes)
        air = Air(view.light.haze, view.light.rain)
        points, rings = sensor.scan(view.scene, scanned, rng, motion, air)
        extrinsic = _miscalibrated(view.pose.extrinsic(mount), 0.0017, 0.01, rng)
        return {"points": points, "rings": rings, "extrinsic": extrinsic}


class SyntheticRooms(_Frames):
    """Furnished rooms seen by a hand-held camera with a ToF sensor.

    Every frame has its own room, light, view, camera settings and sensor. A :class:`Tof` gives ``depth``, for half
    of the frames registered, for the others in the view of its own lens some centimetres beside the camera; a
    :class:`TofSpots` or a LiDAR gives ``points``. Ground truth is the depth of every pixel, that of panes and mirrors
    included; 0 in the sky.

    Args:
        frames: how many.
        seed: frames of different seeds have nothing in common.
        camera: size and lens of the camera, by default 640 x 480 pixels.
        lens_variation: focal lengths differ from that lens's by up to this share.
        sensors: the depth sensors to choose from, or the name of one: ``tof``, ``spots`` or that of a LiDAR.

    Raises:
        ValueError: an argument is out of range.
        ImportError: Open3D cannot be loaded; the message says what to install.
    """

    version = 3
    kind = "rooms"
    key = 0.28
    known_sensors = ROOM_SENSORS

    def __init__(
        self,
        frames: int = 1000,
        seed: int = 0,
        camera: Camera = ROOM_CAMERA,
        lens_variation: float = 0.25,
        sensors: Sequence[Sensor] | str = (Tof(), TofSpots()),
    ) -> None:
        super().__init__(frames, seed, camera, lens_variation, sensors)

    def _any_view(self, rng: np.random.Generator) -> _View:
        room = build_room(rng)
        width, length, height = room.size
        eye = np.array([width, length, min(height - 0.4, 2.0)]) * rng.uniform((0.12, 0.05, 0.35), (0.88, 0.95, 1.0))
        target = np.array([width, length]) * rng.uniform(0.2, 0.8, 2)
        yaw = np.arctan2(target[1] - eye[1], target[0] - eye[0])
        pose = Pose.of_camera(eye, yaw, rng.normal(-0.15, 0.15), rng.normal(0, 0.06))
        return _View(Scene(room.mesh, panes_shade=False), indoors(rng, room.lamps), pose)

    def _measure(self, sensor: Sensor, view: _View, camera: Camera, rng: np.random.Generator) -> dict[str, Any]:
        beside = np.array([rng.uniform(-0.05, 0.05), rng.uniform(-0.01, 0.01), 0.0])
        if isinstance(sensor, Scanner):
            beside *= 2
        way = (view.pose.shifted(beside).position - view.pose.position)[None]
        # In lengths of the way: nothing may stand on it, nor right behind its end.
        if view.scene.cast(rays_from(view.pose.position, way.astype(np.float32))).distance[0] < 1.2:
            beside = -beside  # or it would be on the other side of a wall
        if isinstance(sensor, Scanner):
            ahead = view.pose.axes[2]
            heading = float(np.arctan2(ahead[1], ahead[0]))
            mount = Pose.of_lidar(view.pose.shifted(beside).position, heading)
            points, rings = sensor.scan(view.scene, mount, rng)
            return {"points": points, "rings": rings, "extrinsic": view.pose.extrinsic(mount)}
        mount = view.pose.shifted(beside)
        extrinsic = _miscalibrated(view.pose.extrinsic(mount), 0.0017, 0.001, rng)
        if isinstance(sensor, TofSpots):
            return {"points": sensor.measure(view.scene, camera, mount, rng), "extrinsic": extrinsic}
        if rng.random() < 0.5:
            return {"depth": sensor.measure(view.scene, camera, view.pose, rng)}
        wide = camera.undistorted().resize(camera.width // 2, camera.height // 2)
        wide = replace(wide, fx=0.85 * wide.fx, fy=0.85 * wide.fy)
        depth = sensor.measure(view.scene, wide, mount, rng)
        return {"depth": depth, "depth_camera": wide, "extrinsic": extrinsic}


def _any_optics(rng: np.random.Generator, exposure: float, light: Light) -> Optics:
    """Settings of some camera; its automatic exposure may be off by a stop, and its gain is high in the dark."""
    shaken = rng.random() < 0.3
    red, green, blue = rng.normal(1, 0.05, 3) + rng.normal(0, 0.06) * np.array([1, 0, -1])
    return Optics(
        exposure=light.exposed * exposure * 2 ** rng.normal(0, 0.55),
        contrast=rng.uniform(0.5, 1.6),
        is_film=rng.random() < 0.25,
        saturation=rng.uniform(0.4, 1.1),
        white=(red, green, blue),
        vignetting=rng.uniform(0, 0.5) if rng.random() < 0.4 else 0.0,
        blur=rng.uniform(0.3, 0.75),
        shake=(rng.normal(0, 2.0), rng.normal(0, 0.8)) if shaken else (0.0, 0.0),
        noise=rng.uniform(0.002, 0.012),
        shot_noise=rng.uniform(0.0, 0.1 if light.is_night else 0.03),
        bloom=rng.uniform(0.1, 0.5) if light.is_night else 0.0,
        rain=light.rain if rng.random() < 0.7 else 0.0,
    )


def _miscalibrated(
    extrinsic: NDArray[np.float64], angle: float, length: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """The transform as somebody measured it: every other time off by some ``angle``, radians, and ``length``."""
    if rng.random() < 0.5:
        return extrinsic
    error = np.eye(4)
    for axis in range(3):
        error[:3, :3] = rotation(rng.normal(0, angle), axis) @ error[:3, :3]
    error[:3, 3] = rng.normal(0, length, 3)
    return error @ extrinsic
