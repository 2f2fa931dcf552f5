import numpy as np
import pytest
import torch

from depth_completion_ros import DepthCompleter
from depth_completion_ros.networks.execution import EVERY_WAY, Execution, fastest, on_cpu
from depth_completion_ros.networks.registry import create
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


def test_the_fastest_way_is_one_of_those_given_and_measured(network, inputs, caplog):
    caplog.set_level("INFO")
    with torch.inference_mode():
        assert fastest(network, inputs) in EVERY_WAY
    assert "auxiliary runs in" in caplog.text and "float32, channels last" in caplog.text


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


@pytest.mark.parametrize(
    ("capabilities", "preset", "half"),
    [({"avx512_bf16": True}, "lite", True), ({"amx_bf16": True}, "paper", False), ({"avx2": True}, "lite", False)],
)
def test_a_cpu_takes_bfloat16_where_it_has_it_and_the_network_allows(monkeypatch, capabilities, preset, half):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert on_cpu(create("auxiliary", preset=preset)) == Execution(half=half)


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
        completer.execution = Execution(half=half)
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
