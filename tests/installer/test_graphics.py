"""Cards and drivers, read from files and answers as the systems keep them; no such hardware is needed.

Of: installer/graphics.py.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from pathlib import Path
from typing import Any

import pytest

from installer import graphics
from installer.graphics import Card

NVRM = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build  (x)  Sun Jul 27 2025\n"


class Driver:
    """Stands for NVIDIA's library: answers as told, in the places that its callers gave."""

    def __init__(
        self, name: str = "NVIDIA GeForce RTX 4090", capability: tuple[int, int] = (8, 9), error: int = 0
    ) -> None:
        self.name, self.capability, self.error = name, capability, error

    def cuInit(self, _flags: int) -> int:
        return self.error

    def cuDeviceGetCount(self, count: Any) -> int:
        count._obj.value = 1
        return 0

    def cuDeviceGet(self, device: Any, number: int) -> int:
        device._obj.value = number
        return 0

    def cuDeviceGetName(self, text: Any, _length: int, _device: Any) -> int:
        text.value = self.name.encode()
        return 0

    def cuDeviceGetAttribute(self, value: Any, attribute: int, _device: Any) -> int:
        value._obj.value = self.capability[attribute - 75]
        return 0


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Linux without a card, a driver or a tool."""

    def none(name: str) -> Driver:
        raise OSError(name)

    monkeypatch.setattr(graphics, "SYSTEM", tmp_path)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", none)
    monkeypatch.setattr(graphics, "answer_of", lambda command: "")
    return tmp_path


def put(path: Path, text: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def on_bus(system: Path, slot: str, vendor: str, device: str) -> None:
    for name, text in (("class", "0x030000"), ("vendor", f"0x{vendor}"), ("device", f"0x{device}")):
        put(system / "sys/bus/pci/devices" / slot / name, text + "\n")


def test_a_machine_without_a_card_has_none(system: Path) -> None:
    assert graphics.found_cards() == []


def test_nvidias_card_has_the_drivers_version_and_the_architecture(
    system: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: Driver())
    put(system / "proc/driver/nvidia/version", NVRM)
    assert graphics.found_cards() == [Card("NVIDIA", "NVIDIA GeForce RTX 4090", "580.65.06", "sm_89")]
    put(system / "sys/module/nvidia/version", "570.86.10\n")
    assert graphics.nvidia_driver() == "570.86.10"


def test_in_windows_linux_the_tool_tells_the_driver(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphics, "answer_of", lambda command: "581.29\n581.29\n" if command[0] == "nvidia-smi" else "")
    assert graphics.nvidia_driver() == "581.29"


def test_a_driver_that_refuses_is_told_with_its_error(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: Driver(error=803))
    put(system / "sys/module/nvidia/version", "580.65.06")
    (card,) = graphics.found_cards()
    assert card.driver == "580.65.06" and "error 803" in card.fault


def test_cards_that_the_environment_hides_are_not_blamed_on_the_driver(
    system: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: Driver(error=100))
    put(system / "sys/module/nvidia/version", "580.65.06")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert "error 100" in graphics.found_cards()[0].fault
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1\x1b[31m")
    assert "CUDA_VISIBLE_DEVICES is '-1 [31m'" in graphics.found_cards()[0].fault


def test_a_cards_name_cannot_steer_a_terminal(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(system / "sys/module/nvidia/version", "580.65.06")
    for name, shown in (("RTX\n\x1b[31m 9", "RTX [31m 9"), (" ", "NVIDIA card"), ("x" * 200, "x" * 80)):
        monkeypatch.setattr(ctypes, "CDLL", lambda _, name=name: Driver(name))
        assert graphics.found_cards()[0].name == shown


def test_a_card_without_its_driver_is_seen_on_the_bus(system: Path) -> None:
    on_bus(system, "0000:01:00.0", "10de", "2684")
    (card,) = graphics.found_cards()
    assert card.maker == "NVIDIA" and "not loaded" in card.fault


def amd(system: Path, version: int) -> None:
    put(system / "sys/class/kfd/kfd/topology/nodes/0/properties", "cpu_cores_count 16\ngfx_target_version 0\n")
    put(system / "sys/class/kfd/kfd/topology/nodes/1/properties", f"simd_count 96\ngfx_target_version {version}\n")
    put(system / "sys/module/amdgpu/version", "6.12.12\n")


@pytest.mark.parametrize(
    ("version", "architecture"), [(110000, "gfx1100"), (90010, "gfx90a"), (110501, "gfx1151"), (90402, "gfx942")]
)
def test_amds_architecture_is_the_kernels(system: Path, version: int, architecture: str) -> None:
    amd(system, version)
    put(system / "dev/kfd")
    assert graphics.found_cards() == [Card("AMD", f"AMD card, {architecture}", "6.12.12", architecture)]


def test_rocminfo_names_amds_card(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    amd(system, 110000)
    put(system / "dev/kfd")
    told = "  Marketing Name:          AMD Ryzen 9 7950X\n  Marketing Name:          AMD Radeon RX 7900 XTX   \n"
    monkeypatch.setattr(graphics, "answer_of", lambda command: told if command == ["rocminfo"] else "")
    assert graphics.found_cards()[0].name == "AMD Radeon RX 7900 XTX"


def test_who_may_not_open_amds_device_is_told_the_groups(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    amd(system, 110000)
    assert "container" in graphics.found_cards()[0].fault
    put(system / "dev/kfd")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert "usermod -aG render,video" in graphics.found_cards()[0].fault


def test_an_amd_card_without_computing_is_told(system: Path) -> None:
    on_bus(system, "0000:03:00.0", "1002", "744c")
    (card,) = graphics.found_cards()
    assert card.maker == "AMD" and "/sys/class/kfd" in card.fault


def test_intels_arc_is_taken_and_older_graphics_are_not(system: Path) -> None:
    on_bus(system, "0000:00:02.0", "8086", "3e92")  # UHD Graphics 630
    assert graphics.found_cards() == []
    on_bus(system, "0000:03:00.0", "8086", "e20b")  # Arc B580
    (card,) = graphics.found_cards()
    assert "libze-intel-gpu1" in card.fault
    put(system / "usr/lib/x86_64-linux-gnu/libze_intel_gpu.so.1.6.33578")
    assert graphics.found_cards() == [Card("Intel", "Intel graphics, e20b", "1.6.33578", "arc")]


def test_windows_registry_tells_every_adapter(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = ("DriverDesc", "DriverVersion", "MatchingDeviceId")
    adapters = [
        dict(zip(keys, texts, strict=False))
        for texts in (
            ("NVIDIA GeForce RTX 4090", "32.0.15.8097", r"PCI\VEN_10DE&DEV_2684"),
            ("Intel(R) Arc(TM) B580", "32.0.101.8860", r"pci\ven_8086&dev_e20b"),
            ("Intel(R) UHD Graphics", "31.0.1", r"pci\ven_8086&dev_3e92"),
            ("AMD Radeon RX 7800 XT", "32.0.2", r"pci\ven_1002&dev_747e"),
            ("Microsoft Basic Render Driver",),
            (),
        )
    ]
    monkeypatch.setattr(graphics, "cuda_devices", lambda: ([("NVIDIA GeForce RTX 4090", "sm_89")], 0))
    assert graphics.windows_cards(adapters) == [
        Card("NVIDIA", "NVIDIA GeForce RTX 4090", "580.97", "sm_89"),
        Card("Intel", "Intel(R) Arc(TM) B580", "32.0.101.8860", "arc"),
        Card("AMD", "AMD Radeon RX 7800 XT", "32.0.2"),
    ]
    monkeypatch.setattr(graphics, "cuda_devices", lambda: ([], 999))
    assert "error 999" in graphics.windows_cards(adapters[:1])[0].fault


def test_cards_of_windows_whose_names_are_alike_keep_them(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["NVIDIA GeForce RTX 4070", "NVIDIA GeForce RTX 4070 Ti", "NVIDIA GeForce RTX 4070 Ti SUPER"]
    monkeypatch.setattr(graphics, "cuda_devices", lambda: ([(name, "sm_89") for name in names], 0))
    adapters = [{"DriverDesc": name, "MatchingDeviceId": r"PCI\VEN_10DE&DEV_2782"} for name in reversed(names)]
    assert [card.name for card in graphics.windows_cards(adapters)] == names[::-1]


def test_a_mac_names_its_chip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    monkeypatch.setattr(platform, "mac_ver", lambda: ("15.1", ("", "", ""), "arm64"))
    monkeypatch.setattr(graphics, "answer_of", lambda command: "Apple M2 Max\n")
    assert graphics.found_cards() == [Card("Apple", "Apple M2 Max", "15.1", "apple")]
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    assert graphics.found_cards() == []


def test_a_tool_that_is_missing_fails_or_hangs_answers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphics, "_ANSWER_SECONDS", 0.2)
    assert graphics.answer_of(["no such tool of a driver"]) == ""
    assert graphics.answer_of([sys.executable, "-c", "print('x'); raise SystemExit(9)"]) == ""
    assert graphics.answer_of([sys.executable, "-c", "import time; time.sleep(60)"]) == ""


def test_a_tool_that_prints_without_end_is_ended_after_what_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """And one that goes on after its last word, or leaves a child that holds the pipe.

    Of: installer/processes.py.
    """
    monkeypatch.setattr(graphics, "_ANSWER_SECONDS", 600.0)
    assert graphics.answer_of([sys.executable, "-c", "while True: print('x' * 9999)"]).startswith("xxx")
    monkeypatch.setattr(graphics, "_ANSWER_SECONDS", 3.0)
    closed = "import os, time; print('x', flush=True); os.close(1); time.sleep(60)"
    assert graphics.answer_of([sys.executable, "-c", closed]) == ""
    left = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(5)'])"
    assert graphics.answer_of([sys.executable, "-c", left]) == ""
