"""Every loss on cases worked out by hand, and what must not change it."""

import math

import pytest
import torch

from depth_completion_ros.training.losses import (
    auxiliary_loss,
    confidence_loss,
    corrected_gradient_loss,
    emdc_loss,
    magaconv_loss,
    nlspn_loss,
    relative_loss,
    silog_loss,
    structure_consistency_loss,
)

NAN, INF = math.nan, math.inf

LOSSES = {
    "nlspn": lambda depth, truth: nlspn_loss(depth, truth, max_depth=90),
    "silog": silog_loss,
    "relative": lambda depth, truth: relative_loss(depth, truth, torch.ones_like(depth), max_depth=80),
    "confidence": lambda depth, truth: confidence_loss(depth, depth, truth),
    "emdc": lambda depth, truth: emdc_loss(depth, 0.5 * depth, depth + 1, truth),
    "corrected_gradient": corrected_gradient_loss,
    "magaconv": magaconv_loss,
    "structure_consistency": structure_consistency_loss,
    "auxiliary": lambda depth, truth: auxiliary_loss(depth, truth, torch.ones(1, 1, 2, 2), torch.ones(1, 1, 2, 2)),
}
every_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES.keys())


def batch(*images):
    return torch.tensor(images).unsqueeze(1)


# Two images: errors of 1 and -3 m at two valid pixels, and of 2 m at one.
DEPTH = batch([[3.0, 5.0, 9.0]], [[4.0, 7.0, 7.0]])
TRUTH = batch([[2.0, 8.0, 0.0]], [[2.0, 0.0, 0.0]])


def test_nlspn_means_over_each_image_then_over_the_batch():
    assert nlspn_loss(DEPTH, TRUTH, 90, powers=[1]).item() == pytest.approx((4 / 2 + 2) / 2)
    assert nlspn_loss(DEPTH, TRUTH, 90, powers=[2]).item() == pytest.approx((10 / 2 + 4) / 2)
    assert nlspn_loss(DEPTH, TRUTH, 90).item() == pytest.approx(2 + 4.5)


def test_nlspn_limits_both_maps_to_the_range():
    depth = batch([[-2.0, 50.0, 11.0]]).requires_grad_()
    loss = nlspn_loss(depth, batch([[3.0, 4.0, 12.0]]), max_depth=10, powers=[1])
    loss.backward()
    assert loss.item() == pytest.approx((3 + 6 + 0) / 3)
    assert not depth.grad.any()


def test_silog_over_all_pixels_of_the_batch():
    depth = batch([[2 * math.e, 3.0]], [[5 * math.e**2, 9.0]])
    truth = batch([[2.0, 3.0]], [[5.0, 0.0]])  # errors 1, 0 and 2
    assert silog_loss(depth, truth).item() == pytest.approx(10 * math.sqrt(5 / 3 - 0.85 * 1), rel=1e-6)
    assert silog_loss(depth, truth, alpha=1, mean_share=0).item() == pytest.approx(math.sqrt(5 / 3), rel=1e-6)


def test_silog_forgives_a_common_scale_and_survives_negative_depth():
    assert silog_loss(3 * TRUTH, TRUTH, mean_share=1).item() == pytest.approx(0, abs=1e-2)
    assert silog_loss(batch([[-1.0]]), batch([[1.0]]), mean_share=0).item() == pytest.approx(10 * math.log(1e10))


def test_silog_of_a_perfect_depth_has_the_gradient_zero():
    depth = TRUTH.clone().requires_grad_()
    loss = silog_loss(depth, TRUTH)
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(depth.grad, torch.zeros_like(depth))


def test_relative_to_the_mean_of_each_image():
    weight = torch.ones_like(TRUTH)
    one = relative_loss(DEPTH, TRUTH, weight, 80, squared=0, logarithmic=0).item()
    assert one == pytest.approx(((4 / 2) / 5 + 2 / 2) / 2)
    root = relative_loss(DEPTH, TRUTH, weight, 80, squared=1, logarithmic=0).item() - one
    assert root == pytest.approx((math.sqrt(5) / 5 + 2 / 2) / 2, rel=1e-5)
    logarithm = relative_loss(DEPTH, TRUTH, weight, 80, squared=0, logarithmic=1).item() - one
    assert logarithm == pytest.approx(((math.log(3 / 2) + math.log(8 / 5)) / 2 + math.log(2)) / 2, rel=1e-5)
    assert relative_loss(9 * DEPTH, 9 * TRUTH, weight, 80).item() == pytest.approx(
        relative_loss(DEPTH, TRUTH, weight, 80).item(), rel=1e-5
    )


