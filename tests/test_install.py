"""The set-up program: what it decides, what it says, and what it does to a checkout. Nothing is installed here.

Of: install.py, installer.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from reference.own_installer import ROOT, Recorder


def run(checkout: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "install.py", *arguments],
        cwd=checkout,
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **variables},
    )


def test_help_is_the_map(checkout: Path) -> None:
    shown = run(checkout, "--help")
    assert shown.returncode == 0
    for command in ("demo", "addon", "test", "engine", "doctor", "--torch", "--into"):
        assert command in shown.stdout
    assert not (checkout / ".venv").exists()


@pytest.mark.parametrize(
    "words", [["demo", "--help"], ["demo", "a mug", "-h"], ["engine", "--remake", "--help"]], ids=str
)
def test_a_command_that_is_asked_for_help_does_nothing_else(checkout: Path, words: list[str]) -> None:
    shown = run(checkout, *words)
    assert shown.returncode == 0 and "python3 install.py demo" in shown.stdout and shown.stderr == ""
    assert not (checkout / ".venv").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["tset"], "demo, addon, test, engine, doctor"),
        (["engine", "--touch"], "--torch"),
        (["addon", "--in"], "--into"),
        (["addon", "--into", "/no/blender"], "/no/blender"),
        (["engine", "--torch", "gpu"], "auto, cpu, cuda, rocm, mps, xpu"),
        (["engine", "--torch"], "auto, cpu, cuda, rocm, mps, xpu"),
        (["doctor"], "python3 install.py engine"),
    ],
)
def test_a_wrong_command_is_told_on_one_screen(checkout: Path, arguments: list[str], told: str) -> None:
    shown = run(checkout, *arguments)
    assert shown.returncode == 2 and told in shown.stderr and "Traceback" not in shown.stderr
    assert [line.split(":")[0].strip() for line in shown.stderr.splitlines()] == ["error", "why", "fix"]
    assert not (checkout / ".venv").exists()


def test_a_dry_run_says_what_would_be_done_and_does_nothing(checkout: Path) -> None:
    shown = run(checkout, "engine", "--dry-run", "--torch=cpu")
    assert shown.returncode == 0 and "torch==2.13.0 for cpu" in shown.stdout and "to be made" in shown.stdout
    assert not (checkout / ".venv").exists()


def test_an_environment_of_somebody_else_is_left_alone(checkout: Path) -> None:
    (checkout / ".venv" / "lib").mkdir(parents=True)
    shown = run(checkout, "engine")
    assert shown.returncode == 2 and "was not made by this program" in shown.stderr
    assert (checkout / ".venv" / "lib").is_dir()


@pytest.mark.parametrize("remake", [False, True])
def test_an_environment_behind_a_link_is_never_emptied(
    installer: ModuleType, recorder: Recorder, tmp_path: Path, remake: bool
) -> None:
    """Another checkout's environment has another fingerprint, and was emptied through the link."""
    installer.make_environment()
    stamp = installer.read_stamp()
    theirs = tmp_path / "theirs"
    installer.ENVIRONMENT.rename(theirs)
    installer.ENVIRONMENT.symlink_to(theirs, target_is_directory=True)
    if not remake:
        installer.write_stamp(**{**stamp, "fingerprint": "of another checkout"})
    kept = sorted(theirs.rglob("*"))
    recorder.commands = []
    with pytest.raises(recorder.failed, match="is a link") as caught:
        installer.make_environment(remake=remake)
    assert str(theirs) in caught.value.text and recorder.commands == []
    assert sorted(theirs.rglob("*")) == kept and len(kept) > 2


def test_the_second_call_reuses_the_environment(installer: ModuleType, recorder: Recorder) -> None:
    python = installer.make_environment()
    made = len(recorder.commands)
    assert made >= 3 and python == recorder.python
    assert installer.make_environment() == python
    assert len(recorder.commands) == made


