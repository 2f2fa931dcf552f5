"""NLSPN against numbers of the authors' implementation, and in what those do not show."""

import numpy as np
import pytest
import torch
from learned import close, scan
from parity.fill import FOLDER, official_weights

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
    "option", [{"backbone": "resnet18"}, {"affinity": "TC"}, {"sampling": "legacy"}, {"preserve_input": True}]
)
def test_lite_has_no_options(option):
    (name, value), *_ = option.items()
    with pytest.raises(ValueError, match=f"nlspn: {name} {value!r} is an option of preset 'paper'"):
        create("nlspn", preset="lite", **option)


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
