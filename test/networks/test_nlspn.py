"""NLSPN against numbers of the authors' implementation, and in what those do not show."""

import numpy as np
import pytest
import torch
from parity.fill import FOLDER, official_weights
from torch.utils.flop_counter import FlopCounterMode

from depth_completion_ros.checkpoints import load_official
from depth_completion_ros.networks import nlspn_lite
from depth_completion_ros.networks.propagation.neighbours import GRID, AffinityNormalisation
from depth_completion_ros.networks.propagation.non_local import propagate
from depth_completion_ros.networks.registry import create

AROUND = torch.tensor(GRID, dtype=torch.float32).view(1, 8, 2, 1, 1)
CASES = {
    "tgass_legacy_preserve": {"legacy": True},
    "tgass_new_preserve": {},
    "tc_new": {"affinity": "TC"},
    "ass_new": {"affinity": "ASS"},
}


@pytest.fixture(autouse=True)
def same_random_numbers_in_every_run():
    torch.manual_seed(0)


@pytest.fixture(scope="module")
def parity():
    with np.load(FOLDER / "nlspn.npz") as arrays:
        return {key: torch.from_numpy(arrays[key]) for key in arrays}


@pytest.fixture(scope="module")
def weights():
    return official_weights("nlspn", "tgass")


@pytest.mark.parametrize("case", CASES)
def test_equals_the_authors_implementation(parity, weights, case):
    """The cases without "preserve" in their name were run with it, too, as their first step shows."""
    scale = {"tc_new": 8.0, "ass_new": 1.0}.get(case, 5.2)
    case_weights = weights | {"prop_layer.aff_scale_const": torch.tensor([scale])}
    network = load_official("nlspn", case_weights, preserve_input=True, **CASES[case])
    image, sparse_depth = parity["input/rgb"], parity["input/dep"]
    with torch.inference_mode():
        output = network(image, sparse_depth)
        first = propagate(output.initial_depth, output.displacement, output.affinity, 1, sparse_depth)

    close(output.initial_depth, parity["pred_init"], 1e-5)
    close(output.confidence, parity["confidence"], 1e-5)
    offset = output.displacement - AROUND
    centre = torch.zeros_like(offset[:, :1])
    own = 1 - output.affinity.sum(1, keepdim=True)
    # Kept of every fourth row and column.
    close(in_tap_order(offset, centre).flatten(1, 2)[..., ::4, ::4], parity[f"{case}/offset"], 1e-5)
    close(in_tap_order(output.affinity, own)[..., ::4, ::4], parity[f"{case}/aff"], 1e-5)
    close(first, parity[f"{case}/pred_inter_first"], 1e-4)
    if case != "ass_new":  # whose affinities make the depth grow with every step
        close(output.depth, parity[f"{case}/pred"], 1e-3)


def in_tap_order(neighbours, pixel):
    return torch.cat([neighbours[:, :4], pixel, neighbours[:, 4:]], 1)


def close(actual, expected, tolerance):
    torch.testing.assert_close(actual, expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("AS", [0.5 / 0.7501, -0.25 / 0.7501]),
        ("ASS", [0.5, -0.25]),
        ("TC", [np.tanh(1) / 8 * 0.5, np.tanh(-0.25) / 8]),
        ("TGASS", [np.tanh(1) / 4 * 0.5, np.tanh(-0.25) / 4]),
    ],
)
def test_affinity_normalisation_of_a_small_sum(kind, expected):
    raw, confidence = torch.tensor([1.0, -0.25]).view(1, 2, 1, 1), torch.tensor([0.5, 1.0]).view(1, 2, 1, 1)
    close(AffinityNormalisation(kind)(raw, confidence).flatten(), torch.tensor(expected, dtype=torch.float32), 1e-6)


@pytest.mark.parametrize("kind", ["AS", "ASS", "TGASS"])
def test_affinity_normalisation_of_a_large_sum(kind):
    normalise = AffinityNormalisation(kind)
    normalise.scale.data.fill_(0.1)
    raw = torch.tensor([3.0, -1.0]).view(1, 2, 1, 1)
    weighted = torch.tanh(raw) / 0.1 if kind == "TGASS" else raw
    expected = weighted / (weighted.abs().sum() + 1e-4)
    close(normalise(raw, torch.ones_like(raw)), expected, 1e-6)


