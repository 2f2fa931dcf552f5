"""The building blocks that keep metres in float32."""

import pytest
import torch

from depth_completion_ros.networks.layers import conv_in_float32, exact, padded


@pytest.mark.parametrize(
    ("size", "least", "expected"), [((7, 12), 1, (8, 12)), ((8, 13), 1, (8, 16)), ((1, 9), 10, (12, 12))]
)
@pytest.mark.parametrize("mode", ["constant", "replicate"])
def test_padding_is_at_the_end_and_0_or_what_is_at_the_border(size, least, expected, mode):
    maps = 1 + torch.rand(2, 3, *size)
    larger = padded(maps, 4, mode, least=least)
    assert larger.shape[-2:] == expected
    rows, columns = (torch.arange(side).clamp(max=last - 1) for side, last in zip(expected, size, strict=True))
    replicated = maps[..., rows[:, None], columns]
    inside = torch.zeros(expected)
    inside[: size[0], : size[1]] = 1
    assert torch.equal(larger, replicated if mode == "replicate" else replicated * inside)


def test_settings_come_back_after_an_error(tf32):
    tf32.allowed = True
    with pytest.raises(ZeroDivisionError), exact(torch.device("cpu")):
        raise ZeroDivisionError
    assert tf32.allowed


def test_a_convolution_in_float32_takes_neither_autocast_nor_tf32(monkeypatch, tf32):
    convolve, during = torch.nn.functional.conv2d, []

    def record(*arguments):
        during.append((tf32.allowed, torch.is_autocast_enabled("cpu")))
        return convolve(*arguments)

    monkeypatch.setattr(torch.nn.functional, "conv2d", record)
    tf32.allowed = True
    conv = torch.nn.Conv2d(3, 2, 3, padding=1)
    with torch.autocast("cpu", torch.bfloat16):
        assert conv_in_float32(conv, torch.rand(1, 3, 8, 9).bfloat16()).dtype == torch.float32
    assert during == [(False, False)]
    assert tf32.allowed
