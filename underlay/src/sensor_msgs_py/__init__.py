"""Sensor messages as NumPy arrays (the subset of ROS 2's package that we use)."""

from depth_completion_ros_underlay import refuse_beside_ros

refuse_beside_ros(__name__)