@pytest.mark.parametrize(
    ("sampling", "confidence_steps", "depth_steps"), [("consistent", 1, 1), ("official", 0, 1), ("legacy", 1, 2)]
)
def test_where_confidence_and_depth_of_a_neighbour_are_read(sampling, confidence_steps, depth_steps):
    network = create("nlspn", backbone="resnet18", sampling=sampling, affinity="ASS")
    predicted = torch.zeros(1, 24, 5, 5)
    predicted[:, 1:16:2] = 1  # every offset: one column to the right
    predicted[:, 16:] = 0.1
    confidence = torch.rand(1, 1, 5, 5)
    displacement, affinity = network._neighbourhood(predicted, confidence)
    for n, (row, column) in enumerate(GRID):
        assert displacement[0, n, :, 2, 1].tolist() == [depth_steps * row, depth_steps * column + 1]
        read = confidence[0, 0, 2 + confidence_steps * row, 2 + confidence_steps * column]
        close(affinity[0, n, 2, 1], 0.1 * read, 1e-6)


@pytest.mark.parametrize("size", [(75, 101), (33, 1), (1, 1)])
def test_any_size_and_batch(size):
    network = create("nlspn", backbone="resnet18")
    image, sparse_depth = torch.randn(2, 3, *size), 10 * torch.rand(2, 1, *size)
    with torch.inference_mode():
        both = network(image, sparse_depth)
        one = network(image[1:], sparse_depth[1:])
    assert both.depth.shape == both.confidence.shape == (2, 1, *size)
    assert (both.depth >= 0).all()
    close(both.depth[1:], one.depth, 1e-4)


def test_preserved_input_shapes_the_result():
    options = {"backbone": "resnet18", "affinity": "ASS"}
    plain, preserving = create("nlspn", **options), create("nlspn", **options, preserve_input=True)
    preserving.load_state_dict(plain.state_dict())
    image, sparse_depth = torch.randn(1, 3, 16, 16), torch.zeros(1, 1, 16, 16)
    with torch.inference_mode():
        # Without measurements, and without affinities, as initialised: nothing to preserve, nothing moves.
        close(preserving(image, sparse_depth).depth, plain(image, sparse_depth).initial_depth.clamp(min=0), 1e-6)
        sparse_depth[0, 0, 5, 6] = 50.0
        assert preserving(image, sparse_depth).depth[0, 0, 5, 6] == 50.0
        assert plain(image, sparse_depth).depth[0, 0, 5, 6] < 10.0


@pytest.mark.parametrize(("backbone", "trainable"), [("resnet34", 26_231_779), ("resnet18", 16_123_619)])
def test_paper_preset_has_the_size_of_the_authors_network(backbone, trainable):
    """Which keeps 11 more numbers, the constant weights of its propagation, as parameters."""
    assert sum(weight.numel() for weight in create("nlspn", backbone=backbone).parameters()) == trainable


@pytest.mark.parametrize(
    "options",
    [{"affinity": "tanh"}, {"sampling": "old"}, {"backbone": "resnet50"}, {"preset": "lite", "backbone": "resnet18"}],
)
def test_unknown_options_are_refused(options):
    value = list(options.values())[-1]
    with pytest.raises(ValueError, match=f"nlspn: .*'{value}'"):
        create("nlspn", **options)


@pytest.mark.parametrize("option", [{"affinity": "TC"}, {"sampling": "legacy"}, {"preserve_input": True}])
def test_lite_has_no_options(option):
    (name, value), *_ = option.items()
    with pytest.raises(ValueError, match=f"nlspn: {name} {value!r} is an option of preset 'paper'"):
        create("nlspn", preset="lite", **option)


def trained():
    """A lite network that corrects and propagates, as after training."""
    network = create("nlspn", preset="lite")
    for head, std in ((network.head, 0.05), (network.spreading.head, 0.02), (network.upsample.head, 0.02)):
        torch.nn.init.normal_(head.weight, std=std)
    return network


def scan(batch, height, width, lines=4):
    """As many rows of measurements, 2 to 20 m away."""
    sparse_depth = torch.zeros(batch, 1, height, width)
    rows = torch.linspace(0, height - 1, lines).round().long()
    sparse_depth[:, :, rows] = 2 + 18 * torch.rand(batch, 1, lines, width)
    return sparse_depth


@pytest.mark.parametrize("size", [(64, 96), (75, 101), (101, 75), (33, 1), (1, 1)])
@torch.inference_mode()
def test_lite_takes_any_size_and_batch(size):
    network = trained()
    image, sparse_depth = torch.randn(2, 3, *size), scan(2, *size)
    both, one = network(image, sparse_depth), network(image[1:], sparse_depth[1:])
    for name in ("depth", "confidence", "confidence_logit"):
        assert getattr(both, name).shape == (2, 1, *size)
        torch.testing.assert_close(getattr(both, name)[1:], getattr(one, name), rtol=1e-3, atol=1e-4)
    assert both.depth.min() > 0
    close(both.confidence, both.confidence_logit.sigmoid(), 1e-6)


@torch.inference_mode()
def test_lite_pads_on_the_far_sides_where_no_pixel_moves():
    network = trained()
    image, sparse_depth = torch.randn(1, 3, 50, 70), scan(1, 50, 70)
    padded = torch.nn.functional.pad(image, (0, 26, 0, 14), mode="replicate")
    expected = network(padded, torch.nn.functional.pad(sparse_depth, (0, 26, 0, 14))).depth[..., :50, :70]
    close(network(image, sparse_depth).depth, expected, 1e-4)


