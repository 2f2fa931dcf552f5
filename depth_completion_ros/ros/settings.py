"""The parameters of the completion node."""

from __future__ import annotations

from dataclasses import dataclass

from depth_completion_ros.ros.parameters import setting
from depth_completion_ros.shipped import AUTO


@dataclass(frozen=True)
class CompletionSettings:
    """See the descriptions; ``ros2 param describe`` prints them too."""

    model: str = setting(
        AUTO, "completion model, a name listed by `depth-completion models`; auto: by the inputs that are subscribed to"
    )
    preset: str = setting("", "size of the model, such as lite; empty: that of its weights")
    checkpoint: str = setting("", "folder of the model's weights; empty: those that ship with the package")
    device: str = setting("auto", "where the model runs: auto, cpu, cuda or cuda:N")
    sensor: str = setting(
        "points",
        "what measures depth: a cloud on `points`, or an image on `depth`",
        choices=("points", "depth"),
    )
    use_image: bool = setting(
        True, "subscribe to `image`; false completes every cloud or depth image on its own, with its stamp"
    )
    image_transport: str = setting(
        "raw", "raw: Image on `image`; compressed: CompressedImage on `image/compressed`", choices=("raw", "compressed")
    )
    depth_transport: str = setting(
        "raw",
        "raw: Image on `depth`; compressedDepth: CompressedImage on `depth/compressedDepth`",
        choices=("raw", "compressedDepth"),
    )
    initial_depth: str = setting(
        "none",
        "where a model that refines a dense estimate (mspn in mode sdr) gets it: none; topic: an Image on "
        "`initial_depth`; estimator: the network in the folder `estimator`",
        choices=("none", "topic", "estimator"),
    )
    estimator: str = setting("", "folder of a monocular depth network in Hugging Face's format, with metric output")
    rectified: bool = setting(False, "the images are rectified: take P from camera_info, without distortion")
    extrinsic: tuple[float, ...] = setting(
        (),
        "depth sensor -> camera optical frame, the 16 numbers of the 4x4 matrix by rows; empty: from tf",
        lengths=(0, 16),
    )
    slop: float = setting(0.05, "largest stamp difference between image and depth, seconds", minimum=0.0, maximum=10.0)
    depth_offset: float = setting(
        0.0, "seconds added to the stamps of the depth sensor, for one with a known delay", minimum=-10.0, maximum=10.0
    )
    queue_size: int = setting(10, "messages kept per input while they wait for a partner", minimum=1, maximum=1000)
    see_through: bool = setting(
        False, "remove points that a nearer surface hides from the camera (a LiDAR mounted above it)", live=True
    )
    decimation: int = setting(
        1, "complete at this part of the resolution, and enlarge what comes out; 2: half of it", minimum=1, maximum=16
    )
    depth_encoding: str = setting(
        "32FC1", "of depth/image: 32FC1 metres, NaN unknown; 16UC1 millimetres up to 65.535 m, 0 unknown",
        choices=("32FC1", "16UC1"),
    )
    autostart: bool = setting(True, "configure and activate at once; false waits for a lifecycle manager")
