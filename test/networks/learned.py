"""Networks as they are after training, and what they are given."""

import copy
import functools

import torch
from torch import nn

from depth_completion_ros.networks.registry import create

# Convolutions whose weights training moves away from 0, or from nearly that, and how far: before, what follows them
# could be left out unnoticed.
_HEADS = {
    ("auxiliary", "lite"): {"head": 0.02, "context.back": 0.02},
    ("auxiliary", "paper"): {"depth_decoder.head": 0.02},
    ("emdc", "lite"): {"global_head": 0.02, "local_head": 0.02, "upsample.head": 0.02, "propagation": 0.1},
    ("emdc", "paper"): {},
    ("magaconv", "lite"): {"head": 0.02},
    ("magaconv", "paper"): {"decoder.head": 0.02},
    ("mspn", "lite"): dict.fromkeys(
        ["propagation.head", "upsample_eighth.head", "upsample_quarter.head", "upsample_half.head"], 0.02
    ),
    ("nlspn", "lite"): {"head": 0.05, "spreading.head": 0.02, "upsample.head": 0.02},
}


def close(actual, expected, tolerance=1e-6):
    torch.testing.assert_close(torch.as_tensor(actual), torch.as_tensor(expected), rtol=0, atol=tolerance)


def inputs(batch, height, width, share=0.3):
    """Image, measurements of so many pixels, at 1 to 10 m, and an estimate, for networks that take one."""
    measured = torch.rand(batch, 1, height, width) < share
    measured[:, :, -1, -1] = True
    sparse_depth = measured * (1 + 9 * torch.rand(batch, 1, height, width))
    return torch.randn(batch, 3, height, width), sparse_depth, 1 + 9 * torch.rand(batch, 1, height, width)


def scan(batch, height, width, lines=4):
    """As many rows of measurements, 2 to 20 m away."""
    sparse_depth = torch.zeros(batch, 1, height, width)
    rows = torch.linspace(0, height - 1, lines).round().long()
    sparse_depth[:, :, rows] = 2 + 18 * torch.rand(batch, 1, lines, width)
    return sparse_depth


def trained(name, preset="lite", **options):
    """A network with batch norms that know their inputs, and an answer that depends on all of it."""
    return copy.deepcopy(_trained(name, preset, **options))


@functools.cache
def _trained(name, preset, **options):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = create(name, preset=preset, **options)
        for path, deviation in _HEADS[name, preset].items():
            for module in network.get_submodule(path).modules():
                if isinstance(module, nn.Conv2d):
                    nn.init.normal_(module.weight, std=deviation)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 1.0
        if (name, preset) == ("emdc", "paper"):
            nn.init.constant_(network.fusion_scale, 0.7)  # uses both branches
        with torch.no_grad():
            network.train()(*inputs(2, 64, 96))
    return network.eval()
