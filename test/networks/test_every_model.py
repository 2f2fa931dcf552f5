"""What every registered model must do, whatever it is."""

import warnings

import pytest
import torch
from learned import close, inputs, trained
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from depth_completion_ros.checkpoints import load_checkpoint, save_checkpoint
from depth_completion_ros.networks import emdc_lite, nlspn_lite
from depth_completion_ros.networks.folding import fold_batch_norm
from depth_completion_ros.networks.registry import create, model_info, models

VARIANTS = [
    (info.name, {"preset": preset} if preset else {}) for info in models() for preset in (info.presets or (None,))
]
LITE = [(name, options) for name, options in VARIANTS if options.get("preset") != "paper"]
LEARNED = [(name, options) for name, options in LITE if options]
OTHERS = [variant for variant in VARIANTS if variant not in LEARNED]
SDR = ("mspn", {"preset": "lite", "mode": "sdr"})
PAPER = {name: (name, {"preset": "paper"}) for name in ("auxiliary", "emdc", "magaconv")}  # of relative depth


def every(variants):
    return pytest.mark.parametrize(
        ("name", "options"), variants, ids=["-".join([name, *options.values()]) for name, options in variants]
    )


def build(name, options):
    torch.manual_seed(0)
    network = create(name, **options)
    # What a trained network has, and a fresh one has not: normalisations that do something, steps that blend.
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return network


def run(network, image, sparse_depth, initial_depth=None):
    with torch.inference_mode():
        return network(image, sparse_depth, initial_depth)


@every(OTHERS)
def test_depth_and_confidence_of_any_size(name, options):
    network = build(name, options)
    for height, width in ((64, 96), (75, 101), (101, 75)) if name == "classical" else ((75, 101),):
        output = run(network, *inputs(2, height, width))
        for each in (output.depth, output.confidence):
            assert each.shape == (2, 1, height, width) and each.dtype == torch.float32
            assert torch.isfinite(each).all()
        assert output.confidence.min() >= 0 and output.confidence.max() <= 1


@pytest.mark.parametrize("size", [(64, 96), (75, 101), (101, 75), (33, 300), (33, 1), (1, 1)])
@every([*LEARNED, SDR])
def test_lite_networks_take_any_size_and_batch(name, options, size):
    network, given = trained(name, **options), inputs(2, *size, share=0.03 if min(size) > 1 else 0.3)
    both, second = run(network, *given), run(network, *(each[1:] for each in given))
    for part in ("depth", "confidence", "confidence_logit"):
        answer = getattr(both, part)
        assert answer.shape == (2, 1, *size) and answer.dtype == torch.float32
        assert torch.isfinite(answer).all()
        close(answer[1:], getattr(second, part), 1e-4)
    assert both.depth.min() > 0
    close(both.confidence, both.confidence_logit.sigmoid())
    assert min(size) == 1 or both.confidence.std() > 0.01


@every(VARIANTS)
def test_a_network_says_what_it_is(name, options):
    network = create(name, **options)
    assert network.name == name and network.confidence_meaning
    assert network.uses_image == model_info(name).uses_image


def test_each_image_of_a_batch_is_completed_by_itself():
    """Also by the model without weights; for those that learn see above."""
    network, given = create("classical"), inputs(3, 64, 96, share=0.03)
    together = run(network, *given)
    for i in range(3):
        alone = run(network, *(each[i : i + 1] for each in given))
        close(together.depth[i : i + 1], alone.depth)
        close(together.confidence[i : i + 1], alone.confidence)


@every([*LEARNED, SDR, *PAPER.values()])
def test_padding_is_at_the_end_and_moves_no_pixel(name, options):
    """It repeats the image, and the depth images of MagaConv, and elsewhere there is no measurement in it."""
    stride = {"magaconv": 8, "auxiliary": 16 if options["preset"] == "paper" else 32}.get(name, 32)
    network, given = trained(name, **options), inputs(1, 90, 110)
    padding = (0, -110 % stride, 0, -90 % stride)
    modes = "replicate", "replicate" if name == "magaconv" else "constant", "replicate"
    padded = run(network, *(functional.pad(each, padding, mode) for each, mode in zip(given, modes, strict=True)))
    output = run(network, *given)
    close(output.depth, padded.depth[..., :90, :110])
    close(output.confidence, padded.confidence[..., :90, :110])


@every([*LEARNED, SDR, *PAPER.values()])
def test_depth_does_not_depend_on_its_unit(name, options):
    network, (image, sparse_depth, estimate) = trained(name, **options), inputs(1, 64, 96)
    metres = run(network, image, sparse_depth, estimate)
    feet = run(network, image, 3.28 * sparse_depth, 3.28 * estimate)
    torch.testing.assert_close(feet.depth, 3.28 * metres.depth, rtol=1e-4, atol=1e-4)
    close(feet.confidence, metres.confidence, 1e-4)


@every(LEARNED)
def test_before_training_a_wall_is_filled_from_a_single_point(name, options):
    sparse_depth = torch.zeros(1, 1, 64, 160)
    sparse_depth[0, 0, 20, 30] = 7.0
    network = create(name, **options)
    network.training = True  # answers all depths, while its batch norms stay as they are
    output = run(network, torch.randn(1, 3, 64, 160), sparse_depth)
    depths = [each for part, each in vars(output).items() if part.endswith("depth") and each is not None]
    for depth in depths:
        torch.testing.assert_close(depth, torch.full_like(depth, 7.0))


