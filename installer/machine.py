"""What a machine must be so that every package of the engine has a wheel for it. Asked before anything is downloaded.

The gaps are those of the versions in constraints.txt, asked of the package index on 30 November 2026 for each platform:
- Linux on ARM: xatlas 0.0.11 has no wheel; torch, warp-lang (glibc 2.34 there) and uvunwrap have.
- Windows on ARM: torch, xatlas, fast-simplification, uvunwrap and openvino have none; warp-lang has.
- Macs with Intel: torch (2.2.2 is the last), warp-lang (1.9.1 is the last).
- Linux without glibc 2.28, such as Alpine: torch and warp-lang. macOS before 14: torch.
Renew this list when versions change (CONTRIBUTING, "Change versions of packages").
"""

from __future__ import annotations

import platform
import sys
import sysconfig

from installer.processes import SetupFailed

OLDEST_GLIBC = (2, 28)
OLDEST_MACOS = (14, 0)
_ELSEWHERE = "or let another computer work: preferences, Engine > Command, for example ssh COMPUTER dreamfusion-engine."


def kind_of_machine() -> tuple[str, str]:
    """The system and the processor that this Python was built for, such as ('linux', 'x86_64') or ('win32', 'arm64').

    An x86 Python on Windows on ARM takes x86 wheels, so the Python is asked and not the processor.
    """
    word = platform.machine() if sys.platform == "darwin" else sysconfig.get_platform()
    word = word.lower()
    for found, processor in (("aarch64", "arm64"), ("arm64", "arm64"), ("amd64", "x86_64"), ("x86_64", "x86_64")):
        if found in word:
            return sys.platform, processor
    return sys.platform, word.rpartition("-")[2]


def check_wheels() -> None:
    """Raise SetupFailed for a machine that a package has no wheel for, and say which ones are missing."""
    system, processor = kind_of_machine()
    if (system, processor) == ("linux", "arm64"):
        raise SetupFailed(
            "The engine cannot be installed on Linux on ARM.",
            "xatlas 0.0.11, which unwraps the mesh, has no wheel for it. torch, warp-lang and uvunwrap have.",
            f"Use a computer with an x86-64 processor, {_ELSEWHERE}",
        )
    if (system, processor) == ("win32", "arm64"):
        raise SetupFailed(
            "This Python is one for Windows on ARM, and the engine cannot be installed in it.",
            "torch 2.13, xatlas, fast-simplification and uvunwrap have no wheels for it. warp-lang has.",
            f"Choose a Python for x86-64 (AMD64), which Windows 11 emulates; nobody has tried it; {_ELSEWHERE}",
        )
    if (system, processor) == ("darwin", "x86_64"):
        raise SetupFailed(
            "This Python is one for Macs with Intel, and the engine cannot be installed in it.",
            "torch 2.13 and warp-lang 1.19 have no wheels for it; torch 2.2.2 and warp-lang 1.9.1 were the last.",
            f"On a Mac with Apple silicon choose a Python for arm64; else {_ELSEWHERE.removeprefix('or ')}",
        )
    if processor not in ("x86_64", "arm64"):
        raise SetupFailed(
            "The engine cannot be installed on this processor.",
            f"torch and warp-lang have no wheels for {processor}.",
            f"Use a computer with an x86-64 processor, {_ELSEWHERE}",
        )
    if system == "linux" and glibc() < OLDEST_GLIBC:
        here = ".".join(map(str, glibc()))
        raise SetupFailed(
            "This Linux is too old for the engine, or has another C library.",
            f"torch and warp-lang need glibc 2.28; here it is {here if any(glibc()) else 'none (Alpine has musl)'}.",
            f"Use Debian 10, Ubuntu 20.04, RHEL 8 or newer ones, {_ELSEWHERE}",
        )
    if system == "darwin" and numbers(platform.mac_ver()[0]) < OLDEST_MACOS:
        raise SetupFailed(
            "This macOS is too old for the engine.",
            f"torch 2.13 needs macOS 14; here it is {platform.mac_ver()[0] or 'one that does not tell its version'}.",
            f"Update macOS, {_ELSEWHERE}",
        )


def glibc() -> tuple[int, ...]:
    """The version of the C library that this Python uses; (0, 0) where it is not glibc."""
    name, version = platform.libc_ver()
    return numbers(version) if name == "glibc" else (0, 0)


def numbers(version: str) -> tuple[int, ...]:
    """The first two numbers of a version; (0, 0) where there are none."""
    words = [word for word in version.split(".")[:2] if word.isdigit()]
    return tuple(map(int, words)) if len(words) == 2 else (0, 0)