@torch.inference_mode()
def test_lite_does_not_depend_on_the_unit_of_depth():
    network, image, sparse_depth = trained(), torch.randn(1, 3, 64, 96), scan(1, 64, 96)
    metres, feet = network(image, sparse_depth), network(image, 3.28 * sparse_depth)
    torch.testing.assert_close(feet.depth, 3.28 * metres.depth, rtol=1e-3, atol=0)
    close(feet.confidence, metres.confidence, 1e-3)


@torch.inference_mode()
def test_untrained_lite_fills_a_wall_from_a_single_point():
    sparse_depth = torch.zeros(1, 1, 64, 160)
    sparse_depth[0, 0, 20, 30] = 7.0
    depth = create("nlspn", preset="lite")(torch.randn(1, 3, 64, 160), sparse_depth).depth
    torch.testing.assert_close(depth, torch.full_like(depth, 7.0))


@torch.inference_mode()
def test_without_measurements_the_depth_of_lite_is_0_and_so_is_its_confidence():
    network, image, sparse_depth = trained(), torch.randn(2, 3, 32, 48), scan(2, 32, 48)
    sparse_depth[0] = 0
    output, alone = network(image, sparse_depth), network(image[1:], sparse_depth[1:])
    assert not output.depth[0].any() and not output.confidence[0].any()
    torch.testing.assert_close(output.depth[1:], alone.depth, rtol=1e-4, atol=1e-4)


def test_neighbours_outside_of_the_map_are_those_at_its_border():
    displacement = torch.tensor([[-2.0, 0.5], [9.0, -3.0]]).view(1, 2, 2, 1, 1).expand(1, 2, 2, 3, 4)
    row, column = nlspn_lite._inside(displacement).unbind(2)
    assert row[0, 0, :, 0].tolist() == [0, -1, -2]
    assert row[0, 1, :, 0].tolist() == [2, 1, 0]
    assert column[0, 0, 0].tolist() == [0.5, 0.5, 0.5, 0]
    assert column[0, 1, 0].tolist() == [0, -1, -2, -3]


@torch.inference_mode()
def test_lite_spreads_the_depth_of_the_neighbours_it_chose():
    """All of the affinity on the neighbour above, so that after as many steps the depth is that of so many rows up."""
    network, sparse_depth = create("nlspn", preset="lite"), scan(1, 64, 96, lines=33)
    image = torch.randn(1, 3, 64, 96)
    network.training = True  # answers the depth before, too, while its batch norms stay as they are
    network.normalise_affinity.scale.fill_(0.1)
    network.head.bias[1] = 50.0  # full confidence
    network.spreading.head.bias[-3] = 50.0  # takes nothing else
    network.head.bias[2 + 16 + GRID.index((-1, 0))] = 50.0
    output = network(image, sparse_depth)
    before, after = (
        torch.nn.functional.avg_pool2d(each.log(), 2) for each in (output.initial_depth, output.depth)
    )
    steps = nlspn_lite._STEPS
    above = torch.stack([after[..., steps:, :].flatten(), before[..., :-steps, :].flatten()])
    assert torch.corrcoef(above)[0, 1] > 0.95
    assert torch.corrcoef(torch.stack([after.flatten(), before.flatten()]))[0, 1] < 0.7


def test_every_weight_of_lite_learns():
    network = trained().train()
    output = network(torch.randn(2, 3, 64, 96), scan(2, 64, 96))
    (output.depth.square().mean() + output.confidence.mean()).backward()
    still = [name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert still == []


@pytest.mark.parametrize("cast", ["autocast", "weights"])
@torch.inference_mode()
def test_half_precision_answers_metres_in_float32(cast):
    network = trained()
    image, sparse_depth = torch.randn(1, 3, 64, 96), scan(1, 64, 96)
    expected = network(image, sparse_depth).depth
    if cast == "weights":
        network = network.bfloat16()
    with torch.autocast("cpu", torch.bfloat16, enabled=cast == "autocast"):
        output = network(image, sparse_depth)
    assert output.depth.dtype == output.confidence.dtype == torch.float32
    assert (output.depth - expected).abs().mean() < 0.02 * expected.mean()


def test_lite_preset_is_within_its_budget():
    network = create("nlspn", preset="lite")
    height, width = 96, 304
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(torch.randn(1, 3, height, width), scan(1, height, width))
    propagation = nlspn_lite._STEPS * 9 * 6 * height * width / 4
    assert sum(weight.numel() for weight in network.parameters()) <= 3e6
    assert 352 * 1216 / (height * width) * (counter.get_total_flops() / 2 + propagation) <= 12e9
