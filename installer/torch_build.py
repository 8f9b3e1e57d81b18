"""The ways to get the build of torch that was chosen."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass

from installer.processes import SetupFailed, output_of, step
from installer.python import CONSTRAINTS, environment_python, pinned, pip_install
from installer.torch_choice import DOWNLOAD, Choice


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


def install_torch(choice: Choice) -> None:
    """Install the first build of torch that can be had, in the order of `torch_attempts`.

    choice: Choice.
    Raises SetupFailed where none can be had.
    """
    failed: SetupFailed | None = None
    for attempt in torch_attempts(choice):
        try:
            if attempt.by_uv:
                step("Getting uv, which knows where each build of torch is kept", [*pip_install(), pinned("uv")])
            step(attempt.label, attempt.command)
            return
        except SetupFailed as error:
            failed = error
    if failed is not None and choice.build not in ("cpu", "mps"):
        fix = f"{failed.fix}\n       Or do without the card: --torch cpu, in Blender's preferences Processor Only."
        why = f"{choice.device}, {choice.backend}. {failed.what} {failed.why}"
        raise SetupFailed("No build of torch for this card could be had.", why, fix)
    if failed is not None:
        raise failed


def torch_attempts(choice: Choice) -> list[Attempt]:
    """The ways to get torch, best first.

    choice: Choice.

    uv knows where each build is kept. pip takes what its index calls torch. On macOS and Windows that is a CPU build.
    On Linux it is usually the build for CUDA 13, unless somebody set up an index of their own. So pip is asked first
    which build it would take. Where only uv can get the build that the card needs, nothing else takes its place.
    """
    torch = pinned("torch")
    by_pip = [*pip_install(), torch]
    if sys.platform == "darwin":
        return [Attempt(f"Installing {torch}", by_pip)]
    by_uv = [str(environment_python()), "-m", "uv", "pip", "install", "--python", str(environment_python())]
    by_uv += ["-c", str(CONSTRAINTS), f"--torch-backend={choice.backend}", torch]
    if choice.build != "cpu":
        label = f"Installing {torch} for {choice.device} (about {DOWNLOAD[choice.build]:.0f} GB)"
        ways = [Attempt(label, by_uv, by_uv=True)]
        if choice.backend == "cu130" and sys.platform == "linux":
            ways.append(Attempt(f"{label}, by pip", by_pip))
        return ways
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
