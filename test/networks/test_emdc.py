"""EMDC against numbers of the authors' implementation, and in what those do not show."""

import copy
import functools

import numpy as np
import pytest
import torch
from parity.fill import FOLDER, official_weights
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from depth_completion_ros.checkpoints import load_official
from depth_completion_ros.networks.emdc import _conv_to_map, _Upsample
from depth_completion_ros.networks.lite import doubled
from depth_completion_ros.networks.mobilenet import MobileNetV2
from depth_completion_ros.networks.registry import create


@pytest.fixture(autouse=True)
def same_random_numbers_in_every_run():
    torch.manual_seed(0)


@pytest.fixture(scope="module")
def weights():
    return official_weights("emdc", "norm")


@pytest.fixture(scope="module")
def inputs():
    with np.load(FOLDER / "nlspn.npz") as arrays:  # whose cases had the same
        return torch.from_numpy(arrays["input/rgb"]), torch.from_numpy(arrays["input/dep"])


def close(actual, expected, tolerance):
    torch.testing.assert_close(actual, expected, rtol=0, atol=tolerance)


@functools.cache
def _fused():
    network = create("emdc")
    with torch.no_grad():
        network.fusion_scale.fill_(0.7)
    return network


def fused():
    """Preset ``paper`` with a fusion that uses both branches, as after training."""
    return copy.deepcopy(_fused())


def trained():
    """A lite network that corrects and propagates, as after training."""
    network = create("emdc", preset="lite")
    heads = network.global_head, network.local_head, network.upsample.head
    for head in heads:
        nn.init.normal_(head.weight, std=0.02)
    for module in network.propagation.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, std=0.1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        network.train()(*random_inputs(2, 64, 96))
    return network.eval()


def random_inputs(batch, height, width):
    measured = torch.rand(batch, 1, height, width) < 0.3
    measured[:, :, -1, -1] = True
    return torch.randn(batch, 3, height, width), measured * (1 + 9 * torch.rand(batch, 1, height, width))


@pytest.mark.parametrize("gradients", [False, True])
@pytest.mark.parametrize("case", ["norm", "nonorm"])
def test_equals_the_authors_implementation(weights, inputs, case, gradients):
    network = load_official("emdc", weights, depth_norm=case == "norm")
    with torch.set_grad_enabled(gradients):  # which choose the path of the propagation
        output = network(*inputs)
    with np.load(FOLDER / "emdc.npz") as expected:
        close(output.depth.detach(), torch.from_numpy(expected[f"{case}/pred"]), 1e-4)
        # Kept of every fourth row and column.
        for name, depth in (("local", output.local_depth), ("global", output.global_depth)):
            close(depth.detach()[..., ::4, ::4], torch.from_numpy(expected[f"{case}/{name}"]), 1e-4)


def test_official_checkpoint_in_its_wrapping_without_what_is_never_run(weights, inputs):
    used = {key: value for key, value in weights.items() if not key.startswith(("enc.features.18", "enc.classifier"))}
    wrapped = {"state_dict": {f"module.{key}": value for key, value in used.items()}, "best_acc": 0.9, "epoch": 150}
    with torch.inference_mode():
        expected = load_official("emdc", weights)(*inputs)
        close(load_official("emdc", wrapped)(*inputs).depth, expected.depth, 0)
    del used["alpha.weight"]
    with pytest.raises(ValueError, match=r"1 missing: alpha\.weight"):
        load_official("emdc", used)


@pytest.mark.parametrize("size", [(75, 101), (33, 1), (1, 1)])
def test_any_size_and_batch(size):
    network = fused()
    image, sparse_depth = random_inputs(2, *size)
    with torch.inference_mode():
        both = network(image, sparse_depth)
        one = network(image[1:], sparse_depth[1:])
    for name in ("depth", "confidence", "local_depth", "global_depth", "local_weight"):
        assert getattr(both, name).shape == (2, 1, *size)
        close(getattr(both, name)[1:], getattr(one, name), 1e-4)


def test_padding_repeats_the_image_and_moves_no_pixel():
    network = fused()
    image, sparse_depth = random_inputs(1, 50, 70)
    with torch.inference_mode():
        output = network(image, sparse_depth)
        bottom_right = (0, 96 - 70, 0, 64 - 50)
        image = functional.pad(image, bottom_right, mode="replicate")
        sparse_depth = functional.pad(sparse_depth, bottom_right)
        padded = network(image, sparse_depth)
    close(output.depth, padded.depth[..., :50, :70], 1e-6)
    close(output.confidence, padded.confidence[..., :50, :70], 1e-6)


def test_measured_pixels_keep_the_blend_of_both_branches():
    image, sparse_depth = random_inputs(1, 64, 64)
    with torch.inference_mode():
        output = fused()(image, sparse_depth)
    blended = output.local_weight * output.local_depth + (1 - output.local_weight) * output.global_depth
    measured = sparse_depth > 0
    close(output.depth[measured], blended[measured], 1e-4)
    assert (output.depth - blended)[~measured].abs().mean() > 1e-3


