"""The folder of a run: one run at a time, and nothing left of runs that were killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dreamfusion_engine.errors import InputError
from dreamfusion_engine.machine.run_folder import check_spared, held

ROOT = Path(__file__).resolve().parents[2]
KILLED = """
import os, signal, sys
from pathlib import Path
from dreamfusion_engine.machine.atomic_file import write_whole
from dreamfusion_engine.machine.run_folder import held

def write(temporary):
    temporary.write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)

with held(Path(sys.argv[1])):
    path = Path(sys.argv[1], sys.argv[2])
    path.parent.mkdir(exist_ok=True)
    write_whole(path, write)
"""
WRITTEN = [
    "mesh.glb",
    "views.png",
    "turntable.mp4",
    "result.json",
    "checkpoint/state-00000050-0123abcd.safetensors",
    "checkpoint/checkpoint.json",
    "checkpoint-step-50/state-00000050-0123abcd.safetensors",
    "previews/step-000100.png",
]


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_the_next_run_removes_what_killed_runs_left_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / ".mesh-of-mine.glb").write_bytes(b"mine")
    for name in WRITTEN:  # each run also sweeps what the one before it left at another place
        run = subprocess.run([sys.executable, "-c", KILLED, str(folder), name], cwd=ROOT, timeout=60)
        assert run.returncode == -signal.SIGKILL
        left = files_in(folder) - {".mesh-of-mine.glb", ".run.lock"}
        assert len(left) == 1 and str(Path(name).parent / f".{Path(name).stem}-") in f"./{left.pop()}"
    with held(folder):
        assert files_in(folder) == {".mesh-of-mine.glb", ".run.lock"}
    assert files_in(folder) == {".mesh-of-mine.glb"}


def test_the_second_run_is_refused_and_leaves_the_first_ones_files(tmp_path: Path) -> None:
    with held(tmp_path):
        (tmp_path / ".mesh-01234567.glb").write_bytes(b"being written")
        with pytest.raises(InputError) as caught, held(tmp_path):
            pass
        assert caught.value.code == "input.output_busy" and f"process {os.getpid()} " in caught.value.why
        assert (tmp_path / ".mesh-01234567.glb").exists()


def test_a_run_that_wrote_nothing_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(KeyError), held(tmp_path / "new" / "deeper"):
        raise KeyError
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "old").mkdir()
    with held(tmp_path / "old"):
        pass
    assert (tmp_path / "old").is_dir(), "a folder that was there stays"


def test_a_run_never_writes_over_what_it_was_given(tmp_path: Path) -> None:
    """Meshes and pictures may lie in the output folder, but not by a name that a run writes."""
    (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)
    for name in ("mesh.glb", "views.png", "input-0.png", "textures/part-000.png", "link/mesh.glb"):
        with pytest.raises(InputError) as caught:
            check_spared(tmp_path, [tmp_path / "mine.glb", tmp_path / name], resume=False)
        assert caught.value.code == "input.output_taken" and name in caught.value.why
        check_spared(tmp_path, [tmp_path / name], resume=True)
        check_spared(tmp_path / "out", [tmp_path / name], resume=False)
    check_spared(tmp_path, [tmp_path / "mine.glb", tmp_path / "source.glb", tmp_path], resume=False)
