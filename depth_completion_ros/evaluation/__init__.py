"""What a completion is worth: the KITTI numbers, hold-out scoring and reports."""
