"""The Blenders that tests can use on this machine, and running a script in one: a time limit, clean user folders."""

from __future__ import annotations

import atexit
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
INSIDE = Path(__file__).with_name("inside")
START = INSIDE / "start.py"
WHEELS = ("4.2", "4.5", "5.0", "5.2")  # bpy in a Python; besides, there is the Blender with a window, Debian's 3.4
SCREEN = (1600, 1000)  # pixels, of the screen that windows open on
WINDOW_PROGRAMS = ("xvfb-run", "xauth", "import")
TIMEOUT = 900.0  # seconds, after which a script hangs; alone most take a few, beside other programs many times that
ELSEWHERE = "DREAMFUSION_BPY_ENVIRONMENTS"  # a folder of environments bpy-4.2, bpy-4.5 ... in place of .venvs


@dataclass(frozen=True)
class Outcome:
    """What a script left: exit code, everything that it printed, and the facts that it told by `addon.tell`."""

    code: int
    output: str
    facts: dict[str, Any]


class ScriptFailed(AssertionError):
    """A script in Blender raised, crashed, or took too long. The message holds all that it printed."""


@dataclass(frozen=True)
class Blender:
    """One Blender: its series such as "4.5", and the program: a Python that has bpy, or Blender itself."""

    series: str
    program: str

    @property
    def is_module(self) -> bool:
        """Whether this is the bpy module in a Python, and not Blender with its windows."""
        return "python" in Path(self.program).name.lower()

    @property
    def has_extensions(self) -> bool:
        """Whether add-ons of this Blender are extensions (4.2 and later)."""
        return tuple(map(int, self.series.split("."))) >= (4, 2)

    def command(self, script: Path, *arguments: str, window: bool = False, factory: bool = True) -> list[str]:
        """The command line that runs a script file; with `window` in Blender's window on a screen in memory."""
        if self.is_module:
            return [self.program, str(START), str(script), *arguments]
        width, height = SCREEN
        screen = ["xvfb-run", "-a", "-s", f"-screen 0 {width}x{height}x24"]
        size = ["--window-geometry", "0", "0", str(width), str(height), "--enable-event-simulate"]
        before, options = (screen, size) if window else ([], ["--background"])
        options += ["--factory-startup"] if factory else []
        options = [*options, "--python-exit-code", "1", "--python", str(START)]
        return [*before, self.program, *options, "--", str(script), *arguments]


