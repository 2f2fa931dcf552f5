"""MagaConv: each equation of the paper on a case small enough to work out by hand, and what the network promises."""

import math

import pytest
import torch
from learned import close, inputs, trained
from torch import nn
from torch.nn import functional

from depth_completion_ros.networks.magaconv_layers import (
    BidFusion,
    CrossModalFusion,
    GatedUpsample,
    MagaConv,
    MagaConvBlock,
    MagaConvLayer,
    reverse_and_cut,
    shrink_missing,
)
from depth_completion_ros.networks.registry import create


def image(rows):
    return torch.tensor(rows, dtype=torch.float32)[None, None]


def test_reverse_and_cut():
    unsuitability = torch.tensor([0.0, math.log(4 / 3), math.log(2), 1.0, 50.0])
    close(reverse_and_cut(unsuitability), [1.0, 0.5, 0.0, 0.0, 0.0])


def test_gated_convolution_with_absolute_weights_on_the_mask():
    conv = MagaConv(1, 1, 3)
    with torch.no_grad():
        conv.conv.weight.copy_(image([[0.1, -0.2, 0.0], [0.0, 0.3, 0.0], [0.0, 0.0, -0.4]]))
        conv.epsilon_logit.fill_(-math.log(3))  # epsilon 1/4
    depth = image([[1, 0, 2], [3, 4, 0], [5, 6, 7]])
    output, gate = conv(depth, (depth == 0).float())
    # In the middle, the 0.2 above lies on missing depth.
    penalty = 2 * (math.exp(-0.25 * 0.2) - 0.5)
    close(gate[0, 0, 1, 1], penalty)
    close(output[0, 0, 1, 1], penalty * (0.1 * 1 + 0.3 * 4 - 0.4 * 7))
    # In the upper right corner, the mask is repeated beyond the border: 0.1 and 0.4 lie on missing depth.
    penalty = 2 * (math.exp(-0.25 * 0.5) - 0.5)
    close(output[0, 0, 0, 2], penalty * 0.3 * 2)


@pytest.mark.parametrize(("inputs", "groups"), [(4, 1), (6, 6)])
@pytest.mark.parametrize("stride", [1, 2])
def test_gate_is_a_convolution_of_the_mask_repeated_for_every_channel(inputs, groups, stride):
    conv = MagaConv(inputs, 6, 5, stride, groups)
    features, missing = torch.randn(2, inputs, 9, 12), (torch.rand(2, 1, 9, 12) < 0.3).float()
    output, gate = conv(features, missing)
    everywhere = functional.pad(missing, (2, 2, 2, 2), mode="replicate").expand(-1, inputs, -1, -1)
    unsuitable = functional.conv2d(everywhere, conv.conv.weight.abs(), stride=stride, groups=groups)
    epsilon = torch.sigmoid(conv.epsilon_logit)
    expected = 2 * torch.clamp(torch.exp(-epsilon * unsuitable) - 0.5, min=0)
    close(gate, expected, 1e-5)
    close(output, expected * conv.conv(features), 1e-5)


def test_without_any_measurement_gates_start_just_closed():
    conv = MagaConv(8, 64, 7)
    epsilon = torch.sigmoid(conv.epsilon_logit)
    assert 0 < epsilon < 1
    close(epsilon * conv.conv.weight.abs().sum((1, 2, 3)).mean(), math.log(2), 1e-4)


@pytest.mark.parametrize(("stride", "rows", "columns"), [(1, (1, 2, 3), (2, 3, 4)), (2, (1,), (1, 2))])
def test_a_measured_pixel_spreads_to_the_places_whose_3x3_holds_it(stride, rows, columns):
    missing = torch.ones(1, 1, 6, 8)
    missing[0, 0, 2, 3] = 0
    expected = torch.ones(1, 1, 6 // stride, 8 // stride)
    for row in rows:
        expected[0, 0, row, list(columns)] = 0
    assert torch.equal(shrink_missing(missing, stride), expected)


def test_masks_of_blocks_and_layers():
    """Eq. 6: the first mask of a block is the last of the block before, pooled with stride 2."""
    blocks = [MagaConvBlock(1, 6, separable=False), MagaConvBlock(6, 6, separable=False)]
    seen = []
    for block in blocks:
        for layer in block.layers:
            layer.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[1]))
    depth = torch.zeros(1, 1, 32, 32)
    depth[0, 0, 16, 16] = 5.0
    features, missing = depth, (depth == 0).float()
    for block in blocks:
        features, missing, _ = block(features, missing)
    # Size of each mask, and the first and last place that is measured, in rows as in columns.
    steps = [(32, 16, 16), (16, 8, 8), (16, 7, 9), (16, 6, 10), (8, 3, 5), (8, 2, 6), (8, 1, 7)]
    for mask, (size, first, last) in zip([*seen, missing], steps, strict=True):
        expected = torch.ones(1, 1, size, size)
        expected[..., first : last + 1, first : last + 1] = 0
        assert torch.equal(mask, expected)


