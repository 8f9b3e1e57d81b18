"""Whatever ends a run arrives as one of the engine's own errors."""

from __future__ import annotations

import errno
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


def test_a_log_that_cannot_be_written_is_no_second_failure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    mapped = as_engine_error(KeyError("x"), tmp_path / "gone too")
    assert isinstance(mapped, EngineError) and "could be written" in mapped.fix
