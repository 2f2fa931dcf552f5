"""``depth-completion bench``: what each stage costs, from messages in to messages out."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from depth_completion_ros.cli._data import SOURCE_HELP, count, open_frames
from depth_completion_ros.cli._model import add_model_options, each_model, load_model

if TYPE_CHECKING:
    import torch

    from depth_completion_ros.frame import Completion, Frame
    from depth_completion_ros.pipeline import DepthCompleter

_WARM_UP = 3
# What a robot needs of a frame, and what people look at.
_IMAGES = ("~/sparse_depth/image", "~/confidence/image", "~/depth/camera_info", "~/depth/image")
_VIEWS = ("~/depth/color", "~/points")


def add_parser(subparsers: Any) -> None:
    """Adds the command to ``depth-completion``."""
    parser = subparsers.add_parser(
        "bench",
        help="time every stage",
        description="Times each stage over a recording, warm and synchronised: decoding of messages, projection, the "
        "model, and publishing to a listener in another process over DDS.",
    )
    add_model_options(parser, "a model, or 'all'")
    parser.add_argument("--source", default="synthetic", metavar="PATH", help=SOURCE_HELP)
    parser.add_argument("--lines", type=count, metavar="N", help="keep N scan lines of --source")
    parser.add_argument("--frames", type=count, default=30, metavar="N", help="frames timed (default: %(default)s)")
    parser.add_argument("--threads", type=count, default=1, metavar="N", help="CPU threads (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Prints the median and the 95th percentile of every stage."""
    import cv2
    import torch

    from depth_completion_ros.evaluation.holdout import RingCount, hold_out

    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)
    source = open_frames(options.source)
    frames = list(islice(source, min(options.frames, 10)))
    if not frames:
        raise ValueError(f"{options.source} has no frame to time")
    if options.lines:
        rings = RingCount()
        frames = [hold_out(frame, options.lines, rings.including(frame)) for frame in frames]
    timed = [_time_model(each, frames) for each in _chosen(options)]
    camera = frames[0].camera
    points = 0 if frames[0].points is None else len(frames[0].points)
    setting = {
        "hardware": _hardware(options.threads, [each.device for each in timed]),
        "source": options.source,
        "size": f"{camera.width}x{camera.height}",
        "decimation": options.decimation,
        "points": points,
        "frames": options.frames,
    }
    if options.json:
        results = {each.model: each.stages for each in timed}
        ways = {each.model: f"{each.device}, {each.way}" for each in timed}
        print(json.dumps({**setting, "ways": ways, "milliseconds": results}, indent=2))
        return 0
    print(setting["hardware"])
    part = "" if setting["decimation"] == 1 else f" completed at 1/{setting['decimation']} of the resolution"
    print(f"{setting['size']} pixels{part}, {points} points, {options.frames} frames of {options.source}")
    for each in timed:
        print(f"\n{f'{each.model} ({each.device}, {each.way})':36}{'median':>10}{'p95':>10}  ms")
        for stage, (median, p95) in each.stages.items():
            print(f"  {stage:34}{median:10.2f}{p95:10.2f}")
    return 0


def _chosen(options: argparse.Namespace) -> list[argparse.Namespace]:
    """The options of each model to time."""
    from depth_completion_ros.networks.registry import models

    return each_model(options, (info.name for info in models())) if options.model == "all" else [options]


class _Timed(NamedTuple):
    """A model, how it was run, and the median and the 95th percentile of the milliseconds of each stage."""

    model: str
    device: torch.device
    way: str
    stages: dict[str, tuple[float, float]]


