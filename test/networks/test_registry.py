"""What every network refuses, and what it remembers of how it was built."""

import pytest
import torch

from depth_completion_ros.networks.registry import create


def inputs():
    return torch.zeros(2, 3, 8, 9), torch.ones(2, 1, 8, 9), torch.ones(2, 1, 8, 9)


@pytest.fixture(scope="module")
def network():
    return create("nlspn", preset="lite")


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize(("index", "name"), [(0, "image"), (1, "sparse_depth"), (2, "initial_depth")])
def test_nan_and_infinity_are_refused(network, index, name, value):
    broken = inputs()
    broken[index][1, 0, 3, 4] = value
    with pytest.raises(ValueError, match=f"{name} holds 1 NaN or infinite"):
        network(*broken)


def test_shapes_that_do_not_belong_together_are_refused(network):
    image, sparse_depth, initial_depth = inputs()
    with pytest.raises(ValueError, match=r"image is \(2, 3, 8, 8\), expected \(2, 3, 8, 9\)"):
        network(image[..., 1:], sparse_depth)
    with pytest.raises(ValueError, match=r"initial_depth is \(1, 1, 8, 9\), expected \(2, 1, 8, 9\)"):
        network(image, sparse_depth, initial_depth[:1])
    with pytest.raises(ValueError, match=r"sparse_depth is \(8, 9\), expected \(N, 1, H, W\)"):
        network(image, sparse_depth[0, 0])
    with pytest.raises(ValueError, match="needs an image"):
        network(None, sparse_depth)


def test_a_network_remembers_what_it_was_built_from(network):
    assert network.name == "nlspn"
    assert network.options["preset"] == "lite"
    assert network.options["affinity"] == "TGASS"
    rebuilt = create(network.name, **network.options)
    assert rebuilt.options == network.options


@pytest.mark.parametrize("value", ["no", "False", 0, None])
def test_an_option_that_is_true_or_false_is_nothing_else(value):
    with pytest.raises(ValueError, match=f"'nlspn': option preserve_input is {value!r}, expected true or false"):
        create("nlspn", preserve_input=value)
    assert create("nlspn", preserve_input=True).options["preserve_input"]


@pytest.mark.parametrize(
    ("model", "option", "value", "known"),
    [
        ("nlspn", "affinity", "tanh", "TGASS, TC, ASS, AS"),
        ("nlspn", "sampling", None, "consistent, official, legacy"),
        ("nlspn", "backbone", "resnet50", "resnet34, resnet18"),
        ("mspn", "mode", "other", "conventional, sdr"),
        ("mspn", "rules", "sintel", "kitti, nyu"),
    ],
)
@pytest.mark.parametrize("preset", ["lite", "paper"])
def test_an_option_of_a_few_values_has_no_other(model, preset, option, value, known):
    with pytest.raises(ValueError, match=f"'{model}': option {option} is {value!r}; available: {known}$"):
        create(model, preset=preset, **{option: value})


def test_unknown_options_are_refused():
    with pytest.raises(ValueError, match=r"'nlspn': .*'colour'"):
        create("nlspn", colour=True)
    with pytest.raises(ValueError, match="no preset 'huge'"):
        create("nlspn", preset="huge")
