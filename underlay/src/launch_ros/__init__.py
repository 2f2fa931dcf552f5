"""Launch ROS nodes (the subset of ROS 2's launch_ros package that we use)."""

from depth_completion_ros_underlay import refuse_beside_ros

refuse_beside_ros(__name__)
