"""Processes, signals, memory and cores on Windows and macOS. The calls of the system are replaced at the boundary.

Of: dreamfusion_engine/machine, dreamfusion_engine/batch/engine_process.py, blender_addon/core, installer.
"""

from __future__ import annotations

import ctypes
import faulthandler
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import imageio_ffmpeg
import psutil
import pytest

from blender_addon.core.engine import process_group, windows_job
from blender_addon.core.setup import child, interpreters
from dreamfusion_engine.agents import engine as agents_engine
from dreamfusion_engine.batch import engine_process, ray_place, serve_node
from dreamfusion_engine.errors import EngineError
from dreamfusion_engine.machine import child_process, device, main_memory
from dreamfusion_engine.machine.cache_folder import cache_folder
from dreamfusion_engine.mesh.pictures import video
from dreamfusion_engine.mesh.uv import unwrap
from installer import processes

ROOT = Path(__file__).resolve().parents[2]
NEW_GROUP, NO_WINDOW, BREAK = 0x200, 0x08000000, 1


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """A Windows: its constants, and the commands that are run in it."""
    run: list[list[str]] = []

    def note(command: list[str], **_: object) -> Any:
        run.append(list(command))
        return SimpleNamespace(returncode=0, stdout=b"", stderr=b"")

    monkeypatch.setattr(sys, "platform", "win32")
    for name, value in (("CREATE_NEW_PROCESS_GROUP", NEW_GROUP), ("CREATE_NO_WINDOW", NO_WINDOW)):
        monkeypatch.setattr(subprocess, name, value, raising=False)
    monkeypatch.setattr(signal, "CTRL_BREAK_EVENT", BREAK, raising=False)
    monkeypatch.setattr(subprocess, "run", note)
    return run


class Process:
    """A process of Windows: takes Ctrl-Break where there is a console, and no other signal."""

    def __init__(self, console: bool = True) -> None:
        self.pid, self.console, self.got, self.killed, self.waited = 4711, console, [0][:0], 0, 0
        self.stdin = self.stdout = None

    def send_signal(self, number: int) -> None:
        if number != BREAK or not self.console:
            raise OSError(6, "The handle is invalid")
        self.got.append(number)

    def poll(self) -> None:
        return None

    def kill(self) -> None:
        self.killed += 1

    terminate = kill

    def wait(self, timeout: float | None = None) -> int:
        self.waited += 1
        return 1


def test_a_batch_stops_its_runs_by_ctrl_break_and_without_a_console_by_leaving(windows: list[list[str]]) -> None:
    job = object.__new__(engine_process.EngineProcess)
    process, closed = Process(), []
    job._process, job._told_to_stop = process, False  # type: ignore[assignment]
    job._stdout = SimpleNamespace(close=lambda: closed.append(1))  # type: ignore[assignment]
    job.stop()
    job.stop()
    assert process.got == [BREAK] and not closed
    job._process, job._told_to_stop = Process(console=False), False  # type: ignore[assignment]
    job.stop()
    assert closed == [1]


def test_the_end_of_a_process_ends_its_children_too(windows: list[list[str]]) -> None:
    process: Any = Process()
    engine_process.end_group(process)
    processes.end(process)
    assert windows == [["taskkill", "/F", "/T", "/PID", "4711"]] * 2 and process.killed == 2


