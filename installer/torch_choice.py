"""Which build of torch suits this machine, and why. Only the machine is asked; nothing is downloaded.

The builds of torch 2.13 (its RELEASE.md, and pull request 187075): CUDA 12.6, 13.0 and, experimental, 13.2; ROCm 7.2
on Linux; XPU on Linux and Windows; CPU; on Macs one build with MPS. What they need:
- CUDA 13: driver 580 and a Turing card (sm_75) or newer. CUDA 12: driver 525.60.13, on Windows 528.33; the build for
  12.6 has Maxwell to Hopper (CUDA release notes, table of minor version compatibility; torch issue 178665).
- Warp 1.19 is built with CUDA 13.4, so the field needs driver 580 and Turing (Warp's page on installation).
- ROCm 7.2: AMD promises that driver and ROCm go together up to a year apart (its support matrix of both), so the
  driver of ROCm 6.4, whose kernel module is amdgpu 6.12.12. The list of architectures is that of the build, as uv
  keeps it (crates/uv-torch/src/backend.rs). torch's own builds for Windows have no ROCm.
- XPU: torch's "Getting Started on Intel GPU" names cards and systems but no version of the driver, so none is asked.
- MPS: torch's wheels are for macOS 14 and newer; `machine.py` refuses older ones.
"""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

from installer import graphics
from installer.graphics import Card
from installer.processes import SetupFailed
from installer.python import pinned

BUILDS = ("cpu", "cuda", "rocm", "mps", "xpu")
DOWNLOAD = {"cpu": 0.6, "cuda": 3.6, "rocm": 6.0, "mps": 0.5, "xpu": 3.5}  # GB, estimated from the wheels' sizes
DISK = {"cpu": 2.2, "cuda": 8.2, "rocm": 16.0, "mps": 1.8, "xpu": 9.0}  # GB; ROCm, XPU and MPS were never measured
_CUDA_13_DRIVER = "580"
_CUDA_12_DRIVER = {"linux": "525.60.13", "win32": "528.33"}
_TURING, _HOPPER = 75, 90  # the oldest that CUDA 13 computes on, and the newest in the build for CUDA 12.6
_MAXWELL = 50  # the oldest in the build for CUDA 12.6
_AMD_DRIVER = "6.12.12"
_ROCM_ARCHITECTURES = (
    *("gfx900", "gfx906", "gfx908", "gfx90a", "gfx942", "gfx950", "gfx1030", "gfx1100", "gfx1101", "gfx1102"),
    *("gfx1150", "gfx1151", "gfx1200", "gfx1201"),
)


@dataclass(frozen=True)
class Choice:
    """A build of torch for this machine.

    build: str of BUILDS.
    backend: str, uv's word for it, such as 'cu130'.
    device: str, what it computes on, for people.
    why: str, what was found and why this follows; sentences.
    """

    build: str
    backend: str
    device: str
    why: str


def choose(asked: str, cards: Sequence[Card] | None = None, system: str | None = None) -> Choice:
    """The build of torch for this machine.

    asked: str, 'auto' or one of BUILDS.
    cards: of this machine; None to look.
    system: str as sys.platform; None for this one.
    Raises SetupFailed where a build is asked for that this machine cannot use.
    """
    system = system or sys.platform
    cards = graphics.found_cards() if cards is None else cards
    if asked == "cpu":
        return _processor("The processor was asked for.")
    refused: list[str] = []
    for card in sorted(cards, key=_rank):
        choice = _for_card(card, system)
        if isinstance(choice, str):
            refused.append(choice)
        elif asked in ("auto", choice.build):
            return replace(choice, why=" ".join([choice.why, *refused]))
    if asked == "auto":
        return _processor(" ".join(refused) or "No card was found that torch computes on.")
    why = " ".join(refused) or "No card for it was found."
    raise SetupFailed("That build of torch cannot be used here.", f"{asked}: {why}", _FIXES[asked])


def _rank(card: Card) -> tuple[int, int]:
    """NVIDIA's cards first, and of them the newest: it can do more than an older one beside it."""
    number = card.architecture.removeprefix("sm_")
    return ("NVIDIA", "AMD", "Intel", "Apple").index(card.maker), -int(number) if number.isdecimal() else 0


