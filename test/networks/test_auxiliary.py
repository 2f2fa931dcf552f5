"""Auxiliary image reconstruction: the paper's equations on cases small enough to work out by hand, and its promises."""

import pytest
import torch
from learned import close, scan, trained
from torch import nn

from depth_completion_ros.networks.auxiliary import Doubling, FeatureExtractors, MultiScaleEncoder, _agreement
from depth_completion_ros.networks.registry import create, model_info

PRESETS = ("lite", "paper")


class Times(nn.Module):
    """A Phi that multiplies."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, features, skip=None):
        return self.factor * features


def extractors(depth, image, shared):
    module = FeatureExtractors(1, (1,) * len(depth), [0] * len(depth))
    for layers, factors in ((module.depth, depth), (module.image, image), (module.shared, shared)):
        assert len(layers) == len(factors)
        for index, factor in enumerate(factors):
            layers[index] = Times(factor)
    return module


def test_sharing_of_three_layers():
    module = extractors(depth=[2.0, 3.0, 5.0], image=[7.0, 1.0, 2.0], shared=[10.0, 0.5])
    depth, image = module(torch.ones(1, 1, 1, 1), [None] * 3)
    # First layer: 2 and 7, shared 9 (Eq. 8). Second: 6 and 7, shared 7 + 6 + 10 * 9 (Eq. 9). Last: only the
    # convolutions, 30 and 14, shared 0.5 * 103 (Eq. 10).
    assert depth.flatten().tolist() == [30.0, 51.5]
    assert image.flatten().tolist() == [14.0, 51.5]


def test_sharing_of_four_layers():
    module = extractors(depth=[1.0, 2.0, 3.0, 4.0], image=[2.0, 2.0, 2.0, 2.0], shared=[1.0, 2.0, 3.0])
    depth, image = module(torch.ones(1, 1, 1, 1), [None] * 4)
    # (1, 2, shared 3), (2, 4, shared 6 + 3), (6, 8, shared 14 + 2 * 9), (24, 16, shared 3 * 32).
    assert depth.flatten().tolist() == [24.0, 96.0]
    assert image.flatten().tolist() == [16.0, 96.0]


def test_features_of_the_image_are_for_training_only():
    module = extractors(depth=[2.0, 3.0, 5.0], image=[7.0, 1.0, 2.0], shared=[10.0, 0.5]).eval()
    depth, image = module(torch.ones(1, 1, 1, 1), [None] * 3)
    assert depth.flatten().tolist() == [30.0, 51.5] and image is None


def test_extractors_lead_from_a_sixteenth_to_half_the_size():
    module = FeatureExtractors(6, (5, 4, 3), [0, 0, 0])
    depth, image = module(torch.randn(1, 6, 2, 3), [None] * 3)
    assert depth.shape == image.shape == (1, 2 * 3, 16, 24)
    close(depth[:, 3:], image[:, 3:])


def test_phi_adds_what_the_encoder_saw_at_its_size():
    phi = Doubling(2, 3, skip=4).eval()
    features, skip = torch.randn(1, 2, 4, 5), torch.randn(1, 4, 8, 10)
    close(phi(features, skip), phi.refine(phi.upsample(features) + phi.skip(skip)))


def test_encoder_joins_branches_of_four_kernel_sizes():
    encoder = MultiScaleEncoder(1, (2, 3, 4, 5)).eval()
    inputs = torch.rand(1, 1, 32, 48)
    last, skips = encoder(inputs)
    assert last.shape == (1, 4 * 5, 2, 3)
    assert [skip.shape for skip in skips] == [(1, 16, 4, 6), (1, 12, 8, 12), (1, 8, 16, 24)]
    for index, (branch, kernel) in enumerate(zip(encoder.branches, (3, 5, 7, 9), strict=True)):
        assert [layer[0].kernel_size for layer in branch] == [(kernel, kernel)] * 4
        features = inputs
        for layer in branch:
            features = layer(features)
        close(last[:, 5 * index : 5 * (index + 1)], features)


@pytest.mark.parametrize("preset", PRESETS)
def test_image_features_shape_the_depth_and_the_image_decoder_does_not(preset):
    network, sparse_depth = trained("auxiliary", preset), scan(1, 32, 48)
    with torch.inference_mode():
        before = network(None, sparse_depth)
        assert before.gray is None
        del network.image_decoder
        close(network(None, sparse_depth).depth, before.depth, 0)
        network.extractors.image[0].refine[0].weight.neg_()
        after = network(None, sparse_depth)
    assert (after.depth - before.depth).abs().max() > 1e-3


@pytest.mark.parametrize("preset", PRESETS)
def test_the_image_teaches_what_both_share(preset):
    network = trained("auxiliary", preset).train()
    gray = network(None, scan(2, 37, 50)).gray
    assert gray.shape == (2, 1, 37, 50)
    (gray - 255 * torch.rand_like(gray)).square().mean().backward()
    for name, weight in network.named_parameters():
        # All but what leads to depth alone: its decoder and what follows it, and its extractor's last layer.
        learned = not name.startswith(
            ("depth_decoder", "decoder", "head", "spreading", "upsample", "extractors.depth.2")
        )
        assert (weight.grad is not None and bool(weight.grad.any())) == learned, name


def test_an_image_is_neither_needed_nor_looked_at():
    network, sparse_depth = trained("auxiliary"), scan(1, 32, 48)
    assert not model_info("auxiliary").uses_image and not network.uses_image
    with torch.inference_mode():
        without, given = network(None, sparse_depth), network(torch.randn(1, 3, 32, 48), sparse_depth)
    close(without.depth, given.depth, 0)


def test_before_training_the_lite_preset_answers_the_planes_through_the_measurements():
    sparse_depth = torch.where(scan(1, 32, 48) > 0, 6.0, 0.0)
    with torch.inference_mode():
        depth = create("auxiliary", preset="lite")(None, sparse_depth).depth
    torch.testing.assert_close(depth, torch.full_like(depth, 6.0), rtol=1e-4, atol=1e-4)


def test_confidence_is_agreement_that_fades():
    depth, sparse_depth = torch.full((1, 1, 8, 8), 4.0), torch.zeros(1, 1, 8, 8)
    sparse_depth[0, 0, 1, 2] = 5.0
    sparse_depth[0, 0, 3, 3] = 2.0
    confidence = _agreement(depth, sparse_depth)
    # Of the four cells, the first holds both measurements: 4/5 and 2/4. To the others it is a block twice as large.
    close(confidence[0, 0, 0, 0], 0.65)
    close(confidence[0, 0, 7, 7], 0.8 * 0.65)
    close(_agreement(depth, torch.full_like(depth, 4.0)), torch.ones_like(depth))