def test_normalised_depth_scales_with_the_measurements():
    network = fused()
    image, sparse_depth = random_inputs(1, 32, 32)
    with torch.inference_mode():
        near, far = network(image, sparse_depth), network(image, 8 * sparse_depth)
    torch.testing.assert_close(far.depth, 8 * near.depth, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("depth_norm", [True, False])
def test_an_image_without_measurements_in_a_batch(depth_norm):
    """Has no scale, and so the depth 0, which is unknown; without normalisation the network guesses it."""
    network = create("emdc", depth_norm=depth_norm)
    image, sparse_depth = random_inputs(2, 32, 32)
    sparse_depth[0] = 0
    with torch.inference_mode():
        output = network(image, sparse_depth)
        close(output.depth[1:], network(image[1:], sparse_depth[1:]).depth, 1e-4)
    assert torch.isfinite(output.depth).all()
    assert bool(output.depth[0].any()) != depth_norm


@pytest.mark.parametrize("scale", [0.0, 1.5, -1.0])  # training starts from 0 and knows no bounds
def test_confidence_is_the_weight_of_the_local_depth_before_its_learned_scale(scale):
    network = fused()
    image, sparse_depth = random_inputs(1, 32, 32)
    with torch.inference_mode():
        torch.nn.init.normal_(network.fusion.weight)
        network.fusion_scale.fill_(scale)
        output = network(image, sparse_depth)
    assert 0 <= output.confidence.min() < 0.4 < 0.6 < output.confidence.max() <= 1
    assert torch.equal(output.local_weight, scale * output.confidence)


def test_every_weight_learns():
    network = create("emdc").train()
    torch.nn.init.constant_(network.fusion_scale, 0.5)
    output = network(*random_inputs(2, 64, 96))
    output.depth.square().mean().backward()
    still = [name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()]
    # A batch norm cancels the bias of the convolution before it.
    biases_before_norm = [f"decoder.{stage}.conv.bias" for stage in range(5)]
    assert set(still) <= set(biases_before_norm)


@pytest.mark.parametrize(("channels", "size", "bias"), [(5, 7, False), (4, 3, True)])
def test_convolution_to_one_map(channels, size, bias):
    conv = torch.nn.Conv2d(channels, 1, size, padding=size // 2, bias=bias)
    features = torch.randn(2, channels, 6, 11)
    torch.testing.assert_close(_conv_to_map(conv, features), conv(features))


def test_upsampling_starts_without_a_checkerboard():
    """The four pixels that a pixel becomes are equal at first, and differ from those of other channels."""
    upsample = _Upsample(6, 3)
    shuffled = functional.pixel_shuffle(upsample.conv(torch.randn(1, 6, 5, 4)), 2)
    corners = [shuffled[..., row::2, column::2] for row in (0, 1) for column in (0, 1)]
    for corner in corners[1:]:
        assert torch.equal(corner, corners[0])
    assert not torch.allclose(shuffled[:, 0], shuffled[:, 1])


def test_encoder_features_shrink_by_two_and_widths_scale():
    encoder = MobileNetV2(4, 0.5).eval()
    features = encoder(torch.randn(1, 4, 64, 96))
    assert [feature.shape[-2:] for feature in features] == [(32, 48), (16, 24), (8, 12), (4, 6), (2, 3)]
    assert tuple(feature.shape[1] for feature in features) == encoder.channels == (8, 16, 16, 32, 160)
    assert MobileNetV2(4).channels == (16, 24, 32, 64, 320)


def multiply_adds(network, height, width):
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(torch.randn(1, 3, height, width), torch.rand(1, 1, height, width))
    neighbours = sum(9 * steps * len(dilations) for steps, dilations in network.propagation.schedule)
    return counter.get_total_flops() / 2 + neighbours * height * width  # as many in preset lite as if at full size


def test_paper_preset_has_the_size_of_the_authors_network():
    """Without the 1,693,160 parameters of its classification, which never run; theirs takes 3.746 G at 192x256."""
    network = create("emdc")
    assert sum(weight.numel() for weight in network.parameters()) == 5_269_286
    assert multiply_adds(network, 192, 256) == pytest.approx(3.746e9, rel=1e-3)


@pytest.mark.parametrize("size", [(64, 96), (75, 101), (101, 75), (33, 1), (1, 1)])
@torch.inference_mode()
def test_lite_takes_any_size_and_batch(size):
    network = trained()
    image, sparse_depth = random_inputs(2, *size)
    both, one = network(image, sparse_depth), network(image[1:], sparse_depth[1:])
    for name in ("depth", "confidence", "confidence_logit"):
        assert getattr(both, name).shape == (2, 1, *size)
        torch.testing.assert_close(getattr(both, name)[1:], getattr(one, name), rtol=1e-3, atol=1e-4)
    assert both.depth.min() > 0
    close(both.confidence, both.confidence_logit.sigmoid(), 1e-6)


@torch.inference_mode()
def test_lite_pads_on_the_far_sides_where_no_pixel_moves():
    network = trained()
    image, sparse_depth = random_inputs(1, 50, 70)
    padded = functional.pad(image, (0, 26, 0, 14), mode="replicate")
    expected = network(padded, functional.pad(sparse_depth, (0, 26, 0, 14))).depth[..., :50, :70]
    close(network(image, sparse_depth).depth, expected, 1e-4)


@torch.inference_mode()
def test_lite_does_not_depend_on_the_unit_of_depth():
    network = trained()
    image, sparse_depth = random_inputs(1, 64, 96)
    metres, feet = network(image, sparse_depth), network(image, 3.28 * sparse_depth)
    torch.testing.assert_close(feet.depth, 3.28 * metres.depth, rtol=1e-3, atol=0)
    close(feet.confidence, metres.confidence, 1e-3)


@torch.inference_mode()
def test_untrained_lite_fills_a_wall_from_a_single_point():
    sparse_depth = torch.zeros(1, 1, 64, 160)
    sparse_depth[0, 0, 20, 30] = 7.0
    network = create("emdc", preset="lite")
    network.training = True  # answers all depths, while its batch norms stay as they are
    output = network(torch.randn(1, 3, 64, 160), sparse_depth)
    for depth in (output.depth, output.local_depth, output.global_depth):
        torch.testing.assert_close(depth, torch.full_like(depth, 7.0))


@torch.inference_mode()
def test_lite_propagates_no_depth_from_outside_of_the_image():
    """Whatever the kernels, a map of one depth stays one."""
    network = trained()
    depth = torch.full((1, 1, 20, 30), 1.5)
    measured = torch.zeros(1, 1, 20, 30, dtype=torch.bool)
    close(network._propagate(torch.randn(1, 32, 20, 30), depth, measured), depth, 1e-5)


@torch.inference_mode()
def test_lite_keeps_the_depth_of_measured_places():
    network = trained()
    depth, measured = torch.randn(1, 1, 20, 30), torch.rand(1, 1, 20, 30) < 0.3
    propagated = network._propagate(torch.randn(1, 32, 20, 30), depth, measured)
    close(propagated[measured], depth[measured], 0)
    assert (propagated - depth)[~measured].abs().mean() > 0.05


@torch.inference_mode()
def test_lite_blends_as_its_local_weight_says():
    network = trained()
    network.training = True  # answers all depths, while its batch norms stay as they are
    image, sparse_depth = random_inputs(1, 64, 96)
    for bias, name in ((50.0, "local_depth"), (-50.0, "global_depth")):
        network.fusion.bias.fill_(bias)
        network.spreading.forward = lambda answer, found, measured, there: (found, found)
        network._propagate = lambda features, depth, measured: depth
        network.upsample.combine = lambda answer, depth: doubled(depth)
        output = network(image, sparse_depth)
        torch.testing.assert_close(output.depth, getattr(output, name), rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_without_measurements_the_depth_of_lite_is_0_and_so_is_its_confidence():
    network = trained()
    image, sparse_depth = random_inputs(2, 32, 48)
    sparse_depth[0] = 0
    output, alone = network(image, sparse_depth), network(image[1:], sparse_depth[1:])
    assert not output.depth[0].any() and not output.confidence[0].any()
    torch.testing.assert_close(output.depth[1:], alone.depth, rtol=1e-4, atol=1e-4)


def test_every_weight_of_lite_learns():
    network = trained().train()
    output = network(*random_inputs(2, 64, 96))
    (output.depth.square().mean() + output.confidence.mean()).backward()
    still = [name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert still == []


@pytest.mark.parametrize("cast", ["autocast", "weights"])
@torch.inference_mode()
def test_half_precision_answers_metres_in_float32(cast):
    network = trained()
    image, sparse_depth = random_inputs(1, 64, 96)
    expected = network(image, sparse_depth).depth
    if cast == "weights":
        network = network.bfloat16()
    with torch.autocast("cpu", torch.bfloat16, enabled=cast == "autocast"):
        output = network(image, sparse_depth)
    assert output.depth.dtype == output.confidence.dtype == torch.float32
    assert (output.depth - expected).abs().mean() < 0.05 * expected.mean()


def test_lite_always_works_on_relative_depth():
    with pytest.raises(ValueError, match="emdc: depth_norm False is an option of preset 'paper'"):
        create("emdc", preset="lite", depth_norm=False)


def test_lite_preset_is_within_its_budget():
    network = create("emdc", preset="lite")
    assert sum(weight.numel() for weight in network.parameters()) <= 3e6
    # 352 x 1216 pixels are 52.25 times these.
    assert 52.25 * multiply_adds(network, 64, 128) <= 12e9
