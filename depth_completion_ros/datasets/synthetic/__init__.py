"""A street of our own making, ray-traced: the data source that needs no download.

Who does what: ``street`` lays out what ``buildings``, ``vehicles``, ``figures``, ``nature`` and ``furniture``
build from the shapes of ``mesh``; ``scene`` casts rays at it; ``textures`` and ``shading`` colour what they
meet; ``imaging`` and ``lidar`` are the sensors; ``drive`` makes frames of it all.
"""

from depth_completion_ros.datasets.synthetic.drive import KITTI_CAMERA, SyntheticStreet
from depth_completion_ros.datasets.synthetic.lidar import HDL_64E, Lidar

__all__ = ["HDL_64E", "KITTI_CAMERA", "Lidar", "SyntheticStreet"]
