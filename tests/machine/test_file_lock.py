"""A lock that one process holds, that says who, and that is free when its holder died: with real processes."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import filelock
import pytest

from dreamfusion_engine.errors import InputError
from dreamfusion_engine.machine.file_lock import holder_of, only_one

ROOT = Path(__file__).resolve().parents[2]
HOLD = """
import sys
from pathlib import Path
from dreamfusion_engine.machine.file_lock import only_one
with only_one(Path(sys.argv[1]), ValueError):
    print("held", flush=True)
    sys.stdin.read()
"""


def busy(holder: str) -> InputError:
    return InputError("test.busy", what="busy", why=holder, fix="wait")


def holding(path: Path) -> subprocess.Popen[str]:
    """A process that holds the lock until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def refused(path: Path) -> str:
    """What the error for the second one says."""
    with pytest.raises(InputError) as caught, only_one(path, busy):
        pass
    return caught.value.why


def test_the_second_process_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    with holding(path) as process:
        for _ in range(2):
            assert refused(path).startswith(f"process {process.pid} of this computer, since 20")
        process.communicate()
    with only_one(path, busy):
        assert path.exists()
    assert not path.exists(), "a lock that is given back leaves nothing"


def test_whoever_looks_is_told_the_holder_and_disturbs_nobody(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    assert holder_of(path) is None and not path.exists()
    with holding(path) as process:
        for _ in range(2):
            assert (holder_of(path) or "").startswith(f"process {process.pid} of this computer, since 20")
        process.communicate()
    path.write_bytes(b"left by a process that died")
    assert holder_of(path) is None
    with only_one(path, busy):
        assert f"process {os.getpid()} " in (holder_of(path) or "")
    assert holder_of(path) is None


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals to kill by")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_the_lock_of_a_process_that_died_is_free(tmp_path: Path, number: signal.Signals) -> None:
    path = tmp_path / "a.lock"
    with holding(path) as process:
        process.send_signal(number)
        assert process.wait(timeout=60) == -number
    assert path.exists(), "it died without giving it back"
    with only_one(path, busy), holding(tmp_path / "other.lock") as other:
        assert refused(path).startswith(f"process {os.getpid()} of"), "the new holder's name is over the old one's"
        other.communicate()


def test_a_child_of_the_holder_does_not_keep_the_lock(tmp_path: Path) -> None:
    """Such as the encoder, which may outlive a killed engine by a moment."""
    path = tmp_path / "a.lock"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / "b.lock")], stdin=subprocess.PIPE) as child:
        with only_one(path, busy):
            pass
        with only_one(path, busy):
            assert child.poll() is None
        child.communicate()


def test_two_runs_of_one_process_do_not_share_a_lock(tmp_path: Path) -> None:
    with only_one(tmp_path / "a.lock", busy):
        assert f"process {os.getpid()} " in refused(tmp_path / "a.lock")


@pytest.mark.parametrize("text", [b"", b"\0not json" + b" " * 400, b"\0" + b"[" * 300, b'\0{"pid": "x"}'])
def test_a_lock_without_a_readable_name_is_held_all_the_same(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "a.lock"
    with only_one(path, busy):
        path.write_bytes(text)
        assert refused(path) == "another process"


def test_a_file_system_without_locks_is_no_reason_not_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_lock: object) -> None:
        (tmp_path / "a.lock").touch()
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(filelock.FileLock, "_acquire", refuse)
    with only_one(tmp_path / "a.lock", busy):
        pass
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError), only_one(tmp_path / "file" / "a.lock", busy):
        pass
