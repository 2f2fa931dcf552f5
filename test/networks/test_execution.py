import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from depth_completion_ros import DepthCompleter
from depth_completion_ros.networks.execution import EVERY_WAY, Execution, fastest, on_cpu
from depth_completion_ros.networks.registry import CompletionNetwork, NetworkOutput, create
from depth_completion_ros.shipped import shipped_models


@pytest.fixture
def network():
    torch.manual_seed(0)
    return create("auxiliary", preset="lite")


@pytest.fixture
def inputs():
    generator = torch.Generator().manual_seed(0)
    sparse = torch.zeros(1, 1, 64, 96)
    sparse[..., ::5, ::5] = 5 + torch.rand(1, 1, 13, 20, generator=generator)
    return None, sparse, None


@pytest.mark.parametrize("way", EVERY_WAY, ids=str)
def test_every_way_gives_the_same_depth(network, inputs, way):
    with torch.inference_mode():
        expected = network(*inputs).depth
        way.prepare(network)
        depth = way.run(network, inputs).depth
    assert depth.dtype == torch.float32
    assert ((depth - expected).abs() / expected.abs()).median() < (0.02 if way.half else 1e-5)


def test_channels_last_is_how_the_weights_lie(network, inputs):
    Execution(channels_last=True).prepare(network)
    kernels = [each for each in network.parameters() if each.ndim == 4 and each.shape[1] > 1 and each.shape[2] > 1]
    assert kernels and all(each.is_contiguous(memory_format=torch.channels_last) for each in kernels)
    Execution().prepare(network)
    assert all(each.is_contiguous() for each in kernels)


class Slow(Execution):
    """Takes its time."""

    def run(self, network, inputs):
        time.sleep(0.02)
        return super().run(network, inputs)


