"""EMDC against numbers of the authors' implementation, and in what those do not show."""

import numpy as np
import pytest
import torch
from learned import close, inputs, trained
from parity.fill import FOLDER, official_weights
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from depth_completion_ros.checkpoints import load_official
from depth_completion_ros.networks import emdc
from depth_completion_ros.networks.emdc import _conv_to_map, _Upsample
from depth_completion_ros.networks.lite import doubled
from depth_completion_ros.networks.mobilenet import MobileNetV2
from depth_completion_ros.networks.registry import create


@pytest.fixture(scope="module")
def weights():
    return official_weights("emdc", "norm")


@pytest.fixture(scope="module")
def frame():
    with np.load(FOLDER / "nlspn.npz") as arrays:  # whose cases had the same
        return torch.from_numpy(arrays["input/rgb"]), torch.from_numpy(arrays["input/dep"])


@pytest.mark.parametrize("gradients", [False, True])
@pytest.mark.parametrize("case", ["norm", "nonorm"])
def test_equals_the_authors_implementation(weights, frame, case, gradients):
    network = load_official("emdc", weights, depth_norm=case == "norm")
    with torch.set_grad_enabled(gradients):  # which choose the path of the propagation
        output = network(*frame)
    with np.load(FOLDER / "emdc.npz") as expected:
        close(output.depth.detach(), torch.from_numpy(expected[f"{case}/pred"]), 1e-4)
        # Kept of every fourth row and column.
        for name, depth in (("local", output.local_depth), ("global", output.global_depth)):
            close(depth.detach()[..., ::4, ::4], torch.from_numpy(expected[f"{case}/{name}"]), 1e-4)


def test_official_checkpoint_in_its_wrapping_without_what_is_never_run(weights, frame):
    used = {key: value for key, value in weights.items() if not key.startswith(("enc.features.18", "enc.classifier"))}
    wrapped = {"state_dict": {f"module.{key}": value for key, value in used.items()}, "best_acc": 0.9, "epoch": 150}
    with torch.inference_mode():
        expected = load_official("emdc", weights)(*frame)
        close(load_official("emdc", wrapped)(*frame).depth, expected.depth, 0)
    del used["alpha.weight"]
    with pytest.raises(ValueError, match=r"1 missing: alpha\.weight"):
        load_official("emdc", used)


@pytest.mark.parametrize("size", [(75, 101), (33, 1), (1, 1)])
def test_any_size_and_batch(size):
    network = trained("emdc", "paper")
    image, sparse_depth, _ = inputs(2, *size)
    with torch.inference_mode():
        both = network(image, sparse_depth)
        one = network(image[1:], sparse_depth[1:])
    for name in ("depth", "confidence", "local_depth", "global_depth", "local_weight"):
        assert getattr(both, name).shape == (2, 1, *size)
        close(getattr(both, name)[1:], getattr(one, name), 1e-4)


def test_measured_pixels_keep_the_blend_of_both_branches():
    image, sparse_depth, _ = inputs(1, 64, 64)
    with torch.inference_mode():
        output = trained("emdc", "paper")(image, sparse_depth)
    blended = output.local_weight * output.local_depth + (1 - output.local_weight) * output.global_depth
    measured = sparse_depth > 0
    close(output.depth[measured], blended[measured], 1e-4)
    assert (output.depth - blended)[~measured].abs().mean() > 1e-3


@pytest.mark.parametrize("depth_norm", [True, False])
def test_an_image_without_measurements_in_a_batch(depth_norm):
    """Has no scale, and so the depth 0, which is unknown; without normalisation the network guesses it."""
    network = create("emdc", depth_norm=depth_norm)
    image, sparse_depth, _ = inputs(2, 32, 32)
    sparse_depth[0] = 0
    with torch.inference_mode():
        output = network(image, sparse_depth)
        close(output.depth[1:], network(image[1:], sparse_depth[1:]).depth, 1e-4)
    assert torch.isfinite(output.depth).all()
    assert bool(output.depth[0].any()) != depth_norm


