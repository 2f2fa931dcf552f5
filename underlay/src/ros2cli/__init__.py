"""The ``ros2`` command (the subset of ROS 2's command line tools that we use)."""

from depth_completion_ros_underlay import refuse_beside_ros

refuse_beside_ros(__name__)
