"""Whole files: their rights, their temporary names, and what a killed process leaves of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dreamfusion_engine.machine.atomic_file import sweep, write_atomically, write_whole

ROOT = Path(__file__).resolve().parents[2]
POSIX = pytest.mark.skipif(os.name == "nt", reason="POSIX permissions, links and signals")
KILLED = """
import os, signal, sys
from pathlib import Path
from dreamfusion_engine.machine.atomic_file import write_whole

def write(temporary):
    temporary.write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)

write_whole(Path(sys.argv[1]), write)
"""


def killed_while_writing(path: Path) -> None:
    run = subprocess.run([sys.executable, "-c", KILLED, str(path)], cwd=ROOT, timeout=60)
    assert run.returncode == -signal.SIGKILL


@POSIX
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_a_file_has_the_rights_of_any_new_file_and_the_umask_is_never_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mask: int
) -> None:
    def refuse(_mask: int) -> int:
        raise AssertionError("between two calls of umask another thread's files are open to everyone")

    set_mask = os.umask
    before = set_mask(mask)
    monkeypatch.setattr(os, "umask", refuse)
    try:
        write_atomically(tmp_path / "whole", b"content")
        (tmp_path / "plain").write_bytes(b"content")
    finally:
        set_mask(before)
    assert (tmp_path / "whole").stat().st_mode == (tmp_path / "plain").stat().st_mode == 0o100666 & ~mask


@POSIX
def test_what_lies_at_the_temporary_name_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    victim, names = tmp_path / "victim", iter(["00000000", "11111111"])
    victim.write_bytes(b"precious")
    (tmp_path / ".mesh-00000000.glb").symlink_to(victim)
    monkeypatch.setattr("secrets.token_hex", lambda _count: next(names))
    write_atomically(tmp_path / "mesh.glb", b"new")
    assert victim.read_bytes() == b"precious" and (tmp_path / "mesh.glb").read_bytes() == b"new"
    assert not (tmp_path / "mesh.glb").is_symlink()


@POSIX
def test_what_a_killed_process_left_is_swept_and_nothing_else(tmp_path: Path) -> None:
    for name in ("mesh.glb", "state-00000050-0123abcd.safetensors", "notes.txt"):
        killed_while_writing(tmp_path / name)
    for name in ("mesh.glb", ".mesh-original.glb", ".mesh-01234567.blend", "mesh-01234567.glb", ".hidden"):
        (tmp_path / name).write_bytes(b"mine")
    (tmp_path / ".mesh-89abcdef.glb").mkdir()
    before = set(tmp_path.iterdir())
    gone = sweep(tmp_path, ("mesh.glb", "state-*.safetensors"))
    assert len(gone) == 2 and all(path.name.startswith((".mesh-", ".state-00000050-0123abcd-")) for path in gone)
    assert set(tmp_path.iterdir()) == before - set(gone)
    assert sweep(tmp_path / "nowhere", ("mesh.glb",)) == []


def test_the_temporary_name_has_the_ending_of_the_file(tmp_path: Path) -> None:
    seen: list[Path] = []

    def write(temporary: Path) -> None:
        seen.append(temporary)
        temporary.write_bytes(b"x")

    write_whole(tmp_path / "film.mp4", write)
    assert seen[0].parent == tmp_path and seen[0].suffix == ".mp4"  # what encoders choose their format by
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]
