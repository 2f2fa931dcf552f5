"""What the node keeps; whole replays are in test/launch."""

import json
import subprocess
import sys

import numpy as np
import pytest
import rclpy
from robot import CAMERA

from depth_completion_ros.nodes.evaluation_node import EvaluationNode
from depth_completion_ros.ros.messages import camera_info_message, header, image_message


def test_frames_that_are_never_completed_leave_no_messages_behind(tmp_path):
    """A replay at the pace of the recording loses frames; those of a long drive would fill the memory."""
    rclpy.init(args=["--ros-args", "-p", f"output:={tmp_path}", "-p", "previews:=0"])
    node = EvaluationNode()
    try:
        depth = np.full((CAMERA.height, CAMERA.width), 5.0, np.float32)
        for index in range(100):
            head = header(index * 100_000_000, "camera")
            node._take("camera_info", camera_info_message(CAMERA, head))
            for part in ("image", "ground_truth"):
                node._take(part, image_message(depth, head))
            if index == 99:
                for part in ("confidence", "sparse_depth", "depth"):
                    node._take(part, image_message(depth, head))
        assert len(node._records) == 99
        assert sum(map(bool, node._records.values())) == 50
        assert node.write() == 99
    finally:
        node.destroy_node()
        rclpy.shutdown()
    summary = json.loads((tmp_path / "metrics.json").read_text())
    assert summary["frames"] == 1


@pytest.mark.parametrize(("heard", "stays"), [("", True), ("self._finish(UInt32(data=2)); ", False)])
def test_what_an_earlier_run_left_stays_if_no_replay_begins_before_the_interrupt(tmp_path, heard, stays):
    (tmp_path / "metrics.json").write_text("of an earlier run")
    program = (
        "import sys\n"
        "from std_msgs.msg import UInt32\n"
        "from depth_completion_ros.nodes.evaluation_node import EvaluationNode, main\n"
        f"def listen(self): {heard}raise KeyboardInterrupt\n"
        "EvaluationNode.listen = listen\n"
        "sys.exit(main())\n"
    )
    result = subprocess.run([sys.executable, "-c", program, "--ros-args", "-p", f"output:={tmp_path}"], timeout=60)
    assert result.returncode == 0
    assert ((tmp_path / "metrics.json").read_text() == "of an earlier run") == stays


def test_a_folder_that_cannot_be_written_to_is_told_in_one_line():
    node = [sys.executable, "-m", "depth_completion_ros.nodes.evaluation_node"]
    result = subprocess.run([*node, "--ros-args", "-p", "output:=/proc/nowhere"], capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr == "evaluation_node: /proc/nowhere: No such file or directory\n"
