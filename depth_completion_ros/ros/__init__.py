"""The boundary to ROS 2; besides ``nodes/`` the only folder that imports it."""
