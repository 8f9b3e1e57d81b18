"""Threads, memory in MiB on every system, copies between devices, and what errors of devices mean."""

from __future__ import annotations

import errno
import sys

import pytest
import torch

from dreamfusion_engine.machine import device
from dreamfusion_engine.machine.places import resolve_device


def test_peak_memory_grows_by_what_is_held() -> None:
    before = device.peak_memory_mib(torch.device("cpu"))
    room = max(0.0, before - _resident_mib())  # the peak may lie above what is held now
    held = bytearray(b"\1") * int((room + 200) * device.MIB)
    after = device.peak_memory_mib(torch.device("cpu"))
    del held
    assert 100 < after - before < 400, "a unit other than MiB is out by 1024"
    assert device.peak_memory_mib(torch.device("cpu")) == after, "a peak does not go down"


def _resident_mib() -> float:
    if sys.platform != "linux":
        return 0.0
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * 4096 / device.MIB


def test_the_machine_has_cores_and_memory() -> None:
    assert 1 <= device.usable_cores() <= 4096
    assert 256 < device.total_memory_mib() < 64 << 20


def test_what_libraries_raise_while_they_are_loaded_is_known() -> None:
    mapping = "libtorch_cpu.so: failed to map segment from shared object"
    assert device.out_of_memory(ImportError(mapping)) and device.out_of_memory(OSError(mapping))
    assert device.out_of_memory(OSError(errno.ENOMEM, "Cannot allocate memory"))  # as starting a process says it
    wrapped = RuntimeError("Failed to load the shared library 'warp.so'")
    assert not device.out_of_memory(wrapped)
    wrapped.__cause__ = OSError(mapping)  # as Warp raises it
    assert device.out_of_memory(wrapped)
    assert not device.out_of_memory(ImportError("No module named 'warp'"))


@pytest.mark.parametrize(
    "text",
    [
        "DefaultCPUAllocator: not enough memory: you tried to allocate 9 B.",
        "Failed to allocate 4096 bytes on device 'cuda:0'",  # Warp
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "CUDA error: out of memory",
    ],
)
def test_every_library_s_word_for_no_memory_is_known(text: str) -> None:
    assert device.out_of_memory(RuntimeError(text))
    assert not device.out_of_memory(ValueError(text)) and not device.out_of_memory(RuntimeError("CUDA error: lost"))


@pytest.mark.cuda
def test_peak_memory_of_a_card_grows_by_what_is_held() -> None:
    card = resolve_device("cuda")
    before = device.peak_memory_mib(card)
    held = torch.zeros(int(before + 100) << 18, device=card)
    assert device.peak_memory_mib(card) >= before + 100 - 1
    del held
    device.release_memory()
    assert torch.cuda.memory_reserved(card) / device.MIB < before + 50


def test_torch_leaves_one_core_to_others_and_kernels_none_unless_the_environment_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(device, "usable_cores", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert (device.compute_threads(), device.kernel_threads()) == (7, 8)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert (device.compute_threads(), device.kernel_threads()) == (3, 3)
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.setattr(device, "usable_cores", lambda: 1)
    assert (device.compute_threads(), device.kernel_threads()) == (1, 1)


@pytest.mark.parametrize("native", [True, False])
def test_networks_are_trained_in_bfloat16_only_where_the_device_computes_in_it(
    monkeypatch: pytest.MonkeyPatch, native: bool
) -> None:
    monkeypatch.setattr(device, "has_bfloat16", lambda name: native)
    with device.training_cast(torch.device("cpu")):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == (torch.bfloat16 if native else torch.float32)


@pytest.mark.parametrize(
    "error",
    [
        torch.AcceleratorError("CUDA error: unspecified launch failure"),
        RuntimeError("CUDA error: no CUDA-capable device is detected"),
        RuntimeError("CUDA error: all CUDA-capable devices are busy or unavailable"),
        RuntimeError("HIP error: unspecified launch failure"),
        RuntimeError("Warp CUDA error 719: unspecified launch failure (in function memcpy)"),
        RuntimeError("level_zero backend failed with error: 20 (UR_RESULT_ERROR_DEVICE_LOST)"),
        RuntimeError("Native API failed. Native API returns: 20 (UR_RESULT_ERROR_DEVICE_LOST)"),
        RuntimeError("Caused GPU Timeout Error (00000002:kIOGPUCommandBufferCallbackErrorTimeout)"),
    ],
    ids=str,
)
def test_what_a_device_that_is_gone_raises_is_known(error: RuntimeError) -> None:
    assert device.device_lost(error) and not device.out_of_memory(error)
    wrapped = RuntimeError("a step failed")
    assert not device.device_lost(wrapped)
    wrapped.__cause__ = error
    assert device.device_lost(wrapped)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        torch.AcceleratorError("CUDA error: out of memory"),
        RuntimeError("MPS backend out of memory (MPS allocated: 9.00 GB)"),
        RuntimeError("level_zero backend failed with error: 39 (UR_RESULT_ERROR_OUT_OF_DEVICE_MEMORY)"),
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
        ValueError("CUDA error: unspecified launch failure"),
        OSError("No space left on device"),
    ],
    ids=str,
)
def test_other_errors_are_no_lost_device(error: Exception) -> None:
    assert not device.device_lost(error)


def test_a_copy_is_another_tensor_of_the_same_order_and_what_is_there_is_not_sent() -> None:
    cpu = torch.device("cpu")
    picture = torch.rand(2, 4, 4, 3).permute(0, 3, 1, 2)
    copy = device.copied(picture, cpu)
    assert torch.equal(copy, picture) and copy.stride() == picture.stride()
    assert copy.data_ptr() != picture.data_ptr() and device.sent(picture, cpu) is picture


@pytest.mark.parametrize(("there", "waits"), [("cuda", False), ("xpu", False), ("mps", True)])
def test_the_host_goes_on_only_where_a_copy_from_pinned_memory_is_safe(
    there: str, waits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted: list[object] = []

    def pinned(tensor: torch.Tensor) -> torch.Tensor:
        noted.append("pinned")
        return tensor

    def to(tensor: torch.Tensor, place: torch.device, non_blocking: bool) -> torch.Tensor:
        noted.append(non_blocking)
        return tensor

    monkeypatch.setattr(torch.Tensor, "pin_memory", pinned)
    monkeypatch.setattr(torch.Tensor, "to", to)
    monkeypatch.setattr(torch.version, "hip", None)
    device.sent(torch.zeros(2), torch.device(there))
    assert noted == ([False] if waits else ["pinned", True])
