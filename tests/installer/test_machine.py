"""Machines that a package has no wheel for are refused before anything is downloaded, and told which package.

Of: installer/machine.py.
"""

from __future__ import annotations

import platform
import sys
import sysconfig
from pathlib import Path

import pytest

from installer import machine
from installer.processes import SetupFailed


def here(monkeypatch: pytest.MonkeyPatch, system: str, kind: str, version: str = "") -> None:
    """Stand on a machine: `kind` as sysconfig tells it, the version of glibc or macOS."""
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(sysconfig, "get_platform", lambda: kind)
    monkeypatch.setattr(platform, "machine", lambda: kind.rpartition("-")[2])
    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", version) if version else ("", ""))
    monkeypatch.setattr(platform, "mac_ver", lambda: (version, ("", "", ""), ""))


@pytest.mark.parametrize(
    ("system", "platform", "version"),
    [
        ("linux", "linux-x86_64", "2.36"),
        ("linux", "linux-x86_64", "2.28"),
        ("win32", "win-amd64", ""),
        ("darwin", "macosx-11.0-arm64", "14.0"),
        ("darwin", "macosx-11.0-arm64", "26.1"),
    ],
)
def test_machines_with_every_wheel_pass(
    monkeypatch: pytest.MonkeyPatch, system: str, platform: str, version: str
) -> None:
    here(monkeypatch, system, platform, version)
    machine.check_wheels()


@pytest.mark.parametrize(
    ("system", "platform", "version", "told"),
    [
        ("linux", "linux-aarch64", "2.39", ["Linux on ARM", "xatlas"]),
        ("win32", "win-arm64", "", ["Windows on ARM", "torch", "xatlas", "uvunwrap"]),
        ("darwin", "macosx-10.9-x86_64", "15.1", ["Macs with Intel", "warp-lang", "torch"]),
        ("darwin", "macosx-11.0-arm64", "13.6", ["macOS 14", "13.6"]),
        ("linux", "linux-x86_64", "2.27", ["glibc 2.28", "2.27"]),
        ("linux", "linux-x86_64", "", ["glibc 2.28", "musl"]),
        ("linux", "linux-riscv64", "2.39", ["riscv64"]),
    ],
)
def test_the_missing_package_is_named(
    monkeypatch: pytest.MonkeyPatch, system: str, platform: str, version: str, told: list[str]
) -> None:
    here(monkeypatch, system, platform, version)
    with pytest.raises(SetupFailed) as caught:
        machine.check_wheels()
    for word in told:
        assert word in caught.value.text
    # The add-on tries the next Python where the words say that this Python is at fault, and none where the machine is.
    another_may_fit = system == "win32" or platform.endswith("10.9-x86_64")
    assert ("Python" in caught.value.what) is another_may_fit


def test_versions_named_in_the_words_are_the_pinned_ones() -> None:
    from installer.python import pinned

    text = Path(machine.__file__).read_text(encoding="utf-8")
    for name, version in (("xatlas", "0.0.11"), ("torch", "2.13"), ("warp-lang", "1.19")):
        assert pinned(name).startswith(f"{name}=={version}"), f"{name} has changed: look for its wheels again"
        assert version in text
