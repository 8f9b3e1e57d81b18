"""Check whether this machine is ready. Each check has a line with its fix; nothing is changed."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dreamfusion_engine.commands.model_line import Machine, ModelLine
from dreamfusion_engine.commands.model_list import models_here, models_to_get
from dreamfusion_engine.errors import EngineError, SetupError
from dreamfusion_engine.hub.address import hub_address
from dreamfusion_engine.machine.backends import free_bytes
from dreamfusion_engine.machine.child_process import child_environment
from dreamfusion_engine.machine.device import total_memory_mib, usable_cores
from dreamfusion_engine.machine.main_memory import check_room_to_start
from dreamfusion_engine.machine.places import device_report, resolve_places
from dreamfusion_engine.models.pipeline_folder import STARTER, locate_model, open_pipeline
from dreamfusion_engine.speed.device_speed import Speed, measured_speed, stored_speed

MEMORY_NEEDED_MIB = 4096  # peak of the standard preset on the CPU
DISK_NEEDED_MIB = 200
REINSTALL = "Run: python3 install.py engine"
PACKAGES = ("torch", "warp-lang", "diffusers", "transformers", "numpy", "scikit-image", "scipy", "xatlas")


@dataclass(frozen=True, kw_only=True)
class Check:
    """One line of the report.

    name: str, what was checked.
    detail: str, what was found.
    fix: str, what to do; empty when there is nothing to do.
    fatal: bool, whether no run can work like this.
    """

    name: str
    detail: str
    fix: str = ""
    fatal: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the check as nested plain values."""
        return asdict(self)


def examine(folder: Path) -> list[Check]:
    """Return every check, in the order of the report.

    With too little memory to load the packages there is only one check, because the others would crash.

    folder: Path, where results would go.
    """
    start = _guarded(_start)
    if start.fatal:
        return [start]
    of_machine = (_python, _packages, _torch, _warp, _places, _speed, _memory)
    parts = (*of_machine, lambda: _disk(folder), _model, _downloads, _ffmpeg)
    return [_guarded(part) for part in parts]


def machine() -> Machine:
    """Return what a model must fit into: the device that 'auto' is, and the memory that is free on it now."""
    places = resolve_places("auto")
    return Machine(device_type=places.kind, free_bytes=free_bytes(places.teacher))


def model_lists(room: Machine | None = None) -> tuple[list[ModelLine], list[ModelLine]]:
    """Return the models that are here, and those of the catalogue that could be downloaded.

    room: Machine that they must fit into; None: this machine.
    Raises SetupError for a broken starter.
    """
    address = hub_address({**os.environ, "HF_TOKEN": ""})  # the list asks nobody: a wrong token harms downloads only
    room = room or machine()
    here = models_here(address, room)
    return here, models_to_get(address, room, here)


def _guarded(part: Callable[[], Check]) -> Check:
    """A check that itself fails is a failed check: the doctor never dies of what it finds."""
    name = getattr(part, "__name__", "disk").strip("_<>")
    try:
        return part()
    except EngineError as error:
        return Check(name=name, detail=f"{error.what} {error.why}", fix=error.fix, fatal=True)
    except Exception as error:  # whatever an installation throws at its first import is the finding
        return Check(name=name, detail=f"{type(error).__name__}: {error}"[:300], fix=REINSTALL, fatal=True)


def _start() -> Check:
    check_room_to_start()
    return Check(name="start", detail="there is memory to load the packages")


def _python() -> Check:
    old = sys.version_info < (3, 10)
    return Check(
        name="python",
        detail=f"{platform.python_version()}, {platform.platform(terse=True)}, {sys.executable}",
        fix="Install Python 3.10 or newer." if old else "",
        fatal=old,
    )


def _packages() -> Check:
    found, missing = [], []
    for name in PACKAGES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        return Check(name="packages", detail=f"missing: {', '.join(missing)}", fix=REINSTALL, fatal=True)
    return Check(name="packages", detail=", ".join(found))


