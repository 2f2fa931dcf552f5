"""How the checkpoints of the authors' implementations map onto our networks: a model is added by one entry."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
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


def _mspn_options(weights: Mapping[str, Tensor], *, mode: str, rules: str) -> dict[str, Any]:
    """The four released models are two modes with the rules of two data sets, which the keys do not tell."""
    return {"mode": mode, "rules": rules}


def _mspn_names() -> Iterator[tuple[str, str]]:
    """Ours to those of github.com/jyjunmcl/MSPN_SDR, whose lists count from 1 and whose decoder counts down."""
    yield r"^propagation\.norm\.", "prop_layer.mspn.norm1."
    yield r"^propagation\.projection\.", "prop_layer.mspn.conv."
    yield r"^propagation\.position_bias$", "prop_layer.mspn.rpb"
    yield r"^second_propagation\.norm\.", "prop_layer.mspn_2nd.norm1."
    yield r"^second_propagation\.projection\.", "prop_layer.mspn_2nd.conv."
    yield r"^second_propagation\.position_bias$", "prop_layer.mspn_2nd.rpb"
    block = {
        "attention.query": "attn.q",
        "attention.key_value": "attn.kv",
        "attention.project": "attn.proj",
        "attention.reduce": "attn.sr",
        "attention.norm": "attn.norm",
        "mlp.0": "mlp.fc1",
        "mlp.2": "mlp.fc2",
        "convolution.channel_gate": "resblock.ca.fc",
        "convolution.pixel_gate": "resblock.sa.conv1",
        "convolution": "resblock",
        "merge": "concat_conv",
        "": "",
    }
    for stage in range(4):
        ours, theirs = rf"^guidance\.encoder\.transformer\.{stage}\.", "backbone.former."
        for own, name in block.items():
            yield rf"{ours}blocks\.(\d)\.{re.escape(own)}", rf"{theirs}block{stage + 1}.\1.{name}"
        yield rf"{ours}embed\.", f"{theirs}patch_embed{stage + 1}.proj."
        yield rf"{ours}norm\.", f"{theirs}patch_embed{stage + 1}.norm."
        yield rf"{ours}position$", f"{theirs}pos_embed{stage + 1}"
    for stage in range(2):
        yield rf"^guidance\.encoder\.residual\.{stage}\.", f"backbone.former.embed_layer{stage + 1}."
    naf_block = {
        "widen1": "conv1",
        "depthwise": "conv2",
        "narrow1": "conv3",
        "widen2": "conv4",
        "narrow2": "conv5",
        "channel_attention": "sca.1",
        "scale1": "beta",
        "scale2": "gamma",
        "": "",
    }
    for stage in range(5):
        for own, name in naf_block.items():
            yield rf"^guidance\.decoder\.{stage}\.1\.{own}", f"backbone.dec{6 - stage}.1.{name}"
        yield rf"^guidance\.decoder\.{stage}\.0\.", f"backbone.dec{6 - stage}.0."
    yield r"^guidance\.image_stem\.", "backbone.conv1_rgb."
    yield r"^guidance\.depth_stem\.", "backbone.conv1_dep."
    yield r"^guidance\.detail\.", "backbone.spatial_conv3x3."
    yield r"^guidance\.mean\.", "backbone.spatial_conv1x1."
    yield r"^guidance\.guidance_head\.refine\.", "backbone.gd_dec1."
    yield r"^guidance\.guidance_head\.estimate\.", "backbone.gd_dec0.0."
    yield r"^guidance\.depth_head\.refine\.", "backbone.dep_dec1."
    yield r"^guidance\.depth_head\.estimate\.", "backbone.dep_dec0.0."
    yield r"^guidance\.join\.", "backbone.conv1."
    yield r"^guidance\.image_depth_stem\.", "backbone.conv1_rgb_dep."
    yield r"^guidance\.monocular_stem\.", "backbone.conv1_dep_MD."


def _emdc_options(weights: Mapping[str, Tensor], *, depth_norm: bool = True) -> dict[str, Any]:
    return {"depth_norm": depth_norm}


def _emdc_names() -> Iterator[tuple[str, str]]:
    """Theirs: the decoder counts down, the stages of the propagation count from 1."""
    yield r"^encoder\.features\.(\d+)\.layers\.", r"enc.features.\1.conv."
    yield r"^encoder\.", "enc."
    for stage in range(5):
        for own, name in {"conv": "conv", "norm": "bn", "activation": "act", "refine": "conv2"}.items():
            yield rf"^decoder\.{stage}\.{own}\.", f"dec{5 - stage}.{name}."
    yield r"^global_head\.", "dep_conv.0."
    yield r"^local_branch\.(\d)\.", r"ls_conv\1."
    yield r"^local_head\.", "ls_conv2.0."
    yield r"^fusion\.", "alpha."
    yield r"^fusion_scale$", "rezero"
    for stage in range(9):
        for branch in range(3):
            yield rf"^propagation\.stages\.{stage}\.kernels\.{branch}\.", f"guid_conv{stage + 1}_{branch + 1}.0."
        yield rf"^propagation\.stages\.{stage}\.blend\.", f"fuse_conv{stage + 1}.0."


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
    # github.com/jyjunmcl/MSPN_SDR
    "mspn": Official(_mspn_options, names=tuple(_mspn_names())),
    # github.com/dwHou/EMDC-PyTorch
    "emdc": Official(
        _emdc_options,
        names=tuple(_emdc_names()),
        unused=r"enc\.(features\.18|classifier)\..*",  # the classification of their MobileNetV2
    ),
}
