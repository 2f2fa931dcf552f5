"""When Triton's kernels are used, and that all does without them where they do not run."""

import importlib.util

import pytest
import torch

from depth_completion_ros.networks.propagation import availability, funnel, masked, non_local
from depth_completion_ros.networks.propagation.availability import triton_runs

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


def test_triton_that_runs_is_used(caplog):
    assert triton_runs(DEVICE)
    for module in (funnel, non_local):
        assert module._cuda_path(DEVICE).__name__ == "propagate_triton"
    assert not caplog.text


def test_triton_that_cannot_compile_is_not_used_and_said_once(no_compiler, caplog):
    for module in (funnel, non_local):
        assert module._cuda_path(DEVICE) is module.propagate_reference
    assert caplog.text.count("Failed to find C compiler") == 1
    assert "apt install gcc python3-dev" in caplog.text


class OnGPU(torch.Tensor):
    is_cuda = property(lambda self: True)


@torch.inference_mode()
def test_masked_propagation_does_without_triton(no_compiler, monkeypatch):
    taken = []
    monkeypatch.setattr(masked.masked_tiles, "attention_step", lambda *arguments: taken.append("tiles"))
    masked.MaskedPropagation(4, 3)._attention(torch.rand(1, 4, 5, 6).as_subclass(OnGPU))
    assert taken == ["tiles"]


def test_triton_that_is_not_installed_is_not_used(monkeypatch, caplog):
    monkeypatch.setitem(importlib.sys.modules, "depth_completion_ros.networks.propagation.trial_triton", None)
    monkeypatch.delattr("depth_completion_ros.networks.propagation.trial_triton", raising=False)
    assert not availability.triton_runs(DEVICE)
    assert "ModuleNotFoundError" in caplog.text
