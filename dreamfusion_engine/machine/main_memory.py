"""The machine's memory: how much there is, what a run could take now, and whether that is enough to begin."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from dreamfusion_engine.errors import RunError

MIB = 1 << 20
START_BYTES = 448 * MIB  # resident once every package is loaded: 418 MiB measured, torch 2.13 for the CPU
START_ADDRESSES = 1536 * MIB  # with 1,300 MiB of addresses native code still aborts; measured on two cores
_GROUPS = (  # a container's limit and what it holds, as the two versions of Linux's control groups name them
    ("memory.max", "memory.current", "memory.stat", "inactive_file"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat", "total_inactive_file"),
)
_GROUP_FOLDER = Path("/sys/fs/cgroup")


def total_bytes() -> int:
    """Return the memory of the machine, bytes."""
    import psutil

    return int(psutil.virtual_memory().total)


def available_bytes() -> int:
    """Return the bytes that a run could take now without swapping, within a container's limit and `ulimit -v`."""
    import psutil

    return max(0, min(int(psutil.virtual_memory().available), container_room(), address_room()))


def peak_resident_bytes() -> int:
    """Return the largest resident set of this process so far, bytes. It never falls."""
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS counts bytes, Linux KiB


def address_room() -> int:
    """Return the bytes that a limit (`ulimit -v`) leaves to this process; a huge number where there is none."""
    if sys.platform == "win32":
        return sys.maxsize
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return sys.maxsize
    import psutil

    return max(0, limit - int(psutil.Process().memory_info().vms))


def container_room(groups: Path = _GROUP_FOLDER) -> int:
    """Return the bytes that a container's limit leaves, cached files included; a huge number where there is none."""
    for limit, used, statistics, cached in _GROUPS:
        try:
            most = (groups / limit).read_text(encoding="ascii").strip()
            held = int((groups / used).read_text(encoding="ascii"))
            found = re.search(rf"^{cached} (\d+)$", (groups / statistics).read_text(encoding="ascii"), re.MULTILINE)
            if most != "max":
                return max(0, int(most) - held + (int(found[1]) if found else 0))
        except (OSError, ValueError):
            continue
    return sys.maxsize


def check_room_to_start() -> None:
    """Raise RunError run.out_of_memory where there is too little memory to load torch and the rest.

    Their native code does not fail in an orderly way: it aborts, or tries again for ever and hears no signal. Where
    torch is loaded already, nothing is checked.
    """
    if "torch" in sys.modules:
        return
    import psutil

    room = min(int(psutil.virtual_memory().available + psutil.swap_memory().free), container_room())
    for left, needed, whose in (
        (address_room(), START_ADDRESSES, "The limit of this process (ulimit -v)"),
        (room, START_BYTES, "This machine or its container"),
    ):
        if left < needed:
            raise RunError(
                "run.out_of_memory",
                what="There is too little memory to start.",
                why=f"{whose} leaves {left // MIB:,} MiB; loading the engine's packages takes {needed // MIB:,} MiB.",
                fix="Close other programs, or raise that limit. A run takes more than that: about 4,096 MiB with the "
                "standard preset.",
            )