@pytest.mark.parametrize("separable", [False, True])
def test_a_layer_fuses_heads_of_three_kernel_sizes(separable):
    layer = MagaConvLayer(6, 12, 2, separable=separable).eval()
    features, missing = torch.randn(2, 6, 16, 20), (torch.rand(2, 1, 16, 20) < 0.5).float()
    fused, mask, gate = layer(features, missing)
    assert [head.conv.kernel_size for head in layer.heads] == [(3, 3), (5, 5), (7, 7)]
    assert sum(head.conv.out_channels for head in layer.heads) == (6 if separable else 12)
    parts = features.split(2, 1) if separable else [features] * 3
    heads = [head(part, missing) for head, part in zip(layer.heads, parts, strict=True)]
    close(fused, layer.fuse(torch.cat([gated for gated, _ in heads], 1)))
    close(gate, torch.cat([gate for _, gate in heads], 1).mean(1, keepdim=True))
    assert torch.equal(mask, shrink_missing(missing, 2))


def shared_mlp(*layers):
    """A fusion of one channel whose MLP has these (weights, biases)."""
    fusion = CrossModalFusion(1, slices=1, neurons=2)
    modules = fusion.hidden1, fusion.hidden2, fusion.correction_and_gate
    with torch.no_grad():
        for module, (weight, bias) in zip(modules, layers, strict=True):
            module.weight.copy_(torch.tensor(weight))
            module.bias.copy_(torch.tensor(bias))
    return fusion


def test_cross_modal_fusion_corrects_and_gates_the_target():
    fusion = shared_mlp(
        ([[1.0, 1.0], [0.0, -1.0]], [0.0, 0.5]),
        ([[2.0, 0.0], [1.0, 1.0]], [0.0, -1.0]),
        ([[1.0, -1.0], [0.0, 1.0]], [0.5, -2.0]),
    )
    target, query = image([[1.0, -4.0]]), image([[2.0, 0.0]])
    # (1, 2): (3, 0) after the first hidden layer, (6, 2) after the second; c = 4.5, g = 0.
    # (-4, 0): (0, 0.5), then (0, 0); c = 0.5, g = -2, and c + t is negative.
    close(fusion.modulate(target, query), image([[(4.5 + 1) * 0.5, 0.0]]))


def test_all_slices_share_one_mlp_and_images_of_any_size_fit():
    fusion = CrossModalFusion(4, slices=3, neurons=5).eval()
    for height, width in ((3, 5), (31, 17)):
        target, query = torch.randn(2, 12, height, width), torch.randn(2, 12, height, width)
        order = torch.randperm(12)
        modulated = fusion.modulate(target, query)
        close(fusion.modulate(target[:, order], query[:, order]), modulated[:, order], 1e-5)
        assert fusion(target[:, :4], query[:, :4]).shape == (2, 4, height, width)


def test_fusion_part_by_part_equals_fusion_at_once(monkeypatch):
    fusion = CrossModalFusion(4, slices=3, neurons=5).eval()
    target, query = torch.randn(2, 4, 6, 7), torch.randn(2, 4, 6, 7)
    at_once = fusion.fuse(fusion.modulate(fusion.expand_target(target), fusion.expand_query(query)))
    monkeypatch.setattr("depth_completion_ros.networks.magaconv_layers._PIXELS_IN_CACHE", 2 * 2 * 6 * 7)
    with torch.inference_mode():
        close(fusion(target, query), at_once, 1e-5)


