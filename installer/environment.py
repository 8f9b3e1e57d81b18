"""The private environment .venv. It is made once and has a stamp. It is made anew when what it depends on changes."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import platform
import re
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from installer.machine import check_wheels
from installer.processes import ENVIRONMENT, ROOT, SetupFailed, Told, only_one, output_of, say, step
from installer.python import CONSTRAINTS, OLDEST_PIP, base_python, environment_python, pinned, pip, pip_install
from installer.torch_build import install_torch
from installer.torch_choice import choose

STAMP = ENVIRONMENT / "dreamfusion-environment.json"  # written at the start; it says complete only at the end
# Bytes on the disk, downloads included. Those for ROCm and XPU are estimates.
ROOM_NEEDED = {"cpu": 3 << 30, "cuda": 12 << 30, "rocm": 24 << 30, "mps": 3 << 30, "xpu": 14 << 30}


def wheel() -> Path | None:
    """The engine's wheel if the set-up is part of the packed add-on; None in a checkout."""
    return next(iter(sorted(ROOT.glob("dreamfusion_engine-*.whl"))), None)


def fingerprint() -> str:
    """A digest of everything that the environment depends on. If it changes, the environment must be made anew."""
    digest = hashlib.sha256()
    for part in (CONSTRAINTS.read_bytes(), (wheel() or ROOT / "pyproject.toml").read_bytes()):
        digest.update(part)
    # Scripts in an environment hold absolute paths, and so does the link to a checkout. After a move it is made anew.
    place = ENVIRONMENT if wheel() else ROOT
    for text in (sys.version, sys.base_prefix, platform.machine(), str(place)):
        digest.update(text.encode("utf-8", "surrogateescape") + b"\0")
    return digest.hexdigest()


def read_stamp() -> dict[str, Any] | None:
    """The content of the environment's stamp, or None where none is readable."""
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return stamp if isinstance(stamp, dict) else None


def write_stamp(**values: Any) -> None:
    """Replace the stamp, whole or not at all."""
    draft = STAMP.with_suffix(".new")
    draft.write_text(json.dumps(values, indent=1), encoding="utf-8")
    os.replace(draft, STAMP)


def make_environment(*, tests: bool = False, torch: str = "auto", remake: bool = False) -> Path:
    """Make the environment unless it is complete. Returns its interpreter.

    tests: bool, with the test tools.
    torch: str, 'auto' or one of `torch_choice.BUILDS`.
    remake: bool, make it anew even if it is complete.
    Raises SetupFailed.
    """
    with only_one():
        wanted = fingerprint()
        stamp = read_stamp()
        if ENVIRONMENT.exists() and stamp is None and any(ENVIRONMENT.iterdir()):
            raise SetupFailed(
                "The environment's folder was not made by this program.",
                f"{ENVIRONMENT} has no {STAMP.name} in it.",
                "Move it away or delete it, and start again.",
            )
        good = stamp is not None and stamp.get("complete") is True and stamp.get("fingerprint") == wanted
        good = good and not remake and environment_python().exists() and torch in ("auto", (stamp or {}).get("torch"))
        if good and stamp is not None and (stamp.get("tests") or not tests):
            return environment_python()
        began = time.monotonic()
        try:
            if good and stamp is not None:
                write_stamp(**{**stamp, "complete": False})
                install_packages(tests=True)
                write_stamp(**{**stamp, "complete": True, "tests": True})
            else:
                check_not_linked()
                choice = choose(torch)
                check_machine(choice.build)
                say(choice.why)
                teller = Told.teller
                teller.stage(0.0, 0.05)
                begin(wanted)
                teller.stage(0.05, 0.55)
                install_torch(choice)
                teller.stage(0.55, 0.95)
                install_packages(tests=tests)
                teller.stage(0.95, 1.0)
                say("Trying the packages ...")
                version = try_imports(choice.build)
                write_stamp(fingerprint=wanted, complete=True, tests=tests, torch=choice.build, version=version)
        except OSError as error:
            raise SetupFailed(
                "The environment cannot be written.",
                str(error),
                f"Give yourself the right to write in {ENVIRONMENT.parent}.",
            ) from error
        say(f"The environment is ready after {time.monotonic() - began:.0f} s.")
        return environment_python()


def check_not_linked() -> None:
    """Raise SetupFailed where the environment is a link: what it leads to would be emptied, and may be another's."""
    if ENVIRONMENT.is_symlink():
        raise SetupFailed(
            "The environment's folder is a link, and the environment would have to be made anew.",
            f"{ENVIRONMENT} leads to {os.path.realpath(ENVIRONMENT)}, which may belong to another checkout.",
            "Delete the link and start again. Nothing was changed.",
        )