def test_the_test_tools_are_added_to_an_environment_that_is_there(installer: ModuleType, recorder: Recorder) -> None:
    installer.make_environment()
    made = len(recorder.commands)
    installer.make_environment(tests=True)
    added = recorder.commands[made:]
    assert added and not any("-m venv" in command for command in added) and "[test]" in added[-1]
    installer.make_environment(tests=True)
    installer.make_environment()
    assert len(recorder.commands) == made + len(added)


@pytest.mark.parametrize("step", ["-m venv", "torch==2.13.0", "--editable"])
def test_a_broken_environment_is_remade_and_never_used(installer: ModuleType, recorder: Recorder, step: str) -> None:
    recorder.fail_at = step
    with pytest.raises(recorder.failed):
        installer.make_environment()
    half_made = installer.ENVIRONMENT / "half"
    half_made.write_text("", encoding="utf-8")
    recorder.fail_at, recorder.commands = "", []
    installer.make_environment()
    assert any("-m venv" in command for command in recorder.commands) and not half_made.exists()


@pytest.mark.parametrize("name", ["constraints.txt", "pyproject.toml"])
def test_new_versions_make_a_new_environment(
    installer: ModuleType, recorder: Recorder, checkout: Path, name: str
) -> None:
    installer.make_environment()
    with (checkout / name).open("a", encoding="utf-8") as file:
        file.write("# another line\n")
    recorder.commands = []
    installer.make_environment()
    assert any("-m venv" in command for command in recorder.commands)


