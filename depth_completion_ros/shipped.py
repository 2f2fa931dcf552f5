"""The trained weights that come with the package, and the model that is used where nobody chose one.

The weights of a model lie in ``models/<model>/`` with their card (``README.md``) and their golden output (see
:mod:`~depth_completion_ros.golden`); ``depth-completion export`` makes such a folder.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from depth_completion_ros.frame import Frame

AUTO: Final = "auto"  # in place of a model's name
MODELS: Final = Path(__file__).parent / "models"
LARGEST: Final = 8_000_000  # bytes of weights

Depth = Literal["lidar", "spots", "tof"]
Sensors = tuple[bool, Depth]  # whether there is a camera, and what measures depth
_WITH_IMAGE: Final[dict[Depth, str]] = {"lidar": "mspn", "spots": "emdc", "tof": "magaconv"}
_WITHOUT_IMAGE: Final = "auxiliary"
_WITHOUT_WEIGHTS: Final = "classical"

# What tells the depth images of sensors apart: a ToF camera measures most pixels, a projected LiDAR one in twenty; and
# ToF spots end where rooms do.
_TOF_SHARE = 0.2
_SPOTS_REACH = 10.0  # metres

_logger = logging.getLogger(__name__)


def shipped_checkpoint(model: str) -> Path | None:
    """The folder of the weights that ship for ``model``; None if there are none."""
    folder = MODELS / model
    return folder if any(folder.glob("*.safetensors")) else None


def shipped_models() -> list[str]:
    """The models that weights ship for, by name."""
    return sorted(weights.parent.name for weights in MODELS.glob("*/*.safetensors"))


def default_model(image: bool, depth: Depth) -> str:
    """The model for what there is: ``mspn``, without an image ``auxiliary``, for ToF depth ``emdc`` or ``magaconv``.

    A model that no weights ship for is of no use; then it is ``classical``, and that is said.

    Args:
        image: whether camera images are there.
        depth: ``lidar``; ``spots``, the few hundred of a ToF sensor; ``tof``, a ToF camera's image with holes.
    """
    model = _WITH_IMAGE[depth] if image else _WITHOUT_IMAGE
    if shipped_checkpoint(model):
        return model
    _logger.warning("no weights of %s are installed: %s is used in its place", model, _WITHOUT_WEIGHTS)
    return _WITHOUT_WEIGHTS


def sensors_of(frame: Frame) -> Sensors:
    """What a recording with frames like this one was made with."""
    # Of points and an image of depth, it is the points that are completed.
    depth = frame.depth if frame.points is None else None
    return frame.image is not None, "lidar" if depth is None else kind_of_depth(depth)


def kind_of_depth(depth: NDArray[np.float32]) -> Depth:
    """Which sensor a depth image (h, w) in metres, 0 = not measured, is of."""
    if (depth > 0).mean() > _TOF_SHARE:
        return "tof"
    return "spots" if 0 < depth.max() <= _SPOTS_REACH else "lidar"
