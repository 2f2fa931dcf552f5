"""Every recipe, on the network it is for."""

import pytest
import torch
from planes import LINES, Planes

from depth_completion_ros.networks.registry import create
from depth_completion_ros.training import losses
from depth_completion_ros.training.augmentation import Augmentation
from depth_completion_ros.training.recipes import _RECIPES, recipe
from depth_completion_ros.training.samples import SampleStream, Share, collate


def answer(model, preset, crop=(64, 96)):
    """An untrained network, what it answers to two samples, and these."""
    stream = SampleStream([Share(Planes(), 1)], Augmentation(crop, image_dropout=0.0), LINES, seed=3)
    batch = collate([stream[0], stream[1]])
    torch.manual_seed(0)
    network = create(model, preset=preset).train()
    image = batch.normalized_image(network) if network.uses_image else None
    return network, network(image, batch.sparse_depth), batch


@pytest.mark.parametrize(("model", "benchmark"), [(model, name) for model, known in _RECIPES.items() for name in known])
def test_every_weight_of_the_lite_network_has_a_part_in_the_loss(model, benchmark):
    """Processes that train together wait for the gradient of every weight."""
    network, output, batch = answer(model, "lite")
    loss = recipe(model, benchmark).loss(output, batch)
    assert loss.isfinite()
    loss.backward()
    assert [name for name, weight in network.named_parameters() if weight.requires_grad and weight.grad is None] == []


@pytest.mark.parametrize(
    ("model", "missing"),
    [
        ("auxiliary", "no spread_depth"),
        ("emdc", "no spread_depth"),
        ("mspn", "no propagated_depth and no spread_depth"),
        ("nlspn", "no spread_depth"),
    ],
)
def test_the_recipe_any_says_which_networks_it_is_for(model, missing):
    _, output, batch = answer(model, "paper", (32, 32))
    with pytest.raises(ValueError, match=f"the recipe any is for the preset lite: this network answers {missing}$"):
        recipe(model, "any").loss(output, batch)


def test_the_gradient_of_emdc_is_as_large_as_that_of_its_authors_batch():
    """They sum over its ten images."""
    _, output, batch = answer("emdc", "lite")
    output.confidence_logit = None
    chosen = recipe("emdc", "mipi")
    mean = losses.emdc_loss(output.depth, output.local_depth, output.global_depth, batch.ground_truth)
    assert chosen.batch == 10
    torch.testing.assert_close(chosen.loss(output, batch), 10 * mean)


def test_crops_of_kitti_are_those_of_the_papers():
    augmentations = {model: recipe(model, "kitti").augmentation for model in ("nlspn", "mspn", "auxiliary")}
    places = {model: (augmentation.top, augmentation.bottom) for model, augmentation in augmentations.items()}
    assert places == {"nlspn": (100, False), "mspn": (100, False), "auxiliary": (0, True)}


def test_what_there_is_no_recipe_for_is_refused():
    with pytest.raises(ValueError, match="'classical' cannot be trained; those that can: nlspn, mspn"):
        recipe("classical")
    with pytest.raises(ValueError, match="'emdc' has no recipe for 'kitti'; available: mipi, any"):
        recipe("emdc", "kitti")