class Watching(CompletionNetwork):
    """One convolution, which remembers how the images lay that it was given."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 1, 3, padding=1)
        self.seen = []

    def forward(self, image, sparse_depth, initial_depth=None):
        self.seen.append(image.is_contiguous(memory_format=torch.channels_last))
        depth = sparse_depth + self.conv(image).float()
        return NetworkOutput(depth, torch.ones_like(depth))


@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize("slow_first", [True, False])
def test_the_fastest_way_wins_and_the_network_is_prepared_for_it(inputs, channels_last, slow_first):
    network = Watching()
    network.name = "watching"
    ways = [Slow(channels_last=not channels_last), Execution(channels_last=channels_last)]
    image, (_, sparse_depth, _) = torch.rand(1, 3, 64, 96), inputs
    with torch.inference_mode():
        best = fastest(network, (image, sparse_depth, None), ways if slow_first else ways[::-1])
        assert best is ways[1]
        assert network.conv.weight.is_contiguous(memory_format=torch.channels_last) == channels_last
        assert True in network.seen and False in network.seen  # images lay for each way as it says
        best.run(network, (image, sparse_depth, None))
    assert network.seen[-1] == channels_last


def test_every_way_is_measured(network, inputs, caplog):
    caplog.set_level("INFO")
    with torch.inference_mode():
        assert fastest(network, inputs) in EVERY_WAY
    assert "auxiliary runs in" in caplog.text
    assert all(f"{way} " in caplog.text for way in EVERY_WAY)


def test_a_way_that_is_wrong_is_left_out(network, inputs, caplog):
    class Wrong(Execution):
        def run(self, network, inputs):
            output = super().run(network, inputs)
            output.depth = output.depth * 1.1
            return output

    caplog.set_level("INFO")
    with torch.inference_mode():
        assert fastest(network, inputs, [Execution(), Wrong(channels_last=True)]) == Execution()
    assert "is off by 0.1 of the depth" in caplog.text


class Broken(Execution):
    """Answers NaN in the first columns."""

    columns = 1

    def run(self, network, inputs):
        output = super().run(network, inputs)
        output.depth[..., : self.columns] = torch.nan
        return output


@pytest.mark.parametrize("columns", [1, 96])
def test_pixels_that_are_not_finite_in_float32_are_not_compared(network, inputs, monkeypatch, caplog, columns):
    caplog.set_level("INFO")
    monkeypatch.setattr(Broken, "columns", columns)
    ways = [Broken(), Execution(channels_last=True)]
    with torch.inference_mode():
        assert fastest(network, inputs, ways) in (ways if columns == 1 else ways[:1])
    assert ("left out" in caplog.text) == (columns == 96)


def test_a_way_with_nan_where_float32_has_none_is_left_out(network, inputs):
    with torch.inference_mode():
        assert fastest(network, inputs, [Execution(), Broken(channels_last=True)]) == Execution()


class OutOfResources(Exception):
    """As Triton calls too little memory for a block."""


class Large(Execution):
    """Needs more memory than there is."""

    error = torch.OutOfMemoryError("CUDA out of memory")

    def run(self, network, inputs):
        raise self.error


@pytest.mark.parametrize("error", [Large.error, OutOfResources("Required: 155648, Hardware limit: 101376")], ids=str)
@pytest.mark.parametrize("first", [True, False])
def test_a_way_without_enough_memory_is_left_out(network, inputs, caplog, monkeypatch, first, error):
    caplog.set_level("INFO")
    monkeypatch.setattr(Large, "error", error)
    ways = [Large(), Execution(channels_last=True), Execution(half=True)]
    with torch.inference_mode():
        assert fastest(network, inputs, ways if first else ways[::-1]) in ways[1:]
    assert caplog.text.count(f"float32 is left out for lack of memory: {error}") == 1


def test_too_little_memory_for_any_way_and_other_errors_of_the_first_are_raised(network, inputs, monkeypatch):
    with pytest.raises(torch.OutOfMemoryError):
        fastest(network, inputs, [Large(), Large(half=True)])
    monkeypatch.setattr(Large, "error", RuntimeError("broken"))
    with pytest.raises(RuntimeError, match="broken"):
        fastest(network, inputs, [Large(), Execution()])


def test_a_way_that_fails_where_another_does_not_is_left_out_and_told(network, inputs, monkeypatch, caplog):
    monkeypatch.setattr(Large, "error", RuntimeError("no such instruction"))
    with torch.inference_mode():
        assert fastest(network, inputs, [Execution(), Large(half=True)]) == Execution()
    assert "auxiliary: half is left out, it fails here: no such instruction" in caplog.text


def test_a_way_that_is_off_in_a_few_pixels_in_a_hundred_is_left_out(network, inputs):
    class Off(Execution):
        rows = 1

        def run(self, network, inputs):
            output = super().run(network, inputs)
            output.depth[..., : self.rows, :50] *= 1.01  # 50 or 100 of 6144 pixels
            return output

    with torch.inference_mode():
        fast = Off(channels_last=True)
        assert fastest(network, inputs, [Slow(), fast]) is fast
        Off.rows = 2
        assert isinstance(fastest(network, inputs, [Slow(), fast]), Slow)


@pytest.mark.parametrize(
    ("capabilities", "preset", "half"),
    [({"avx512_bf16": True}, "lite", True), ({"amx_bf16": True}, "paper", False), ({"avx2": True}, "lite", False)],
)
def test_a_cpu_takes_bfloat16_where_it_has_it_and_the_network_allows(monkeypatch, capabilities, preset, half):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert on_cpu(create("auxiliary", preset=preset)).half == half


@pytest.mark.parametrize(("preset", "channels_last"), [("lite", True), ("paper", False)])
def test_a_cpu_runs_lite_networks_channels_last_which_they_are_from_the_start(preset, channels_last):
    network = create("auxiliary", preset=preset)
    kernels = [each for each in network.parameters() if each.ndim == 4 and each.shape[1] > 1 and each.shape[2] > 1]
    layout = torch.channels_last if channels_last else torch.contiguous_format
    assert kernels and all(each.is_contiguous(memory_format=layout) for each in kernels)
    Execution(channels_last=not channels_last).prepare(network)
    assert on_cpu(network).channels_last == channels_last
    assert all(each.is_contiguous(memory_format=layout) for each in kernels)


@pytest.mark.parametrize("model", shipped_models())
def test_bfloat16_leaves_the_depth_of_shipped_weights_as_it_is(model):
    completer = DepthCompleter(model, "cpu")
    assert completer.network.half_on_cpu
    rng = np.random.default_rng(0)
    sparse = np.zeros((96, 160), np.float32)
    sparse[::6] = 10 + 0.1 * np.arange(160) + rng.normal(0, 0.05, (16, 160))
    sparse[40:70, 50:90] *= 0.4
    image = rng.integers(0, 256, (96, 160, 3), np.uint8)
    depths = []
    for half in (False, True):
        completer.execution = replace(completer.execution, half=half)
        depths.append(completer(image, sparse).depth)
    error = np.abs(depths[1] / depths[0] - 1)
    assert 0 < np.median(error) < 1e-3 and np.quantile(error, 0.99) < 0.01


def test_too_little_memory_is_said_in_a_sentence(inputs):
    completer = DepthCompleter("auxiliary", "cpu", preset="lite")

    def forward(*_arguments):
        raise torch.OutOfMemoryError("CUDA out of memory")

    completer.network.forward = forward
    with pytest.raises(MemoryError, match="96x64 pixels need more memory than cpu has for model 'auxiliary'"):
        completer(None, inputs[1][0, 0].numpy())
