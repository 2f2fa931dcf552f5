"""Which device is taken, and what counts as too little memory; GPUs are stand-ins."""

import pytest
import torch

from depth_completion_ros import devices
from depth_completion_ros.devices import choose_device, lacks_memory


@pytest.fixture(autouse=True)
def forget():
    devices._why_not.cache_clear()
    yield
    devices._why_not.cache_clear()


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Quadro")
    monkeypatch.setattr(torch, "ones", lambda *size, device: torch.zeros(*size))


@pytest.fixture
def too_old(monkeypatch, two_gpus):
    def ones(*size, device):
        raise RuntimeError("CUDA error: no kernel image is available for execution on the device")

    monkeypatch.setattr(torch, "ones", ones)


@pytest.mark.parametrize(
    ("device", "process", "expected"),
    [("auto", None, "cuda"), ("auto", 1, "cuda:1"), ("cuda", 1, "cuda:1"), ("cuda:0", 1, "cuda:0"), ("cpu", 1, "cpu")],
)
def test_a_gpu_is_taken_if_there_is_one(two_gpus, device, process, expected):
    assert choose_device(device, process) == torch.device(expected)


@pytest.mark.parametrize(
    ("device", "process", "message"),
    [
        ("toaster", None, "unknown device 'toaster'; expected auto, cpu, cuda or cuda:N"),
        ("meta", None, "unknown device 'meta'"),
        ("cuda:2", None, "device 'cuda:2' was asked for, but the last one here is cuda:1"),
        ("cuda", 7, "device 'cuda' was asked for, but the last one here is cuda:1"),
        ("auto", 7, "no GPU for process 7 of this machine: the last one here is cuda:1"),
    ],
)
def test_a_device_that_is_not_there_is_refused(two_gpus, device, process, message):
    with pytest.raises(ValueError, match=message):
        choose_device(device, process)


def test_without_a_gpu_auto_is_the_cpu_and_cuda_is_refused(monkeypatch, caplog):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device() == torch.device("cpu") and not caplog.text
    with pytest.raises(ValueError, match=r"'cuda' was asked for, but PyTorch .* finds no CUDA GPU here"):
        choose_device("cuda")


def test_a_gpu_that_pytorch_has_no_code_for_is_not_taken(too_old, caplog):
    assert choose_device() == torch.device("cpu")
    assert "cannot compute on Quadro: CUDA error: no kernel image" in caplog.text
    with pytest.raises(ValueError, match=r"'cuda:1' was asked for, but PyTorch .* cannot compute on Quadro"):
        choose_device("cuda:1")


def test_a_gpu_that_is_full_for_a_moment_is_taken(monkeypatch, two_gpus):
    def ones(*size, device):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(torch, "ones", ones)
    assert choose_device() == choose_device("cuda") == torch.device("cuda")


class OutOfResources(Exception):
    """As Triton calls too little memory for a block."""


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 MiB"),
        OutOfResources("Required: 155648, Hardware limit: 101376"),
        MemoryError("Unable to allocate 20 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("Triton Error [CUDA]: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"),
        RuntimeError("NVML_SUCCESS == r INTERNAL ASSERT FAILED at CUDACachingAllocator.cpp"),
    ],
    ids=str,
)
def test_lack_of_memory_has_many_names(error):
    assert lacks_memory(error)


def test_other_errors_are_no_lack_of_memory():
    assert not lacks_memory(RuntimeError("CUDA error: an illegal memory access was encountered"))
    assert not lacks_memory(ValueError("out of memory"))
