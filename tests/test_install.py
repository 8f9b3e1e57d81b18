"""The set-up program: what it decides, what it says, and what it does to a checkout. Nothing is installed here.

Of: install.py, installer.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
OURS = ("install", "installer")
TAKEN = ("install.py", "constraints.txt", "pyproject.toml")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the files that the set-up needs, with no environment."""
    folder = tmp_path / "a checkout"  # with a blank, as on many machines
    folder.mkdir()
    for name in TAKEN:
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "installer", folder / "installer", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture
def installer(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """installer.environment of the checkout, imported afresh; its commands are recorded, not run."""
    ours = {name: module for name, module in sys.modules.items() if name.split(".")[0] in OURS}
    for name in ours:
        del sys.modules[name]
    monkeypatch.syspath_prepend(str(checkout))
    yield importlib.import_module("installer.environment")
    for name in [name for name in sys.modules if name.split(".")[0] in OURS]:
        del sys.modules[name]
    sys.modules.update(ours)


class Recorder:
    """Stands where commands are run: notes them, makes what they would leave behind, and fails on request."""

    def __init__(self, environment: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
        self.commands: list[str] = []
        self.fail_at = ""
        self.report: dict[str, Any] = {"install": [{"metadata": {"version": "2.13.0+cpu"}}]}
        self.failed = sys.modules["installer.processes"].SetupFailed
        torch_build = sys.modules["installer.torch_build"]
        for module in (environment, torch_build):
            monkeypatch.setattr(module, "step", self.step)
            monkeypatch.setattr(module, "output_of", self.output_of)
            monkeypatch.setattr(module, "nvidia_card", lambda: False, raising=False)
        self.python = environment.environment_python()

    def step(self, label: str, command: list[str]) -> None:
        self.commands.append(" ".join(map(str, command)))
        if self.fail_at and self.fail_at in self.commands[-1]:
            raise self.failed("It broke.", label, "Try again.")
        if "-m venv" in self.commands[-1]:
            self.python.parent.mkdir(parents=True)
            self.python.write_text("", encoding="utf-8")

    def output_of(self, command: list[str]) -> str:
        text = " ".join(map(str, command))
        if "--report" in text:
            return json.dumps(self.report)
        return "pip 26.2 from somewhere" if "--version" in text else "2.13.0+cpu\n"


@pytest.fixture
def recorder(installer: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    return Recorder(installer, monkeypatch)


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
    ("arguments", "told"),
    [
        (["tset"], "demo, addon, test, engine, doctor"),
        (["engine", "--touch"], "--torch"),
        (["addon", "--in"], "--into"),
        (["addon", "--into", "/no/blender"], "/no/blender"),
        (["engine", "--torch", "gpu"], "auto, cpu, cuda"),
        (["engine", "--torch"], "auto, cpu, cuda"),
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


def test_another_kind_of_torch_is_another_environment(installer: ModuleType, recorder: Recorder) -> None:
    installer.make_environment(torch="cpu")
    made = len(recorder.commands)
    installer.make_environment(torch="auto")
    assert len(recorder.commands) == made, "what was chosen once is kept"
    installer.make_environment(torch="cuda")
    assert any("--torch-backend=auto" in command for command in recorder.commands[made:])


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
    ("platform", "build", "version", "needs", "expected"),
    [
        ("linux", "cpu", "2.13.0+cpu", [], ["pip"]),
        ("linux", "cpu", "2.13.0", CUDA_NEEDS, ["--torch-backend=cpu", "pip"]),
        ("linux", "cpu", "2.13.0", ["filelock"], ["pip"]),
        ("win32", "cpu", "2.13.0", CUDA_NEEDS, ["pip"]),
        ("darwin", "cpu", "2.13.0", [], ["pip"]),
        ("linux", "cuda", "2.13.0+cpu", [], ["--torch-backend=auto", "pip"]),
        ("win32", "cuda", "2.13.0", [], ["--torch-backend=auto", "pip"]),
    ],
)
def test_the_build_of_torch_suits_the_machine(
    recorder: Recorder,
    monkeypatch: pytest.MonkeyPatch,
    platform: str,
    build: str,
    version: str,
    needs: list[str],
    expected: list[str],
) -> None:
    torch_build = sys.modules["installer.torch_build"]
    recorder.report = {"install": [{"metadata": {"version": version, "requires_dist": needs}}]}
    monkeypatch.setattr(sys, "platform", platform)
    ways = []
    for attempt in torch_build.torch_attempts(build):
        last = attempt.command
        assert last[-1] == "torch==2.13.0" and "-c" in last
        assert attempt.by_uv == ("uv" in last)
        ways.append(next((word for word in last if word.startswith("--torch-backend")), "pip"))
    assert ways == expected


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


def test_half_made_blenders_are_never_used(installer: ModuleType, recorder: Recorder) -> None:
    bpy = importlib.import_module("installer.bpy_environments")
    wheel = bpy.WHEELS[0]
    python = bpy.environment_of(wheel.series) / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    python.parent.mkdir(parents=True)
    python.write_text("", encoding="utf-8")
    assert bpy.ready(wheel) is None, "it does not say that it is complete"
    (bpy.environment_of(wheel.series) / bpy.DONE).write_text(wheel.version, encoding="utf-8")
    assert bpy.ready(wheel) == python
    (bpy.environment_of(wheel.series) / bpy.DONE).write_text("4.2.0", encoding="utf-8")
    assert bpy.ready(wheel) is None, "another version"


def test_a_blender_as_a_module_gets_the_python_that_its_wheel_is_made_for(
    installer: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    bpy = importlib.import_module("installer.bpy_environments")
    here = sys.version_info[:2]
    assert bpy.python_of_version(*here) == (getattr(sys, "_base_executable", None) or sys.executable)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("PYENV_ROOT", "/nowhere")
    monkeypatch.setattr(bpy.Path, "home", lambda: Path("/nowhere"))
    bpy.python_of_version.cache_clear()
    assert bpy.python_of_version(3, 99) is None
    assert {wheel.series for wheel in bpy.WHEELS} == {"4.2", "4.5", "5.0", "5.2"}


@pytest.mark.parametrize(
    ("words", "expected"), [(["a red mug", "--seed", "2"], "outputs/a-red-mug-2"), (["a mug", "--output", "o"], "o")]
)
def test_the_demo_finds_the_folder_of_its_run(tmp_path: Path, words: list[str], expected: str) -> None:
    program = [sys.executable, str(ROOT / "installer" / "output_folder.py"), *words]
    run = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert Path(run.stdout.strip()) == tmp_path / expected, run.stderr


def test_where_no_blender_fits_the_demo_says_so_and_names_the_mesh(
    installer: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    blend = importlib.import_module("installer.blend_file")
    monkeypatch.setattr(blend, "output_of", lambda _: "/somewhere/a-mug-0\n")
    monkeypatch.setattr(blend, "fitting", lambda: None)
    assert blend.make_blend(Path("python"), ["a mug"]) == 0
    told = capsys.readouterr().out
    assert "No .blend was made" in told and "mesh.glb" in told and "Python 3.11 or 3.13" in told


def test_the_demo_tells_the_size_before_it_fetches_blender(
    installer: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    blend = importlib.import_module("installer.blend_file")
    processes = sys.modules["installer.processes"]
    wheel = importlib.import_module("installer.bpy_environments").WHEELS[1]

    def fails(_: object) -> Path:
        assert f"{wheel.megabytes} MB" in capsys.readouterr().out
        raise processes.SetupFailed("The disk is full.", "It is.", "Make room.")

    monkeypatch.setattr(blend, "output_of", lambda _: "/somewhere/a-mug-0\n")
    monkeypatch.setattr(blend, "fitting", lambda: wheel)
    monkeypatch.setattr(blend, "make_bpy_environment", fails)
    assert blend.make_blend(Path("python"), ["a mug"]) == 0
    assert "The disk is full." in capsys.readouterr().out


def test_what_tests_are_left_out_is_said(installer: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    blenders = importlib.import_module("installer.blenders_for_tests")
    monkeypatch.setattr(blenders, "python_for", lambda _: None)
    assert [line.split(":")[0] for line in blenders.make_test_blenders()] == [
        f"tests in Blender {series}" for series in ("4.2", "4.5", "5.0", "5.2")
    ]
    monkeypatch.setattr(blenders.shutil, "which", lambda name: "/usr/bin/apt-get" if name == "apt-get" else None)
    monkeypatch.setattr(blenders.os, "geteuid", lambda: 1000, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    assert "sudo apt install blender xvfb" in blenders.install_test_programs()[0]
    monkeypatch.setattr(sys, "platform", "win32")
    assert "real window" in blenders.install_test_programs()[0]


QUICK = "-m not slow and not blender"
NO_CACHE = "-p no:cacheprovider"
PARTS = (
    "tests --ignore=tests/addon/ui --ignore=tests/addon --ignore=tests/guidance --ignore=tests/models",
    "tests/addon/ui",
    "tests/addon --ignore=tests/addon/ui",
    "tests/guidance",
    "tests/models",
)


@pytest.mark.parametrize(
    ("arguments", "commands", "blenders"),
    [
        ([], ["ruff check .", "mypy", *(f"pytest -p no:cacheprovider {part}" for part in PARTS)], True),
        (
            ["--quick"],
            ["ruff check .", "mypy", *(f"pytest {QUICK} {NO_CACHE} {part}" for part in PARTS)],
            False,
        ),
        (["-x", "--quick"], [f"pytest {QUICK} -x"], False),
        (["-x"], ["pytest -x"], False),
    ],
)
def test_the_quick_tests_make_no_blender_and_leave_out_what_is_slow(
    installer: ModuleType, monkeypatch: pytest.MonkeyPatch, arguments: list[str], commands: list[str], blenders: bool
) -> None:
    command_line = importlib.import_module("install")
    asked: list[str] = []

    def run(command: list[str]) -> int:
        asked.append(" ".join(command[2:]))
        return 0

    def run_in_turn(given: list[tuple[str, list[str]]], at_once: int) -> list[str]:
        assert at_once == 2
        return [name for name, command in given if run(command)]

    monkeypatch.chdir(".")  # the command goes to its checkout, and the test comes back
    monkeypatch.setattr(command_line, "make_environment", lambda tests: Path("python"))
    monkeypatch.setattr(command_line, "make_test_blenders", lambda: asked.append("blenders") or [])
    monkeypatch.setattr(command_line, "install_test_programs", list)
    monkeypatch.setattr(command_line, "run", run)
    monkeypatch.setattr(command_line, "run_in_turn", run_in_turn)
    monkeypatch.setattr(command_line.os, "cpu_count", lambda: 8)
    assert command_line.test(arguments) == 0
    assert ("blenders" in asked) == blenders
    asked = [command.split(" dreamfusion_engine")[0] for command in asked if command != "blenders"]
    assert asked == commands


@pytest.mark.parametrize(
    ("codes", "failed"), [((0, 0, 0), []), ((1, 0, 0), ["a"]), ((0, 5, 9), ["b", "c"]), ((3, 4, 0), ["a", "b"])]
)
def test_programs_in_turn_are_named_where_they_fail_and_each_is_heard_in_one_piece(
    codes: tuple[int, int, int], failed: list[str], capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path
) -> None:
    """Two do run at once: each waits for a word of the other, through a file. The third waits for one of them."""
    programs = [
        (
            mine,
            f"import pathlib, sys, time; folder = pathlib.Path({str(tmp_path)!r}); (folder / '{mine}').touch()\n"
            f"print('said by', flush=True)\n"
            f"while not (folder / '{other}').exists(): time.sleep(0.01)\n"
            f"print('{mine}', flush=True); sys.exit({code})",
        )
        for mine, other, code in (("a", "b", codes[0]), ("b", "a", codes[1]), ("c", "a", codes[2]))
    ]
    commands = [(name, [sys.executable, "-c", program]) for name, program in programs]
    assert importlib.import_module("installer.processes").run_in_turn(commands, at_once=2) == failed
    heard = capfdbinary.readouterr().out.split()
    said = [b" ".join(heard[i : i + 4]) for i in range(0, 12, 4)]
    assert len(heard) == 12 and sorted(said) == [b"a: said by a", b"b: said by b", b"c: said by c"]
