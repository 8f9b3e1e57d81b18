"""What a run asks of the machine: threads, memory, copies between devices. Torch is imported on use only."""

from __future__ import annotations

import errno
import gc
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from dreamfusion_engine.machine import backends, main_memory
from dreamfusion_engine.machine.backends import has_bfloat16

if TYPE_CHECKING:
    import torch

MIB = float(1 << 20)
_NO_MEMORY = (  # in lower case
    "not enough memory",
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    "failed to allocate",
    "status_alloc_failed",
    "error_out_of_device_memory",  # Intel's runtime
    "error_out_of_host_memory",
    "error_out_of_resources",
    "failed to map segment from shared object",  # the loader of libraries
    "paging file is too small",  # the same on Windows
)
_LOST = (  # in lower case, whoever says it
    "error_device_lost",  # Intel's runtime: UR_RESULT_ERROR_DEVICE_LOST
    "gpu is lost",
    "fallen off the bus",
    "kiogpucommandbuffercallbackerror",  # Apple's driver
)
_RUNTIME = re.compile(r"\b(cuda|hip|warp cuda|mps|xpu)\b[^:]{0,20} (error|failed)\b")
_BROKEN = (  # after a runtime's name
    "device lost",
    "no cuda-capable device is detected",
    "no rocm-capable device is detected",
    "devices are busy or unavailable",
    "device unavailable",
    "unspecified launch failure",
    "launch timed out",
    "unknown error",
    "illegal memory access",
    "uncorrectable ecc",
    "hardware stack error",
)


def usable_cores() -> int:
    """Return the CPU cores this process may use: the affinity mask, and a container's quota where one is set."""
    if sys.platform == "linux":
        cores = len(os.sched_getaffinity(0))
        try:
            quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        except (OSError, ValueError):
            return cores
        return cores if quota == "max" else max(1, min(cores, round(int(quota) / int(period))))
    return os.cpu_count() or 1


def compute_threads() -> int:
    """Return the threads for torch on the CPU: all cores but one, at least one; OMP_NUM_THREADS wins.

    A team of threads waits for its slowest at the end of every operation. Where another program, Blender for one, holds
    a core, a team over all cores waits for the scheduler hundreds of times a step and runs many times slower than
    without that core. One core less keeps the pace, and the desktop alive.
    """
    return asked_threads() or max(1, usable_cores() - 1)


def kernel_threads() -> int:
    """Return the threads for kernel launches on the CPU: all cores; OMP_NUM_THREADS wins.

    A launch is cut into pieces that are taken in turn, so a thread that another program has pushed aside leaves its
    share to the others. Measured with one busy core of two, two threads here are no slower than one.
    """
    return asked_threads() or usable_cores()


def asked_threads() -> int:
    """Return the number in OMP_NUM_THREADS; 0 where it holds none."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return int(asked) if asked.isdigit() else 0


def training_cast(device: torch.device) -> torch.autocast:
    """Return the precision in which networks are trained on `device`: bfloat16 where it is fast, else float32."""
    import torch

    return torch.autocast(device.type, torch.bfloat16, enabled=has_bfloat16(device.type))


def peak_memory_mib(device: torch.device) -> float:
    """Return the peak memory, MiB: of the allocator on a card, else the resident set of this process."""
    return backends.peak_bytes(device) / MIB


def peak_resident_mib() -> float:
    """Return the largest resident set of this process so far, MiB. It never falls."""
    return main_memory.peak_resident_bytes() / MIB


def sent(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Return the tensor on `device`. To a card it is sent from pinned memory, and the host does not wait.

    torch does not reuse the pinned copy before it has been read. Where the card gives no such promise, and on the way
    back from one, the host waits: its memory may be read before the copy is whole.

    tensor: Tensor.
    device: torch.device.
    """
    pinned = tensor.device.type == "cpu" and backends.backend_of(device).pinned
    beside = pinned or (tensor.device.type == device.type == "cuda")
    return (tensor.pin_memory() if pinned else tensor).to(device, non_blocking=beside)


def copied(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Return a copy of the tensor on `device`, in the same order of memory, even where it is there already.

    tensor: Tensor.
    device: torch.device.
    """
    import torch

    pinned = tensor.device.type == "cpu" and backends.backend_of(device).pinned
    source = tensor.pin_memory() if pinned else tensor
    return torch.empty_like(source, device=device).copy_(source, non_blocking=pinned)


def release_memory() -> None:
    """Free what a finished run held, so that a renderer on the same card can have it."""
    gc.collect()
    if "torch" in sys.modules:
        backends.free_unused()


def trim_heap() -> None:
    """Return the free pages of glibc's heap to the system; elsewhere do nothing.

    A network that was cast while it was loaded leaves half its size there, resident for the rest of the run.
    """
    if sys.platform == "linux":
        import ctypes

        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # other C libraries have none
        if trim is not None:
            trim(0)


def total_memory_mib() -> int:
    """Return the memory of the machine, MiB."""
    return round(main_memory.total_bytes() / MIB)


def device_lost(error: BaseException) -> bool:
    """Return whether an error means that a device stopped answering: unplugged, reset by its driver, or broken.

    Nothing that is on it can be read again, and no more work can be given to it from this process. Memory that ran out
    is not meant, though Intel's driver may call that so. It is told by name and text, as `out_of_memory`.
    """
    if out_of_memory(error):
        return False
    if isinstance(error, RuntimeError | OSError):
        if type(error).__name__ == "AcceleratorError":
            return True
        said = str(error).lower()
        if any(sign in said for sign in _LOST) or (_RUNTIME.search(said) and any(sign in said for sign in _BROKEN)):
            return True
    return error.__cause__ is not None and device_lost(error.__cause__)


def out_of_memory(error: BaseException) -> bool:
    """Return whether an error of torch, Warp, CUDA's libraries, the system or Python means that memory ran out.

    It is told by name and text, so that torch need not be imported. The cause of an error counts too.
    """
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return True
    if isinstance(error, RuntimeError | ImportError | OSError) and any(
        sign in str(error).lower() for sign in _NO_MEMORY
    ):
        return True
    return error.__cause__ is not None and out_of_memory(error.__cause__)
