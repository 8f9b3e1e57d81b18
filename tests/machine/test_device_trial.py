"""The small trial passes where a device computes rightly, and tells what is wrong where it does not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from reference.pretend_backend import FAR, pretended_mps

from dreamfusion_engine.machine import device_trial

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def untried() -> Iterator[None]:
    device_trial.trouble_of.cache_clear()
    yield
    device_trial.trouble_of.cache_clear()


def test_the_processor_passes_even_where_gradients_are_off_and_what_was_asked_of_torch_stays() -> None:
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        with torch.no_grad():
            assert device_trial.trouble_of(CPU) == ""
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(before)


def test_a_card_of_apples_passes_with_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_trial, "wait_for", lambda device: None)
    with pretended_mps(monkeypatch) as carried:
        assert device_trial.trouble_of(FAR) == ""
    assert carried.copies > 0, "it computed there"


def test_a_device_that_raises_or_computes_wrongly_is_in_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    real = device_trial._work

    def fails(device: torch.device, dtype: torch.dtype) -> Any:
        raise RuntimeError("HIP error: no kernel image is available for execution on the device\nmore")

    for factor in (1.2, float("nan")):

        def wrong(device: torch.device, dtype: torch.dtype, factor: float = factor) -> Any:
            told, gradient = real(device, dtype)
            return told, gradient * (1.0 if dtype == torch.float32 else factor)

        monkeypatch.setattr(device_trial, "_work", wrong)
        device_trial.trouble_of.cache_clear()
        assert "float16 came out wrong there" in device_trial.trouble_of(CPU)
    device_trial.trouble_of.cache_clear()
    calls = iter([real, fails])
    monkeypatch.setattr(device_trial, "_work", lambda device, dtype: next(calls)(device, dtype))
    trouble = device_trial.trouble_of(CPU)
    assert "float32 failed there" in trouble and "no kernel image" in trouble and "\n" not in trouble
    assert device_trial.trouble_of(CPU) == trouble, "it is tried once"


def test_a_card_whose_memory_another_program_has_is_not_called_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    real = device_trial._work

    def full(device: torch.device, dtype: torch.dtype) -> Any:
        if dtype == torch.float16:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return real(device, dtype)

    monkeypatch.setattr(device_trial, "_work", full)
    assert device_trial.trouble_of(CPU) == ""
