"""Recursive propagation against a loop over the pixels, and what it promises of edges, reach and trust."""

import importlib.util

import pytest
import torch

from depth_completion_ros.networks.propagation.recursive import spread, spread_reference

needs_triton = pytest.mark.skipif(not importlib.util.find_spec("triton"), reason="Triton is not installed")


def problem(height=11, width=14, batch=2):
    torch.manual_seed(0)
    depth, trust = 10 * torch.rand(2, batch, 1, height, width, dtype=torch.float64)
    return depth, trust + 0.01, torch.rand(batch, 4, height, width, dtype=torch.float64)


def along(line, before, after):
    """What the pixels of a line hold after one pass, one pixel after the other."""
    down, up = line.clone(), line.clone()
    for pixel in range(1, len(line)):
        down[pixel] += before[pixel] * down[pixel - 1]
    for pixel in range(len(line) - 2, -1, -1):
        up[pixel] += after[pixel] * up[pixel + 1]
    return down + up - line


def by_pixels(depth, trust, affinity):
    above, below, left, right = affinity

    def columns(held):
        return torch.stack([along(*each) for each in zip(held.T, above.T, below.T, strict=True)]).T

    def rows(held):
        return torch.stack([along(*each) for each in zip(held, left, right, strict=True)])

    total, share = (columns(rows(columns(held))) for held in (trust * depth, trust))
    return total / share


def run(path, *inputs):
    if path == "reference":
        return spread_reference(*inputs)
    from depth_completion_ros.networks.propagation.recursive_triton import spread_triton

    device = "cuda" if torch.cuda.is_available() else "cpu"  # without a GPU, Triton's interpreter does it
    return spread_triton(*(each.to(device) for each in inputs)).cpu()


@pytest.mark.parametrize("path", ["reference", pytest.param("triton", marks=needs_triton)])
@pytest.mark.parametrize("size", [(11, 14), (1, 9), (16, 1), (1, 1)])
def test_it_equals_a_loop_over_the_pixels(path, size):
    depth, trust, affinity = problem(*size)
    found = run(path, depth, trust, affinity)
    assert found.dtype == torch.float32
    for image in range(2):
        expected = by_pixels(depth[image, 0], trust[image, 0], affinity[image])
        torch.testing.assert_close(found[image, 0].double(), expected, rtol=1e-5, atol=1e-5)


@needs_triton
def test_the_kernel_keeps_maps_images_and_lines_apart():
    """Two images of two maps each, with more columns than a program takes; half precision, of another layout."""
    torch.manual_seed(1)
    maps, trust, affinity = torch.randn(2, 2, 5, 11), torch.rand(2, 1, 5, 11) + 0.1, torch.rand(2, 4, 5, 11).half()
    found = run("triton", maps, trust, affinity.to(memory_format=torch.channels_last))
    torch.testing.assert_close(found, spread_reference(maps, trust, affinity), rtol=1e-5, atol=1e-5)


def test_a_trusted_pixel_reaches_across_the_image_but_not_past_an_edge():
    depth, trust = torch.full((1, 1, 60, 200), 30.0), torch.full((1, 1, 60, 200), 1e-6)
    depth[..., 55, 10], trust[..., 55, 10] = 8.0, 1.0
    affinity = torch.full((1, 4, 60, 200), 0.99)
    affinity[:, 3, :, 119] = affinity[:, 2, :, 120] = 0  # between these columns, to the right and to the left
    found = spread(depth, trust, affinity)[0, 0]
    assert found[:, :120].max() < 8.5
    torch.testing.assert_close(found[:, 120:], torch.full((60, 80), 30.0))


def test_without_affinity_nothing_moves():
    depth, trust, affinity = problem()
    torch.testing.assert_close(spread(depth, trust, 0 * affinity), depth.float())


def test_scale_and_offset_pass_through_and_nothing_lies_beyond_what_was_given():
    depth, trust, affinity = problem()
    found = spread(depth, trust, affinity)
    torch.testing.assert_close(spread(3 * depth - 5, 7 * trust, affinity), 3 * found - 5, rtol=1e-4, atol=1e-4)
    for image in range(2):
        assert depth[image].min() <= found[image].min() and found[image].max() <= depth[image].max()


def test_full_affinity_of_a_large_image_stays_finite():
    depth, trust = torch.rand(2, 1, 1, 176, 608)
    found = spread(depth, 1e3 * trust + 1e-4, torch.ones(1, 4, 176, 608))
    assert found.isfinite().all()
    torch.testing.assert_close(found.std(), torch.tensor(0.0), rtol=0, atol=0.05)


def test_gradients_are_those_of_finite_differences():
    arguments = [each[:1, :, :4, :5].clone().requires_grad_() for each in problem()]
    weights = torch.rand(1, 1, 4, 5)
    gradients = torch.autograd.grad((spread(*arguments) * weights).sum(), arguments)
    for argument, gradient in zip(arguments, gradients, strict=True):
        for place in ((0, 0, 0, 0), (0, 0, 2, 3), (0, -1, 3, 1)):
            step = torch.zeros_like(argument)
            step[place] = 1e-2
            with torch.no_grad():
                moved = [[a + sign * step if a is argument else a for a in arguments] for sign in (1, -1)]
                ahead, behind = ((spread(*each).double() * weights).sum() for each in moved)
            assert gradient[place] == pytest.approx(((ahead - behind) / 2e-2).item(), rel=0.02, abs=2e-4)
