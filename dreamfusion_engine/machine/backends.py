"""The kinds of device that torch computes on, and what each can do. Torch is imported on use only.

What is said here of other kinds than 'cpu' comes from torch's documentation and its issues: docs/devices.md has what
was run on real hardware.
"""

from __future__ import annotations

import functools
import platform
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dreamfusion_engine.machine import main_memory
from dreamfusion_engine.machine.child_process import bounded_answer

if TYPE_CHECKING:
    import torch

MIB = float(1 << 20)


@dataclass(frozen=True, kw_only=True)
class Backend:
    """A kind of device.

    name: str, in kinds of places, settings and checkpoints.
    device_type: str, torch's word.
    title: str, for people, in the middle of a sentence.
    own_memory: bool, whether its memory is apart from main memory.
    pinned: bool, whether what is copied there from pinned main memory is safe while the host goes on. MPS may read the
        copy's source too late (pytorch issue 189690).
    channels_last: bool, whether its convolutions want that order. MPS has computed wrong results in it, without a word
        (pytorch issues 174345, 180984).
    renders: bool, whether Warp, which renders the object, has such devices.
    """

    name: str
    device_type: str
    title: str
    own_memory: bool = True
    pinned: bool = True
    channels_last: bool = True
    renders: bool = False


BACKENDS = {
    backend.name: backend
    for backend in (
        Backend(name="cpu", device_type="cpu", title="the processor", own_memory=False, pinned=False, renders=True),
        Backend(name="cuda", device_type="cuda", title="an NVIDIA card", renders=True),
        Backend(name="rocm", device_type="cuda", title="an AMD card"),
        Backend(name="xpu", device_type="xpu", title="an Intel card"),
        Backend(
            name="mps", device_type="mps", title="an Apple card", own_memory=False, pinned=False, channels_last=False
        ),
    )
}


def backend_of(device: torch.device) -> Backend:
    """Return the Backend of a device. AMD's torch calls its cards 'cuda'.

    device: torch.device.
    """
    import torch

    name = "rocm" if device.type == "cuda" and torch.version.hip is not None else device.type
    return BACKENDS.get(name) or Backend(name=name, device_type=name, title=name, pinned=False)


def kinds_of(kind: str) -> tuple[str, str]:
    """Return the names of the teacher's and of the field's backend in a kind of places.

    kind: str from `places.Places.kind`: 'cpu', 'cuda', or two names such as 'mps+cpu'.
    """
    teacher, _, field = kind.partition("+")
    return teacher, field or teacher


def share_memory(kind: str) -> bool:
    """Return whether teacher and field of a kind of places take of the same memory.

    kind: str, as for `kinds_of`.
    """
    return "+" not in kind or not any(BACKENDS[name].own_memory for name in kinds_of(kind))


def count_of(device_type: str) -> int:
    """Return how many devices of a type torch can use now.

    device_type: str, torch's word.
    """
    import torch

    if device_type == "cuda":
        return torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device_type == "mps":
        return int(torch.backends.mps.is_available())
    if device_type == "xpu":
        return torch.xpu.device_count() if torch.xpu.is_available() else 0
    return int(device_type == "cpu")


def title_of(device: torch.device) -> str:
    """Return a device's name as its maker says it, such as 'NVIDIA GeForce RTX 4090'.

    device: torch.device that is there.
    """
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_name(device.index or 0)
    if device.type == "xpu":
        return str(torch.xpu.get_device_name(device.index or 0))
    if sys.platform == "darwin":
        return _apple_chip()
    return platform.processor() or platform.machine()


@functools.cache
def _apple_chip() -> str:
    """The name of a Mac's chip, such as 'Apple M2', which has the processor and the card."""
    said = bounded_answer(["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"], 10.0)
    return said.strip() or platform.machine()


def total_bytes(device: torch.device) -> int:
    """Return the memory of a device, bytes; of one without its own, main memory.

    device: torch.device that is there.
    """
    import torch

    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device.index or 0).total_memory)
    if device.type == "xpu":
        return int(torch.xpu.get_device_properties(device.index or 0).total_memory)
    return main_memory.total_bytes()


def free_bytes(device: torch.device) -> int:
    """Return the memory that a run on a device could take now, bytes; 0 where the system does not say.

    On a card this is what the driver has left, and what this process holds without using. A Mac's card takes of main
    memory, up to a share that the system sets.

    device: torch.device that is there.
    """
    import torch

    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0] + unused)
    if device.type == "xpu":
        unused = torch.xpu.memory_reserved(device) - torch.xpu.memory_allocated(device)
        return int(torch.xpu.mem_get_info(device)[0] + unused)
    if device.type == "mps":
        most = torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
        return max(0, min(int(most), main_memory.available_bytes()))
    return main_memory.available_bytes()


def peak_bytes(device: torch.device) -> int:
    """Return the peak memory, bytes: of the allocator on a card, else the resident set of this process.

    A Mac's card does not count its peak: what it holds now is added to the process's.

    device: torch.device.
    """
    import torch

    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device)
    if device.type == "xpu":
        return int(torch.xpu.max_memory_reserved(device))
    resident = main_memory.peak_resident_bytes()
    return resident + int(torch.mps.driver_allocated_memory()) if device.type == "mps" else resident


def free_unused() -> None:
    """Give back what torch keeps of cards' memory without using it. Torch must be loaded."""
    import torch

    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    if count_of("mps"):
        torch.mps.empty_cache()
    if torch.xpu.is_initialized():
        torch.xpu.empty_cache()


def wait_for(device: torch.device) -> None:
    """Return once a device has done what was asked of it.

    device: torch.device.
    """
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
    elif device.type == "xpu":
        torch.xpu.synchronize(device)


def computes_bfloat16(device_type: str) -> bool:
    """Return whether a device can compute in bfloat16 at all, however slowly. A Mac can from macOS 14 on.

    device_type: str, torch's word.
    """
    import torch

    if device_type == "mps":
        return bool(torch.backends.mps.is_macos_or_newer(14, 0))
    return device_type != "xpu" or bool(torch.xpu.is_bf16_supported())


def has_bfloat16(device_type: str) -> bool:
    """Return whether a device is fast enough in bfloat16 to use it.

    Cards from before 2020 emulate it, and processors without AVX-512 take ten times as long for it as for float32.

    device_type: str, torch's word.
    """
    import torch

    if device_type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device_type == "cpu":
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return computes_bfloat16(device_type)