def test_another_kind_of_torch_is_another_environment(
    installer: ModuleType, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    graphics = sys.modules["installer.graphics"]
    installer.make_environment(torch="cpu")
    made = len(recorder.commands)
    installer.make_environment(torch="auto")
    assert len(recorder.commands) == made, "what was chosen once is kept"
    with pytest.raises(recorder.failed, match="cannot be used here"):
        installer.make_environment(torch="cuda")
    assert len(recorder.commands) == made, "nothing is thrown away for what cannot be"
    monkeypatch.setattr(graphics, "found_cards", lambda: [graphics.Card("NVIDIA", "A card", "580.65", "sm_89")])
    installer.make_environment(torch="cuda")
    assert any("--torch-backend=cu130" in command for command in recorder.commands[made:])


def test_too_little_room_is_told_before_anything_is_made(
    installer: ModuleType, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = shutil.disk_usage(ROOT)
    monkeypatch.setattr(installer.shutil, "disk_usage", lambda _: real._replace(free=1 << 30))
    with pytest.raises(recorder.failed) as caught:
        installer.make_environment()
    assert "1.0 GiB left" in caught.value.text and not installer.ENVIRONMENT.exists()


def test_python_without_venv_says_what_to_install(
    installer: ModuleType, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installer.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(recorder.failed) as caught:
        installer.make_environment()
    assert f"python{sys.version_info[0]}.{sys.version_info[1]}-venv" in caught.value.text


CUDA_NEEDS = ["filelock", 'nvidia-cudnn-cu13==9.20.0.48; platform_system == "Linux"']


@pytest.mark.parametrize(
    ("platform", "build", "backend", "version", "needs", "expected"),
    [
        ("linux", "cpu", "cpu", "2.13.0+cpu", [], ["pip"]),
        ("linux", "cpu", "cpu", "2.13.0", CUDA_NEEDS, ["--torch-backend=cpu", "pip"]),
        ("linux", "cpu", "cpu", "2.13.0", ["filelock"], ["pip"]),
        ("win32", "cpu", "cpu", "2.13.0", CUDA_NEEDS, ["pip"]),
        ("darwin", "cpu", "cpu", "2.13.0", [], ["pip"]),
        ("darwin", "mps", "cpu", "2.13.0", [], ["pip"]),
        ("linux", "cuda", "cu130", "2.13.0+cpu", [], ["--torch-backend=cu130", "pip"]),
        ("linux", "cuda", "cu126", "2.13.0+cpu", [], ["--torch-backend=cu126"]),
        ("win32", "cuda", "cu130", "2.13.0", [], ["--torch-backend=cu130"]),
        ("linux", "rocm", "rocm7.2", "2.13.0", [], ["--torch-backend=rocm7.2"]),
        ("win32", "xpu", "xpu", "2.13.0", [], ["--torch-backend=xpu"]),
    ],
)
def test_the_build_of_torch_suits_the_machine(
    recorder: Recorder,
    monkeypatch: pytest.MonkeyPatch,
    platform: str,
    build: str,
    backend: str,
    version: str,
    needs: list[str],
    expected: list[str],
) -> None:
    torch_build, torch_choice = sys.modules["installer.torch_build"], sys.modules["installer.torch_choice"]
    recorder.report = {"install": [{"metadata": {"version": version, "requires_dist": needs}}]}
    monkeypatch.setattr(sys, "platform", platform)
    ways = []
    for attempt in torch_build.torch_attempts(torch_choice.Choice(build, backend, "a card", "")):
        last = attempt.command
        assert last[-1] == "torch==2.13.0" and "-c" in last
        assert attempt.by_uv == ("uv" in last)
        ways.append(next((word for word in last if word.startswith("--torch-backend")), "pip"))
    assert ways == expected


def test_no_other_build_takes_the_place_of_a_cards_build(
    installer: ModuleType, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    graphics = sys.modules["installer.graphics"]
    monkeypatch.setattr(graphics, "found_cards", lambda: [graphics.Card("AMD", "A Radeon", "6.12.12", "gfx1100")])
    monkeypatch.setattr(sys, "platform", "linux")
    recorder.fail_at = "--torch-backend=rocm7.2"
    with pytest.raises(recorder.failed) as caught:
        installer.make_environment()
    assert "A Radeon" in caught.value.why and "--torch cpu" in caught.value.fix
    assert not any(command.endswith("torch==2.13.0") and "rocm" not in command for command in recorder.commands)


def test_when_one_way_to_torch_fails_the_next_is_tried(installer: ModuleType, recorder: Recorder) -> None:
    recorder.report = {"install": [{"metadata": {"version": "2.13.0", "requires_dist": CUDA_NEEDS}}]}
    recorder.fail_at = "--torch-backend=cpu"
    installer.make_environment()
    torch = [command for command in recorder.commands if command.endswith("torch==2.13.0")]
    assert len(torch) == 2 and "--torch-backend" not in torch[1]


@pytest.mark.parametrize(
    ("output", "told"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "disk is full"),
        ("WARNING: Retrying: Failed to establish a new connection\nERROR: no", "could not be reached"),
        ("ERROR: No matching distribution found for torch==2.13.0", "no build for this Python"),
        ("something odd", "open an issue with the log"),
        ("", "It said nothing."),
    ],
)
def test_a_failed_step_is_explained_and_names_the_log(installer: ModuleType, output: str, told: str) -> None:
    text = sys.modules["installer.processes"].explained("Installing", output).text
    assert told in text and "install.log" in text and len(text.splitlines()) <= 6


def test_a_real_failing_command_is_logged_and_explained(
    installer: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    processes = sys.modules["installer.processes"]
    installer.ENVIRONMENT.mkdir()
    with pytest.raises(processes.SetupFailed) as caught:
        processes.step("Trying", [sys.executable, "-c", "import sys; sys.exit('ERROR: a carrot')"])
    assert "ERROR: a carrot" in caught.value.text
    assert "a carrot" in processes.LOG.read_text(encoding="utf-8")


def test_variables_that_lead_python_elsewhere_are_not_passed_on(
    installer: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/blender/modules")
    monkeypatch.setenv("PIP_TARGET", "/elsewhere")
    clean = sys.modules["installer.processes"].clean_variables()
    assert "PYTHONPATH" not in clean and "PIP_TARGET" not in clean and clean["PATH"] == os.environ["PATH"]


def test_a_set_up_waits_for_another_one(installer: ModuleType, tmp_path: Path) -> None:
    processes = sys.modules["installer.processes"]
    with (tmp_path / "lock").open("a+b") as first, (tmp_path / "lock").open("a+b") as second:
        assert processes.try_lock(first.fileno())
        assert not processes.try_lock(second.fileno())
        first.close()
        assert processes.try_lock(second.fileno())
