"""Where the engine is: its command and its environment, on every system."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from addon.core.driving import SCRIPTED_ENGINE, alive, wait_for
from addon.inside.effort import counted

from blender_addon.core.clean_environment import clean_environment
from blender_addon.core.engine.command_line import split_command
from blender_addon.core.engine.connection_check import ConnectionCheck, ConnectionReport
from blender_addon.core.engine.location import EngineLocation, own_python
from blender_addon.core.job import EngineTrouble

ROOT = Path(__file__).resolve().parents[4]
TOKEN = "hf_abcdefghijklmnop"
COMMAND = f'"{sys.executable}" "{SCRIPTED_ENGINE}"'


def test_a_chosen_python_runs_the_engines_module() -> None:
    location = EngineLocation("python", Path(sys.executable))
    words = location.words()
    assert words[:2] == [sys.executable, "-c"] and "dreamfusion_engine" in words[2] and words[3:] == ["serve"]
    assert location.local


def test_modules_where_the_engine_starts_are_not_run(tmp_path: Path) -> None:
    """A json.py in the home folder, say."""
    for name in ("json", "runpy", "argparse", "dreamfusion_engine"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(9)", encoding="utf-8")
    words = EngineLocation("python", Path(sys.executable)).words()[:-1]
    environment = {**clean_environment(os.environ), "PYTHONPATH": str(ROOT)}
    shown = subprocess.run([*words, "--version"], cwd=tmp_path, env=environment, capture_output=True, timeout=600)
    assert shown.returncode == 0 and shown.stdout


def test_ssh_asks_no_questions_and_notices_a_dead_link() -> None:
    words = EngineLocation("command", command="ssh -p 2222 gpu-box").words()
    assert words[0] == "ssh" and words[-5:] == ["-p", "2222", "gpu-box", "dreamfusion-engine", "serve"]
    assert "BatchMode=yes" in words and any(word.startswith("ServerAliveInterval=") for word in words)
    assert not EngineLocation("command", command="ssh gpu-box").local


def test_the_artists_own_ssh_options_win() -> None:
    words = EngineLocation("command", command="ssh -o ConnectTimeout=99 -oBatchMode=no gpu-box").words()
    assert [word for word in words if "ConnectTimeout" in word] == ["ConnectTimeout=99"]
    assert [word for word in words if "BatchMode" in word] == ["-oBatchMode=no"]


@pytest.mark.parametrize(
    ("command", "end"),
    [
        ("docker run -i image", ["image", "dreamfusion-engine", "serve"]),
        ("ssh box /opt/env/bin/python -m dreamfusion_engine", ["-m", "dreamfusion_engine", "serve"]),
        ("/opt/env/bin/dreamfusion-engine serve", ["/opt/env/bin/dreamfusion-engine", "serve"]),
    ],
)
def test_a_command_is_completed_and_nothing_is_said_twice(command: str, end: list[str]) -> None:
    assert EngineLocation("command", command=command).words()[-len(end) :] == end


@pytest.mark.parametrize(
    ("location", "code"),
    [
        (EngineLocation("own", Path("/nowhere/engine/bin/python")), "engine.not_installed"),
        (EngineLocation("python", Path("/nowhere/bin/python")), "engine.missing_program"),
        (EngineLocation("python", None), "engine.not_installed"),
        (EngineLocation("python", Path("")), "engine.not_installed"),
        (EngineLocation("command", command="  "), "engine.command"),
        (EngineLocation("command", command='ssh "gpu'), "engine.command"),
    ],
)
def test_what_is_missing_is_said_before_anything_is_started(location: EngineLocation, code: str) -> None:
    missing = location.missing()
    assert missing is not None and missing.code == code and missing.fix
    with pytest.raises(EngineTrouble):
        location.words()
    with pytest.raises(EngineTrouble):
        location.start(Path("engine.log"))


def test_the_childs_environment_is_its_own(tmp_path: Path) -> None:
    base = {"PYTHONHOME": "/blender", "PYTHONPATH": "/x", "VIRTUAL_ENV": "/y", "PATH": "/bin", "HF_TOKEN": "old"}
    environ = EngineLocation("own", tmp_path, model_folder=tmp_path / "models", token=TOKEN).environ(base)
    assert not {"PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV"} & set(environ)
    assert environ["PATH"] == "/bin" and environ["HF_TOKEN"] == TOKEN
    assert environ["HF_HUB_CACHE"] == str(tmp_path / "models") and environ["HF_HUB_OFFLINE"] == "1"
    assert "HF_HUB_OFFLINE" not in EngineLocation("own", tmp_path, online=True).environ(base)
    assert EngineLocation("own", tmp_path).environ(base)["HF_TOKEN"] == "old"


def test_the_token_is_on_no_command_line_and_in_no_repr() -> None:
    location = EngineLocation("command", command="ssh gpu-box", token=TOKEN)
    assert TOKEN not in repr(location) and TOKEN not in " ".join(location.words())
    assert "SendEnv=HF_TOKEN" in location.words()


def test_the_own_environment_lies_in_the_extensions_user_folder(tmp_path: Path) -> None:
    inside = "Scripts/python.exe" if sys.platform == "win32" else "bin/python"
    assert own_python(tmp_path) == tmp_path / "engine" / inside
    assert EngineLocation.own(tmp_path).python == own_python(tmp_path)


# Text -> words by CommandLineToArgvW, from Microsoft's "Parsing C command-line arguments".
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('"abc" d e', ["abc", "d", "e"]),
        (r'a\\b d"e f"g h', [r"a\\b", "de fg", "h"]),
        (r"a\\\"b c d", [r"a\"b", "c", "d"]),
        (r'a\\\\"b c" d e', [r"a\\b c", "d", "e"]),
        (r'"C:\Program Files\Python\python.exe" -m x', [r"C:\Program Files\Python\python.exe", "-m", "x"]),
        (r"C:\Python\python.exe", [r"C:\Python\python.exe"]),
        (r"ends\ with\\", ["ends\\", "with\\\\"]),
        ('a "" b', ["a", "", "b"]),
        ("  ", []),
    ],
)
def test_windows_words_are_split_by_windows_rules(text: str, words: list[str]) -> None:
    assert split_command(text, windows=True) == words


def test_posix_words_are_split_by_the_shells_rules() -> None:
    assert split_command(r"ssh 'gpu box' a\ b \"c\"", windows=False) == ["ssh", "gpu box", "a b", '"c"']
    for windows in (True, False):
        with pytest.raises(ValueError, match="quotation"):
            split_command('ssh "open', windows=windows)


def answer(probe: ConnectionCheck) -> ConnectionReport:
    found: list[ConnectionReport] = []
    wait_for(lambda: [found.append(report) for report in [probe.poll()] if report is not None] or found)
    return found[0]


def test_test_connection_tells_what_is_there_and_leaves_no_process(tmp_path: Path) -> None:
    probe = ConnectionCheck(EngineLocation("command", command=f"{COMMAND} serve"), tmp_path / "engine.log")
    report = answer(probe)
    assert report.trouble is None and report.engine == "9.9" and report.models[0]["name"] == "starter"
    assert "9.9" in report.text and "paper" in report.text
    engine = probe._engine
    assert engine is not None and engine.pid is not None
    wait_for(lambda: not alive(engine.pid or 0))
    probe.close()


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ("--silent-start", "engine.start_silent"),
        ("--protocol 3", "engine.version"),
        ("--die 1", "engine.ended"),
        ("--die 127", "engine.not_there"),
        ("--banner 3000", "engine.babble"),
    ],
)
def test_test_connection_says_what_is_wrong(tmp_path: Path, options: str, code: str) -> None:
    location = EngineLocation("command", command=f"{COMMAND} {options} serve")
    report = answer(ConnectionCheck(location, tmp_path / "engine.log", timeout_s=1.5 if "silent" in options else 30.0))
    assert report.trouble is not None and report.trouble.code == code
    assert report.trouble.what in report.text


def test_test_connection_of_nothing_answers_at_once(tmp_path: Path) -> None:
    with counted() as effort:
        report = ConnectionCheck(EngineLocation("own", tmp_path / "python"), tmp_path / "engine.log").poll()
    assert report is not None and report.trouble is not None and report.trouble.code == "engine.not_installed"
    assert not effort.waits


def test_test_connection_can_be_cancelled(tmp_path: Path) -> None:
    probe = ConnectionCheck(
        EngineLocation("command", command=f"{COMMAND} --start-delay 600 serve"), tmp_path / "engine.log"
    )
    engine = probe._engine
    assert engine is not None
    wait_for(lambda: engine.pid is not None)
    probe.cancel()
    wait_for(lambda: not alive(engine.pid or 0))
    assert os.path.exists(tmp_path / "engine.log")
