"""The graphics cards of this machine and their drivers, asked without any package. Nothing here needs a network.

What each system keeps where: NVIDIA's version in /sys/module/nvidia/version or /proc/driver/nvidia/version, which uv
reads too (crates/uv-torch/src/accelerator.rs); AMD's compute nodes in /sys/class/kfd, with gfx_target_version 110501
for gfx1151; on Windows all adapters in the registry's class of displays.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from installer.processes import bounded_answer

SYSTEM = Path("/")  # tests put a folder of their own here
DISPLAY_CLASS = r"SYSTEM\CurrentControlSet\Control\Class\{4d36e968-e325-11ce-bfc1-08002be10318}"
_ANSWER_SECONDS = 8.0  # for a driver's own tool; the add-on waits 30 s for the whole look
_LONGEST = 1 << 16  # bytes read of any file of the system
_MAKERS = {"10de": "NVIDIA", "1002": "AMD", "8086": "Intel"}  # by PCI vendor
# PCI numbers of what torch's documentation lists under "Getting Started on Intel GPU": Arc A and B, Core Ultra with Arc
# graphics, Data Center GPU Max. The numbers are those of Linux, include/drm/intel/pciids.h, with their neighbours.
_ARC = re.compile(r"56[9abc][0-9a-f]|e2[0-2][0-9a-f]|7d[456d][0-9a-f]|64[2ab]0|b0[89ab][0-9a-f]|0b[de][0-9a-f]")


@dataclass(frozen=True)
class Card:
    """A graphics card, or the graphics of a processor.

    maker: str, 'NVIDIA', 'AMD', 'Intel' or 'Apple'.
    name: str, for people.
    driver: str, its version as the maker writes it; '' where nothing tells it.
    architecture: str, 'sm_86', 'gfx1100', 'arc'; '' where nothing tells it.
    fault: str, a sentence on why nothing can compute on it now; '' where nothing is known.
    """

    maker: str
    name: str
    driver: str = ""
    architecture: str = ""
    fault: str = ""


def found_cards() -> list[Card]:
    """The cards of this machine, in no order."""
    if sys.platform == "darwin":
        return apple_cards()
    if sys.platform == "win32":
        return windows_cards(display_adapters())
    return [*nvidia_cards(), *amd_cards(), *intel_cards()]


def nvidia_cards() -> list[Card]:
    """What NVIDIA's driver sees on Linux; where there is none, the cards that the bus has."""
    driver = nvidia_driver()
    seen, refusal = cuda_devices()
    if seen:
        return [Card("NVIDIA", name, driver, architecture) for name, architecture in seen]
    if driver and refusal:
        return [Card("NVIDIA", "NVIDIA card", driver, fault=_refused(refusal))]
    why = "Its driver is not loaded." if not driver else "Its driver sees no card."
    return [Card("NVIDIA", "NVIDIA card", driver, fault=why) for _ in on_bus("10de")[:1]]


def cuda_devices() -> tuple[list[tuple[str, str]], int]:
    """Names and architectures ('sm_86') of the CUDA devices by the driver's own library, and its error, 0 for none."""
    library = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        driver = ctypes.CDLL(library)
        count = ctypes.c_int(0)
        error = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
        found = []
        for number in range(min(count.value, 64) if not error else 0):
            device, major, minor = ctypes.c_int(0), ctypes.c_int(0), ctypes.c_int(0)
            text = ctypes.create_string_buffer(256)
            driver.cuDeviceGet(ctypes.byref(device), number)
            driver.cuDeviceGetName(text, len(text), device)
            driver.cuDeviceGetAttribute(ctypes.byref(major), 75, device)  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR
            driver.cuDeviceGetAttribute(ctypes.byref(minor), 76, device)  # ..._MINOR
            architecture = f"sm_{major.value}{minor.value}" if major.value else ""
            found.append((_name(text.value.decode("utf-8", "replace")) or "NVIDIA card", architecture))
    except (OSError, AttributeError):
        return [], 0
    return found, int(error)


