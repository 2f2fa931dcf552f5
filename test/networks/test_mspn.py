"""MSPN against numbers of the authors' implementation, and in what those do not show."""

import math

import numpy as np
import pytest
import torch
from learned import close, trained
from parity.fill import FOLDER, official_weights
from torch.utils.flop_counter import FlopCounterMode

from depth_completion_ros.checkpoints import load_official
from depth_completion_ros.networks import mspn_lite
from depth_completion_ros.networks.completionformer import CompletionFormerEncoder
from depth_completion_ros.networks.planes import Surroundings
from depth_completion_ros.networks.registry import create

# Case: keys, options, and the largest error, ten times that of the authors' implementation in float32.
CASES = {
    "sdr_nyu": ("mspn_sdr", {"mode": "sdr", "rules": "nyu"}, 3e-5),
    "sdr_kitti": ("mspn_sdr", {"mode": "sdr", "rules": "kitti"}, 4e-4),
    "conv_nyu": ("mspn_conv_nyu", {"mode": "conventional", "rules": "nyu"}, 3e-5),
}


@pytest.fixture(scope="module")
def parity():
    with np.load(FOLDER / "mspn.npz") as arrays:
        return {key: torch.from_numpy(arrays[key]) for key in arrays}


@pytest.fixture(scope="module")
def sdr_network():
    return load_official("mspn", official_weights("mspn_sdr", "sdr_nyu"), mode="sdr", rules="nyu")


@pytest.mark.parametrize("case", CASES)
def test_equals_the_authors_implementation(parity, case):
    keys, options, tolerance = CASES[case]
    network = load_official("mspn", official_weights(keys, case), **options)
    sparse_depth = parity["sdr_kitti/dep" if case == "sdr_kitti" else "sdr_nyu/dep"]
    with torch.inference_mode():
        output = network(parity["rgb"], sparse_depth, parity.get(f"{case}/dep_MD"))
        close(output.depth, parity[f"{case}/pred"], tolerance)
        if options["mode"] == "sdr":
            close(output.confidence, parity[f"{case}/mask_12"], 1e-5)
            return
        close(output.initial_depth, parity["conv_nyu/pred_init"], 1e-5)
        guidance, _ = network.guidance(parity["rgb"], sparse_depth, None)
        mask = (sparse_depth > 0).float()
        first = network.propagation(guidance, output.initial_depth, sparse_depth, mask, 1, keep_measured=True)
        close(first[0], parity["conv_nyu/inter_01"], tolerance)
        close(first[1], parity["conv_nyu/mask_01"], 1e-5)


@pytest.mark.parametrize(
    ("options", "parameters", "multiply_adds"),
    [
        ({"mode": "sdr", "rules": "nyu"}, 82_504_674, 74.91e9),
        ({"mode": "sdr", "rules": "kitti"}, 82_504_674, 74.91e9),
        ({"mode": "conventional", "rules": "nyu"}, 82_622_930, 82.01e9),
        ({"mode": "conventional", "rules": "kitti"}, 82_738_066, 87.12e9),
    ],
)
def test_paper_preset_has_the_size_of_the_authors_networks(monkeypatch, options, parameters, multiply_adds):
    monkeypatch.setattr("depth_completion_ros.networks.mspn.conv_in_float32", lambda conv, features: conv(features))
    with torch.device("meta"):
        network = create("mspn", **options)
        image, depth = torch.empty(1, 3, 228, 304), torch.empty(1, 1, 228, 304)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network.guidance(image, depth, depth if options["mode"] == "sdr" else None)
    assert sum(weight.numel() for weight in network.parameters()) == parameters
    assert counter.get_total_flops() / 2 == pytest.approx(multiply_adds, rel=1e-3)


def test_kitti_weights_of_the_conventional_mode_fit():
    weights = official_weights("mspn_conv_kitti", "conv_kitti")
    network = load_official("mspn", weights, mode="conventional", rules="kitti")
    assert torch.equal(network.propagation.position_bias, weights["prop_layer.mspn.rpb"])
    with pytest.raises(ValueError, match=r"prop_layer\.mspn\.conv\.weight"):
        load_official("mspn", weights, mode="conventional", rules="nyu")
    with pytest.raises(ValueError, match=r"backbone\.conv1_dep_MD"):
        load_official("mspn", weights, mode="sdr", rules="kitti")


@torch.inference_mode()
def test_odd_sizes_and_batches(sdr_network):
    """As 200 and 900 points both take the fewest steps, an image answers alike in and out of a batch."""
    image, sparse_depth = torch.randn(2, 3, 75, 101), sparse(75, 101, 500, 900)
    monocular = 1 + 5 * torch.rand(2, 1, 75, 101)
    both = sdr_network(image, sparse_depth, monocular)
    one = sdr_network(image[1:], sparse_depth[1:], monocular[1:])
    for name in ("depth", "confidence", "initial_depth"):
        assert getattr(both, name).shape == (2, 1, 75, 101)
        close(getattr(both, name)[1:], getattr(one, name), 1e-4)


def sparse(height, width, *points):
    depth = torch.zeros(len(points), 1, height, width)
    for image, count in zip(depth, points, strict=True):
        image.view(-1)[torch.randperm(height * width)[:count]] = 1 + 5 * torch.rand(count)
    return depth


@torch.inference_mode()
def test_the_sparsest_image_decides_the_steps_of_the_first_propagation_only(sdr_network):
    steps = []
    layers = sdr_network.propagation, sdr_network.second_propagation
    hooks = [layer.register_forward_pre_hook(lambda _, arguments: steps.append(arguments[4])) for layer in layers]
    sparse_depth = sparse(32, 40, 100, 2)
    sdr_network(torch.randn(2, 3, 32, 40), sparse_depth, sparse_depth + 1)
    for hook in hooks:
        hook.remove()
    assert steps == [math.floor((math.sqrt(32 * 40 / 2) - 1) / 3) + 1, 6]


