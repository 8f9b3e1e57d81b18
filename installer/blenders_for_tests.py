"""What the tests of the add-on need besides the environment: Blenders, and programs for a window without a screen."""

from __future__ import annotations

import os
import shutil
import sys

from installer.bpy_environments import WHEELS, make_bpy_environment, python_for
from installer.processes import SetupFailed, step

PROGRAMS = ("blender", "xvfb-run", "Xvfb", "xauth", "import")  # what tests in a real window start
PACKAGES = ("blender", "xvfb", "xauth", "libgl1-mesa-dri", "imagemagick")  # Debian's, which have them


def make_test_blenders() -> list[str]:
    """Make an environment for every bpy wheel that can be had. Returns sentences about the others."""
    left_out = []
    for wheel in WHEELS:
        if python_for(wheel) is None:
            left_out.append(f"tests in Blender {wheel.series}: no Python {wheel.python[0]}.{wheel.python[1]} here")
            continue
        try:
            make_bpy_environment(wheel)
        except SetupFailed as failure:
            left_out.append(f"tests in Blender {wheel.series}: {failure.what} {failure.why}")
    return left_out


def install_test_programs() -> list[str]:
    """Install the programs for tests in a real window, where possible. Returns sentences about what is missing."""
    if all(shutil.which(program) for program in PROGRAMS):
        return []
    names = ", ".join(PACKAGES)
    apt = shutil.which("apt-get")
    if sys.platform != "linux" or apt is None:
        return [f"tests in a real window: they need {names} on Linux"]
    if os.geteuid() != 0:
        return [f"tests in a real window: sudo apt install {' '.join(PACKAGES)}"]
    environment = ["env", "DEBIAN_FRONTEND=noninteractive"]
    try:
        step("Updating the list of Debian's packages", [*environment, apt, "-q", "update"])
        install = [*environment, apt, "-q", "-y", "--no-install-recommends", "install", *PACKAGES]
        step(f"Installing {names}", install)
    except SetupFailed as failure:
        return [f"tests in a real window, which need {names}: {failure.why}"]
    return []
