"""How the checkpoints of the authors' implementations map onto our networks: a model is added by one entry."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Official:
    """How the authors' checkpoints of a model map onto it.

    Attributes:
        options: (weights, flags of the authors' program) -> the options of the model's builder.
        names: (pattern, replacement) pairs that turn our keys into theirs; the first pattern that matches counts.
        constants: weights that are never trained, which our network does without.
        unused: pattern of the keys that their network never runs.
    """

    options: Callable[..., dict[str, Any]]
    names: tuple[tuple[str, str], ...] = ()
    constants: Mapping[str, Tensor] = field(default_factory=dict)
    unused: str = ""

    def key(self, own: str) -> str:
        """Their name of our weight ``own``."""
        for pattern, replacement in self.names:
            theirs, count = re.subn(pattern, replacement, own)
            if count:
                return theirs
        return own


def _nlspn_options(
    weights: Mapping[str, Tensor],
    *,
    network: str | None = None,
    legacy: bool = False,
    preserve_input: bool = False,
    affinity: str = "TGASS",
) -> dict[str, Any]:
    """The released weights need ``legacy`` and ``preserve_input``; the backbone shows in the keys."""
    has_third_block = any(key.startswith("conv4.2.") for key in weights)
    return {
        "backbone": network or ("resnet34" if has_third_block else "resnet18"),
        "sampling": "legacy" if legacy else "official",
        "preserve_input": preserve_input,
        "affinity": affinity,
    }


OFFICIAL = {
    # github.com/zzangjinsun/NLSPN_ECCV20
    "nlspn": Official(
        _nlspn_options,
        names=(
            (r"^image_stem\.", "conv1_rgb."),
            (r"^depth_stem\.", "conv1_dep."),
            (r"^encoder\.0\.", "conv2."),
            (r"^encoder\.1\.", "conv3."),
            (r"^encoder\.2\.", "conv4."),
            (r"^encoder\.3\.", "conv5."),
            (r"^encoder\.4\.", "conv6."),
            (r"^decoder\.0\.", "dec5."),
            (r"^decoder\.1\.", "dec4."),
            (r"^decoder\.2\.", "dec3."),
            (r"^decoder\.3\.", "dec2."),
            (r"^depth_head\.refine\.", "id_dec1."),
            (r"^depth_head\.estimate\.", "id_dec0.0."),
            (r"^guidance_head\.refine\.", "gd_dec1."),
            (r"^guidance_head\.estimate\.", "gd_dec0.0."),
            (r"^confidence_head\.refine\.", "cf_dec1."),
            (r"^confidence_head\.estimate\.", "cf_dec0.0."),
            (r"^neighbours\.", "prop_layer.conv_offset_aff."),
            (r"^normalise_affinity\.scale$", "prop_layer.aff_scale_const"),
        ),
        constants={
            "prop_layer.w": torch.ones(1, 1, 3, 3),
            "prop_layer.b": torch.zeros(1),
            "prop_layer.w_conf": torch.ones(1, 1, 1, 1),
        },
    ),
}
