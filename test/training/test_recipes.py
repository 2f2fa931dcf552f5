"""Every recipe, on the network it is for."""

import pytest
import torch
from planes import LINES, Planes

from depth_completion_ros.networks.registry import create
from depth_completion_ros.training.augmentation import Augmentation
from depth_completion_ros.training.recipes import _RECIPES, recipe
from depth_completion_ros.training.samples import SampleStream, Share, collate


@pytest.mark.parametrize(("model", "benchmark"), [(model, name) for model, known in _RECIPES.items() for name in known])
def test_every_weight_of_the_lite_network_has_a_part_in_the_loss(model, benchmark):
    """Processes that train together wait for the gradient of every weight."""
    stream = SampleStream([Share(Planes(), 1)], Augmentation((64, 96), image_dropout=0.0), LINES, seed=3)
    batch = collate([stream[0], stream[1]])
    torch.manual_seed(0)
    network = create(model, preset="lite").train()
    image = batch.normalized_image(network) if network.uses_image else None
    loss = recipe(model, benchmark).loss(network(image, batch.sparse_depth), batch)
    assert loss.isfinite()
    loss.backward()
    assert [name for name, weight in network.named_parameters() if weight.requires_grad and weight.grad is None] == []


def test_what_there_is_no_recipe_for_is_refused():
    with pytest.raises(ValueError, match="'classical' cannot be trained; those that can: nlspn, mspn"):
        recipe("classical")
    with pytest.raises(ValueError, match="'emdc' has no recipe for 'kitti'; available: mipi, any"):
        recipe("emdc", "kitti")
