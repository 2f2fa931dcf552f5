"""Local planes against planes, against the definition of the kernel, and against `classical`, which is other code."""

import math

import pytest
import torch

from depth_completion_ros.networks.planes import _weighted_sums, continue_upright, look_around
from depth_completion_ros.networks.registry import create


def scattered(depth, share, seed=0):
    """A depth image, (H, W), of which a share was measured."""
    generator = torch.Generator().manual_seed(seed)
    return (depth * (torch.rand(depth.shape, generator=generator) < share))[None, None]


def road(height=96, width=160, horizon=-20.0):
    """A slanted plane: inverse depth is linear in the rows."""
    return (400 / (torch.arange(height) - horizon))[:, None].expand(height, width)


def test_everything_measured_at_one_depth_is_that_depth():
    known = look_around(scattered(torch.full((64, 96), 7.0), 0.02))
    torch.testing.assert_close(known.scale.item(), math.log(7))
    torch.testing.assert_close(known.plane, torch.zeros(1, 1, 32, 48), atol=1e-4, rtol=0)
    assert known.deviation.abs().max() < 1e-3 and known.slant.abs().max() < 1e-3


def test_a_slanted_plane_is_found():
    depth = road(horizon=-50.0)
    known = look_around(scattered(depth, 0.05))
    cells = torch.nn.functional.avg_pool2d(depth.log()[None, None], 2)
    error = (known.scale + known.plane - cells).abs()[..., 4:-4, 4:-4]
    assert error.mean() < 0.01
    assert error.max() < 0.06
    assert known.deviation.median() < 0.05


def test_measurements_count_with_their_distance_to_the_power_of_minus_4_5():
    impulse = torch.zeros(1, 1, 258, 258)
    impulse[0, 0, 128, 128:130] = 0.5  # between two columns, which is where the sums are taken
    weights = _weighted_sums(impulse)[0, 0]
    assert weights.shape == (258, 129)
    for near, far in ((8, 16), (16, 32), (32, 64)):
        for along in (weights[128, 64:], weights[128:, 64].repeat_interleave(1)[::2]):
            slope = math.log2(along[near // 2] / along[far // 2])
            assert slope == pytest.approx(4.5, abs=0.35)
    assert weights[128, 80] == pytest.approx(weights[160, 64].item(), rel=0.02)


@pytest.mark.parametrize("allowed", [True, False])
def test_the_fit_convolves_in_float32_and_leaves_the_settings_as_they_are(monkeypatch, tf32, allowed):
    """A GPU's TF32 has 10 bits, of moments that are differences of large numbers."""
    cudnn = torch.backends.cudnn
    tf32.allowed = allowed
    settings = cudnn.enabled, cudnn.benchmark, cudnn.deterministic
    convolve, during = torch.nn.functional.conv2d, []

    def record(*arguments, **options):
        during.append((tf32.allowed, torch.is_autocast_enabled("cpu"), cudnn.enabled))
        return convolve(*arguments, **options)

    monkeypatch.setattr(torch.nn.functional, "conv2d", record)
    with torch.autocast("cpu", torch.bfloat16):
        look_around(scattered(road(), 0.03))
    assert during and set(during) == {(False, False, cudnn.enabled)}
    assert tf32.allowed == allowed
    assert settings == (cudnn.enabled, cudnn.benchmark, cudnn.deterministic)


def test_agrees_with_classical():
    """On a scan of a wall over a road, but for half the resolution in the end."""
    depth = road().clone()
    depth[:60, 40:100] = 9.0
    sparse_depth = torch.zeros_like(depth)
    sparse_depth[10::6, ::3] = depth[10::6, ::3]
    sparse_depth = sparse_depth[None, None]
    known = look_around(sparse_depth)
    with torch.inference_mode():
        other = create("classical")(None, sparse_depth).depth.log()
    mine = torch.nn.functional.interpolate(known.scale + known.plane, scale_factor=2.0, mode="bilinear")
    difference = (mine - other).abs()[..., 12:, :]
    assert difference.median() < 0.01
    assert difference.quantile(0.9) < 0.02


def test_what_was_measured_in_a_cell():
    sparse_depth = torch.zeros(1, 1, 8, 8)
    sparse_depth[0, 0, 0, 0], sparse_depth[0, 0, 1, 1], sparse_depth[0, 0, 7, 4] = 2.0, 8.0, 4.0
    known = look_around(sparse_depth)
    torch.testing.assert_close(known.scale.item(), math.log(4))
    assert known.count[0, 0].nonzero().tolist() == [[0, 0], [3, 2]]
    assert known.count[0, 0, 0, 0] == 2
    torch.testing.assert_close(known.measured[0, 0, 0, 0].item(), 0.0, atol=1e-6, rtol=0)  # the mean of 2 and 8 is 4
    assert known.covered(8).tolist() == [[[[True]]]]
    assert known.covered(4).flatten().tolist() == [True, False, False, True]


def test_images_of_a_batch_do_not_mix_and_an_empty_one_stays_finite():
    one, empty = scattered(road(), 0.03), torch.zeros(1, 1, 96, 160)
    both = look_around(torch.cat([empty, one]))
    alone = look_around(one)
    for name in ("scale", "plane", "deviation", "slant", "distance", "measured", "count"):
        torch.testing.assert_close(getattr(both, name)[1:], getattr(alone, name), rtol=1e-4, atol=1e-4)
        assert getattr(both, name).isfinite().all()
    assert both.doubts().isfinite().all()
    assert not both.plane[0].any() and not both.count[0].any()


def test_scale_changes_nothing_but_the_scale():
    near = scattered(road(), 0.03)
    one, other = look_around(near), look_around(10 * near)
    torch.testing.assert_close(other.scale, one.scale + math.log(10))
    torch.testing.assert_close(other.plane, one.plane, atol=1e-4, rtol=0)
    torch.testing.assert_close(other.doubts(), one.doubts(), atol=1e-3, rtol=1e-3)


def test_depth_continues_upright_above_the_highest_measurements_around():
    depth = torch.arange(40.0).view(1, 1, 1, 40).expand(2, 1, 20, 40) + torch.arange(20.0).view(1, 1, 20, 1)
    measured = torch.zeros(2, 1, 20, 40, dtype=torch.bool)
    measured[0, 0, 12, ::3] = True  # the second image has none
    measured[0, 0, 8, 20] = True
    continued = continue_upright(depth, measured)
    assert torch.equal(continued[1], depth[1])
    assert torch.equal(continued[0, 0, 12:], depth[0, 0, 12:])
    # Within a tenth of the width to either side, the highest one counts.
    assert torch.equal(continued[0, 0, 8:, 16:25], depth[0, 0, 8:, 16:25])
    assert continued[0, 0, 11, 10] == depth[0, 0, 12, 10]
    # Of a ramp, every mean within the image is that of its middle.
    torch.testing.assert_close(continued[0, 0, 8:12, 9], depth[0, 0, 12, 9].expand(4))
    assert (continued[0, 0, 0, :5] > depth[0, 0, 12, :5]).all(), "at the border it is that of the columns there are"
