"""Devices are found, refused with what there is instead, and memory is counted in MiB on every system."""

from __future__ import annotations

import errno
import json
import sys

import pytest
import torch

from dreamfusion_engine.errors import InputError, SetupError
from dreamfusion_engine.machine import device


def test_cpu_is_always_there_and_auto_is_a_device_that_works() -> None:
    assert device.resolve_device("cpu") == torch.device("cpu")
    assert float(torch.ones(3, device=device.resolve_device("auto")).sum()) == 3.0


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:-1", "cuda:x", "CPU", "", "cpu:0", "mps", "cuda:1:2"])
def test_a_word_that_is_no_device_is_refused(name: str) -> None:
    with pytest.raises(InputError) as caught:
        device.resolve_device(name)
    assert caught.value.code == "input.device"


def test_absent_cuda_says_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for build, told in ((None, "build for the CPU only"), ("13.0", "no usable NVIDIA card")):
        monkeypatch.setattr(torch.version, "cuda", build)
        with pytest.raises(SetupError) as caught:
            device.resolve_device("cuda")
        assert caught.value.code == "setup.device" and told in caught.value.why
    assert device.resolve_device("auto").type == "cpu"


def test_a_card_beyond_the_last_names_the_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda i: f"Card {i}")
    assert device.resolve_device("cuda") == device.resolve_device("auto") == torch.device("cuda", 0)
    assert device.resolve_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(SetupError) as caught:
        device.resolve_device("cuda:2")
    assert "cuda:0 (Card 0), cuda:1 (Card 1)" in caught.value.why


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


def test_free_memory_is_part_of_the_machine_s() -> None:
    assert 0 < device.free_memory_bytes("cpu") <= device.total_memory_mib() * device.MIB


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


def test_the_report_is_json_and_names_its_default() -> None:
    report = json.loads(json.dumps(device.device_report()))
    assert report["default"] in [entry["name"] for entry in report["devices"]]


@pytest.mark.cuda
def test_peak_memory_of_a_card_grows_by_what_is_held() -> None:
    card = device.resolve_device("cuda")
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


def test_a_processor_without_avx512_has_no_bfloat16() -> None:
    if torch.backends.cpu.get_cpu_capability() in ("DEFAULT", "AVX2"):
        assert not device.has_bfloat16("cpu")
    else:
        assert isinstance(device.has_bfloat16("cpu"), bool)
