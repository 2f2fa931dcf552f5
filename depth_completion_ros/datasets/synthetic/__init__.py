"""A world of our own making, ray-traced: the data source that needs no download.

Who does what: ``street``, and ``landscape`` with ``site`` and ``roadside``, lay out what ``buildings``, ``vehicles``,
``figures``, ``nature`` and ``furniture`` build from the shapes of ``mesh``, and ``room`` what ``interior`` does;
``scene`` casts rays at it; ``textures``, ``light`` and ``shading`` colour what they meet; ``imaging``, ``lidar`` and
``tof`` are the sensors; ``drive`` makes a drive of it all, ``frames`` single frames to train on.
"""

from depth_completion_ros.datasets.synthetic.drive import KITTI_CAMERA, SyntheticStreet
from depth_completion_ros.datasets.synthetic.frames import SyntheticFrames, SyntheticRooms
from depth_completion_ros.datasets.synthetic.lidar import HDL_64E, LIDARS, Lidar, Rosette
from depth_completion_ros.datasets.synthetic.tof import Tof, TofSpots

__all__ = [
    "HDL_64E",
    "KITTI_CAMERA",
    "LIDARS",
    "Lidar",
    "Rosette",
    "SyntheticFrames",
    "SyntheticRooms",
    "SyntheticStreet",
    "Tof",
    "TofSpots",
]
