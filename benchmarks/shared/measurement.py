"""How the benchmarks measure: warm, synchronised, repeated, with spread, beside what the machine could do at best.

The floor of a piece of work is the larger of two times. One is its floating-point operations over the rate of a large
matrix product. The other is the bytes that it must read or write at least once, over the bandwidth of a large copy.
Both rates are measured in the same run. Nothing can be faster; how near a piece comes says whether it is worth another
look.
"""

from __future__ import annotations

import json
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import warp

from dreamfusion_engine import __version__
from dreamfusion_engine.machine import device, warp_runtime

_MATRIX = 1024  # rows and columns of the product that gives the matrix rate; on a GPU four times that
_COPY = 1 << 24  # floats of the copy that gives the bandwidth; on a GPU four times that
_LIMIT_REPEATS = 12


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What the machine can do.

    matrix_rate: float, floating-point operations a second.
    bandwidth: float, bytes read and written a second.
    """

    matrix_rate: float
    bandwidth: float

    def floor(self, operations: float, moved: float) -> float:
        """The shortest possible time in seconds.

        operations: float, floating-point operations.
        moved: float, bytes read and written.
        """
        return max(operations / self.matrix_rate, moved / self.bandwidth)

    def to_json(self) -> dict[str, float]:
        return {"gigaflops": round(self.matrix_rate / 1e9, 1), "gigabytes_per_second": round(self.bandwidth / 1e9, 1)}


@dataclass(frozen=True, kw_only=True)
class Threads:
    """Numbers of threads on the CPU: of torch's teams and of the kernels' launches."""

    torch: int
    kernels: int

    def use(self) -> None:
        """Set both numbers for all further work of this process."""
        torch.set_num_threads(self.torch)
        warp_runtime.set_threads(self.kernels)


def engine_threads(cores: int) -> Threads:
    """The engine's numbers of threads on a machine with `cores` cores: see `device.compute_threads`."""
    return Threads(torch=max(1, cores - 1), kernels=cores)


def both_threads(cores: int, twin_step: Callable[[], Any], where: torch.device) -> dict[str, Threads]:
    """Threads of both sides: the engine's for 'ours'; for 'torch' every core, or all but one where that is faster.

    cores: int, of the machine.
    twin_step: some of the twin's work; it runs three times with each choice.
    where: the device.

    Where another program holds a core, torch runs many times slower on all cores than on all but one. A twin that is
    slowed down like that would make our side look too good.
    """
    choices = [Threads(torch=count, kernels=cores) for count in {cores, max(1, cores - 1)}]
    took = []
    for choice in choices:
        choice.use()
        took.append(min(seconds(twin_step, where, repeats=2, warm_up=1)))
    return {"ours": engine_threads(cores), "torch": choices[took.index(min(took))]}


def synchronise(where: torch.device) -> None:
    """Wait until the device has finished its work."""
    if where.type == "cuda":
        torch.cuda.synchronize(where)


def seconds(work: Callable[[], Any], where: torch.device, repeats: int, warm_up: int = 2) -> list[float]:
    """Seconds of each repeat.

    work: what is timed.
    where: the device.
    repeats: int, runs that count.
    warm_up: int, runs before them that do not.
    """
    found = []
    for _ in range(warm_up + repeats):
        synchronise(where)
        start = time.perf_counter()
        work()
        synchronise(where)
        found.append(time.perf_counter() - start)
    return found[warm_up:]


class Stopwatch:
    """Sums seconds by part, from one call of `lap` to the next. Each lap waits for the device."""

    def __init__(self, where: torch.device) -> None:
        self.where = where
        self.seconds: dict[str, float] = {}
        self.last = self._now()

    def lap(self, part: str) -> None:
        """Count the time since the last lap for `part`."""
        now = self._now()
        self.seconds[part] = self.seconds.get(part, 0.0) + now - self.last
        self.last = now

    def _now(self) -> float:
        synchronise(self.where)
        return time.perf_counter()


def milliseconds(each: Sequence[float]) -> dict[str, Any]:
    """Median, spread and number of times.

    each: float, seconds.
    Returns milliseconds; the spread is the first and third quartile, of fewer than four times the least and the most.
    """
    spread = statistics.quantiles(each, n=4)[::2] if len(each) > 3 else [min(each), max(each)]
    return {
        "milliseconds": round(1e3 * statistics.median(each), 3),
        "spread": [round(1e3 * value, 3) for value in spread],
        "n": len(each),
    }


def measured_limits(where: torch.device, dtype: torch.dtype = torch.float32) -> Limits:
    """The device's matrix rate and bandwidth with torch's present threads: the best of a dozen tries.

    dtype: of the matrix product.
    """
    scale = 4 if where.type == "cuda" else 1
    a = torch.randn(scale * _MATRIX, scale * _MATRIX, device=where).to(dtype)
    source = torch.zeros(scale * _COPY, device=where)
    target = torch.zeros_like(source)
    product = min(seconds(lambda: a @ a, where, _LIMIT_REPEATS))
    copy = min(seconds(lambda: target.copy_(source), where, _LIMIT_REPEATS))
    return Limits(matrix_rate=2.0 * a.shape[0] ** 3 / product, bandwidth=8.0 * len(source) / copy)


def machine(where: torch.device) -> dict[str, Any]:
    """The device, cores, system and versions that a figure belongs to."""
    return {
        "device": torch.cuda.get_device_name(where) if where.type == "cuda" else processor(),
        "cores": device.usable_cores(),
        "system": platform.platform(terse=True),
        "versions": {
            "dreamfusion": __version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "warp": warp.config.version,
            "cuda": torch.version.cuda,
        },
    }


def processor() -> str:
    """The name of the CPU, as far as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()


def tell(report: dict[str, Any], lines: Sequence[str], *, as_json: bool) -> None:
    """Print a report.

    report: printed as one JSON object with `as_json`.
    lines: printed without it, for people.
    """
    sys.stdout.write((json.dumps(report) if as_json else "\n".join(lines)) + "\n")
