"""The messages as a JSON Schema and as lines for people, made of the tables that the wire is checked by."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from dreamfusion_engine.wire.printed import PRINTED
from dreamfusion_engine.wire.protocol import (
    COMMANDS,
    DATA,
    DATA_LIMIT,
    EVENTS,
    ID_LIMIT,
    NUMBERS,
    PROTOCOL_VERSION,
    field_type,
)

COLUMNS = 110  # of a line for people
Table = Mapping[str, Mapping[str, str]]
# What each table is, by its name in the schema.
TABLES: dict[str, tuple[str, Table]] = {
    "command": ("to the engine: `serve`", COMMANDS),
    "event": ("from the engine: `serve`", EVENTS),
    "printed": ("what a command prints with --json, what `watch` answers by MCP", PRINTED),
}
_PLAIN = {"str": "string", "int": "integer", "float": "number", "bool": "boolean", "object": "object", "list": "array"}


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of all messages; a message is one of `$defs`, such as `printed.progress`.

    Fields and messages that it does not name may come from a newer engine, and are to be passed over.
    """
    messages = {
        f"{table}.{name}": _object(name, fields)
        for table, (_, every) in TABLES.items()
        for name, fields in every.items()
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Messages of the DreamFusion engine, version {PROTOCOL_VERSION}",
        "protocol": PROTOCOL_VERSION,
        "anyOf": [{"$ref": f"#/$defs/{name}"} for name in messages],
        "$defs": messages,
    }


def field_words(name: str, spec: str) -> str:
    """Return a field for people: 'eta_s: seconds, may be missing'.

    name: str.
    spec: its type, as the tables have it.
    """
    missing = ", may be missing" if spec.endswith("?") else ""
    if name == "bytes":
        return f"bytes: of the {field_type(spec)} that follows{missing}"
    return f"{name}: {field_type(spec)}{missing}"


def messages_text() -> str:
    """Return all messages with their fields for people."""
    lines = [f"Version {PROTOCOL_VERSION}. A JSON Schema: dreamfusion-engine messages --json"]
    for title, table in TABLES.values():
        lines += ["", title[0].upper() + title[1:]]
        for name, fields in table.items():
            said = "; ".join(field_words(*field) for field in fields.items())
            lines.append(textwrap.fill(f"  {name:<16} {said}", COLUMNS, subsequent_indent=" " * 19))
    return "\n".join(line.rstrip() for line in lines)


def _object(name: str, fields: Mapping[str, str]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"type": {"const": name}} | {field: _value(field, spec) for field, spec in fields.items()},
        "required": ["type", *(field for field, spec in fields.items() if not spec.endswith("?"))],
    }


def _value(field: str, spec: str) -> dict[str, Any]:
    named = field_type(spec)
    value: dict[str, Any]
    if named in NUMBERS:
        types, most = NUMBERS[named]
        value = {"type": "number" if float in types else "integer", "minimum": 0, "maximum": most}
    elif named in DATA:
        value = {"type": "integer", "minimum": 0, "maximum": DATA_LIMIT, "description": f"bytes of {named} that follow"}
    else:
        value = {"type": _PLAIN[named]}
    if field == "id":
        value["maxLength"] = ID_LIMIT
    if spec.endswith("?"):
        value["type"] = [value["type"], "null"]
    return value
