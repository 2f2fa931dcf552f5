"""Funnel propagation by hand, and its fast paths against the reference."""

import importlib.util

import pytest
import torch

from depth_completion_ros.networks.propagation import funnel
from depth_completion_ros.networks.propagation.funnel import FunnelPropagation, propagate, propagate_reference

needs_triton = pytest.mark.skipif(not importlib.util.find_spec("triton"), reason="Triton is not installed")
FAST = ["bands", pytest.param("triton", marks=needs_triton)]
WIDE, MIDDLE, NARROW = (1, 2, 3), (1, 2), (1,)


def run(path, depth, kernels, blend, dilations, steps, measured):
    if path == "bands":
        return funnel._propagate_bands(depth, kernels, blend, dilations, steps, measured)
    from depth_completion_ros.networks.propagation.funnel_triton import propagate_triton

    device = "cuda" if torch.cuda.is_available() else "cpu"  # on the CPU, conftest has chosen the interpreter
    kernels = [kernel.to(device) for kernel in kernels]
    blend = None if blend is None else blend.to(device)
    return propagate_triton(depth.to(device), kernels, blend, dilations, steps, measured.to(device)).cpu()


def random_stage(batch, height, width, dilations, steps=2):
    generator = torch.Generator().manual_seed(height * width)

    def normal(channels):
        return torch.randn(batch, channels, height, width, generator=generator)

    depth = normal(1).abs() * 20
    measured = normal(1) > 1
    blend = normal(len(dilations)) if len(dilations) > 1 else None
    return depth, [3 * normal(9) for _ in dilations], blend, dilations, steps, measured


def only(tap):
    """Logits that take all of one neighbour."""
    return torch.where(torch.arange(9) == tap, 40.0, 0.0).view(1, 9, 1, 1)


def everywhere(logits, depth):
    return logits.expand(-1, -1, *depth.shape[-2:])


NOWHERE = torch.zeros(1, 1, 4, 5, dtype=torch.bool)
DEPTH = torch.arange(1.0, 21.0).view(1, 1, 4, 5)


@pytest.mark.parametrize("path", ["reference", *FAST])
@pytest.mark.parametrize(
    ("tap", "row", "column"), [(0, -1, -1), (1, -1, 0), (3, 0, -1), (4, 0, 0), (5, 0, 1), (6, 1, -1), (8, 1, 1)]
)
@pytest.mark.parametrize("dilation", [1, 2, 3])
def test_taps_are_the_neighbours_row_by_row_and_zero_outside(path, tap, row, column, dilation):
    stage = propagate_reference if path == "reference" else lambda *inputs: run(path, *inputs)
    result = stage(DEPTH, [everywhere(only(tap), DEPTH)], None, [dilation], 1, NOWHERE)
    for i in range(4):
        for j in range(5):
            y, x = i + dilation * row, j + dilation * column
            expected = DEPTH[0, 0, y, x] if 0 <= y < 4 and 0 <= x < 5 else 0.0
            assert result[0, 0, i, j] == pytest.approx(float(expected), abs=1e-5)


def test_step_by_hand():
    """Softmax of the kernel, and of the blend: 3/4 of a mean of the row and 1/4 of the pixel two columns left."""
    row = torch.tensor([-40.0] * 3 + [0.0] * 3 + [-40.0] * 3).view(1, 9, 1, 1)
    kernels = [everywhere(row, DEPTH), everywhere(only(3), DEPTH)]
    blend = everywhere(torch.tensor([3.0, 1.0]).log().view(1, 2, 1, 1), DEPTH)
    result = propagate_reference(DEPTH, kernels, blend, MIDDLE, 1, NOWHERE)
    assert result[0, 0, 0].tolist() == pytest.approx([0.75 * 1, 0.75 * 2, 2.25 + 0.25, 3 + 0.5, 2.25 + 0.75])


def test_measured_pixels_keep_their_depth_and_pass_it_on():
    measured = NOWHERE.clone()
    measured[0, 0, 0, 1] = True
    from_the_left = [everywhere(only(3), DEPTH)]
    once = propagate_reference(DEPTH, from_the_left, None, NARROW, 1, measured)
    twice = propagate_reference(DEPTH, from_the_left, None, NARROW, 2, measured)
    assert once[0, 0, 0].tolist() == pytest.approx([0, 2, 2, 3, 4])
    assert twice[0, 0, 0].tolist() == pytest.approx([0, 2, 2, 2, 3])


