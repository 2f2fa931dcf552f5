"""What every registered model must do, whatever it is."""

import warnings

import pytest
import torch
from torch import nn

from depth_completion_ros.checkpoints import load_checkpoint, save_checkpoint
from depth_completion_ros.networks.folding import fold_batch_norm
from depth_completion_ros.networks.registry import create, model_info, models

VARIANTS = [
    (info.name, {"preset": preset} if preset else {}) for info in models() for preset in (info.presets or (None,))
]
LITE = [(name, options) for name, options in VARIANTS if options.get("preset") != "paper"]
LEARNED = [(name, options) for name, options in LITE if options]


def build(name, options):
    torch.manual_seed(0)
    network = create(name, **options)
    # What a trained network has, and a fresh one has not: normalisations that do something, steps that blend.
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return network


def inputs(batch=1, height=64, width=96, points=200):
    generator = torch.Generator().manual_seed(batch * height + width + points)
    image = torch.randn(batch, 3, height, width, generator=generator)
    sparse = torch.zeros(batch, 1, height * width)
    for each in sparse:
        each[0, torch.randperm(height * width, generator=generator)[:points]] = 1.0
    depth = 2 + 18 * torch.rand(batch, 1, height * width, generator=generator)
    return image, (sparse * depth).view(batch, 1, height, width)


def run(network, image, sparse):
    with torch.inference_mode():
        return network(image, sparse)


def ids(variants):
    return ["-".join([name, *options.values()]) for name, options in variants]


@pytest.mark.parametrize(("name", "options"), VARIANTS, ids=ids(VARIANTS))
def test_depth_and_confidence_of_any_size(name, options):
    network = build(name, options)
    assert network.name == name and network.confidence_meaning
    assert network.uses_image == model_info(name).uses_image
    sizes = ((64, 96), (75, 101), (101, 75)) if options.get("preset") != "paper" else ((75, 101),)
    for height, width in sizes:
        output = run(network, *inputs(2, height, width))
        for each in (output.depth, output.confidence):
            assert each.shape == (2, 1, height, width) and each.dtype == torch.float32
            assert torch.isfinite(each).all()
        assert output.confidence.min() >= 0 and output.confidence.max() <= 1


@pytest.mark.parametrize(("name", "options"), LITE, ids=ids(LITE))
def test_each_image_of_a_batch_is_completed_by_itself(name, options):
    network = build(name, options)
    image, sparse = inputs(3)
    together = run(network, image, sparse)
    for i in range(3):
        alone = run(network, image[i : i + 1], sparse[i : i + 1])
        torch.testing.assert_close(together.depth[i : i + 1], alone.depth, rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(together.confidence[i : i + 1], alone.confidence, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("name", "options"), LEARNED, ids=ids(LEARNED))
def test_training_reaches_every_parameter(name, options):
    network = create(name, **options).train()
    image, sparse = inputs(2)
    output = network(image, sparse)
    total = sum(value.float().square().mean() for value in vars(output).values() if isinstance(value, torch.Tensor))
    total.backward()
    missed = [key for key, value in network.named_parameters() if value.requires_grad and value.grad is None]
    assert not missed
    assert all(torch.isfinite(value.grad).all() for value in network.parameters() if value.grad is not None)


@pytest.mark.parametrize(("name", "options"), LEARNED, ids=ids(LEARNED))
def test_weights_come_back_with_what_they_need(name, options, tmp_path):
    network = build(name, options)
    loaded = load_checkpoint(save_checkpoint(network, tmp_path).parent)
    assert (loaded.name, dict(loaded.options)) == (network.name, dict(network.options))
    torch.testing.assert_close(run(loaded, *inputs()).depth, run(network, *inputs()).depth, rtol=0, atol=0)


@pytest.mark.parametrize(("name", "options"), LEARNED, ids=ids(LEARNED))
def test_half_precision_keeps_depth_in_float32(name, options):
    network = build(name, options)
    image, sparse = inputs()
    full = run(network, image, sparse).depth
    half = build(name, options).to(torch.bfloat16)
    output = run(half, image.to(torch.bfloat16), sparse)
    assert output.depth.dtype == torch.float32
    with torch.autocast("cpu", torch.bfloat16):
        automatic = run(network, image, sparse)
    assert automatic.depth.dtype == torch.float32
    for depth in (output.depth, automatic.depth):
        assert torch.isfinite(depth).all()
        # bfloat16 has three digits; a network with random weights makes more of the rest than a trained one.
        assert (depth - full).abs().mean() < 0.1 * full.abs().mean()


@pytest.mark.parametrize(("name", "options"), LEARNED, ids=ids(LEARNED))
def test_folded_normalisations_change_nothing(name, options):
    network = build(name, options)
    before = run(network, *inputs())
    normalisations = sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    assert fold_batch_norm(network) == normalisations
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    after = run(network, *inputs())
    torch.testing.assert_close(after.depth, before.depth, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(after.confidence, before.confidence, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("name", "options"), LITE, ids=ids(LITE))
def test_the_number_of_threads_changes_nothing(name, options):
    network = build(name, options)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = run(network, *inputs()).depth
        torch.set_num_threads(4)
        four = run(network, *inputs()).depth
    finally:
        torch.set_num_threads(threads)
    torch.testing.assert_close(one, four, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("name", "options"), LITE, ids=ids(LITE))
def test_a_single_measurement_is_enough(name, options):
    output = run(build(name, options), *inputs(points=1))
    assert torch.isfinite(output.depth).all() and torch.isfinite(output.confidence).all()


@pytest.mark.parametrize(("name", "options"), LITE, ids=ids(LITE))
def test_no_measurement_is_refused_in_words_or_answered_with_numbers(name, options):
    image, sparse = inputs(points=0)
    try:
        output = run(build(name, options), image, sparse)
    except ValueError as error:
        assert "measurement" in str(error)
    else:
        assert torch.isfinite(output.depth).all()


@pytest.mark.parametrize(("name", "options"), LITE, ids=ids(LITE))
def test_what_is_not_finite_or_does_not_fit_is_refused(name, options):
    network = build(name, options)
    image, sparse = inputs()
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
