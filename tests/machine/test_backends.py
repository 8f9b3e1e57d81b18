"""What each kind of device can do and holds, told by torch's words for it."""

from __future__ import annotations

import platform
from types import SimpleNamespace

import pytest
import torch
from reference.pretend_machine import GIB, pretend_machine

from dreamfusion_engine.machine import backends
from dreamfusion_engine.machine.backends import backend_of, kinds_of, share_memory

CPU, CUDA, MPS, XPU = (torch.device(name) for name in ("cpu", "cuda:0", "mps", "xpu:0"))


def test_the_same_word_of_torch_is_another_backend_in_amds_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    for hip, name, renders in ((None, "cuda", True), ("6.4", "rocm", False)):
        monkeypatch.setattr(torch.version, "hip", hip)
        backend = backend_of(CUDA)
        assert (backend.name, backend.device_type, backend.renders) == (name, "cuda", renders)
    assert [backend_of(device).name for device in (CPU, MPS, XPU)] == ["cpu", "mps", "xpu"]


def test_a_kind_names_both_places_and_says_whether_they_share_a_memory() -> None:
    assert kinds_of("cpu") == ("cpu", "cpu") and kinds_of("xpu+cpu") == ("xpu", "cpu")
    shared = {"cpu", "cuda", "mps+cpu"}
    for kind in (*shared, "xpu+cpu", "rocm+cpu", "cpu+cuda", "cuda+cuda"):
        assert share_memory(kind) == (kind in shared), kind


def test_free_and_peak_memory_are_asked_of_each_device_in_its_own_way(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (torch.cuda, torch.xpu):
        monkeypatch.setattr(module, "memory_reserved", lambda device: 3 * GIB)
        monkeypatch.setattr(module, "memory_allocated", lambda device: 2 * GIB)
        monkeypatch.setattr(module, "mem_get_info", lambda device: (4 * GIB, 24 * GIB))
        monkeypatch.setattr(module, "max_memory_reserved", lambda device: 7 * GIB)
    monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: 12 * GIB)
    monkeypatch.setattr(torch.mps, "driver_allocated_memory", lambda: 2 * GIB)
    main = SimpleNamespace(
        available_bytes=lambda: 9 * GIB, peak_resident_bytes=lambda: GIB, total_bytes=lambda: 16 * GIB
    )
    monkeypatch.setattr(backends, "main_memory", main)
    assert [backends.free_bytes(each) // GIB for each in (CPU, CUDA, XPU, MPS)] == [9, 5, 5, 9]
    assert [backends.peak_bytes(each) // GIB for each in (CPU, CUDA, XPU, MPS)] == [1, 7, 7, 3]
    main.available_bytes = lambda: 64 * GIB
    assert backends.free_bytes(MPS) == 10 * GIB, "the system leaves a Mac's card a share of main memory"


def test_counts_titles_and_memory_are_torchs(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_machine(monkeypatch, nvidia=("A", "B"))
    assert [backends.count_of(name) for name in ("cpu", "cuda", "xpu", "mps", "meta")] == [1, 2, 0, 0, 0]
    assert backends.title_of(torch.device("cuda", 1)) == "B" and backends.total_bytes(CUDA) == 24 * GIB
    pretend_machine(monkeypatch, intel=("Arc",))
    assert backends.count_of("xpu") == 1 and backends.title_of(XPU) == "Arc" and backends.total_bytes(XPU) == 16 * GIB
    pretend_machine(monkeypatch, apple="Apple M2")
    assert backends.count_of("mps") == 1 and backends.title_of(MPS) == "Apple M2"
    assert backends.total_bytes(MPS) == backends.total_bytes(CPU)


def test_bfloat16_is_used_where_it_is_fast_and_refused_where_it_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    for newer in (True, False):
        monkeypatch.setattr(torch.backends.mps, "is_macos_or_newer", lambda major, minor, newer=newer: newer)
        assert backends.has_bfloat16("mps") is backends.computes_bfloat16("mps") is newer
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    assert backends.computes_bfloat16("cuda") and not backends.has_bfloat16("cuda"), "a card from before 2020"
    monkeypatch.setattr(torch.xpu, "is_bf16_supported", lambda: False)
    assert not backends.computes_bfloat16("xpu")


def test_a_processor_without_avx512_has_no_bfloat16() -> None:
    if torch.backends.cpu.get_cpu_capability() in ("DEFAULT", "AVX2"):
        assert not backends.has_bfloat16("cpu")
    else:
        assert isinstance(backends.has_bfloat16("cpu"), bool)


def test_a_macs_chip_is_asked_by_name_and_a_failure_is_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    for said, title in (("Apple M2 Pro\n", "Apple M2 Pro"), ("", platform.machine())):
        backends._apple_chip.cache_clear()
        monkeypatch.setattr(backends, "bounded_answer", lambda command, seconds, said=said: said)
        assert backends._apple_chip() == title
    backends._apple_chip.cache_clear()
