"""What the lite networks share: contrasts that no light changes, maps that double without a blur, and bounds."""

import pytest
import torch
from torch import nn

from depth_completion_ros.networks.lite import GuidedUpsample, Spreading, _around, answers, bounded, contrasts
from depth_completion_ros.networks.mspn_lite import _CorrectingUpsample
from depth_completion_ros.networks.registry import create

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def normalised(rgb):
    return (rgb - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


def street(seed=0):
    """A picture of some texture, of which one half lies in shadow."""
    rgb = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(seed)) * 0.4 + 0.3
    rgb[..., 48:] *= 0.25
    return rgb


def test_contrasts_by_hand_far_from_any_border():
    """A bright pixel in a plain picture: the brightness around is known, and so are its mean and deviation."""
    rgb = torch.full((1, 3, 160, 160), 0.3)
    rgb[..., 80, 80] = 0.8
    found = contrasts(normalised(rgb), MEAN, STD)[0]
    plain, bright = torch.tensor([0.32, 0.82]).log()
    share = 1 / (5 * 4) ** 2  # of the smallest surroundings, 5x5 cells of 4x4 pixels
    mean = plain + share * (bright - plain)
    deviation = (bright - plain) * (share * (1 - share)) ** 0.5
    assert found[0, 80, 80] == pytest.approx(((bright - mean) / (deviation + 0.1)).item(), rel=0.02)
    assert found[0, 20, 20] == pytest.approx(0, abs=1e-3)


