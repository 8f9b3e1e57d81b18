"""The engine's process through real processes: whatever it does, the caller learns why, never waits, leaves none."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest
from addon.core.driving import SCRIPTED_ENGINE, alive, scripted, wait_for
from addon.inside.effort import counted

from blender_addon.core.engine.log import FILE_LIMIT, EngineLog
from blender_addon.core.engine.process import EngineProcess
from blender_addon.core.protocol import Frame

ROOT = Path(__file__).resolve().parents[3]
CLOSING_S = 2.0  # the sum of the times that close() is ready to wait; usually it waits far less


def start(folder: Path, *options: str, **named: object) -> EngineProcess:
    return EngineProcess(scripted(*options), log=folder / "engine.log", **named)  # type: ignore[arg-type]


def first(engine: EngineProcess, message_type: str) -> Frame:
    found: list[Frame] = []

    def look() -> bool:
        frame = engine.receive()
        if frame is not None and frame.message["type"] == message_type:
            found.append(frame)
        return bool(found)

    wait_for(look)
    return found[0]


def test_an_engine_is_started_greeted_and_closed_with_two_seconds_of_patience(tmp_path: Path) -> None:
    engine = start(tmp_path)
    assert first(engine, "ready").message["engine"] == "9.9"
    pid = engine.pid
    with counted() as effort:
        engine.close()
    assert effort.waited_s < CLOSING_S
    wait_for(lambda: engine.ended)
    assert pid is not None and not alive(pid)
    assert engine.trouble is None


def test_starting_and_sending_return_at_once(tmp_path: Path) -> None:
    with counted() as effort:
        engine = start(tmp_path, "--start-delay", "600")
        for _ in range(2000):  # more than the pipe holds, and nobody reads it
            engine.send({"type": "cancel", "id": "x" * 100})
    assert not effort.waits
    engine.close()
    wait_for(lambda: engine.ended)


@pytest.mark.parametrize("stubborn", [["--ignore-end"], ["--start-delay", "600"], ["--child"]])
def test_a_stubborn_engine_and_its_children_are_gone_after_close(tmp_path: Path, stubborn: list[str]) -> None:
    engine = start(tmp_path, *stubborn)
    wait_for(lambda: engine.pid is not None)
    if stubborn != ["--start-delay", "600"]:
        first(engine, "ready")
    group = engine.pid
    assert group is not None
    with counted() as effort:
        engine.close()
    assert effort.waited_s < CLOSING_S
    wait_for(lambda: not members(group))


def test_closing_before_the_process_exists_leaves_none(tmp_path: Path) -> None:
    engine = start(tmp_path, "--ignore-end")
    engine.kill()
    wait_for(lambda: engine.ended)
    assert engine.pid is None or not alive(engine.pid)


def test_a_killed_engine_leaves_no_children(tmp_path: Path) -> None:
    engine = start(tmp_path, "--child")
    first(engine, "ready")
    group = engine.pid
    assert group is not None and len(members(group)) == 2
    os.kill(group, signal.SIGKILL)
    wait_for(lambda: engine.ended)
    assert not members(group)
    assert engine.trouble is not None and engine.trouble.code == "engine.killed"


def members(group: int) -> list[int]:
    """The living processes of a group, from the system."""
    listing = subprocess.run(["ps", "-eo", "pid=,pgid=,stat="], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listing.splitlines()]
    return [int(pid) for pid, pgid, state in rows if int(pgid) == group and not state.startswith("Z")]


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["/nowhere/bin/python", "-m", "dreamfusion_engine"], "engine.missing_program"),
        ([str(SCRIPTED_ENGINE.parent)], "engine.permission"),
        (["{folder}/not-executable"], "engine.permission"),
        (["{folder}/other-processor"], "engine.wrong_architecture"),
        (["{folder}/file/inside"], "engine.missing_program"),
        (["python\0"], "engine.start"),
        ([sys.executable, "-m", "dreamfusion_engine_that_is_not_there"], "engine.missing_package"),
    ],
)
def test_an_engine_that_cannot_be_started_says_why(tmp_path: Path, command: list[str], code: str) -> None:
    (tmp_path / "not-executable").write_text("#!/bin/sh\n")
    (tmp_path / "file").write_text("")
    strange = tmp_path / "other-processor"
    strange.write_bytes(b"\x7fELF\x02\x01\x01" + b"\0" * 9 + b"\x02\0\xff\xfe" + b"\0" * 100)
    strange.chmod(0o755)
    words = [word.replace("{folder}", str(tmp_path)) for word in command]
    engine = EngineProcess(words, log=tmp_path / "engine.log")
    wait_for(lambda: engine.ended)
    assert engine.trouble is not None and engine.trouble.code == code
    assert engine.trouble.what and engine.trouble.why and engine.trouble.fix
    assert "Traceback" not in str(engine.trouble)
    engine.close()


@pytest.mark.parametrize(
    ("words", "code", "exit_code"),
    [
        ("gpu-box: Permission denied (publickey,password).", "engine.ssh_login", 255),
        ("Host key verification failed.", "engine.ssh_login", 255),
        ("ssh: Could not resolve hostname gpu-box: Name or service not known", "engine.ssh_network", 255),
        ("ssh: connect to host gpu-box port 22: Connection refused", "engine.ssh_network", 255),
        ("bash: line 1: dreamfusion-engine: command not found", "engine.not_there", 127),
        ("Timeout, server gpu-box not responding.", "engine.ssh_lost", 255),
        ("ModuleNotFoundError: No module named 'torch'", "engine.missing_package", 1),
        ("torch.OutOfMemoryError: CUDA out of memory", "engine.memory", 1),
        ("OSError: [Errno 28] No space left on device", "engine.disk_full", 1),
        ("", "engine.ended", 3),
    ],
)
def test_last_words_become_a_reason_and_a_fix(tmp_path: Path, words: str, code: str, exit_code: int) -> None:
    engine = start(tmp_path, "--last-words", words, "--die", str(exit_code), local=False)
    wait_for(lambda: engine.ended)
    assert engine.trouble is not None and engine.trouble.code == code
    assert words in engine.trouble.why
    engine.close()


def test_another_protocol_version_is_explained_with_both_numbers(tmp_path: Path) -> None:
    engine = start(tmp_path, "--protocol", "7")
    wait_for(lambda: engine.ended)
    assert engine.trouble is not None and engine.trouble.code == "engine.version"
    assert "7" in engine.trouble.why and "1" in engine.trouble.why and "Update the add-on" in engine.trouble.fix


def test_a_login_banner_is_passed_over(tmp_path: Path) -> None:
    engine = start(tmp_path, "--banner", "30")
    assert first(engine, "ready").message["protocol"] == 1
    engine.close()


def test_a_token_is_in_no_log_repr_or_command(tmp_path: Path) -> None:
    token = "hf_abcdefghijklmnop"
    engine = start(tmp_path, "--say-token", environ={**os.environ, "HF_TOKEN": token}, secrets=[token])
    first(engine, "ready")
    wait_for(lambda: "the token is" in (tmp_path / "engine.log").read_text())
    listing = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert token not in listing
    assert token not in (tmp_path / "engine.log").read_text() and token not in repr(engine)
    engine.close()


def test_the_log_is_put_aside_when_it_is_full_and_never_grows_without_end(tmp_path: Path) -> None:
    log = EngineLog(tmp_path / "engine.log")
    for number in range(5000):
        log.write(b"%06d " % number + b"x" * 1500)
    log.close()
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert set(sizes) == {"engine.log", "engine.log.1", "engine.log.2"}
    assert max(sizes.values()) <= FILE_LIMIT
    assert "004999" in (tmp_path / "engine.log").read_text()


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    engine = EngineProcess(scripted("--last-words", "hello"), log=tmp_path / "file" / "engine.log")
    assert first(engine, "ready")
    assert any("hello" in line for line in engine.log.tail())
    engine.close()


@pytest.mark.slow
def test_engines_that_come_and_go_leave_no_thread_and_no_open_file(tmp_path: Path) -> None:
    def left() -> tuple[int, int]:
        ours = [thread for thread in threading.enumerate() if thread.name.startswith("dreamfusion")]
        return len(ours), len(os.listdir("/proc/self/fd" if sys.platform == "linux" else "/dev/fd"))

    wait_for(lambda: left()[0] == 0)  # of the tests before this one
    before = left()
    engines = []
    for number in range(12):
        engine = start(tmp_path, *(["--die", "1"] if number % 3 == 2 else []))
        if number % 3 == 0:
            first(engine, "ready")
        if number % 3 == 2:
            wait_for(lambda engine=engine: engine.ended)  # type: ignore[misc]
        engine.close()
        engines.append(engine)
    wait_for(lambda: all(engine.ended for engine in engines))
    wait_for(lambda: left()[0] == 0)
    assert left()[1] <= before[1]


CLIENT = """
    import os, sys, time
    from pathlib import Path
    sys.path.insert(0, {root!r})
    from blender_addon.core.engine.process import EngineProcess
    engine = EngineProcess({command!r}, log=Path({log!r}))
    while (frame := engine.receive()) is None:
        time.sleep(0.01)
    engine.send({{"type": "generate", "id": "a", "prompt": "a slow mug"}})
    time.sleep(0.3)
    print(engine.pid, flush=True)
    {end}
"""


@pytest.mark.parametrize("end", ["time.sleep(600)", "os._exit(0)", "raise SystemExit(0)"])
def test_an_engine_does_not_outlive_its_client(tmp_path: Path, end: str) -> None:
    code = textwrap.dedent(CLIENT).format(root=str(ROOT), command=scripted(), log=str(tmp_path / "engine.log"), end=end)
    client = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert client.stdout is not None
    pid = int(client.stdout.readline())
    if "sleep" in end:
        assert alive(pid)
        client.kill()
    client.wait()
    wait_for(lambda: not alive(pid))
