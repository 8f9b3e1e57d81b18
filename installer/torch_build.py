"""Chooses the build of torch that suits this machine, and the ways to get it."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass

from installer.processes import SetupFailed, output_of, step
from installer.python import CONSTRAINTS, environment_python, pinned, pip_install


@dataclass(frozen=True)
class Attempt:
    """One way to get torch.

    label: str, what it is called, for the user.
    command: words that do it.
    by_uv: bool, whether uv must be installed first.
    """

    label: str
    command: list[str]
    by_uv: bool = False


def nvidia_card() -> bool:
    """Whether NVIDIA's driver is here and sees a card."""
    return bool(card_name())


def card_name() -> str:
    """The first card's name by NVIDIA's driver or, without it, by nvidia-smi; '' where there is no card."""
    name = "nvcuda.dll" if os.name == "nt" else "libcuda.so.1"
    with contextlib.suppress(OSError, AttributeError):
        driver = ctypes.CDLL(name)
        count, text = ctypes.c_int(0), ctypes.create_string_buffer(256)
        if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0 or count.value < 1:
            return ""
        driver.cuDeviceGetName(text, len(text), 0)
        return text.value.decode("utf-8", "replace") or "NVIDIA card"
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        run = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=20, check=False)
        found = re.search(r"GPU \d+: (.+?)(?: \(UUID|$)", run.stdout, re.MULTILINE) if run.returncode == 0 else None
        return found[1] if found else ""
    return ""


def install_torch(build: str) -> None:
    """Install the first build of torch that can be had, in the order of `torch_attempts`.

    build: str, 'cpu' or 'cuda'.
    Raises SetupFailed where none can be had.
    """
    failed: SetupFailed | None = None
    for attempt in torch_attempts(build):
        try:
            if attempt.by_uv:
                step("Getting uv, which knows where each build of torch is kept", [*pip_install(), pinned("uv")])
            step(attempt.label, attempt.command)
            return
        except SetupFailed as error:
            failed = error
    if failed is not None:
        raise failed


def torch_attempts(build: str) -> list[Attempt]:
    """The ways to get torch, best first.

    build: str, 'cpu' or 'cuda'.

    uv knows where each build is and, for CUDA, which one the driver can run. pip takes what its index calls torch. On
    macOS and Windows that is a CPU build. On Linux it is usually a CUDA build, unless somebody set up an index of their
    own. So pip is asked first which build it would take.
    """
    torch = pinned("torch")
    by_pip = [*pip_install(), torch]
    if sys.platform == "darwin":
        return [Attempt(f"Installing {torch}", by_pip)]
    by_uv = [str(environment_python()), "-m", "uv", "pip", "install", "--python", str(environment_python())]
    by_uv += ["-c", str(CONSTRAINTS), f"--torch-backend={'auto' if build == 'cuda' else 'cpu'}", torch]
    if build == "cuda":
        label = f"Installing {torch} for this NVIDIA card (about 3 GB)"
        return [Attempt(label, by_uv, by_uv=True), Attempt(f"{label}, by pip", by_pip)]
    label = f"Installing {torch} for the CPU (about 200 MB)"
    if pip_takes_cpu_build(torch):
        return [Attempt(label, by_pip)]
    large = f"No CPU build could be had: installing {torch} with CUDA, unused here (about 3 GB)"
    return [Attempt(label, by_uv, by_uv=True), Attempt(large, by_pip)]


def pip_takes_cpu_build(torch: str) -> bool:
    """Whether pip would install a CPU build: a +cpu version, or one that needs no CUDA library. Installs nothing.

    torch: str, 'torch==version'.
    """
    command = [*pip_install(), "--dry-run", "--ignore-installed", "--no-deps", "--quiet", "--report", "-"]
    command += ["--progress-bar", "off", torch]
    try:
        found = json.loads(output_of(command))["install"][0]["metadata"]
    except (SetupFailed, ValueError, LookupError, TypeError):
        return False
    if sys.platform != "linux" or found["version"].endswith("+cpu"):
        return True
    return not any(need.startswith(("nvidia-", "cuda-", "triton")) for need in found.get("requires_dist", []))
