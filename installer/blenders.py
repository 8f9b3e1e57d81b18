"""Finds the Blenders on this machine, and installs the add-on in one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from installer.processes import SetupFailed, bounded_answer, clean_variables

OLDEST = (3, 4)
MARK = "DREAMFUSION:"

# Runs in Blender. Extensions came with 4.2; before, an add-on is a folder among the user's scripts.
INSTALL = """
import sys, bpy
path = sys.argv[-1]
try:
    if bpy.app.version >= (4, 2):
        bpy.ops.extensions.package_install_files(filepath=path, repo="user_default", enable_on_install=True)
        name = "bl_ext.user_default.dreamfusion"
        if name not in bpy.context.preferences.addons:
            bpy.ops.preferences.addon_enable(module=name)
    else:
        bpy.ops.preferences.addon_install(filepath=path, overwrite=True)
        name = "dreamfusion"
        bpy.ops.preferences.addon_enable(module=name)
    bpy.ops.wm.save_userpref()
    print("DREAMFUSION:" + ("ready" if name in bpy.context.preferences.addons else "it was not enabled"))
except RuntimeError as error:
    print("DREAMFUSION:" + " ".join(str(error).split()))
"""


@dataclass(frozen=True)
class Blender:
    """A Blender program and its version."""

    program: str
    version: tuple[int, int]


def find_blenders() -> list[Blender]:
    """Every Blender in the usual places that is new enough for the add-on, the newest first."""
    found: dict[str, Blender] = {}
    for program in _usual_places():
        real = os.path.realpath(program)
        if real not in found and (version := version_of(program)) is not None and version >= OLDEST:
            found[real] = Blender(program, version)
    return sorted(found.values(), key=lambda blender: blender.version, reverse=True)


def named_blender(name: str) -> Blender:
    """The Blender that a user named.

    name: str, the path of a program or its folder, a version such as '4.5', or 'newest'.
    Raises SetupFailed.
    """
    path = Path(name).expanduser()
    inside = ("blender", "blender.exe", "Contents/MacOS/Blender", "Blender.app/Contents/MacOS/Blender")
    programs = [path] if path.is_file() else [path / part for part in inside if (path / part).is_file()]
    if programs:
        version = version_of(str(programs[0]))
        if version is None:
            raise SetupFailed("This is no Blender.", f"{programs[0]} does not say its version.", "Name another file.")
        if version < OLDEST:
            why = f"{programs[0]} is Blender {version[0]}.{version[1]}."
            raise SetupFailed("This Blender is too old.", why, "The add-on needs Blender 3.4 or newer.")
        return Blender(str(programs[0]), version)
    here = find_blenders()
    for blender in here:
        if name in ("newest", "{}.{}".format(*blender.version)):
            return blender
    listed = ", ".join(f"{b.version[0]}.{b.version[1]} ({b.program})" for b in here) or "none"
    fix = "Name the program: python3 install.py addon --into /path/to/blender"
    raise SetupFailed("This Blender was not found.", f"Looked for {name}; in the usual places there is {listed}.", fix)


def version_of(program: str) -> tuple[int, int] | None:
    """The version of a Blender, such as (4, 5); None for any other program."""
    found = re.search(r"Blender (\d+)\.(\d+)", bounded_answer([program, "--version"], 60.0, 1 << 16))
    return (int(found[1]), int(found[2])) if found else None


def install_into(blender: Blender, package: Path) -> None:
    """Install the zip in a Blender and enable it there.

    blender: Blender to install in.
    package: Path of the zip.
    Raises SetupFailed.
    """
    command = [blender.program, "--background", "--python-exit-code", "1", "--python-expr", INSTALL, "--", str(package)]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=300, env=clean_variables()
        )
    except subprocess.TimeoutExpired as error:
        raise SetupFailed("Blender did not answer.", f"{blender.program} took over 300 s.", "Try again.") from error
    output = (done.stdout + done.stderr).decode("utf-8", "replace")
    told = re.findall(rf"^{MARK}(.*)$", output, re.MULTILINE)
    if told != ["ready"]:
        why = told[-1] if told else (output.strip().splitlines() or ["It said nothing."])[-1][:300]
        fix = f"In Blender: Preferences > Add-ons > Install from Disk, and choose {package}"
        raise SetupFailed("The add-on could not be installed in Blender.", why, fix)


def _usual_places() -> list[str]:
    """Programs that may be Blenders: on PATH, and where Blender is usually installed."""
    home = Path.home()
    if sys.platform == "win32":
        roots = [Path(os.environ.get(name, "C:\\Program Files")) for name in ("PROGRAMFILES", "PROGRAMW6432")]
        patterns = ["Blender Foundation/Blender*/blender.exe"]
        roots.append(Path(os.environ.get("PROGRAMFILES(X86)", "C:\\Program Files (x86)")))
        patterns.append("Steam/steamapps/common/Blender/blender.exe")
    elif sys.platform == "darwin":
        roots, patterns = [Path("/Applications"), home / "Applications"], ["Blender*.app/Contents/MacOS/Blender"]
    else:
        roots = [Path("/opt"), Path("/usr/local"), home, home / "Downloads", home / "Applications"]
        patterns = ["blender*/blender"]
    found = [shutil.which("blender") or ""]
    for root in roots:
        for pattern in patterns:
            found += [str(path) for path in root.glob(pattern) if path.is_file()]
    return [program for program in found if program]