def test_taskkill_that_is_missing_or_hangs_does_not_keep_the_process_alive(
    windows: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise subprocess.TimeoutExpired("taskkill", 20.0)

    monkeypatch.setattr(subprocess, "run", fail)
    process: Any = Process()
    engine_process.end_group(process)
    assert process.killed == 1


LISTENS = """
import signal, sys
from dreamfusion_engine.machine import stop_signals
sys.platform, signal.SIGBREAK = "win32", signal.SIGUSR1
assert stop_signals.stop_signals() == [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1]  # in the place of SIGBREAK
with stop_signals.stop_on_signals() as stopped:
    signal.raise_signal(signal.SIGUSR1)
    assert stopped()
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        print("stopped at once")
"""


def test_a_run_listens_to_ctrl_break_and_the_closing_of_its_console() -> None:
    """In a process of its own, whose signals are nobody else's."""
    said = subprocess.run([sys.executable, "-c", LISTENS], capture_output=True, timeout=120, check=True, cwd=ROOT)
    assert said.stdout.split() == [b"stopped", b"at", b"once"]


def test_children_of_blender_have_no_window_and_a_group_of_their_own(windows: list[list[str]]) -> None:
    assert process_group._windows_flags() == NO_WINDOW | NEW_GROUP
    assert child._windows_flags() == NO_WINDOW


def test_elsewhere_there_are_no_such_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    for system in ("linux", "darwin"):
        monkeypatch.setattr(sys, "platform", system)
        assert process_group._windows_flags() == child._windows_flags() == 0
    assert child_process.APART == engine_process.OWN_GROUP == 0 or sys.platform == "win32"


def test_what_the_engine_starts_is_apart_from_the_console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By what reaches subprocess: encoder, unwrap, engines of agents, of a batch and of a cluster, Ray's driver."""
    given: list[int] = []

    def refuse(*_: object, creationflags: int, **__: object) -> None:
        given.append(creationflags)
        raise OSError("no more processes")

    for module in (video, unwrap, agents_engine):
        monkeypatch.setattr(module, "APART", NEW_GROUP | NO_WINDOW)
    for module in (engine_process, ray_place, serve_node):
        monkeypatch.setattr(module, "OWN_GROUP", NEW_GROUP)
    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", lambda: "ffmpeg")
    monkeypatch.setattr(subprocess, "Popen", refuse)
    with pytest.raises(OSError):
        video._started(tmp_path / "turntable.mp4", (2, 2))
    with pytest.raises(unwrap.NoCharts):
        unwrap._answer(b"", 1.0, lambda share: None)
    with pytest.raises(EngineError):
        agents_engine.Engine(tmp_path, lambda message, data: None)
    with pytest.raises(OSError):
        engine_process.EngineProcess("a", ["x"], {}, tmp_path / "log", lambda news: None)
    with pytest.raises(OSError):
        serve_node._Talk(["x"], {}, tmp_path / "log")
    with pytest.raises(EngineError):
        ray_place._started(tmp_path)
    assert given == [NEW_GROUP | NO_WINDOW] * 3 + [NEW_GROUP] * 3


def test_flags_of_windows_are_those_of_its_subprocess() -> None:
    code = "import subprocess; subprocess.CREATE_NEW_PROCESS_GROUP, subprocess.CREATE_NO_WINDOW = 512, 1 << 27; "
    code += "from dreamfusion_engine.machine.child_process import APART; "
    code += "from dreamfusion_engine.batch.engine_process import OWN_GROUP; print(APART, OWN_GROUP)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=120, check=True, cwd=ROOT)
    assert said.stdout.split() == [b"134218240", b"512"]


def test_a_killed_installation_takes_its_children_along(
    windows: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[list[str]] = []
    monkeypatch.setattr(subprocess, "Popen", lambda words, **_: begun.append(list(words)))
    made = object.__new__(child.SetupChild)
    made._process = Process()  # type: ignore[assignment]
    made.kill()
    assert begun == [["taskkill", "/F", "/T", "/PID", "4711"]]


class Kernel:
    """kernel32, as far as a job object needs it."""

    def __init__(self, refuse: str = "") -> None:
        self.calls: list[str] = []
        self.limits = b""
        for name in ("CreateJobObjectW", "SetInformationJobObject", "AssignProcessToJobObject", "CloseHandle"):
            setattr(self, name, self._call(name, refuse))

    def _call(self, name: str, refuse: str) -> Any:
        def call(*arguments: Any) -> int:
            self.calls.append(name)
            if name == "SetInformationJobObject":
                self.limits = bytes(arguments[2])
            return 0 if name == refuse else 99

        return call


def test_the_job_object_kills_on_close_and_gives_its_handle_back(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel()
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(ctypes, "WinDLL", lambda name, use_last_error: kernel, raising=False)
    job = windows_job.KillOnCloseJob(7)
    assert kernel.calls == ["CreateJobObjectW", "SetInformationJobObject", "AssignProcessToJobObject"]
    assert kernel.limits[16:20] == (0x2000).to_bytes(4, "little") and len(kernel.limits) == 144
    del job
    assert kernel.calls[-1] == "CloseHandle"
    refusing = Kernel(refuse="AssignProcessToJobObject")
    monkeypatch.setattr(ctypes, "WinDLL", lambda name, use_last_error: refusing)
    monkeypatch.setattr(ctypes, "WinError", lambda code: OSError(code, "no"), raising=False)
    monkeypatch.setattr(ctypes, "get_last_error", lambda: 5, raising=False)
    with pytest.raises(OSError):
        windows_job.KillOnCloseJob(7)
    assert refusing.calls[-1] == "CloseHandle"


def test_memory_is_counted_in_the_units_of_each_system(monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    monkeypatch.setattr(resource, "getrusage", lambda who: SimpleNamespace(ru_maxrss=4096))
    for system, expected in (("linux", 4096 * 1024), ("darwin", 4096)):
        monkeypatch.setattr(sys, "platform", system)
        assert main_memory.peak_resident_bytes() == expected
    monkeypatch.setattr(sys, "platform", "win32")
    info = SimpleNamespace(peak_wset=123)
    monkeypatch.setattr(psutil, "Process", lambda: SimpleNamespace(memory_info=lambda: info))
    assert main_memory.peak_resident_bytes() == 123 and main_memory.address_room() == sys.maxsize


def test_cores_are_counted_without_affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    for system in ("darwin", "win32"):
        monkeypatch.setattr(sys, "platform", system)
        assert device.usable_cores() >= 1


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_a_child_is_limited_where_no_death_signal_exists(monkeypatch: pytest.MonkeyPatch, system: str) -> None:
    limits: list[float] = []
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(faulthandler, "dump_traceback_later", lambda seconds, exit, file: limits.append(seconds))
    if system == "win32":
        monkeypatch.setitem(sys.modules, "resource", None)
    else:
        import resource

        monkeypatch.setattr(resource, "setrlimit", lambda what, limit: limits.append(limit[0]))
        monkeypatch.setattr(os, "getppid", lambda: 17)
    child_process.end_with(17, seconds=5.0, processor_seconds=2.5)
    assert limits == ([5.0] if system == "win32" else [5.0, 3])


def test_caches_lie_where_each_system_keeps_them() -> None:
    assert cache_folder({"LOCALAPPDATA": "/local"}, "win32") == Path("/local/dreamfusion")
    assert cache_folder({}, "darwin") == Path.home() / "Library/Caches/dreamfusion"
    assert cache_folder({}, "linux") == Path.home() / ".cache/dreamfusion"


def test_pythons_launcher_is_asked_for_every_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "name", "nt")
    monkeypatch.setattr(interpreters, "_own", list)
    monkeypatch.setattr(interpreters, "_on_path", list)
    monkeypatch.setattr(shutil, "which", lambda name: r"C:\Windows\py.exe" if name == "py" else None)
    assert [words[1] for words in interpreters.candidates()] == ["-3.12", "-3.11", "-3.13", "-3.10"]
