"""The set-up program's Blenders, its demo, and the tests that it runs. Nothing is installed here.

Of: install.py, installer.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from reference.own_installer import ROOT, Recorder


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
    ("words", "expected"),
    [
        (["a red mug"], "outputs/a-red-mug-0"),
        (["a red mug", "--seed", "2"], "outputs/a-red-mug-2"),
        (["a red mug", "--seeds", "3-5"], "outputs/a-red-mug-3-to-5"),
        (["a mug", "--output", "o"], "o"),
        (["武器 é"], "outputs/武器-é-0"),
    ],
)
def test_the_demo_finds_the_folder_of_its_run(tmp_path: Path, words: list[str], expected: str) -> None:
    program = [sys.executable, str(ROOT / "installer" / "output_folder.py"), *words]
    german = {**os.environ, "PYTHONIOENCODING": "cp1252"}  # as a pipe on Windows, whatever the letters of the prompt
    run = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, timeout=600, env=german)
    assert Path(json.loads(run.stdout)) == tmp_path / expected, run.stderr


def test_where_no_blender_fits_the_demo_says_so_and_names_the_mesh(
    installer: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    blend = importlib.import_module("installer.blend_file")
    monkeypatch.setattr(blend, "output_of", lambda _, __: '"/somewhere/a-mug-0"\n')
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

    monkeypatch.setattr(blend, "output_of", lambda _, __: '"/somewhere/a-mug-0"\n')
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


ROOMS = ("addon", "addon/ui", "models", "mesh", "guidance", "optimize")  # each a part without those in it
PARTS = (
    "tests/addon --ignore=tests/addon/ui",
    f"tests {' '.join(f'--ignore=tests/{room}' for room in ROOMS)}",
    "tests/addon/ui",
    "tests/models",
    "tests/mesh",
    "tests/guidance",
    "tests/optimize",
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

    def make_blenders() -> list[str]:
        asked.append("blenders")
        return []

    def run_in_turn(given: list[tuple[str, list[str]]], at_once: int) -> list[str]:
        assert at_once == 3
        return [name for name, command in given if run(command)]

    monkeypatch.setattr(command_line.os, "cpu_count", lambda: 2)
    monkeypatch.chdir(".")  # the command goes to its checkout, and the test comes back
    monkeypatch.setattr(command_line, "make_environment", lambda tests: Path("python"))
    monkeypatch.setattr(command_line, "make_test_blenders", make_blenders)
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