def _time_model(options: argparse.Namespace, frames: list[Frame]) -> _Timed:
    import numpy as np
    from tqdm import tqdm

    from depth_completion_ros.shipped import sensors_of

    completer = load_model(options, sensors_of(frames[0]))
    durations: dict[str, list[float]] = defaultdict(list)
    with _message_stages() as messages:
        total = options.frames + _WARM_UP
        repeated = islice(cycle(frames), total)
        for number, frame in enumerate(tqdm(repeated, completer.model, total, unit="frame", disable=None)):
            stages = messages(frame, completer)
            if number >= _WARM_UP:
                for stage, duration in stages.items():
                    durations[stage].append(duration)
    percentiles = {stage: np.percentile(values, (50, 95)) for stage, values in durations.items()}
    summary = {stage: (float(median), float(p95)) for stage, (median, p95) in percentiles.items()}
    return _Timed(completer.model, completer.device, str(completer.execution), summary)


@contextmanager
def _message_stages() -> Iterator[Callable[[Frame, DepthCompleter], dict[str, float]]]:
    """Gives a function that takes a frame through the node's own code and returns the milliseconds of each stage.

    The messages go out over DDS to a listener in another process.
    """
    import rclpy
    from rclpy.lifecycle import LifecycleNode

    from depth_completion_ros.ros.outputs import TOPICS, Outputs
    from depth_completion_ros.ros.running import fast_dds_profiles

    os.environ.setdefault("AMENT_PREFIX_PATH", sys.prefix)  # as `ros2` does in a virtual environment
    os.environ.update(fast_dds_profiles())
    rclpy.init()
    listener = subprocess.Popen([sys.executable, "-c", _LISTENER])
    node = LifecycleNode("depth_completion")
    try:
        node.trigger_configure()
        outputs = Outputs(node, "32FC1")
        node.trigger_activate()
        deadline = time.monotonic() + 30
        while not all(map(outputs.listened_to, TOPICS)):
            if time.monotonic() > deadline:
                raise TimeoutError("the benchmark's listener did not appear within 30 s: is ROS communication blocked?")
            time.sleep(0.05)

        def stages(frame: Frame, completer: DepthCompleter) -> dict[str, float]:
            return _run_stages(frame, completer, outputs)

        yield stages
    finally:
        listener.kill()
        listener.wait()
        node.destroy_node()
        rclpy.try_shutdown()


_LISTENER = """
import rclpy
from depth_completion_ros.ros.outputs import TOPICS
rclpy.init()
node = rclpy.create_node("listener")
for topic, message_type in TOPICS.items():
    node.create_subscription(message_type, topic.replace("~", "depth_completion"), lambda message: None, 5)
rclpy.spin(node)
"""


def _run_stages(frame: Frame, completer: DepthCompleter, outputs: Any) -> dict[str, float]:
    from depth_completion_ros import message_arrays
    from depth_completion_ros.ros import messages

    header = messages.header(frame.stamp, "camera")
    info = messages.camera_info_message(frame.camera, header)
    image = None if frame.image is None else messages.image_message(frame.image, header)
    points = None if frame.points is None else messages.cloud_message(frame.points, header, rings=frame.rings)
    depth = None if frame.depth is None else messages.image_message(frame.depth, header)

    clock = time.perf_counter
    started = clock()
    message_arrays.camera_of(info)
    if image is not None:
        message_arrays.image_array(image)
    if points is not None:
        message_arrays.cloud_points(points)
    if depth is not None:
        message_arrays.depth_array(depth)
    decoded = clock()
    completion: Completion = completer.complete(frame)
    completed = clock()
    outputs.publish(frame, completion, header, info, _IMAGES)
    published = clock()
    outputs.publish(frame, completion, header, info, _VIEWS)
    viewed = clock()
    return {
        "decode": (decoded - started) * 1e3,
        **completion.milliseconds,
        "publish images": (published - completed) * 1e3,
        "total": (published - started) * 1e3,
        "publish cloud and colours": (viewed - published) * 1e3,
    }


def _hardware(threads: int, devices: list[torch.device]) -> str:
    import torch

    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        processor = names[0] if names else processor
    gpus = dict.fromkeys(torch.cuda.get_device_name(each) for each in devices if each.type == "cuda")
    return f"{', '.join([f'{processor} ({os.cpu_count()} cores, {threads} used)', *gpus])}, PyTorch {torch.__version__}"