def test_relative_weighs_pixels_and_limits_metres():
    weight = torch.tensor([1.0, 3.0, 5.0]).expand_as(TRUTH)
    # The second of two errors, 1 and 3 m, counts three times; so does its truth in the mean.
    expected = ((1 + 3 * 3) / 4) / ((2 + 3 * 8) / 4)
    loss = relative_loss(DEPTH[:1], TRUTH[:1], weight[:1], 80, squared=0, logarithmic=0)
    assert loss.item() == pytest.approx(expected)
    far = relative_loss(batch([[70.0]]), batch([[200.0]]), torch.ones(1, 1, 1, 1), 80, squared=0, logarithmic=0)
    assert far.item() == pytest.approx(10 / 80)


def test_confidence_is_the_chance_of_5_percent():
    truth = batch([[10.0, 10.0, 10.0, 0.0]])
    depth = batch([[10.4, 9.6, 11.0, 3.0]]).requires_grad_()  # two of three are within
    logit = torch.zeros(1, 1, 1, 4, requires_grad=True)
    loss = confidence_loss(logit, depth, truth)
    assert loss.item() == pytest.approx(math.log(2))
    loss.backward()
    assert depth.grad is None
    torch.testing.assert_close(logit.grad, torch.tensor([[[[-0.5, -0.5, 0.5, 0.0]]]]) / 3)
    best = math.log(2)  # of the chances 2/3
    assert confidence_loss(torch.full_like(logit, best), depth, truth).item() < math.log(2)


def test_corrected_gradient_by_hand():
    """Only the centre of a 3x3 image has all its neighbours; of a 3x4 image, two pixels."""
    truth = torch.full((1, 1, 3, 3), 5.0)
    error = batch([[1.0, 0.0, 0.0], [0.0, 7.0, 0.5], [0.0, 0.0, 3.0]])
    in_x = 1 - 2 * 0.5 - 3  # columns: left minus right, the middle row twice
    in_y = 1 - 3
    assert corrected_gradient_loss(truth + error, truth).item() == pytest.approx(abs(in_x) + abs(in_y))

    truth = torch.full((1, 1, 3, 4), 5.0)
    ramp = torch.tensor([0.0, 1.0, 3.0, 3.0]).expand(1, 1, 3, 4)  # x gradients -12 and -8
    assert corrected_gradient_loss(truth + ramp, truth).item() == pytest.approx((12 + 8) / 2)


def test_corrected_gradient_leaves_out_the_surroundings_of_holes():
    truth = torch.full((1, 1, 5, 5), 5.0)
    depth = truth + torch.arange(5.0)  # x gradient -8 everywhere, which a hole must not change
    truth[0, 0, 0, 0] = 0
    assert corrected_gradient_loss(depth, truth).item() == pytest.approx(8)
    truth[0, 0, 2, 2] = 0
    assert corrected_gradient_loss(depth, truth).item() == 0


def test_emdc_scales_every_term_to_the_first():
    truth = torch.full((2, 1, 4, 4), 5.0)
    depth = truth + torch.tensor([0.0, 1.0, 2.0, 3.0])  # mean error 1.5 in each of two images
    loss = emdc_loss(depth, truth + 7, truth - 0.1, truth)
    assert loss.item() == pytest.approx(1.5 * (1 + 1 + 1 + 0.7), rel=1e-5)


def test_emdc_scales_have_no_gradient():
    truth = torch.full((1, 1, 1, 2), 5.0)
    depth, local = (truth + error for error in (torch.tensor([2.0, 0.0]), torch.tensor([0.0, 4.0])))
    depth.requires_grad_(), local.requires_grad_()
    emdc_loss(depth, local, truth, truth).backward()
    # Half a metre per metre each, the local one scaled by 1 / 2; the global one is perfect and counts for nothing.
    assert depth.grad.flatten().tolist() == [0.5, 0.0]
    assert local.grad.flatten().tolist() == [0.0, 0.25]


