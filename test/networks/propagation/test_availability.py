"""When Triton's kernels are used, and that all does without them where they do not run."""

import importlib.util

import pytest
import torch

from depth_completion_ros.networks.propagation import availability, funnel, masked, non_local, recursive
from depth_completion_ros.networks.propagation.availability import fast_path, triton_runs

pytestmark = pytest.mark.skipif(not importlib.util.find_spec("triton"), reason="Triton is not installed")
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")  # on the CPU, conftest has chosen the interpreter


@pytest.fixture(autouse=True)
def forget():
    triton_runs.cache_clear()
    yield
    triton_runs.cache_clear()


@pytest.fixture
def no_compiler(monkeypatch):
    from depth_completion_ros.networks.propagation import trial_triton

    def launch(device):
        raise RuntimeError("Failed to find C compiler. Please specify via CC environment variable")

    monkeypatch.setattr(trial_triton, "launch", launch)


class OnGPU(torch.Tensor):
    device = property(lambda self: torch.device("cuda"))


def on_gpu():
    return torch.rand(2, 1, 3, 4).as_subclass(OnGPU)


def test_triton_that_runs_is_used_unless_gradients_are_wanted(caplog, monkeypatch):
    assert triton_runs(DEVICE)
    monkeypatch.setattr(availability, "triton_runs", lambda device: True)
    learned = on_gpu().requires_grad_()
    assert fast_path(on_gpu(), on_gpu()) == "triton"
    assert fast_path(on_gpu(), learned) is None
    with torch.inference_mode():
        assert fast_path(on_gpu(), learned) == "triton"
    assert not caplog.text


def test_triton_that_cannot_compile_is_not_used_and_said_once(no_compiler, caplog):
    for _ in range(2):
        assert fast_path(on_gpu()) is None
    assert caplog.text.count("Failed to find C compiler") == 1
    assert "apt install gcc python3-dev" in caplog.text


def test_a_cpu_has_a_path_of_its_own_unless_gradients_are_wanted():
    depth = torch.rand(1, 1, 3, 4)
    assert fast_path(depth, depth) == "cpu"
    assert fast_path(depth, depth.clone().requires_grad_()) is None


@pytest.mark.parametrize("path", ["triton", None])
def test_propagations_take_the_path_there_is(monkeypatch, path):
    taken = []
    for module in (funnel, non_local):
        kernels = importlib.import_module(f"{module.__name__}_triton")
        monkeypatch.setattr(module, "fast_path", lambda *inputs: path)
        monkeypatch.setattr(module, "propagate_reference", lambda *inputs: taken.append(None))
        monkeypatch.setattr(kernels, "propagate_triton", lambda *inputs: taken.append("triton"))
    depth = torch.rand(1, 1, 3, 4)
    funnel.propagate(depth, [torch.rand(1, 9, 3, 4)], None, (1,), 1, depth > 0)
    non_local.propagate(depth, torch.rand(1, 2, 2, 3, 4), torch.rand(1, 2, 3, 4), 1)

    from depth_completion_ros.networks.propagation import masked_triton

    monkeypatch.setattr(masked, "fast_path", lambda *inputs: path)
    monkeypatch.setattr(masked.masked_tiles, "attention_step", lambda *inputs: taken.append(None))
    monkeypatch.setattr(masked_triton, "attention_step", lambda *inputs, features: taken.append("triton"))
    masked.MaskedPropagation(4, 3)._attention(torch.rand(1, 4, 3, 4), depth, depth)

    from depth_completion_ros.networks.propagation import recursive_triton

    monkeypatch.setattr(recursive, "fast_path", lambda *inputs: path)
    monkeypatch.setattr(recursive, "spread_reference", lambda *inputs: taken.append(None))
    monkeypatch.setattr(recursive_triton, "spread_triton", lambda *inputs: taken.append("triton"))
    recursive.spread(depth, depth, torch.rand(1, 4, 3, 4))
    assert taken == [path] * 4


def test_triton_that_is_not_installed_is_not_used(monkeypatch, caplog):
    monkeypatch.setitem(importlib.sys.modules, "depth_completion_ros.networks.propagation.trial_triton", None)
    monkeypatch.delattr("depth_completion_ros.networks.propagation.trial_triton", raising=False)
    assert not availability.triton_runs(DEVICE)
    assert "ModuleNotFoundError" in caplog.text