def _refused(error: int) -> str:
    """Why NVIDIA's driver shows no card. 100 is "no device", also where the environment hides them all."""
    shown = os.environ.get("CUDA_VISIBLE_DEVICES")
    if error != 100 or shown is None:
        return f"Its driver answers with error {error}."
    return f"The environment variable CUDA_VISIBLE_DEVICES is '{_name(shown)}', which hides it: unset it and try again."


def _name(text: str) -> str:
    """A short text from outside on one line, without what steers a terminal."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())[:80]


def nvidia_driver() -> str:
    """The version of NVIDIA's driver on Linux, such as '580.65.06', or '' without it."""
    for place in ("sys/module/nvidia/version", "proc/driver/nvidia/version"):
        if found := re.search(r"\b\d{3,4}\.\d+(\.\d+)?\b", text_of(SYSTEM / place)):
            return found[0]
    # Under Windows' Linux neither file is there, but the tool is.
    told = answer_of(["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"])
    found = re.match(r"\d{3,4}\.\d+(\.\d+)?", told.strip())
    return found[0] if found else ""


def amd_cards() -> list[Card]:
    """AMD's cards on Linux, by the kernel's compute nodes; where there are none, those that the bus has."""
    driver = text_of(SYSTEM / "sys/module/amdgpu/version").strip()[:40]
    found = []
    for properties in sorted((SYSTEM / "sys/class/kfd/kfd/topology/nodes").glob("*/properties")):
        number = re.search(r"^gfx_target_version (\d{5,6})$", text_of(properties), re.MULTILINE)
        if number is None:
            continue  # a processor: 0
        major, minor, step = int(number[1]) // 10000, int(number[1]) // 100 % 100, int(number[1]) % 100
        architecture = f"gfx{major}{minor:x}{step:x}"
        found.append(Card("AMD", f"AMD card, {architecture}", driver, architecture, kfd_fault()))
    if found:
        names = re.findall(r"Marketing Name:\s+(\S.*?)\s*$", answer_of(["rocminfo"]), re.MULTILINE)
        cards = [name for name in names if re.search("radeon|instinct|firepro|graphics", name, re.IGNORECASE)]
        if len(cards) == len(found):
            return [
                Card("AMD", _name(name), c.driver, c.architecture, c.fault)
                for name, c in zip(cards, found, strict=True)
            ]
        return found
    why = "The kernel's driver amdgpu offers no computing on it: /sys/class/kfd has no node for it."
    return [Card("AMD", "AMD card", driver, fault=why) for _ in on_bus("1002")[:1]]


def kfd_fault() -> str:
    """Why this user cannot compute on AMD's cards, or ''. Only the groups render and video may open the device."""
    device = SYSTEM / "dev/kfd"
    if not device.exists():
        return "/dev/kfd is not there: a container must be given it (--device=/dev/kfd --device=/dev/dri)."
    if not os.access(device, os.R_OK | os.W_OK):
        return "You may not open /dev/kfd: sudo usermod -aG render,video $USER, then log in anew."
    return ""


def rocm_version() -> str:
    """The ROCm of the whole system, such as '6.4.1', or ''. torch brings its own; this is for people."""
    found = re.match(r"\d+\.\d+(\.\d+)?", text_of(SYSTEM / "opt/rocm/.info/version"))
    return found[0] if found else ""


def intel_cards() -> list[Card]:
    """Intel's graphics on Linux that torch computes on; older ones are left out."""
    driver = level_zero_driver()
    why = "" if driver else "Intel's compute driver (libze_intel_gpu.so.1, package libze-intel-gpu1) is not installed."
    arc = [device for device in on_bus("8086") if _ARC.fullmatch(device)]
    return [Card("Intel", f"Intel graphics, {device}", driver, "arc", why) for device in arc]


def level_zero_driver() -> str:
    """The version of Intel's Level Zero driver on Linux, such as '1.6.33578', or '' without it."""
    for folder in ("usr/lib/x86_64-linux-gnu", "usr/lib64", "usr/lib", "usr/local/lib"):
        for file in sorted((SYSTEM / folder).glob("libze_intel_gpu.so.1*"), reverse=True):
            found = re.search(r"\.so\.(\d+(\.\d+)*)$", os.path.realpath(file))
            return found[1] if found else "1"
    return ""


