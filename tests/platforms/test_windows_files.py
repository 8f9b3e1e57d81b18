"""Files on Windows: held by others, with long paths, locked. The calls of the system are replaced at the boundary.

Of: dreamfusion_engine/machine, dreamfusion_engine/inputs/given_path.py, installer, blender_addon/core/jobs.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from blender_addon.core.jobs import file_lock, writer
from dreamfusion_engine.hub.selection import INDEX
from dreamfusion_engine.inputs import given_path
from dreamfusion_engine.machine.atomic_file import move_into_place, write_atomically
from dreamfusion_engine.machine.disk import output_error
from dreamfusion_engine.models.pipeline_folder import STARTER_FOLDER
from dreamfusion_engine.models.single_file import convert
from installer import environment, processes


class Held:
    """os.replace of Windows: refused while a reader has the target open, for as many tries as told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tries: int) -> None:
        self.left, self.asked, self._replace = tries, 0, os.replace
        monkeypatch.setattr(os, "replace", self.replace)

    def replace(self, source: Any, target: Any) -> None:
        self.asked += 1
        if self.left:
            self.left -= 1
            raise PermissionError(13, "The process cannot access the file because it is being used", str(source))
        self._replace(source, target)


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A Windows whose waits take no time; returns them."""
    waits: list[float] = []
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(time, "sleep", waits.append)
    return waits


def test_a_reader_is_waited_for_and_the_file_is_whole(
    tmp_path: Path, windows: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mesh.glb"
    path.write_bytes(b"old")
    held = Held(monkeypatch, tries=7)
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new" and len(windows) == 7 and held.asked == 8
    assert list(tmp_path.iterdir()) == [path]


def test_a_reader_that_stays_is_told_after_a_bounded_wait_and_nothing_is_lost(
    tmp_path: Path, windows: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mesh.glb"
    path.write_bytes(b"old")
    Held(monkeypatch, tries=10**9)
    with pytest.raises(PermissionError) as caught:
        write_atomically(path, b"new")
    assert sum(windows) < 10.0 and path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]
    told = output_error(tmp_path, caught.value)
    assert "another program has it open" in told.why and told.code == "input.output"


def test_elsewhere_a_refusal_is_final(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail("it waited"))
    held = Held(monkeypatch, tries=1)
    with pytest.raises(PermissionError):
        move_into_place(tmp_path / "a", tmp_path / "b")
    assert held.asked == 1


def test_the_addons_files_wait_for_readers_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "job.json"
    path.write_bytes(b"old")
    held = Held(monkeypatch, tries=3)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    monkeypatch.setattr(writer, "os", SimpleNamespace(**{**vars(os), "name": "nt", "replace": held.replace}))
    writer.write_whole(path, b"new")
    assert path.read_bytes() == b"new" and held.asked == 4


class Registry:
    """winreg with one value."""

    HKEY_LOCAL_MACHINE = "machine"

    def __init__(self, value: int | None) -> None:
        self.value = value

    def OpenKey(self, _root: object, path: str) -> Any:
        if self.value is None:
            raise OSError(path)
        return SimpleNamespace(__enter__=lambda: None)

    def QueryValueEx(self, _key: object, name: str) -> tuple[int | None, int]:
        assert name == "LongPathsEnabled"
        return self.value, 4


class Key:
    def __enter__(self) -> Key:
        return self

    def __exit__(self, *_: object) -> None:
        return None


@pytest.mark.parametrize(("value", "allowed"), [(None, False), (0, False), (1, True)])
def test_a_long_output_folder_is_refused_beforehand_unless_windows_takes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: int | None, allowed: bool
) -> None:
    registry = Registry(value)
    if value is not None:
        registry.OpenKey = lambda root, path: Key()  # type: ignore[assignment,method-assign]
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setitem(sys.modules, "winreg", registry)  # type: ignore[arg-type]
    assert environment.long_paths() is allowed
    folder = tmp_path / ("x" * (239 - len(str(tmp_path))))
    given_path.given_path(folder)
    if allowed:
        given_path.given_path(folder, holds="x" * 60)
        return
    with pytest.raises(given_path.UnusablePath, match=r"it has \d{3} characters, and Windows takes 259"):
        given_path.given_path(folder, holds="x" * 60)


class Msvcrt:
    """msvcrt.locking on a table of held bytes instead of a file system."""

    LK_NBLCK = 2

    def __init__(self) -> None:
        self.held: dict[tuple[int, int], int] = {}

    def locking(self, descriptor: int, _mode: int, _count: int) -> None:
        at = os.fstat(descriptor).st_ino, os.lseek(descriptor, 0, os.SEEK_CUR)
        if self.held.setdefault(at, descriptor) != descriptor:
            raise PermissionError(13, "Permission denied")


def test_locks_of_windows_hold_for_one_and_leave_the_text_readable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setitem(sys.modules, "msvcrt", Msvcrt())  # type: ignore[arg-type]
    first, second = file_lock.FileLock(tmp_path / "lock"), file_lock.FileLock(tmp_path / "lock")
    assert first.acquire() and not second.acquire()
    assert (tmp_path / "lock").read_text(encoding="utf-8").startswith(f"{os.getpid()} ")
    first.release()
    assert not (tmp_path / "lock").exists()
    with (tmp_path / "set-up").open("a+b") as one, (tmp_path / "set-up").open("a+b") as two:
        assert processes.try_lock(one.fileno()) and not processes.try_lock(two.fileno())


def test_a_disk_without_links_gets_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: object, target: object) -> None:
        raise OSError(1, "Incorrect function")

    monkeypatch.setattr(os, "link", refuse)
    shutil.copy(STARTER_FOLDER / INDEX, tmp_path)
    convert._borrow(STARTER_FOLDER, "text_encoder", tmp_path)
    (weights,) = (tmp_path / "text_encoder").glob("*.safetensors")
    assert weights.read_bytes() == (STARTER_FOLDER / "text_encoder" / weights.name).read_bytes()
