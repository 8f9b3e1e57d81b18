"""Machines with cards of every maker, as torch and Warp describe them, for a machine without any."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from dreamfusion_engine.machine import backends, places

GIB = 1 << 30


def pretend_machine(
    patch: pytest.MonkeyPatch,
    *,
    nvidia: tuple[str, ...] = (),
    amd: tuple[str, ...] = (),
    intel: tuple[str, ...] = (),
    apple: str = "",
    warp: int | None = None,
    broken: tuple[str, ...] = (),
) -> None:
    """Let torch and Warp say that the machine has these cards.

    nvidia, amd, intel: the cards' names; torch is built for the one kind that has any.
    apple: name of a Mac's chip.
    warp: cards that Warp finds; None: NVIDIA's, and none of AMD's, of which it knows nothing.
    broken: kinds, as torch's devices, whose small trial fails.
    """
    cards = nvidia or amd
    patch.setattr(torch.version, "cuda", "13.0" if nvidia else None)
    patch.setattr(torch.version, "hip", "6.4.43482" if amd else None)
    patch.setattr(torch.cuda, "is_available", lambda: bool(cards))
    patch.setattr(torch.cuda, "device_count", lambda: len(cards))
    patch.setattr(torch.cuda, "get_device_name", lambda index=0: cards[index])
    patch.setattr(torch.cuda, "get_device_properties", lambda index=0: SimpleNamespace(total_memory=24 * GIB))
    patch.setattr(torch.xpu, "is_available", lambda: bool(intel))
    patch.setattr(torch.xpu, "device_count", lambda: len(intel))
    patch.setattr(torch.xpu, "get_device_name", lambda index=0: intel[index])
    patch.setattr(torch.xpu, "get_device_properties", lambda index=0: SimpleNamespace(total_memory=16 * GIB))
    patch.setattr(torch.backends.mps, "is_available", lambda: bool(apple))
    if apple:
        patch.setattr(backends, "sys", SimpleNamespace(platform="darwin"))
        patch.setattr(backends, "_apple_chip", lambda: apple)
    patch.setattr(places, "warp_cards", lambda: [True] * (len(nvidia) if warp is None else warp))

    def trouble_of(device: torch.device) -> str:
        return "a small trial failed there" if device.type in broken or str(device) in broken else ""

    patch.setattr(places, "trouble_of", trouble_of)


def without_memory_of_cards(patch: pytest.MonkeyPatch, free: dict[str, int]) -> None:
    """Let devices have this much free memory, bytes by torch's word, and nothing in use."""

    def free_bytes(device: Any) -> int:
        return free[device.type]

    patch.setattr(backends, "free_bytes", free_bytes)
