"""Non-local propagation against PyTorch's own sampling, and its fast paths against the reference."""

import importlib.util

import pytest
import torch
from torch.nn import functional

from depth_completion_ros.networks.propagation import non_local
from depth_completion_ros.networks.propagation.non_local import propagate, propagate_reference, sample

needs_mkl = pytest.mark.skipif(not torch.backends.mkl.is_available(), reason="this PyTorch is built without MKL")
needs_triton = pytest.mark.skipif(not importlib.util.find_spec("triton"), reason="Triton is not installed")
FAST = [pytest.param("sparse", marks=needs_mkl), pytest.param("triton", marks=needs_triton)]


def run(path, *inputs):
    if path == "sparse":
        return non_local._propagate_sparse(*inputs)
    from depth_completion_ros.networks.propagation.non_local_triton import propagate_triton

    device = "cuda" if torch.cuda.is_available() else "cpu"  # on the CPU, conftest has chosen the interpreter
    inputs = [value.to(device) if isinstance(value, torch.Tensor) else value for value in inputs]
    return propagate_triton(*inputs).cpu()


def random_inputs(batch, height, width, *, spread=1.0, neighbours=8):
    generator = torch.Generator().manual_seed(height * width)
    depth = 80 * torch.rand(batch, 1, height, width, generator=generator)
    displacement = spread * torch.randn(batch, neighbours, 2, height, width, generator=generator)
    affinity = (torch.rand(batch, neighbours, height, width, generator=generator) - 0.3) / 4
    measured = 80 * torch.rand(depth.shape, generator=generator) * (torch.rand(depth.shape, generator=generator) < 0.1)
    return depth, displacement, affinity, measured


def test_step_by_hand():
    depth = torch.tensor([[[[1.0, 2.0, 4.0], [8.0, 16.0, 32.0]]]])
    displacement = torch.zeros(1, 2, 2, 2, 3)
    displacement[:, 0, 0], displacement[:, 0, 1] = 0.5, 0.25  # half a row down, a quarter of a column right
    displacement[:, 1, 0] = -1
    affinity = torch.tensor([0.5, 0.25]).view(1, 2, 1, 1).expand(1, 2, 2, 3)

    result = propagate_reference(depth, displacement, affinity, 1)

    lower_row = [8 + 2, 16 + 4, 32 * 0.75]  # zero outside
    samples = [(1.25 + lower_row[0]) / 2, (2.5 + lower_row[1]) / 2, (3 + lower_row[2]) / 2]
    expected = [0.25 * own + 0.5 * value for own, value in zip((1, 2, 4), samples, strict=True)]
    expected_below = [
        0.25 * own + 0.5 * value / 2 + 0.25 * above
        for own, value, above in zip((8, 16, 32), lower_row, (1, 2, 4), strict=True)
    ]
    torch.testing.assert_close(result[0, 0], torch.tensor([expected, expected_below]))


def test_measurements_replace_the_depth_before_a_step_and_not_after_it():
    depth, measured = torch.full((1, 1, 1, 3), 2.0), torch.tensor([[[[0.0, 6.0, 0.0]]]])
    to_the_right = torch.zeros(1, 1, 2, 1, 3)
    to_the_right[:, :, 1] = 1
    half = torch.full((1, 1, 1, 3), 0.5)
    result = propagate_reference(depth, to_the_right, half, 1, measured)
    assert result.flatten().tolist() == [4.0, 4.0, 1.0]
    again = propagate_reference(depth, to_the_right, half, 2, measured)
    assert again.flatten().tolist() == [5.0, 3.5, 0.5]