_FIXES = {
    "cuda": "Install NVIDIA's newest driver and restart the computer, or give --torch cpu.",
    "rocm": "Install AMD's driver for Linux (amdgpu) and restart the computer, or give --torch cpu.",
    "mps": "Leave --torch out: MPS is for Macs with Apple silicon, whose only build has it.",
    "xpu": "Install Intel's newest graphics driver and restart the computer, or give --torch cpu.",
}


def _for_card(card: Card, system: str) -> Choice | str:
    """The choice for a card, or a sentence on why it cannot be used."""
    if card.fault:
        return f"{card.name} cannot be used{_with(card.driver)}: {card.fault}"
    return {"NVIDIA": _nvidia, "AMD": _amd, "Intel": _intel, "Apple": _apple}[card.maker](card, system)


def _nvidia(card: Card, system: str) -> Choice | str:
    number = int(card.architecture.removeprefix("sm_")) if card.architecture else _TURING
    least = _CUDA_12_DRIVER.get(system, _CUDA_12_DRIVER["linux"])
    if card.driver and not _reaches(card.driver, least):
        return f"{card.name} has driver {card.driver}; torch needs {least}, and {_CUDA_13_DRIVER} for all of the work."
    if number < _MAXWELL:
        return f"{card.name} ({card.architecture}) is older than any card that this torch computes on (sm_50)."
    if number >= _TURING and _reaches(card.driver or _CUDA_13_DRIVER, _CUDA_13_DRIVER):
        return Choice("cuda", "cu130", card.name, f"{card.name} was found{_with(card.driver)}: CUDA 13.0.")
    if number > _HOPPER:
        return f"{card.name} has driver {card.driver}; it needs {_CUDA_13_DRIVER} or newer."
    rest = f"with driver {_CUDA_13_DRIVER} it is not" if number >= _TURING else "its kernels need sm_75"
    why = f"{card.name} was found{_with(card.driver)}: CUDA 12.6. The field is computed on the processor; {rest}."
    return Choice("cuda", "cu126", card.name, why)


def _amd(card: Card, system: str) -> Choice | str:
    if system != "linux":
        return f"{card.name} was found{_with(card.driver)}; torch has builds for AMD's cards on Linux alone."
    if card.architecture not in _ROCM_ARCHITECTURES:
        return f"{card.name} is not among the cards that torch's build for ROCm 7.2 has kernels for."
    if card.driver and not _reaches(card.driver, _AMD_DRIVER):
        return f"{card.name} has AMD's driver {card.driver}; ROCm 7.2 needs {_AMD_DRIVER} (that of ROCm 6.4) or newer."
    own = _with(card.driver) or f" with the driver of the kernel, Linux {platform.release()[:20]}"
    rocm = graphics.rocm_version()
    beside = f" (ROCm {rocm}, installed here, is not used)" if rocm else ""
    why = (
        f"{card.name} was found{own}: ROCm 7.2, which comes with torch{beside}. The field is computed on the processor."
    )
    return Choice("rocm", "rocm7.2", card.name, why)


def _intel(card: Card, system: str) -> Choice | str:
    why = f"{card.name} was found{_with(card.driver)}: XPU. The field is computed on the processor."
    return Choice("xpu", "xpu", card.name, why)


def _apple(card: Card, system: str) -> Choice | str:
    why = f"{card.name} was found, with macOS {card.driver}: MPS, which is in torch's only build for Macs. "
    return Choice("mps", "cpu", card.name, why + "The field is computed on the processor.")


def _processor(why: str) -> Choice:
    """The build without a card. Macs have one build only, so there MPS comes along."""
    return Choice("cpu", "cpu", "CPU", why)


def _with(driver: str) -> str:
    return f" with driver {driver}" if driver else ""


def _reaches(version: str, least: str) -> bool:
    """Whether a version of numbers and dots is `least` or newer."""
    numbers = [tuple(map(int, re.findall(r"\d+", text)[:4])) for text in (version, least)]
    return numbers[0] >= numbers[1]


def found_lines(choice: Choice) -> list[str]:
    """The choice for people, a line each.

    choice: Choice.
    """
    return [f"torch        {pinned('torch')} for {choice.build} ({choice.backend})", f"why          {choice.why}"]