class Session:
    """A Blender with user folders of its own. Runs after one another see the same folders."""

    def __init__(self, blender: Blender, folder: Path) -> None:
        self.blender = blender
        self.series = blender.series
        self.folder = folder
        self.resources = folder / "blender"
        self.resources.mkdir(parents=True, exist_ok=True)

    def variables(self) -> dict[str, str]:
        """The environment of a run: nothing of the user's Blender, and where the engine's Python is."""
        # Debian's Blender comes without compiled modules, and may not write them beside its own: it took 0.7 s a start.
        compiled = {"PYTHONDONTWRITEBYTECODE": "1"}
        if not self.blender.is_module:
            compiled = {"PYTHONPYCACHEPREFIX": str(compiled_modules())}
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("BLENDER_", "PYTHON", "VIRTUAL_ENV"))}
        return {
            **kept,
            "BLENDER_USER_RESOURCES": str(self.resources),
            "BLENDER_USER_CONFIG": str(self.resources / "config"),
            "BLENDER_USER_SCRIPTS": str(self.resources / "scripts"),
            "BLENDER_USER_DATAFILES": str(self.resources / "datafiles"),
            "BLENDER_USER_EXTENSIONS": str(self.resources / "extensions"),
            "PYTHONUNBUFFERED": "1",
            "PYTHONFAULTHANDLER": "1",
            **compiled,
            "LIBGL_ALWAYS_SOFTWARE": "1",
            "DREAMFUSION_TEST_ROOT": str(ROOT),
            "DREAMFUSION_TEST_PYTHON": sys.executable,
            "DREAMFUSION_TEST_FACTS": str(self.folder / "facts.json"),
        }

    def link_addon(self) -> str:
        """Put the checkout's add-on where this Blender looks for add-ons; returns the name to enable it by."""
        if self.blender.has_extensions:
            place, name = self.resources / "extensions" / "user_default", "bl_ext.user_default.dreamfusion"
        else:
            place, name = self.resources / "scripts" / "addons", "dreamfusion"
        place.mkdir(parents=True, exist_ok=True)
        if not (place / "dreamfusion").exists():
            (place / "dreamfusion").symlink_to(ROOT / "blender_addon", target_is_directory=True)
        return name

    def run(
        self,
        script: str | Path,
        *arguments: str,
        timeout: float = TIMEOUT,
        addon: bool = True,
        window: bool = False,
        factory: bool = True,
        **variables: str,
    ) -> Outcome:
        """Run a script, a path or source text, to its end; a raised exception or a late end fails the test.

        arguments: its sys.argv[1:]. addon: make the checkout's add-on available to `addon.enable()`. window: in
        Blender's window; the script is one of `window/drive.py`. factory: with Blender's first settings, not those
        of the user folder. variables: more environment variables. Raises ScriptFailed.
        """
        if isinstance(script, str):
            source = textwrap.dedent(script)
            script = self.folder / "script.py"
            script.write_text(source, encoding="utf-8")
        environment = {**self.variables(), "DREAMFUSION_TEST_FACTORY": "1" if factory else "", **variables}
        if addon:
            environment["DREAMFUSION_TEST_ADDON"] = self.link_addon()
        facts = Path(environment["DREAMFUSION_TEST_FACTS"])
        facts.unlink(missing_ok=True)
        command = self.blender.command(script, *arguments, window=window, factory=factory)
        code, output = bounded(command, environment, timeout, self.folder)
        told = json.loads(facts.read_text(encoding="utf-8")) if facts.exists() else {}
        if code != 0:
            end = f"did not end in {timeout:.0f} s" if code == LATE else f"ended with code {code}"
            raise ScriptFailed(f"Blender {self.series}: {script.name} {end}.\n{output}")
        return Outcome(code, output, told)


@cache
def compiled_modules() -> Path:
    """A folder for what Python compiles, for as long as these tests run."""
    folder = Path(tempfile.mkdtemp(prefix="dreamfusion-compiled-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


LATE = -1000


def bounded(command: list[str], environment: dict[str, str], timeout: float, folder: Path) -> tuple[int, str]:
    """Exit code and output of a command. After `timeout` seconds it and all its children are killed: code LATE."""
    process = subprocess.Popen(
        command,
        env=environment,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=timeout)
        return process.returncode, output.decode("utf-8", "replace")
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGABRT)  # the fault handler tells where it stands
        try:
            output, _ = process.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
        return LATE, output.decode("utf-8", "replace")


@cache
def blenders() -> tuple[Blender, ...]:
    """Every Blender at hand, oldest first."""
    found = [blender for blender in [windowed(), *map(wheel, WHEELS)] if blender is not None]
    return tuple(sorted(found, key=lambda blender: tuple(map(int, blender.series.split(".")))))


@cache
def windowed() -> Blender | None:
    """The Blender on PATH, which has windows, or None."""
    program = shutil.which("blender")
    series = version_of(program) if program else ""
    return Blender(series, program) if program and series else None


def wheel(series: str) -> Blender | None:
    """The Python that has the bpy of a series, or None."""
    folder = Path(os.environ.get(ELSEWHERE) or ROOT / ".venvs") / f"bpy-{series}"
    for name in ("bin/python", "Scripts/python.exe"):
        if (folder / name).exists():
            return Blender(series, str(folder / name))
    return None


def missing() -> tuple[str, ...]:
    """What tests are meant to run in and cannot here, in words."""
    wheels = tuple(f"bpy {series}" for series in WHEELS if wheel(series) is None)
    programs = tuple(name for name in WINDOW_PROGRAMS if shutil.which(name) is None)
    return wheels + (("a Blender with windows",) if windowed() is None else ()) + programs


@cache
def version_of(program: str) -> str:
    """'3.4' of a Blender program."""
    shown = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=60, check=False).stdout
    found = re.search(r"Blender (\d+\.\d+)", shown)
    return found.group(1) if found else ""
