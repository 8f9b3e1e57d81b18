"""What a signal does to a run, in real processes; and what closing a real terminal does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from reference.paper_model import write_paper_model
from reference.wire_client import FAKE_ENGINE, PATIENCE

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX signals and terminals")

ROOT = FAKE_ENGINE.parents[2]
# Says after each signal that it was heard, so that the next one is sent only then.
LISTENS = """
import signal, sys
from dreamfusion_engine.machine.stop_signals import stop_on_signals
with stop_on_signals(b"asked\\n") as stopped:
    print("ready", flush=True)
    for line in sys.stdin:
        print(stopped(), flush=True)
print("through", flush=True)
"""


def listening() -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", LISTENS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    return process


def asks_to_stop(process: subprocess.Popen[str]) -> bool:
    """What the process says when it is asked, after all signals that were sent to it."""
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write("?\n")
    process.stdin.flush()
    return process.stdout.readline() == "True\n"


@pytest.mark.parametrize("numbers", [[signal.SIGHUP, signal.SIGHUP], [signal.SIGTERM, signal.SIGHUP], [signal.SIGINT]])
def test_one_stop_is_asked_for_however_often_the_terminal_hangs_up(numbers: list[signal.Signals]) -> None:
    with listening() as process:
        assert not asks_to_stop(process)
        for number in numbers:
            process.send_signal(number)
            assert asks_to_stop(process)
        out, err = process.communicate(timeout=PATIENCE)
        assert (process.returncode, out) == (0, "through\n") and err == "asked\n" * len(numbers)


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_second_ctrl_c_stops_at_once(second: signal.Signals) -> None:
    with listening() as process:
        process.send_signal(signal.SIGHUP)
        assert asks_to_stop(process)
        process.send_signal(second)
        out, err = process.communicate(timeout=PATIENCE)
        assert "through" not in out and "KeyboardInterrupt" in err


def test_what_was_started_by_nohup_goes_on_when_the_terminal_hangs_up() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = listening()
    finally:
        signal.signal(signal.SIGHUP, before)
    with process:
        process.send_signal(signal.SIGHUP)
        assert not asks_to_stop(process)
        out, err = process.communicate(timeout=PATIENCE)
        assert out == "through\n" and err == ""


IN_A_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


@pytest.mark.slow
def test_a_run_whose_terminal_is_closed_keeps_a_checkpoint(tmp_path: Path) -> None:
    """A real terminal: the system sends SIGHUP, and from then on every write to it fails."""
    model = write_paper_model(tmp_path / "model")
    folder = tmp_path / "out"
    words = ["generate", "a mug", "--model", str(model), "--steps", "100000", "--output", str(folder)]
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", IN_A_TERMINAL, str(FAKE_ENGINE), *words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
    )
    os.close(theirs)
    shown = b""
    while b"it/s" not in shown:  # the run is on its way
        shown += os.read(ours, 4096)
    os.close(ours)
    assert process.wait(timeout=PATIENCE) == 130
    step, _ = json.loads((folder / "checkpoint" / "checkpoint.json").read_text())
    assert step > 0 and not list(folder.glob("error-*.log"))