@every([variant for variant in (*LEARNED, *PAPER.values()) if variant[0] != "mspn"])
def test_without_measurements_depth_and_confidence_are_0(name, options):
    network, given = trained(name, **options), inputs(2, 32, 48)
    given[1][0] = 0
    output, alone = run(network, *given), run(network, *(each[1:] for each in given))
    assert not output.depth[0].any()
    if options["preset"] == "lite" or name == "auxiliary":
        assert not output.confidence[0].any()
    close(output.depth[1:], alone.depth, 1e-4)


@every([variant for variant in LITE if variant[0] in ("classical", "mspn")])
def test_no_measurement_is_refused_in_words_or_answered_with_numbers(name, options):
    image, sparse_depth, _ = inputs(1, 64, 96)
    try:
        output = run(build(name, options), image, 0 * sparse_depth)
    except ValueError as error:
        assert "measurement" in str(error)
    else:
        assert torch.isfinite(output.depth).all()


@every([*LEARNED, SDR, PAPER["auxiliary"], PAPER["magaconv"]])
def test_every_weight_learns(name, options):
    network = trained(name, **options).train()
    image, sparse_depth, estimate = inputs(2, 112, 24, share=0.6)
    sparse_depth[:, :, 16:] = 0  # a hole that the last of MagaConv's masks still has, for its epsilon to learn from
    output = network(image, sparse_depth, estimate)
    beside = output.gray.square() if name == "auxiliary" else output.confidence
    (output.depth.square().mean() + beside.mean()).backward(retain_graph=True)
    still = [key for key, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert still == []
    everything = [value.float() for value in vars(output).values() if isinstance(value, torch.Tensor)]
    sum(value.square().mean() for value in everything if value.requires_grad).backward()
    assert all(torch.isfinite(weight.grad).all() for weight in network.parameters())


@every(LEARNED)
def test_weights_come_back_with_what_they_need(name, options, tmp_path):
    network, given = build(name, options), inputs(1, 64, 96)
    loaded = load_checkpoint(save_checkpoint(network, tmp_path).parent)
    assert (loaded.name, dict(loaded.options)) == (network.name, dict(network.options))
    torch.testing.assert_close(run(loaded, *given).depth, run(network, *given).depth, rtol=0, atol=0)


@pytest.mark.parametrize("cast", ["autocast", "weights", "weights and image"])
@every([*LEARNED, SDR, PAPER["auxiliary"]])
def test_half_precision_keeps_metres_in_float32(name, options, cast):
    network, (image, *depths) = trained(name, **options), inputs(1, 64, 96)
    full = run(network, image, *depths).depth
    if cast != "autocast":
        network = network.bfloat16()
    with torch.autocast("cpu", torch.bfloat16, enabled=cast == "autocast"):
        output = run(network, image.bfloat16() if cast == "weights and image" else image, *depths)
    assert output.depth.dtype == output.confidence.dtype == torch.float32
    assert torch.isfinite(output.depth).all()
    assert (output.depth - full).abs().mean() < 0.02 * full.mean()


@every(LEARNED)
def test_folded_normalisations_change_nothing(name, options):
    network, given = build(name, options), inputs(1, 64, 96)
    before = run(network, *given)
    normalisations = sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    assert fold_batch_norm(network) == normalisations
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    after = run(network, *given)
    torch.testing.assert_close(after.depth, before.depth, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(after.confidence, before.confidence, rtol=1e-3, atol=1e-3)


# Multiply-adds per pixel of propagations, which the counter does not know: neighbours times steps.
UNCOUNTED = {
    "emdc": sum(9 * steps * len(dilations) for steps, dilations in emdc_lite._FUNNEL),  # as if at full size
    "nlspn": 6 * 9 * nlspn_lite._STEPS / 4,
}


@every([*LEARNED, SDR])
def test_lite_networks_are_within_their_budget(name, options):
    height, width = 352, 1216
    network = create(name, **options)
    with FlopCounterMode(display=False) as counter:
        run(network, *inputs(1, height, width, share=0.045))
    assert sum(weight.numel() for weight in network.parameters()) <= 3e6
    assert counter.get_total_flops() / 2 + UNCOUNTED.get(name, 0) * height * width <= 12e9


@every(LITE)
def test_the_number_of_threads_changes_nothing(name, options):
    network, given = build(name, options), inputs(1, 64, 96, share=0.03)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = run(network, *given).depth
        torch.set_num_threads(4)
        four = run(network, *given).depth
    finally:
        torch.set_num_threads(threads)
    torch.testing.assert_close(one, four, rtol=1e-3, atol=1e-3)


@every(LITE)
def test_a_single_measurement_is_enough(name, options):
    output = run(build(name, options), *inputs(1, 64, 96, share=0))
    assert torch.isfinite(output.depth).all() and torch.isfinite(output.confidence).all()


@every(LITE)
def test_what_is_not_finite_or_does_not_fit_is_refused(name, options):
    network = build(name, options)
    image, sparse, _ = inputs(1, 64, 96)
    broken = sparse.clone()
    broken[0, 0, 3, 4] = torch.nan
    with pytest.raises(ValueError, match="sparse_depth holds 1 NaN"):
        run(network, image, broken)
    with pytest.raises(ValueError, match=r"expected \(N, 1, H, W\)"):
        run(network, image, sparse[:, 0])
    if network.uses_image:
        broken = image.clone()
        broken[0, :, 3, 4] = torch.inf
        with pytest.raises(ValueError, match="image holds 3 NaN or infinite"):
            run(network, broken, sparse)
        with pytest.raises(ValueError, match=r"image is \(1, 3, 63, 96\)"):
            run(network, image[:, :, 1:], sparse)
        with pytest.raises(ValueError, match="needs an image"):
            run(network, None, sparse)
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            run(network, None, sparse)
