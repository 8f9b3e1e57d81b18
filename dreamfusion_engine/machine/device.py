"""The device of a run: device names, thread count, peak memory. Torch is imported on use only."""

from __future__ import annotations

import errno
import gc
import os
import platform
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamfusion_engine.errors import InputError, SetupError
from dreamfusion_engine.machine import main_memory

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
    "failed to map segment from shared object",  # the loader of libraries
    "paging file is too small",  # the same on Windows
)


def check_device_name(name: str) -> None:
    """Raise InputError input.device unless `name` is spelt like a device. Needs no torch, so it runs first."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d{1,3})?", name):
        raise InputError(
            "input.device",
            what=f"There is no device '{name}'.",
            why="A device is auto, cpu, cuda, or cuda:1 and so on for one card of several.",
            fix="Use --device auto to let the engine choose.",
        )


def resolve_device(name: str) -> torch.device:
    """Return the torch device for 'auto', 'cpu', 'cuda' or 'cuda:i' on this machine.

    auto is the first CUDA device, or the CPU where there is none.

    name: str.
    Raises InputError input.device for another word.
    Raises SetupError setup.device for a CUDA device that is absent, saying what there is.
    """
    check_device_name(name)
    main_memory.check_room_to_start()
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "cpu" or (name == "auto" and count == 0):
        return torch.device("cpu")
    index = int(name.partition(":")[2] or 0)
    if index < count:
        return torch.device("cuda", index)
    if count:
        there = ", ".join(f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(count))
        why = f"This machine has {there}."
        fix = "Use one of those, or --device auto."
    elif torch.version.cuda is None:
        why = f"The installed torch {torch.__version__} is a build for the CPU only."
        fix = "Use --device auto or cpu. With an NVIDIA card: python3 install.py engine --torch cuda"
    else:
        why = f"torch {torch.__version__} finds no usable NVIDIA card or driver."
        fix = "Use --device auto or cpu, or install NVIDIA's driver and start again."
    raise SetupError("setup.device", what=f"The device '{name}' is not available.", why=why, fix=fix)


def device_report() -> dict[str, Any]:
    """Return the devices of this machine, ready for JSON: platform, python, torch, cores, memory_mib, default, devices.

    Raises RunError run.out_of_memory where there is too little memory to load torch.
    """
    main_memory.check_room_to_start()
    import torch

    devices = [{"name": "cpu", "title": platform.processor() or platform.machine(), "memory_mib": total_memory_mib()}]
    if torch.cuda.is_available():
        for i in range(torch.cuda.device_count()):
            properties = torch.cuda.get_device_properties(i)
            devices.append(
                {"name": f"cuda:{i}", "title": properties.name, "memory_mib": round(properties.total_memory / MIB)}
            )
    return {
        "platform": platform.platform(terse=True),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "cores": usable_cores(),
        "default": str(resolve_device("auto")),
        "devices": devices,
    }


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


def has_bfloat16(device_type: str) -> bool:
    """Return whether a device is fast enough in bfloat16 to use it.

    Cards from before 2020 emulate it, and processors without AVX-512 take ten times as long for it as for float32.

    device_type: torch's word, such as "cpu".
    """
    import torch

    if device_type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device_type != "cpu" or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def training_cast(device: torch.device) -> torch.autocast:
    """Return the precision in which networks are trained on `device`: bfloat16 where it is fast, else float32."""
    import torch

    return torch.autocast(device.type, torch.bfloat16, enabled=has_bfloat16(device.type))


def peak_memory_mib(device: torch.device) -> float:
    """Return the peak memory, MiB: of the allocator on a CUDA device, else the resident set of this process."""
    if device.type == "cuda":
        import torch

        return torch.cuda.max_memory_reserved(device) / MIB
    return peak_resident_mib()


def peak_resident_mib() -> float:
    """Return the largest resident set of this process so far, MiB. It never falls."""
    return main_memory.peak_resident_bytes() / MIB


def sent(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Return the tensor on `device`. To a CUDA device it is sent from pinned memory, and the host does not wait.

    torch does not reuse the pinned copy before it has been read.

    tensor: Tensor, on the host.
    device: torch.device.
    """
    if device.type == "cuda" and tensor.device.type == "cpu":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def release_memory() -> None:
    """Free what a finished run held, so that a renderer on the same card can have it."""
    gc.collect()
    torch_module = sys.modules.get("torch")
    if torch_module is not None and torch_module.cuda.is_initialized():
        torch_module.cuda.empty_cache()


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


def free_memory_bytes(name: str) -> int:
    """Return the memory that a run on a device could take now, bytes; 0 where the system does not say.

    On a CUDA device this is what the driver has left, and what this process holds without using.

    name: as for `resolve_device`.
    """
    device = resolve_device(name)
    if device.type == "cuda":
        import torch

        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0] + unused)
    return main_memory.available_bytes()


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
