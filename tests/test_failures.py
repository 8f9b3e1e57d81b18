"""Whatever ends a run arrives as one of the engine's own errors."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest
import torch

from dreamfusion_engine.errors import EngineError, RunError
from dreamfusion_engine.failures import as_engine_error


def test_our_own_errors_pass_unchanged() -> None:
    error = RunError("run.empty", what="a", why="b", fix="c")
    assert as_engine_error(error) is error


@pytest.mark.parametrize(
    ("error", "code", "exit_code"),
    [
        (MemoryError(), "run.out_of_memory", 3),
        (torch.AcceleratorError("CUDA error: unspecified launch failure"), "run.device_lost", 3),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "run.out_of_memory", 3),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 B."), "run.out_of_memory", 3),
        (OSError(errno.ENOSPC, "No space left on device", "x"), "input.disk_full", 2),
        (PermissionError(errno.EACCES, "Permission denied", "x"), "input.output", 2),
        (OSError(errno.EROFS, "Read-only file system", "x"), "input.output", 2),
        (ModuleNotFoundError("No module named 'warp'", name="warp"), "setup.package", 2),
        (ModuleNotFoundError("No module named 'dreamfusion_engine.x'", name="dreamfusion_engine.x"), "internal.bug", 3),
        (KeyError("x"), "internal.bug", 3),
        (RuntimeError(""), "internal.bug", 3),
    ],
)
def test_a_foreign_error_is_mapped(error: Exception, code: str, exit_code: int, tmp_path: Path) -> None:
    mapped = as_engine_error(error, tmp_path)
    assert (mapped.code, mapped.exit_code) == (code, exit_code)
    assert mapped.what and mapped.why and mapped.fix
    assert bool(list(tmp_path.iterdir())) == (code == "internal.bug"), "a log is for bugs only"


def test_a_real_allocation_that_cannot_be_is_out_of_memory() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert as_engine_error(caught.value).code == "run.out_of_memory"


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
def test_a_log_is_a_new_file_and_follows_no_link(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("time.strftime", lambda _form: "now")
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "error-now.log").symlink_to(victim)
    (tmp_path / "error-now-2.log").symlink_to(tmp_path / "not there yet")
    for name in ("error-now-3.log", "error-now-4.log"):
        assert name in as_engine_error(KeyError("x"), tmp_path).fix
        assert "KeyError" in (tmp_path / name).read_text()
    assert victim.read_text() == "precious" and not (tmp_path / "not there yet").exists()


def test_a_full_disk_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    output, temporary = tmp_path / "out", tmp_path / "temporary"
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    real = shutil.disk_usage(tmp_path)

    def told(error: OSError, full: Path | None) -> EngineError:
        monkeypatch.setattr("shutil.disk_usage", lambda folder: real._replace(free=0 if folder == full else 1 << 40))
        return as_engine_error(error, output)

    nameless = OSError(errno.ENOSPC, "No space left on device")
    for error, full in (
        (OSError(errno.ENOSPC, "No space left on device", str(temporary / "x")), None),
        (nameless, temporary),  # as a write says it, which knows no name
    ):
        mapped = told(error, full)
        assert mapped.code == "input.disk_full" and str(temporary) in mapped.why and "TMPDIR" in mapped.fix
    for error, full in ((OSError(errno.ENOSPC, "No space left", str(output / "mesh.glb")), None), (nameless, output)):
        mapped = told(error, full)
        assert str(output) in mapped.why and "TMPDIR" not in mapped.fix and "--output" in mapped.fix
    assert "--output" in told(nameless, None).fix


def test_a_log_that_cannot_be_written_is_no_second_failure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    mapped = as_engine_error(KeyError("x"), tmp_path / "gone too")
    assert isinstance(mapped, EngineError) and "could be written" in mapped.fix


def test_a_full_disk_is_named_whose_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))

    def told(*where: str) -> EngineError:
        return as_engine_error(OSError(errno.ENOSPC, "No space left on device", *where))

    of_temporary = told(str(tmp_path / "temporary" / "x"))
    assert "temporary files" in of_temporary.why and "TMPDIR" in of_temporary.fix
    of_output = told(str(tmp_path / "outputs" / "mesh.glb"))
    assert "mesh.glb" in of_output.why and "TMPDIR" not in of_output.fix and "--output" in of_output.fix
    inside = tmp_path / "temporary" / "outputs"
    of_output_there = as_engine_error(
        OSError(errno.ENOSPC, "No space left on device", str(inside / "mesh.glb")), inside
    )
    assert "TMPDIR" not in of_output_there.fix and str(inside) in of_output_there.why
    assert {error.code for error in (of_temporary, of_output, of_output_there)} == {"input.disk_full"}


def test_without_any_folder_for_temporary_files_the_error_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(tmp_path / "gone")])
    with pytest.raises(FileNotFoundError) as caught:
        tempfile.gettempdir()
    mapped = as_engine_error(caught.value)
    assert mapped.code == "input.temporary_folder" and "TMPDIR" in mapped.fix
    assert as_engine_error(KeyError("x")).code == "internal.bug", "and a log without a place is no second failure"
