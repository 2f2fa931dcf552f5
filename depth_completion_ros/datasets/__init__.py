"""Sources of frames: each yields :class:`~depth_completion_ros.frame.Frame` objects in order."""