def check_machine(build: str) -> None:
    """Check the machine, the Python, the path and the disk, before anything is downloaded.

    build: str, the build of torch.
    Raises SetupFailed for what would fail later.
    """
    check_wheels()
    if importlib.util.find_spec("ensurepip") is None or importlib.util.find_spec("venv") is None:
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        raise SetupFailed(
            "This Python cannot make environments.",
            "Its modules venv and ensurepip are missing; Debian and Ubuntu ship them apart.",
            f"sudo apt install python{version}-venv, then start again.",
        )
    if sys.maxsize < 2**32:
        raise SetupFailed("This Python is a 32-bit one.", sys.executable, "Install a 64-bit Python: torch needs it.")
    longest = 173 + len(r"\Lib\site-packages")  # characters of the longest path in torch's wheel
    if os.name == "nt" and len(str(ENVIRONMENT)) + longest > 259 and not long_paths():
        why = f"Windows allows paths of 259 characters, and those of torch's files would be longer in {ENVIRONMENT}."
        raise SetupFailed("The folder's path is too long.", why, "Choose a folder with a shorter path.")
    free = free_room()
    if free < ROOM_NEEDED[build]:
        needed = ROOM_NEEDED[build] >> 30
        why = f"The environment needs {needed} GiB; {ENVIRONMENT.parent} has {free / 2**30:.1f} GiB left."
        raise SetupFailed("There is too little room on the disk.", why, "Make room and start again.")


def long_paths() -> bool:
    """Whether this Windows allows long paths, which a setting of the machine decides. True on other systems."""
    if sys.platform != "win32":
        return True
    import winreg

    with (
        contextlib.suppress(OSError),
        winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"SYSTEM\CurrentControlSet\Control\FileSystem") as key,
    ):
        return bool(winreg.QueryValueEx(key, "LongPathsEnabled")[0])
    return False


def free_room() -> int:
    """Free bytes on the disk on which the environment is, or will be."""
    folder = ENVIRONMENT
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


def begin(wanted: str) -> None:
    """Make an empty environment. It is marked as incomplete before anything else is in it.

    wanted: str, the fingerprint.
    """
    if ENVIRONMENT.exists():
        say("Removing the old environment.")
        remove_environment()
    ENVIRONMENT.mkdir(parents=True)
    write_stamp(fingerprint=wanted, complete=False)
    step(f"Making {ENVIRONMENT.name}", [base_python(), "-m", "venv", str(ENVIRONMENT)])
    version = output_of([*pip(), "--version"])
    numbers = tuple(map(int, re.findall(r"\d+", version)[:2]))
    if numbers < OLDEST_PIP:
        step("Updating pip in it", [*pip(), "install", "-c", str(CONSTRAINTS), "--upgrade", pinned("pip")])


def remove_environment() -> None:
    """Delete the environment, its stamp last. So the rest of an interrupted removal is still known as ours."""
    for item in ENVIRONMENT.iterdir():
        if item != STAMP:
            shutil.rmtree(item) if item.is_dir() and not item.is_symlink() else item.unlink()
    shutil.rmtree(ENVIRONMENT)


def install_packages(*, tests: bool) -> None:
    """Install all other packages and the engine, from its wheel or, in a checkout, as an editable package.

    tests: bool, with the test tools.
    """
    packed = wheel()
    if packed is not None:
        step("Installing the engine and the other packages", [*pip_install(), str(packed)])
        return
    step("Installing the build tool", [*pip_install(), "setuptools"])
    what = f"{ROOT}[test]" if tests else str(ROOT)
    label = "Installing the other packages" + (" and the test tools" if tests else "")
    step(label, [*pip_install(), "--no-build-isolation", "--editable", what])


def try_imports(build: str) -> str:
    """Import the main packages in the new environment, and say where torch does not see its card. Returns its version.

    build: str, the build of torch.
    """
    code = "import torch, warp, diffusers, dreamfusion_engine; print(torch.__version__)"
    version = output_of([str(environment_python()), "-c", code]).strip().splitlines()[-1]
    if build != "cpu":
        asked = [str(environment_python()), "-c", "import torch; print(torch.accelerator.is_available())"]
        if output_of(asked).strip().splitlines()[-1:] == ["False"]:
            say(f"torch for {build} is installed, but sees no card now. Restart the computer; then ask the doctor.")
    return version