def test_neither_light_nor_colour_changes_them():
    rgb = street()
    found = contrasts(normalised(rgb), MEAN, STD)
    dim = contrasts(normalised(0.5 * rgb), MEAN, STD)
    assert (dim - found).abs().median() < 0.05
    gray = (rgb * torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(1, keepdim=True).expand(-1, 3, -1, -1)
    torch.testing.assert_close(contrasts(normalised(gray), MEAN, STD), found, rtol=1e-3, atol=1e-3)


def test_texture_in_the_shadow_is_as_clear_as_in_the_light():
    found = contrasts(normalised(street()), MEAN, STD)[0, 0, 8:-8]
    light, shadow = found[:, 8:32].std(), found[:, 64:88].std()
    assert shadow == pytest.approx(light.item(), rel=0.2)


def test_a_dead_camera_has_none():
    assert contrasts(torch.zeros(2, 3, 32, 48), MEAN, STD).abs().max() < 1e-4


@pytest.mark.parametrize("reach", [1, 4, 30])
def test_surroundings_end_at_the_border(reach):
    maps = torch.randn(2, 3, 20, 28)
    side = 2 * reach + 1
    expected = torch.nn.functional.avg_pool2d(maps, side, 1, reach, count_include_pad=False)
    torch.testing.assert_close(_around(maps, reach), expected, rtol=1e-4, atol=1e-5)


def test_doubling_takes_nothing_but_old_values_and_corrects_only_depth():
    torch.manual_seed(0)
    maps = torch.cat([torch.where(torch.arange(12) < 6, 1.0, 3.0).expand(1, 1, 8, 12), torch.rand(1, 1, 8, 12)], 1)
    features = torch.randn(1, 5, 8, 12)
    for kind in (GuidedUpsample, _CorrectingUpsample):
        upsample = kind(5)
        with torch.no_grad():
            upsample.head.weight *= 50  # sharp weights
            doubled = upsample(features, maps)
        assert doubled.shape == (1, 2, 16, 24)
        assert doubled[:, 0].min() > 0.9999 and doubled[:, 0].max() < 3.0001
        torch.testing.assert_close(doubled[0, 0, :, :10], torch.ones(16, 10))
        torch.testing.assert_close(doubled[0, 0, :, -10:], torch.full((16, 10), 3.0))
    with torch.no_grad():
        upsample.correction.bias.fill_(1.0)
        corrected = upsample(features, maps)
    torch.testing.assert_close(corrected, doubled + torch.tensor([0.1, 0.0]).view(1, 2, 1, 1))


def test_heads_answer_together_what_they_answer_one_by_one():
    heads = [nn.Conv2d(5, outputs, 3, padding=1) for outputs in (2, 9, 1)]
    features = torch.randn(2, 5, 12, 17)
    for together, head in zip(answers(features, *heads), heads, strict=True):
        torch.testing.assert_close(together, head(features))


def test_a_bounded_correction_stays_within_what_the_measurements_around_differ_by():
    deviation = torch.tensor([0.0, 0.1, 1.0])
    assert bounded(torch.zeros(3), deviation).eq(0).all()
    largest = bounded(torch.full((3,), 1e6), deviation)
    assert (largest > 0).all() and (largest <= 2 * deviation + 0.02).all()
    assert torch.equal(bounded(torch.full((3,), -1e6), deviation), -largest)


def test_features_say_how_far_measurements_spread_and_what_a_pixel_takes():
    """The trunk of a tree is measured; of its crown nothing is known but a guess from the wall behind it."""
    spreading = Spreading(3)
    rim, edge, chooses = torch.zeros(3, 32, 48)
    rim[:, 9:11] = rim[:, 29:31] = 1  # to the left and right of the tree
    chooses[:, 10:30] = 1  # what spreads
    with torch.no_grad():  # features that say all of it
        spreading.head.weight[0:2, 1, 1, 1] = -30.0
        spreading.head.weight[2:4, 0, 1, 1] = -30.0
        spreading.head.weight[6:, 2, 1, 1] = torch.tensor([-30.0, -30.0, 30.0])
        spreading.head.bias[:4] = 6.0
        found = torch.full((1, 1, 32, 48), 30.0)
        measured, there = torch.full_like(found, 8.0), torch.zeros_like(found, dtype=torch.bool)
        there[..., 24:26, 12:28] = True
        features = torch.stack([rim, edge, chooses])[None]
        depth, spread = (maps[0, 0] for maps in spreading(spreading.head(features), found, measured, there))
        assert depth[:, 11:29].max() < 9
        torch.testing.assert_close(spread[:, 11:29], depth[:, 11:29])
        torch.testing.assert_close(depth[:, :9], found[0, 0, :, :9])
        torch.testing.assert_close(depth[:, 31:], found[0, 0, :, 31:])
        # Cut off from the trunk as well, the crown keeps its guess.
        edge[18:22] = 1
        features = torch.stack([rim, edge, chooses])[None]
        depth, _ = (maps[0, 0] for maps in spreading(spreading.head(features), found, measured, there))
        assert depth[:18, 11:29].min() > 29 and depth[23:, 11:29].max() < 9


@pytest.mark.parametrize(
    ("model", "steps"),
    [
        ("mspn", ["initial_depth", "propagated_depth", "spread_depth"]),
        ("nlspn", ["initial_depth", "spread_depth"]),
        ("emdc", ["local_depth", "global_depth", "spread_depth"]),
        ("auxiliary", ["spread_depth"]),
    ],
)
@torch.no_grad()
def test_the_steps_that_only_a_loss_needs_are_answered_in_training_only(model, steps):
    network, image = create(model, preset="lite"), torch.randn(2, 3, 75, 101)
    sparse_depth = (torch.rand(2, 1, 75, 101) < 0.1) * (1 + 9 * torch.rand(2, 1, 75, 101))
    inference, training = network(image, sparse_depth), network.train()(image, sparse_depth)
    for name in steps:
        assert getattr(inference, name) is None
        depth = getattr(training, name)
        assert depth.shape == (2, 1, 75, 101)
        assert depth.isfinite().all() and depth.min() > 0


def test_a_slope_goes_on_as_it_was_found():
    """Every measurement on it lies half a metre farther than was found."""
    spreading = Spreading(1)
    with torch.no_grad():
        spreading.head.bias[:4] = 6.0
        spreading.head.bias[6:] = torch.tensor([-30.0, 30.0, -30.0])
        found = torch.linspace(2, 9, 48).expand(1, 1, 32, 48)
        there = (torch.arange(48) % 12 == 0).expand_as(found)
        depth, _ = spreading(spreading.head(torch.zeros(1, 1, 32, 48)), found, found + 0.5, there)
    torch.testing.assert_close(depth, found + 0.5, rtol=0, atol=0.05)


def test_before_training_a_pixel_takes_little_of_what_spreads():
    torch.manual_seed(0)
    found = torch.full((2, 1, 24, 40), 5.0)
    spreading = Spreading(4)
    answer = spreading.head(torch.randn(2, 4, 24, 40))
    depth, _ = spreading(answer, found, found + 1, torch.rand_like(found) < 0.05)
    assert (depth - found).min() > 0 and (depth - found).max() < 0.25
