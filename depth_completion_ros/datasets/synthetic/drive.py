"""The data source: a car that drives along the street with a camera and a LiDAR on its roof."""

from __future__ import annotations

from functools import cached_property
from typing import Final

import numpy as np

from depth_completion_ros.datasets.base import IndexedSource, nominal_stamp
from depth_completion_ros.datasets.synthetic.imaging import SceneCamera
from depth_completion_ros.datasets.synthetic.lidar import HDL_64E, Scanner
from depth_completion_ros.datasets.synthetic.light import Light
from depth_completion_ros.datasets.synthetic.pose import Pose
from depth_completion_ros.datasets.synthetic.scene import Scene, open3d
from depth_completion_ros.datasets.synthetic.street import LANE, Street, build_street
from depth_completion_ros.frame import Frame
from depth_completion_ros.geometry.camera import Camera

# KITTI's left colour camera after rectification, and where the sensors of that car sit.
KITTI_CAMERA: Final = Camera(1242, 375, 721.5377, 721.5377, 609.5593, 172.854)
CAMERA_HEIGHT: Final = 1.65
_LIDAR_FROM_CAMERA: Final = np.array([-0.27, -0.06, 0.08])  # forward, left, up

_SPEED: Final = 10.0  # metres per second
_PERIOD: Final = 0.1  # seconds between frames


class SyntheticStreet(IndexedSource):
    """A drive along a street that nobody has seen: image, LiDAR scan and dense ground truth of every frame.

    The same arguments give the same frames, bit by bit, in every process on the same machine, in any order.
    Ground truth is the depth of every pixel that sees anything within the LiDAR's range, and 0 elsewhere.

    Args:
        frames: how many, 0.1 s and 1 m apart. A longer drive is in another, longer street.
        seed: which street: its houses, cars, people, colours and sunlight.
        camera: size and lens of the camera, which looks along the street from 1.65 m above it.
        lidar: the sensor on the roof.

    Raises:
        ValueError: ``frames`` or ``seed`` is out of range.
        ImportError: Open3D cannot be loaded; the message says what to install.
    """

    def __init__(
        self, frames: int = 20, seed: int = 0, camera: Camera = KITTI_CAMERA, lidar: Scanner = HDL_64E
    ) -> None:
        if frames < 1:
            raise ValueError(f"a synthetic drive of {frames} frames was asked for, expected at least 1")
        if seed < 0:
            raise ValueError(f"seed of the synthetic street is {seed}, expected 0 or more")
        open3d()
        self.name = f"synthetic_{seed}"
        self._frames = frames
        self._seed = seed
        self._camera = camera
        self._lidar = lidar

    def __len__(self) -> int:
        return self._frames

    def __getitem__(self, index: int) -> Frame:
        """Renders one frame.

        Raises:
            IndexError: there is no such frame.
        """
        if not 0 <= index < self._frames:
            raise IndexError(f"frame {index} of a drive of {self._frames} frames")
        rng = np.random.default_rng([self._seed, index])
        seconds = index * _PERIOD
        eye = np.array([_SPEED * seconds, -LANE, CAMERA_HEIGHT])
        self._scene.move(self._street.moving(seconds, eye[0]))
        camera, lidar = Pose.of_camera(eye), Pose.of_lidar(eye + _LIDAR_FROM_CAMERA)
        points, rings = self._lidar.scan(self._scene, lidar, rng)
        image, depth = self._eye.take(self._scene, self._sun, camera, rng)
        return Frame(
            stamp=nominal_stamp(index),
            camera=self._camera,
            image=image,
            points=points,
            rings=rings,
            extrinsic=camera.extrinsic(lidar),
            ground_truth=np.where(depth < self._lidar.max_range, depth, np.float32(0)),
            name=self.frame_name(index),
        )

    def frame_name(self, index: int) -> str:
        """The frame's number, as ten digits like KITTI's."""
        return f"{index:010}"

    @cached_property
    def _street(self) -> Street:
        seconds = self._frames * _PERIOD
        return build_street(_SPEED * seconds, seconds, np.random.default_rng(self._seed))

    @cached_property
    def _scene(self) -> Scene:
        return Scene(self._street.still, sum(len(mover.mesh) for mover in self._street.movers))

    @cached_property
    def _eye(self) -> SceneCamera:
        return SceneCamera(self._camera)

    @cached_property
    def _sun(self) -> Light:
        rng = np.random.default_rng([self._seed, self._frames])
        return Light(azimuth=rng.choice([-1, 1]) * rng.uniform(0.9, 2.3), elevation=rng.uniform(0.6, 0.95))