def test_reference_is_differentiable():
    depth, kernels, blend, _, _, measured = random_stage(2, 4, 5, MIDDLE)
    inputs = [value.double().requires_grad_() for value in (depth, *kernels, blend)]

    def stage(depth, first, second, blend):
        return propagate_reference(depth, [first, second], blend, MIDDLE, 2, measured)

    assert torch.autograd.gradcheck(stage, inputs)


@pytest.mark.parametrize("path", FAST)
@pytest.mark.parametrize("dilations", [WIDE, MIDDLE, NARROW])
@pytest.mark.parametrize(
    ("batch", "height", "width", "steps"), [(2, 13, 17, 2), (1, 20, 11, 3), (1, 1, 9, 2), (2, 7, 1, 1), (1, 1, 1, 3)]
)
def test_fast_path_equals_reference(path, dilations, batch, height, width, steps):
    stage = random_stage(batch, height, width, dilations, steps)
    torch.testing.assert_close(run(path, *stage), propagate_reference(*stage), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("rows", [1, 7, 9, 10, 31, 40])
def test_bands_of_any_height_answer_alike(monkeypatch, rows):
    """Nine rows is what three wide steps lag behind: a band is not smaller."""
    stage = random_stage(2, 31, 6, WIDE, 3)
    monkeypatch.setattr(funnel, "_BAND", rows * 6)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    torch.testing.assert_close(run("bands", *stage), propagate_reference(*stage), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("path", ["reference", *FAST])
def test_large_logits_do_not_overflow(path):
    depth, kernels, blend, *rest = random_stage(1, 6, 7, WIDE)
    stage = (depth, [1e4 * kernel for kernel in kernels], 1e4 * blend, *rest)
    result = propagate(*stage) if path == "reference" else run(path, *stage)
    assert torch.isfinite(result).all()
    torch.testing.assert_close(result, propagate_reference(*stage), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("path", FAST)
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_half_precision_logits_of_any_layout_keep_the_depth_in_float32(path, memory_format):
    depth, kernels, blend, *rest = random_stage(2, 12, 16, WIDE)
    kernels, blend = [kernel.half() for kernel in kernels], blend.half()
    expected = propagate_reference(depth, [kernel.float() for kernel in kernels], blend.float(), *rest)
    laid_out = [kernel.to(memory_format=memory_format) for kernel in kernels]
    result = run(path, depth, laid_out, blend.to(memory_format=memory_format), *rest)
    assert result.dtype == torch.float32
    torch.testing.assert_close(result, expected, rtol=1e-5, atol=1e-5)


def test_the_path_with_gradients_is_taken_where_they_are_wanted():
    stage = random_stage(1, 6, 7, WIDE)
    fast = propagate(*stage)
    stage[2].requires_grad_()
    result = propagate(*stage)
    result.sum().backward()
    assert stage[2].grad.abs().sum() > 0
    torch.testing.assert_close(fast, result.detach())


def test_autocast_does_not_coarsen_metres():
    stage = random_stage(1, 10, 12, WIDE)
    with torch.autocast("cpu", torch.bfloat16):
        result = propagate(*stage)
    torch.testing.assert_close(result, propagate_reference(*stage))


def test_funnel_makes_each_stage_from_the_one_before():
    """Against the same convolutions called one by one, over all three kinds of stages."""
    torch.manual_seed(0)
    module = FunnelPropagation(4, ((2, WIDE), (1, MIDDLE), (1, NARROW), (1, NARROW)))
    guidance, depth = torch.randn(1, 4, 9, 8), torch.rand(1, 1, 9, 8)
    measured = torch.rand(1, 1, 9, 8) < 0.2
    wide, middle, *narrow = module.stages

    kernels = [conv(guidance) for conv in wide.kernels]
    blend = wide.blend(guidance)
    expected = propagate_reference(depth, kernels, blend, WIDE, 2, measured)
    kernels = [middle.kernels[i](torch.cat([kernels[i], expected], 1)) for i in range(2)]
    blend = middle.blend(torch.cat([blend, expected], 1))
    expected = propagate_reference(expected, kernels, blend, MIDDLE, 1, measured)
    kernel = kernels[0]
    for stage in narrow:
        assert stage.blend is None
        kernel = stage.kernels[0](torch.cat([kernel, expected], 1))
        expected = propagate_reference(expected, [kernel], None, NARROW, 1, measured)

    torch.testing.assert_close(module(guidance, depth, measured), expected)


@needs_triton
def test_more_dilations_than_the_kernel_knows_are_refused():
    with pytest.raises(ValueError, match="up to 3 dilations, got 4"):
        run("triton", *random_stage(1, 6, 7, (1, 2, 3, 4)))