@torch.inference_mode()
def test_rules_of_nyu_keep_the_measurements(sdr_network):
    sparse_depth = sparse(32, 40, 100)
    measured = sparse_depth > 0
    output = sdr_network(torch.randn(1, 3, 32, 40), sparse_depth, torch.full_like(sparse_depth, 3.0))
    assert torch.equal(output.depth[measured], sparse_depth[measured])
    assert (output.confidence[measured] == 1).all()
    assert output.confidence.min() >= 0
    assert output.confidence.max() <= 1


def test_what_cannot_work_is_refused(sdr_network):
    image, sparse_depth = torch.zeros(1, 3, 30, 64), sparse(30, 64, 50)
    with pytest.raises(ValueError, match="at least 31x31 pixels, got 64x30"):
        sdr_network(image, sparse_depth, sparse_depth)
    image, sparse_depth = torch.zeros(1, 3, 32, 64), sparse(32, 64, 50)
    for network in (sdr_network, create("mspn", preset="lite", mode="sdr")):
        with pytest.raises(ValueError, match="'sdr' refines a monocular depth estimate: pass it as initial_depth"):
            network(image, sparse_depth)
        with pytest.raises(ValueError, match="no measurement"):
            network(image, torch.zeros_like(sparse_depth), sparse_depth)


def test_smallest_size_is_the_encoders():
    encoder = CompletionFormerEncoder().eval()
    with torch.inference_mode():
        sizes = [tuple(features.shape[-2:]) for features in encoder(torch.randn(1, 64, 31, 63))]
    assert sizes == [(31, 63), (16, 32), (8, 16), (4, 8), (2, 4), (1, 2)]


def test_position_embedding_of_the_first_stage_is_taken_as_it_is_for_as_many_pixels_in_any_shape():
    first, second = CompletionFormerEncoder().transformer[:2]
    assert torch.equal(first._position(56, 224), first.position)
    assert not torch.allclose(second._position(14, 56), second.position)
    torch.testing.assert_close(second._position(28, 28), second.position)
    last = CompletionFormerEncoder().transformer[3]
    torch.testing.assert_close(last._position(7, 7), last.position[:, 1:])


@torch.inference_mode()
def test_lite_uses_the_monocular_estimate_in_mode_sdr_only():
    image, sparse_depth, monocular = torch.randn(1, 3, 64, 96), sparse(64, 96, 300), 1 + torch.rand(1, 1, 64, 96)
    for mode in ("conventional", "sdr"):
        network = trained("mspn", mode=mode)
        one, other = (network(image, sparse_depth, estimate).depth for estimate in (monocular, 2 * monocular))
        assert torch.equal(one, other) == (mode == "conventional")


@torch.inference_mode()
def test_above_the_top_line_lite_continues_upright_unless_an_estimate_tells_the_depth():
    image, sparse_depth = torch.zeros(1, 3, 64, 96), sparse(64, 96, 600)
    sparse_depth[:, :, :32] = 0
    estimate = torch.linspace(50, 5, 64).view(1, 1, 64, 1).expand(1, 1, 64, 96)
    upright = trained("mspn", mode="conventional")(image, sparse_depth).depth
    # At the top it is a mean over many columns of the row that was measured, and varies less.
    assert upright[0, 0, 0].std() < upright[0, 0, 34].std()
    network = trained("mspn", mode="sdr")
    far, near = (network(image, sparse_depth, each).depth for each in (estimate, estimate.flip(2)))
    assert (far[0, 0, 0] > 1.1 * near[0, 0, 0]).all()


def surroundings(measured, count):
    """What the propagation looks at."""
    zero = torch.zeros_like(count)
    return Surroundings(torch.zeros(1, 1, 1, 1), zero, zero, zero, zero + 1, measured * (count > 0), count)


def test_where_in_its_cell_a_measurement_lies_does_not_matter():
    """On a plane that the prediction gets right, no measurement differs from it, however coarse the cells."""
    plane = 0.01 * torch.arange(36.0).view(1, 1, 36, 1).expand(1, 1, 36, 72)
    coarse = torch.nn.functional.avg_pool2d(plane, 4)
    count = (torch.rand(1, 1, 36, 72) < 0.1).float()
    count[..., :4, :] = count[..., -4:, :] = 0  # where the prediction is not interpolated
    propagation = mspn_lite._Propagation(16, keep_measured=True)
    with torch.no_grad():
        initial, state = propagation(torch.randn(1, 16, 9, 18), coarse, surroundings(plane, count), 0)
    torch.testing.assert_close(initial, coarse)
    torch.testing.assert_close(state[:, :1], coarse, rtol=1e-4, atol=1e-5)
    assert torch.equal(state[:, 1:] > 0, torch.nn.functional.max_pool2d(count, 4) > 0)


def test_a_measurement_far_from_the_prediction_is_doubted():
    measured, count = torch.zeros(1, 1, 36, 36), torch.zeros(1, 1, 36, 36)
    for row, log_depth in ((2, 0.0), (14, 0.25), (26, -1.6)):
        measured[0, 0, row, 10], count[0, 0, row, 10] = log_depth, 1
    propagation = mspn_lite._Propagation(16, keep_measured=False)
    with torch.no_grad():
        _, state = propagation(torch.zeros(1, 16, 9, 9), torch.zeros(1, 1, 9, 9), surroundings(measured, count), 0)
    fits, near, far = state[0, 1, (0, 3, 6), 2].tolist()
    assert 0.85 < fits < 0.9
    assert fits > near > 0.7
    assert far < 0.4
