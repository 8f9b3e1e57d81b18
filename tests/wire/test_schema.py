"""The JSON Schema says what the tables say, and takes what the engine sends."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from dreamfusion_engine import cli
from dreamfusion_engine.errors import RunError
from dreamfusion_engine.events import Progress
from dreamfusion_engine.wire.messages import error_message, event_message
from dreamfusion_engine.wire.protocol import COMMANDS, EVENTS, PROTOCOL_VERSION, DamagedFrame, check_message
from dreamfusion_engine.wire.schema import TABLES, json_schema

DOCS = Path(__file__).resolve().parents[2] / "docs"
PROGRESS = {"type": "progress", "id": "a", "stage": "train", "step": 1, "total": 2, "memory_mib": 1.5}
WRONG: list[dict[str, Any]] = [
    {**PROGRESS, "step": "1"},
    {**PROGRESS, "stage": None},
    {**PROGRESS, "rate": "fast"},
    {key: value for key, value in PROGRESS.items() if key != "total"},
]


def takes(schema: dict[str, Any], value: Any) -> bool:
    """Whether a value is of a schema, as far as these schemas go."""
    kinds: dict[str, Any] = {
        "string": str,
        "integer": int,
        "number": (int, float),
        "boolean": bool,
        "object": dict,
        "array": list,
        "null": type(None),
    }
    named = schema.get("type", [])
    allowed = [kinds[name] for name in ([named] if isinstance(named, str) else named)]
    if allowed and not any(isinstance(value, kind) for kind in allowed):
        return False
    if isinstance(value, int | float) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        return False
    if "const" in schema and value != schema["const"]:
        return False
    inside = schema.get("properties", {})
    needed = all(name in value for name in schema.get("required", []))
    return needed and all(takes(inside[name], value[name]) for name in inside if name in value)


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return json_schema()


def test_every_message_is_in_the_schema_with_its_fields(schema: dict[str, Any]) -> None:
    assert schema["protocol"] == PROTOCOL_VERSION
    assert {reference["$ref"] for reference in schema["anyOf"]} == {f"#/$defs/{name}" for name in schema["$defs"]}
    for table, (_, every) in TABLES.items():
        for name, fields in every.items():
            found = schema["$defs"][f"{table}.{name}"]
            assert set(found["properties"]) == {"type", *fields}
            assert set(found["required"]) == {"type", *(f for f, spec in fields.items() if not spec.endswith("?"))}


def test_what_the_engine_sends_is_of_the_schema(schema: dict[str, Any]) -> None:
    event = Progress(stage="train", step=1, total=2, eta_s=None, rate=0.5, memory_mib=1.0)
    assert takes(schema["$defs"]["event.progress"], {**event_message(event)[0], "id": "a"})
    assert takes(schema["$defs"]["printed.progress"], event_message(event)[0])
    failed = error_message(RunError("run.empty", what="a", why="b", fix="c"))
    assert takes(schema["$defs"]["printed.failed"], failed)


@pytest.mark.parametrize("message", WRONG, ids=str)
def test_what_the_engine_would_refuse_is_not_of_the_schema(schema: dict[str, Any], message: dict[str, Any]) -> None:
    assert takes(schema["$defs"]["event.progress"], PROGRESS)
    assert not takes(schema["$defs"]["event.progress"], message)
    with pytest.raises(DamagedFrame):
        check_message(message, EVENTS)


def test_a_field_of_a_newer_engine_is_of_the_schema(schema: dict[str, Any]) -> None:
    assert takes(schema["$defs"]["event.progress"], {**PROGRESS, "watts": 300})
    check_message({**PROGRESS, "watts": 300}, EVENTS)


def test_the_command_prints_both_forms(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["messages", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json_schema()
    assert cli.main(["messages"]) == 0
    said = capsys.readouterr().out
    assert all(f"  {name} " in said or f"  {name}\n" in said for name in (*COMMANDS, *EVENTS, "batch_job"))


def test_the_page_is_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("messages_table", DOCS / "messages_table.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = (DOCS / "messages.md").read_text(encoding="utf-8")
    assert module.renewed(page) == page, "run: python docs/messages_table.py"
    meanings = module.meanings(Path(module.protocol.__file__).read_text(encoding="utf-8"), "COMMANDS")
    assert set(meanings) == set(COMMANDS) and "Stop a job" in meanings["cancel"]
