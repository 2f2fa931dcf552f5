"""Guided diffusion against the minimum itself, from a direct solver, and against maps that one knows beforehand."""

import numpy as np
import pytest
import torch

from depth_completion_ros.networks.propagation.diffusion import diffuse


def minimum(target, trust, right, down):
    """The (h, w) map at which the gradient of what is minimised is 0."""
    height, width = target.shape
    index = np.arange(height * width).reshape(height, width)
    system = np.diag(trust.numpy().astype(np.float64).ravel())
    for link, one, other in (
        (right[:, :-1], index[:, :-1], index[:, 1:]),
        (down[:-1], index[:-1], index[1:]),
    ):
        link, one, other = link.numpy().ravel(), one.ravel(), other.ravel()
        for i, j, sign in ((one, one, 1), (other, other, 1), (one, other, -1), (other, one, -1)):
            np.add.at(system, (i, j), sign * link)
    return np.linalg.solve(system, (trust * target).numpy().astype(np.float64).ravel()).reshape(height, width)


@pytest.mark.parametrize("size", [(1, 1), (1, 17), (24, 24), (23, 41)])
def test_it_comes_near_the_minimum(size):
    torch.manual_seed(0)
    target = 1 + 3 * torch.rand(2, 1, *size)
    trust = 10 * (torch.rand(2, 1, *size) < 0.1).float()
    trust[:, :, 0, 0] = 1.0
    right, down = torch.rand(2, 2, 1, *size).sigmoid()
    found = diffuse(target, trust, right, down)
    for image in range(2):
        exact = minimum(*(each[image, 0] for each in (target, trust, right, down)))
        error = np.abs(found[image, 0].numpy() - exact).mean()
        assert error < 0.25 * exact.std() + 1e-5


def test_a_hole_between_two_walls_is_a_ramp():
    """By the analytic solution: without a hindrance, depth falls linearly from one side to the other."""
    target = torch.ones(1, 1, 48, 32)
    target[..., 24:] = 2.0
    trust = torch.full_like(target, 1e3)
    trust[..., 8:24] = 0
    links = torch.ones_like(target)
    found = diffuse(target, trust, links, links)
    expected = 1 + torch.arange(1, 17) / 17
    torch.testing.assert_close(found[0, 0, :, 8:24], expected.expand(48, -1), rtol=0, atol=0.02)


def test_a_weak_link_parts_what_lies_on_either_side():
    target = torch.ones(1, 1, 48, 32)
    target[..., 24:] = 2.0
    trust = torch.full_like(target, 1e3)
    trust[..., 8:24] = 0
    right, down = torch.ones_like(target), torch.ones_like(target)
    right[..., 12] = 1e-4  # between columns 12 and 13
    found = diffuse(target, trust, right, down)[0, 0]
    assert (found[:, 8:13] - 1).abs().max() < 0.15
    assert (found[:, 13:24] - 2).abs().max() < 0.15


def test_what_is_not_trusted_does_not_matter_and_nothing_lies_beyond_what_is():
    torch.manual_seed(0)
    target = 1 + torch.rand(2, 1, 20, 30)
    trust = (torch.rand(2, 1, 20, 30) < 0.1).float()
    links = torch.rand(2, 1, 20, 30)
    found = diffuse(target, trust, links, links)
    other = torch.where(trust > 0, target, 1e4)
    torch.testing.assert_close(diffuse(other, trust, links, links), found)
    known = target[trust > 0]
    assert known.min() <= found.min()
    assert found.max() <= known.max()


def test_images_of_a_batch_know_nothing_of_each_other():
    torch.manual_seed(0)
    maps = [torch.rand(3, 1, 13, 18) for _ in range(4)]
    torch.testing.assert_close(diffuse(*maps)[1:2], diffuse(*(each[1:2] for each in maps)))


def test_scale_and_offset_pass_through():
    torch.manual_seed(0)
    target, *rest = (torch.rand(1, 1, 13, 18) for _ in range(4))
    torch.testing.assert_close(diffuse(5 * target + 2, *rest), 5 * diffuse(target, *rest) + 2, rtol=1e-4, atol=1e-4)


def test_gradients_are_those_of_finite_differences():
    torch.manual_seed(0)
    maps = [(0.2 + torch.rand(1, 1, 5, 6)).requires_grad_() for _ in range(4)]
    wanted = torch.rand(1, 1, 5, 6)

    def loss():
        return (diffuse(*maps) - wanted).square().sum()

    gradients = torch.autograd.grad(loss(), maps)
    step = 1e-2
    for each, gradient in zip(maps, gradients, strict=True):
        direction = torch.randn_like(each)
        with torch.no_grad():
            each += step * direction
            above = loss()
            each -= 2 * step * direction
            below = loss()
            each += step * direction
        expected = (above - below) / (2 * step)
        torch.testing.assert_close((gradient * direction).sum(), expected, rtol=0.05, atol=1e-3)


def test_links_of_0_and_no_links_at_all_stay_finite():
    target, trust = torch.ones(1, 1, 9, 9), torch.zeros(1, 1, 9, 9)
    target[0, 0, 4, 4], trust[0, 0, 4, 4] = 3.0, 1.0
    nothing = torch.zeros(1, 1, 9, 9).requires_grad_()
    found = diffuse(target, trust, nothing, nothing)
    torch.testing.assert_close(found, torch.full_like(found, 3.0))
    found.sum().backward()
    assert nothing.grad is not None
    assert nothing.grad.isfinite().all()
