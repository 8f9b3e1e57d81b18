"""What commands print with --json: a first line with the version, then messages of the table."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from reference.paper_model import write_paper_model

from dreamfusion_engine import __version__
from dreamfusion_engine.wire.printed import PRINTED, JsonLines
from dreamfusion_engine.wire.protocol import EVENTS, PROTOCOL_VERSION, check_message

FAKES = Path(__file__).resolve().parents[1] / "fakes"
MUG = ["generate", "a red mug", "--steps", "12", "--output", "o"]


def test_the_first_line_says_the_version_and_who_speaks() -> None:
    stream = io.BytesIO()
    JsonLines(stream, "generate")
    first = {"type": "hello", "protocol": PROTOCOL_VERSION, "engine": __version__, "command": "generate"}
    assert json.loads(stream.getvalue()) == first


def test_a_process_that_follows_another_leaves_the_first_line_to_it() -> None:
    stream = io.BytesIO()
    JsonLines(stream, "generate", follows=True).say({"type": "note", "code": "a", "text": "b"})
    assert json.loads(stream.getvalue())["type"] == "note"


def test_a_reader_that_has_gone_is_noticed_and_written_to_no_more() -> None:
    stream = io.BytesIO()
    lines = JsonLines(stream, "generate")
    stream.close()
    lines.say({"type": "note", "code": "a", "text": "b"})
    assert lines.gone
    lines.say({"type": "note", "code": "a", "text": "b"})


def test_a_message_means_the_same_on_the_wire_and_in_a_line() -> None:
    for name in set(PRINTED) & set(EVENTS):
        wire = {field: spec for field, spec in EVENTS[name].items() if field not in ("id", "bytes")}
        assert wire.items() <= PRINTED[name].items(), name
        assert PRINTED[name].keys() - wire.keys() <= ({"name"} if name == "note" else set())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "code", "last"),
    [
        (MUG, 0, "result"),
        (["generate", "a red mug", "--seeds", "2", "--steps", "12", "--output", "o"], 0, "result"),
        (["generate", "an empty mug", "--steps", "12", "--output", "o"], 3, "failed"),
        (["batch", "list.txt", "--steps", "12", "--output", "o"], 2, "batch"),
    ],
    ids=["a run", "a contest", "a run that fails", "a batch with a bad line"],
)
def test_every_line_of_a_command_is_in_the_table(words: list[str], code: int, last: str, tmp_path: Path) -> None:
    model = write_paper_model(tmp_path / "model")
    (tmp_path / "list.txt").write_text("a red mug\na red mug\n")
    command = [sys.executable, str(FAKES / "fake_engine.py"), *words, "--model", str(model), "--json"]
    environment = {**os.environ, "PYTHONPATH": str(FAKES.parents[1])}
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600)
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    assert run.returncode == code, run.stderr
    assert lines[0]["type"] == "hello" and lines[-1]["type"] == last
    assert [line["type"] for line in lines].count("hello") == 1
    for line in lines:
        check_message(line, PRINTED)
        assert set(line) - {"type"} <= set(PRINTED[line["type"]]), line