def _torch() -> Check:
    report = device_report()
    shown = ", ".join(
        f"{device['name']} ({device['title']}, {device['memory_mib']:,} MiB)" for device in report["devices"]
    )
    without = len(report["devices"]) == 1 and shutil.which("nvidia-smi") is not None
    return Check(
        name="devices",
        detail=f"torch {report['torch']}, {usable_cores()} cores, {shown}; auto is {report['default']}",
        fix="An NVIDIA driver is here, but torch cannot use it. Run: python3 install.py engine --torch cuda"
        if without
        else "",
    )


def _places() -> Check:
    """Where a run computes by itself, and why there: on a card that AMD's torch calls cuda, Warp cannot render."""
    report = device_report()
    where = f"the model on {report['default']}, the object on {report['default_field']}"
    others = [
        f"{device['name']}: the model only, {device['note']}" for device in report["devices"] if not device["field"]
    ]
    return Check(name="places", detail="; ".join([f"auto is {where}: {report['why']}", *others]))


def _warp() -> Check:
    import warp

    import dreamfusion_engine.machine.warp_runtime  # noqa: F401  starts Warp, quietly

    return Check(name="warp", detail=f"warp {warp.config.version}, {', '.join(map(str, warp.get_devices()))}")


def _speed() -> Check:
    speed = known_speed()
    return Check(
        name="speed",
        detail=f"{speed.half / 1e9:,.0f} GFLOP/s in half precision, {speed.single / 1e9:,.0f} in float32",
    )


def known_speed() -> Speed:
    """Return the speed of the device that 'auto' is, for estimates of time; measure it in a second if unknown."""
    places = resolve_places("auto")
    return measured_speed(places.teacher, places.field)


def speed_is_known() -> bool:
    """Return whether the speed has been measured, so that lists of models have times."""
    return stored_speed(resolve_places("auto").kind) is not None


def _memory() -> Check:
    total = total_memory_mib()
    small = 0 < total < MEMORY_NEEDED_MIB
    return Check(
        name="memory",
        detail=f"{total:,} MiB",
        fix=f"A run takes up to {MEMORY_NEEDED_MIB:,} MiB: close other programs." if small else "",
    )


def _disk(folder: Path) -> Check:
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free >> 20
    full = free < DISK_NEEDED_MIB
    return Check(
        name="disk",
        detail=f"{free:,} MiB free at {place}",
        fix=f"A run needs {DISK_NEEDED_MIB} MiB: make room." if full else "",
        fatal=full,
    )


def _model() -> Check:
    card = open_pipeline(locate_model(STARTER)).card
    return Check(name="model", detail=f"starter: complete, {len(card.files)} files checked, {len(card.kinds)} kinds")


def _downloads() -> Check:
    try:
        address = hub_address()
    except SetupError as error:  # runs with a model that is here work all the same
        return Check(name="downloads", detail=f"{error.what} {error.why}", fix=error.fix)
    lines = [line for line in models_here(address, machine()) if line.name != STARTER]
    words = [f"{line.name} ({line.size_mb / 1000:.1f} GB, {line.fit})" for line in lines if line.usable]
    broken = [line for line in lines if line.trouble]
    words += [f"{line.name}: {line.trouble['what']} {line.trouble['why']}" for line in broken]
    how = [
        f"in {address.cache}",
        *(["offline"] if address.offline else []),
        *(["with a token"] if address.token else []),
    ]
    return Check(
        name="downloads",
        detail=f"{', '.join(words) or 'none'}; {', '.join(how)}",
        fix=f"Run: dreamfusion-engine download {broken[0].name}" if broken else "",
    )


def _ffmpeg() -> Check:
    import imageio_ffmpeg

    program = imageio_ffmpeg.get_ffmpeg_exe()
    run = subprocess.run([program, "-version"], capture_output=True, timeout=30, env=child_environment())
    if run.returncode != 0:
        said = run.stderr.decode("utf-8", "replace").strip()[:200]
        raise SetupError("setup.ffmpeg", what="ffmpeg does not start.", why=said or program, fix=REINSTALL)
    return Check(name="ffmpeg", detail=run.stdout.decode("utf-8", "replace").split("\n", 1)[0].split(" Copyright")[0])
