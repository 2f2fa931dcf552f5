"""Metric depth from one image, by an off-the-shelf estimator: the initial depth that MSPN's SDR mode refines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# Hugging Face model types that estimate metres; Depth Anything says in its configuration which it is.
_METRIC_TYPES = ("depth_pro", "glpn", "zoedepth")
# Of these the networks answer something else, inverse depth or depth with a margin; the rest is up to the processor.
_FINISHED_BY_PROCESSOR = ("depth_pro", "zoedepth")


class MonocularEstimator:
    """A depth estimation model in a local folder in the format of Hugging Face.

    >>> estimator = MonocularEstimator("Depth-Anything-V2-Metric-Outdoor-Small-hf", "cuda")
    >>> initial_depth = estimator(image)

    Args:
        folder: with config.json, preprocessor_config.json and safetensors weights. Nothing is downloaded, and no code
            that the folder may hold is run.
        device: where it runs.

    Raises:
        ValueError: the folder holds no such model, or one whose depth is relative, without a unit.
        ImportError: the package ``transformers`` is missing.
    """

    def __init__(self, folder: str | Path, device: torch.device | str = "cpu") -> None:
        try:
            import transformers
        except ImportError as error:
            raise ImportError("monocular estimation needs transformers: pip install transformers") from error
        if not (Path(folder) / "config.json").is_file():
            raise ValueError(f"{folder} is no folder of a Hugging Face model: it has no config.json")
        try:
            config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
            self._processor = transformers.AutoImageProcessor.from_pretrained(folder, local_files_only=True)
            self._model = transformers.AutoModelForDepthEstimation.from_pretrained(
                folder, local_files_only=True, use_safetensors=True
            )
        except (ValueError, OSError, KeyError) as error:
            raise ValueError(f"{folder} holds no depth estimation model that can be read: {error}") from error
        if not _is_metric(config):
            raise ValueError(
                f"{folder} holds a model of type {config.model_type!r} that estimates relative depth, not metres"
            )
        self._type = config.model_type
        self._device = torch.device(device)
        self._model.to(self._device).eval()

    @torch.inference_mode()
    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The depth of (H, W, 3) uint8 RGB as (H, W) float32 metres, nowhere below a millimetre."""
        inputs = self._processor(images=image, return_tensors="pt").to(self._device)
        depth = self._finish(self._model(**inputs), image.shape[:2])
        result: NDArray[np.float32] = depth.clamp(min=1e-3).cpu().numpy()
        return result

    def _finish(self, outputs: Any, size: tuple[int, ...]) -> Tensor:
        """What the network answers -> (H, W) float32 metres."""
        if self._type not in _FINISHED_BY_PROCESSOR:
            depth = outputs.predicted_depth.float()[:, None]
            return torch.nn.functional.interpolate(depth, size, mode="bilinear", align_corners=False)[0, 0]
        sizes = {"target_sizes": [size]}
        if self._type == "zoedepth":
            sizes["source_sizes"] = [size]  # which its margin depends on
        finished: Tensor = self._processor.post_process_depth_estimation(outputs, **sizes)[0]["predicted_depth"]
        return finished.float().reshape(size)


def _is_metric(config: Any) -> bool:
    return config.model_type in _METRIC_TYPES or getattr(config, "depth_estimation_type", "relative") == "metric"