def test_fusion_computed_again_for_the_backward_pass_has_the_same_gradients():
    fusion = CrossModalFusion(4, slices=3, neurons=5).eval()
    target, query = torch.randn(2, 4, 6, 7), torch.randn(2, 4, 6, 7)
    at_once = fusion.fuse(fusion.modulate(fusion.expand_target(target), fusion.expand_query(query)))
    weights = list(fusion.parameters())
    expected = torch.autograd.grad(at_once.square().sum(), weights)
    gradients = torch.autograd.grad(fusion(target, query).square().sum(), weights)
    for actual, gradient in zip(gradients, expected, strict=True):
        close(actual, gradient, 1e-4)


def test_depth_informs_colour_before_that_informs_depth():
    class Record(nn.Module):
        def forward(self, target, query):
            return 10 * target + query

    fusion = BidFusion(1, slices=1, neurons=1)
    fusion.to_color = fusion.to_depth = Record()
    depth, color = fusion(torch.tensor(1.0), torch.tensor(2.0))
    assert color == 10 * 2 + 1
    assert depth == 10 * 1 + 21


def test_decoder_gates_its_features():
    upsample = GatedUpsample(4, 3, 2).eval()
    below, skip = torch.randn(1, 4, 5, 6), torch.randn(1, 3, 10, 12)
    joined = upsample.upsample(below) + upsample.skip(skip)
    with torch.no_grad():
        upsample.gate[1].bias.fill_(50.0)
        close(upsample(below, skip), upsample.features(joined), 1e-5)
        upsample.gate[1].bias.fill_(-50.0)
        assert not upsample(below, skip).round(decimals=6).any()


@pytest.mark.parametrize("preset", ["lite", "paper"])
def test_depth_follows_the_colours(preset):
    network = trained("magaconv", preset)
    color, sparse_depth, _ = inputs(1, 32, 40, share=0.6)
    with torch.inference_mode():
        depth, repainted = network(color, sparse_depth).depth, network(color.flip(1), sparse_depth).depth
    assert (repainted - depth).abs().max() > 1e-4


def test_before_training_the_lite_preset_answers_the_measurements_with_less_noise():
    """Of two walls, one behind the other; next to the edge their depths mix."""
    walls = torch.full((1, 1, 64, 96), 2.0)
    walls[..., 48:] = 3.0
    torch.manual_seed(0)
    noise = 0.01 * torch.randn_like(walls)
    sparse_depth = walls * noise.exp()
    with torch.inference_mode():
        depth = create("magaconv", preset="lite")(torch.randn(1, 3, 64, 96), sparse_depth).depth
    error = (depth / walls).log()
    inside = torch.ones_like(walls, dtype=torch.bool)
    inside[..., 45:51] = False
    assert error[inside].std() < 0.5 * noise[inside].std()
    assert error[inside].mean().abs() < 1e-3
    assert error[..., 47:49].abs().max() < 0.2  # of the 0.41 between the walls


def test_before_training_the_lite_preset_continues_what_is_around_a_hole():
    """A slanted plane, whose inverse depth is linear in rows and columns, and of which a block was not measured."""
    rows, columns = torch.arange(96.0)[:, None], torch.arange(128.0)
    plane = (100 / (40 + rows + 0.3 * columns))[None, None]
    sparse_depth = plane.clone()
    sparse_depth[..., 30:62, 40:80] = 0
    with torch.inference_mode():
        depth = create("magaconv", preset="lite")(torch.randn(1, 3, 96, 128), sparse_depth).depth
    hole = plane[sparse_depth == 0]
    assert hole.max() > 1.4 * hole.min()
    assert (depth / plane).log().abs()[sparse_depth == 0].mean() < 0.02


def test_confidence_is_that_of_measured_surroundings():
    network = create("magaconv")
    sparse_depth = torch.full((1, 1, 96, 128), 3.0)
    color = torch.zeros(1, 3, 96, 128)
    with torch.inference_mode():
        whole = network(color, sparse_depth).confidence
        sparse_depth[..., 32:64, 48:80] = 0
        hole = network(color, sparse_depth).confidence
    close(whole, torch.ones_like(whole), 1e-5)
    close(hole[0, 0, 95, 127], 1.0, 1e-5)
    middle, inside, outside = hole[0, 0, [48, 36, 30], 64]
    assert middle < inside < outside < 1


def test_paper_preset_has_the_size_of_the_paper():
    parameters = sum(weight.numel() for weight in create("magaconv").parameters())
    assert parameters == pytest.approx(48e6, rel=0.01)