@pytest.mark.parametrize(("height", "width"), [(9, 14), (1, 7), (5, 1), (1, 1)])
@pytest.mark.parametrize("spread", [1.0, 40.0])
def test_samples_are_those_of_grid_sample(height, width, spread):
    image, displacement, _, _ = random_inputs(2, height, width, spread=spread)
    image, displacement = image.double(), displacement.double()
    row = torch.arange(height).view(-1, 1) + displacement[:, :, 0]
    column = torch.arange(width) + displacement[:, :, 1]
    grid = torch.stack(((2 * column + 1) / width - 1, (2 * row + 1) / height - 1), -1).flatten(1, 2)
    expected = functional.grid_sample(image, grid, align_corners=False).view_as(row)
    torch.testing.assert_close(sample(image, displacement), expected)


def test_reference_is_differentiable():
    depth, displacement, affinity, measured = random_inputs(2, 4, 5, spread=2.0, neighbours=3)
    inputs = [value.double().requires_grad_() for value in (depth / 80, displacement, affinity)]
    for known in (None, measured.double() / 80):
        assert torch.autograd.gradcheck(lambda *given, known=known: propagate_reference(*given, 2, known), inputs)


@pytest.mark.parametrize("path", FAST)
@pytest.mark.parametrize("insert", [False, True])
@pytest.mark.parametrize(
    ("batch", "height", "width", "spread"),
    [(2, 13, 17, 1.0), (1, 40, 24, 30.0), (1, 6, 5, 1e12), (1, 1, 9, 1.0), (1, 1, 1, 1.0)],
)
def test_fast_path_equals_reference(path, insert, batch, height, width, spread):
    depth, displacement, affinity, measured = random_inputs(batch, height, width, spread=spread)
    inputs = (depth, displacement, affinity, 3, measured if insert else None)
    expected = propagate_reference(*inputs)
    torch.testing.assert_close(run(path, *inputs), expected, rtol=1e-5, atol=1e-5)


@needs_mkl
def test_matrix_is_made_alike_in_one_and_in_many_blocks(monkeypatch):
    inputs = random_inputs(1, 30, 20)[:3]
    whole = non_local._propagate_sparse(*inputs, 2, None)
    monkeypatch.setattr(non_local, "_PIXELS_AT_A_TIME", 70)
    torch.testing.assert_close(non_local._propagate_sparse(*inputs, 2, None), whole)


@pytest.mark.parametrize("path", FAST)
def test_half_precision_neighbours_keep_the_depth_in_float32(path):
    depth, displacement, affinity, measured = random_inputs(1, 12, 16)
    half = (depth, displacement.half(), affinity.half(), 2, measured)
    result = run(path, *half)
    assert result.dtype == torch.float32
    torch.testing.assert_close(result, propagate_reference(depth, half[1].float(), half[2].float(), 2, measured))


@pytest.mark.parametrize("path", ["reference", *FAST])
def test_a_neighbour_at_nan_reads_no_memory_outside_the_image(path):
    depth, displacement, affinity, _ = random_inputs(1, 6, 7)
    broken = displacement.clone()
    broken[0, 3, :, 2, 4] = torch.nan
    step = propagate_reference if path == "reference" else lambda *inputs: run(path, *inputs, None)
    result, expected = step(depth, broken, affinity, 1), propagate_reference(depth, displacement, affinity, 1)
    elsewhere = torch.ones_like(depth, dtype=torch.bool)
    elsewhere[0, 0, 2, 4] = False
    torch.testing.assert_close(result[elsewhere], expected[elsewhere], rtol=1e-5, atol=1e-5)


def test_the_path_with_gradients_is_taken_where_they_are_wanted():
    depth, displacement, affinity, _ = random_inputs(1, 6, 7)
    fast = propagate(depth, displacement, affinity, 2)
    displacement.requires_grad_()
    result = propagate(depth, displacement, affinity, 2)
    result.sum().backward()
    assert displacement.grad.abs().sum() > 0
    torch.testing.assert_close(fast, result.detach())


def test_autocast_does_not_coarsen_metres():
    inputs = random_inputs(1, 10, 12)[:3]
    with torch.autocast("cpu", torch.bfloat16):
        result = propagate(*inputs, 3)
    torch.testing.assert_close(result, propagate_reference(*inputs, 3))