@pytest.mark.parametrize("scale", [0.0, 1.5, -1.0])  # training starts from 0 and knows no bounds
def test_confidence_is_the_weight_of_the_local_depth_before_its_learned_scale(scale):
    network = trained("emdc", "paper")
    image, sparse_depth, _ = inputs(1, 32, 32)
    with torch.inference_mode():
        torch.nn.init.normal_(network.fusion.weight)
        network.fusion_scale.fill_(scale)
        output = network(image, sparse_depth)
    assert 0 <= output.confidence.min() < 0.4 < 0.6 < output.confidence.max() <= 1
    assert torch.equal(output.local_weight, scale * output.confidence)


def test_every_weight_learns():
    network = create("emdc").train()
    torch.nn.init.constant_(network.fusion_scale, 0.5)
    output = network(*inputs(2, 64, 96))
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


@torch.inference_mode()
def test_no_map_of_the_paper_preset_takes_autocast_or_tf32(monkeypatch, tf32):
    convolve, during = functional.conv2d, []

    def record(*arguments, **options):
        during.append((tf32.allowed, torch.is_autocast_enabled("cpu")))
        return convolve(*arguments, **options)

    def to_map(conv, features):
        with monkeypatch.context() as within:
            within.setattr(functional, "conv2d", record)
            answer = _conv_to_map(conv, features)
        assert answer.dtype == torch.float32
        return answer

    monkeypatch.setattr(emdc, "_conv_to_map", to_map)
    tf32.allowed = True
    with torch.autocast("cpu", torch.bfloat16):
        output = trained("emdc", "paper")(*inputs(1, 32, 32))
    assert output.depth.dtype == torch.float32
    assert during == [(False, False)] * 3


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


def test_paper_preset_has_the_size_of_the_authors_network():
    """Without the 1,693,160 parameters of its classification, which never run; theirs takes 3.746 G at 192x256."""
    network = create("emdc")
    assert sum(weight.numel() for weight in network.parameters()) == 5_269_286
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(torch.randn(1, 3, 192, 256), torch.rand(1, 1, 192, 256))
    neighbours = sum(9 * steps * len(dilations) for steps, dilations in network.propagation.schedule)
    assert counter.get_total_flops() / 2 + neighbours * 192 * 256 == pytest.approx(3.746e9, rel=1e-3)


@torch.inference_mode()
def test_lite_propagates_no_depth_from_outside_of_the_image():
    """Whatever the kernels, a map of one depth stays one."""
    network = trained("emdc")
    depth = torch.full((1, 1, 20, 30), 1.5)
    measured = torch.zeros(1, 1, 20, 30, dtype=torch.bool)
    close(network._propagate(torch.randn(1, 32, 20, 30), depth, measured), depth, 1e-5)


@torch.inference_mode()
def test_lite_keeps_the_depth_of_measured_places():
    network = trained("emdc")
    depth, measured = torch.randn(1, 1, 20, 30), torch.rand(1, 1, 20, 30) < 0.3
    propagated = network._propagate(torch.randn(1, 32, 20, 30), depth, measured)
    close(propagated[measured], depth[measured], 0)
    assert (propagated - depth)[~measured].abs().mean() > 0.05


@torch.inference_mode()
def test_lite_blends_as_its_local_weight_says():
    network = trained("emdc")
    network.training = True  # answers all depths, while its batch norms stay as they are
    image, sparse_depth, _ = inputs(1, 64, 96)
    for bias, name in ((50.0, "local_depth"), (-50.0, "global_depth")):
        network.fusion.bias.fill_(bias)
        network.spreading.forward = lambda answer, found, measured, there: (found, found)
        network._propagate = lambda features, depth, measured: depth
        network.upsample.combine = lambda answer, depth: doubled(depth)
        output = network(image, sparse_depth)
        torch.testing.assert_close(output.depth, getattr(output, name), rtol=1e-4, atol=1e-4)


def test_lite_always_works_on_relative_depth():
    with pytest.raises(ValueError, match="emdc: depth_norm False is an option of preset 'paper'"):
        create("emdc", preset="lite", depth_norm=False)