def apple_cards() -> list[Card]:
    """The graphics of a Mac with Apple silicon; macOS is its driver. A Mac with Intel has none for torch."""
    if platform.machine() != "arm64":
        return []
    name = answer_of(["sysctl", "-n", "machdep.cpu.brand_string"]).strip()[:80] or "Apple silicon"
    return [Card("Apple", name, platform.mac_ver()[0], "apple")]


def windows_cards(adapters: list[dict[str, str]]) -> list[Card]:
    """The cards of a Windows machine.

    adapters: of `display_adapters`.
    """
    found = []
    devices, refusal = cuda_devices()
    for adapter in adapters:
        numbers = re.search(r"ven_([0-9a-f]{4})&dev_([0-9a-f]{4})", adapter.get("MatchingDeviceId", ""), re.IGNORECASE)
        maker = _MAKERS.get(numbers[1].lower(), "") if numbers else ""
        name, driver = _name(adapter.get("DriverDesc", "")) or maker, adapter.get("DriverVersion", "")[:40]
        if maker == "NVIDIA" and not devices:
            fault = _refused(refusal) if refusal else "Its driver sees no card."
            found.append(Card(maker, name, nvidia_of_windows(driver), fault=fault))
        elif maker == "NVIDIA":
            same = max(devices, key=lambda device: _likeness(name, device[0]))
            found.append(Card(maker, same[0], nvidia_of_windows(driver), same[1]))
        elif maker == "Intel" and numbers and _ARC.fullmatch(numbers[2].lower()):
            found.append(Card(maker, name, driver, "arc"))
        elif maker == "AMD":
            found.append(Card(maker, name, driver))
    return found


def _likeness(name: str, other: str) -> int:
    """How well two names of a card agree: an RTX 4070 Ti is no RTX 4070, whose name is within its own."""
    if name == other:
        return len(name) + 1
    return min(len(name), len(other)) if name in other or other in name else 0


def nvidia_of_windows(version: str) -> str:
    """NVIDIA's own number in a Windows version: its last five digits, 32.0.15.8097 for 580.97."""
    digits = re.sub(r"\D", "", version)[-5:]
    return f"{int(digits[:3])}.{digits[3:]}" if len(digits) == 5 else ""


def display_adapters() -> list[dict[str, str]]:
    """The texts that Windows' registry keeps of every adapter: DriverDesc, DriverVersion, MatchingDeviceId."""
    if sys.platform != "win32":
        return []
    import winreg

    adapters: list[dict[str, str]] = []
    for number in range(32):
        with (
            contextlib.suppress(OSError),
            winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, rf"{DISPLAY_CLASS}\{number:04d}") as key,
        ):
            texts = {}
            for name in ("DriverDesc", "DriverVersion", "MatchingDeviceId"):
                with contextlib.suppress(OSError):
                    texts[name] = str(winreg.QueryValueEx(key, name)[0])
            adapters.append(texts)
    return adapters


def on_bus(vendor: str) -> list[str]:
    """PCI device numbers, four hexadecimal digits each, of a maker's display adapters on Linux.

    vendor: str, its PCI number.
    """
    found = []
    for device in sorted((SYSTEM / "sys/bus/pci/devices").glob("*")):
        if text_of(device / "class").startswith("0x03") and text_of(device / "vendor").strip() == f"0x{vendor}":
            found.append(text_of(device / "device").strip().removeprefix("0x").lower())
    return found


def text_of(path: Path) -> str:
    """The first 64 KiB of a file of the system as text; '' where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(_LONGEST).decode("utf-8", "replace")
    except OSError:
        return ""


def answer_of(command: list[str]) -> str:
    """What a driver's tool prints, bounded in time and length; '' where it is not there or fails.

    command: its words.
    """
    return bounded_answer(command, _ANSWER_SECONDS, _LONGEST)
