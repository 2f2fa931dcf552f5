"""Batch normalisation folded into the convolutions before it, which inference then has for free."""

from __future__ import annotations

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def fold_batch_norm(network: nn.Module) -> int:
    """Folds, in place, every batch norm into the convolution that its module registers right before it.

    That is the order in which this package's blocks run them. The network must be in evaluation mode, and cannot be
    trained or saved as a checkpoint afterwards.

    Returns:
        How many were folded.
    """
    folded = 0
    for module in network.modules():
        previous: tuple[str, nn.Module] | None = None
        for name, child in list(module.named_children()):
            if isinstance(child, nn.BatchNorm2d) and previous is not None:
                conv_name, conv = previous
                if isinstance(conv, nn.Conv2d | nn.ConvTranspose2d) and conv.out_channels == child.num_features:
                    transposed = isinstance(conv, nn.ConvTranspose2d)
                    setattr(module, conv_name, fuse_conv_bn_eval(conv, child, transpose=transposed))
                    setattr(module, name, nn.Identity())
                    folded += 1
            previous = name, child
    return folded
