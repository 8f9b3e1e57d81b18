"""The examples of docs/automation.md do what the page says: those without Blender, with methods that count.

The agent's hamburger is made for real, and put into a Blender, in tests/addon/real/test_automation.py.

Of: docs/automation.md, dreamfusion_engine/scripting.py, dreamfusion_engine/cli/run.py.
"""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fakes.fake_engine import counting_generate
from pictures.painting import bytes_of, disc
from reference.page_examples import ROOT, examples, on_path, put

from dreamfusion_engine.wire.printed import PRINTED
from dreamfusion_engine.wire.protocol import PROTOCOL_VERSION, check_message

FAKE = ROOT / "tests" / "fakes" / "fake_engine.py"
unix = pytest.mark.skipif(os.name == "nt", reason="The example is for a shell")


def test_the_page_has_the_examples_that_are_tested() -> None:
    assert set(examples()) == {"lines", "follow", "python", "into_blender", "agent", "pictures"}


@pytest.mark.slow
@unix
def test_the_command_line_leaves_its_messages_in_a_file(tmp_path: Path) -> None:
    script = put("lines", tmp_path)
    environment = on_path(tmp_path, f'"{FAKE}"')
    run = subprocess.run(
        ["sh", str(script)], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600
    )
    assert run.returncode == 0, run.stderr
    lines = [json.loads(line) for line in (tmp_path / "hamburger.jsonl").read_text().splitlines()]
    for line in lines:
        check_message(line, PRINTED)
    assert lines[0]["type"] == "hello" and json.loads(run.stdout) == lines[-1]
    assert lines[-1]["type"] == "result" and (tmp_path / "hamburger" / "mesh.glb").is_file()


@pytest.mark.slow
@unix
def test_a_program_follows_the_lines(tmp_path: Path) -> None:
    script = put("follow", tmp_path)
    environment = on_path(tmp_path, f'"{FAKE}"')
    words = [sys.executable, str(script)]
    run = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600)
    said = run.stdout.splitlines()
    assert run.returncode == 0, run.stderr
    assert said[0].startswith("train 1 of ") and said[-1].endswith("followed")


@pytest.mark.slow
@unix
def test_a_program_that_is_too_old_says_so_and_stops(tmp_path: Path) -> None:
    script = put("follow", tmp_path, ('["protocol"] > 1', f'["protocol"] > {PROTOCOL_VERSION - 1}'))
    environment = on_path(tmp_path, f'"{FAKE}"')
    words = [sys.executable, str(script)]
    run = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600)
    assert run.returncode == 1 and "the engine is newer" in run.stderr


@unix
@pytest.mark.slow
def test_an_agent_gives_a_picture_by_the_line_of_the_page(tmp_path: Path) -> None:
    line = 'run = await call("generate", prompt="a hamburger", preset="draft")'
    small = '"settings": {"optimize": {"steps": 5}}'
    script = put("agent", tmp_path, (line, examples()["pictures"].strip()[:-1] + f", **{{{small}}})"))
    mask = disc(64, 64)
    red = np.concatenate([np.full((64, 64, 3), (0.8, 0.1, 0.1), np.float32), mask[..., None]], -1)
    (tmp_path / "objects").mkdir()
    (tmp_path / "objects" / "mug.png").write_bytes(bytes_of(red))
    environment = on_path(tmp_path, f'"{FAKE}"')
    words = [sys.executable, str(script)]
    run = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600)
    assert run.returncode == 0, run.stderr
    mesh = Path(run.stdout.splitlines()[-1])
    assert mesh == tmp_path / "objects" / "a-red-mug-0" / "mesh.glb" and mesh.is_file()
    request = json.loads((mesh.parent / "request.json").read_text(encoding="utf-8"))
    assert request["pictures"] == [{"file": "given-0.png", "view": [270.0, 0.0], "mask": ""}]
    assert (mesh.parent / "given-0.png").read_bytes() == bytes_of(red)


def test_python_makes_an_object_and_shows_its_progress(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("dreamfusion_engine.tasks.generate.generate", counting_generate)
    runpy.run_path(str(put("python", tmp_path)))
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("train 1 of ") and "note: The object is rather flat." in said
    assert said[-1] == f"made of a hamburger in {tmp_path / 'from-python'}"


@pytest.mark.parametrize(
    ("change", "told"),
    [(("> until", ">= 0"), "Stopped at step"), (('"a hamburger"', '"a flying carpet"'), "fix:")],
    ids=["cancelled", "a word that the starter does not know"],
)
def test_python_that_is_stopped_or_refused_says_what_to_do(
    change: tuple[str, str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("dreamfusion_engine.tasks.generate.generate", counting_generate)
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(str(put("python", tmp_path, change)))
    assert told in str(caught.value.code)