def test_structure_consistency_by_hand():
    """The Laplacian of four neighbours, where these are inside and valid: of 3x3 pixels at the centre alone."""
    truth = torch.full((1, 1, 3, 3), 5.0)
    error = batch([[9.0, 1.0, 9.0], [2.0, 1.0, 0.0], [9.0, -2.0, 9.0]])
    laplacian = 1 + 2 + 0 - 2 - 4 * 1
    assert structure_consistency_loss(truth + error, truth).item() == pytest.approx(laplacian**2)
    corner, side = truth.clone(), truth.clone()
    corner[0, 0, 0, 0], side[0, 0, 0, 1] = 0, 0
    assert structure_consistency_loss(truth + error, corner).item() == pytest.approx(laplacian**2)
    assert structure_consistency_loss(truth + error, side).item() == 0


def test_magaconv_adds_the_squared_error():
    truth = torch.full((2, 1, 3, 3), 5.0)
    depth = truth.clone()
    depth[0, 0, 1, 1] += 3  # squared error 9 of 9 pixels, squared Laplacian 144 of one, in one of two images
    assert magaconv_loss(depth, truth).item() == pytest.approx((9 / 9 + 144) / 2)


def test_auxiliary_by_hand():
    image, gray = torch.full((2, 1, 2, 2), 100.0), torch.full((2, 1, 2, 2), 110.0)
    assert auxiliary_loss(DEPTH, TRUTH, image, gray).item() == pytest.approx(4.5 + 1e-4 * 100)
    assert auxiliary_loss(DEPTH, TRUTH, image, gray, power=1).item() == pytest.approx(2 + 1e-4 * 100)


@every_loss
@pytest.mark.parametrize("unmeasured", [0.0, NAN, INF, -1.0])
@pytest.mark.parametrize("predicted", [7.0, NAN, INF])
def test_what_is_not_measured_does_not_matter(loss, unmeasured, predicted):
    generator = torch.Generator().manual_seed(0)
    truth = 1 + 10 * torch.rand(2, 1, 8, 8, generator=generator)
    depth = truth + torch.rand(truth.shape, generator=generator)
    hole = torch.zeros_like(truth, dtype=torch.bool)
    hole[:, :, 2:4, 5:] = True
    truth[hole] = 0
    expected = loss(depth, truth)

    truth[hole] = unmeasured
    depth[hole] = predicted
    depth.requires_grad_()
    actual = loss(depth, truth)
    actual.backward()
    torch.testing.assert_close(actual.detach(), expected)
    assert torch.isfinite(depth.grad).all()
    assert not depth.grad[hole].any()
    assert depth.grad[~hole].any()


@every_loss
def test_a_batch_of_the_same_images_has_the_loss_of_one(loss):
    """Or the gradient would depend on how many parts or processes a batch is divided among."""
    generator = torch.Generator().manual_seed(0)
    truth = 1 + 10 * torch.rand(1, 1, 8, 8, generator=generator)
    depth = truth + torch.rand(truth.shape, generator=generator)
    torch.testing.assert_close(loss(depth.repeat(3, 1, 1, 1), truth.repeat(3, 1, 1, 1)), loss(depth, truth))


@every_loss
def test_without_any_valid_pixel_a_loss_is_zero(loss):
    depth = torch.ones(2, 1, 4, 4, requires_grad=True)
    value = loss(depth, torch.zeros(2, 1, 4, 4))
    value.backward()
    assert value.item() == 0
    assert torch.equal(depth.grad, torch.zeros_like(depth))


@every_loss
def test_maps_of_different_shapes_are_refused(loss):
    with pytest.raises(ValueError, match=r"depth is \(1, 1, 3, 3\), truth \(1, 3, 3\)"):
        loss(torch.ones(1, 1, 3, 3), torch.ones(1, 3, 3))


def test_images_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match=r"image is \(1, 3, 3, 3\), gray \(1, 1, 3, 3\)"):
        auxiliary_loss(torch.ones(1, 1, 3, 3), torch.ones(1, 1, 3, 3), torch.ones(1, 3, 3, 3), torch.ones(1, 1, 3, 3))
