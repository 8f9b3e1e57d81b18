"""Writes the lists of docs/messages.md, of the declared messages and their comments: python docs/messages_table.py"""

from __future__ import annotations

import io
import sys
import textwrap
import tokenize
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from dreamfusion_engine.wire import printed, protocol  # noqa: E402
from dreamfusion_engine.wire.printed import PRINTED  # noqa: E402
from dreamfusion_engine.wire.protocol import COMMANDS, EVENTS  # noqa: E402
from dreamfusion_engine.wire.schema import field_words  # noqa: E402

PAGE = ROOT / "docs" / "messages.md"
BEGIN, END = "<!-- lists: python docs/messages_table.py -->", "<!-- end of the lists -->"
COLUMNS = 120


def meanings(source: str, table: str) -> dict[str, str]:
    """What the comments of a module say of each message of a table; '' for one that the comment before it covers.

    source: str, code of the module.
    table: str, name of the table.
    """
    found: dict[str, str] = {}
    said: list[str] = []
    depth, inside, last = 0, False, ""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NAME and token.string == table and depth == 0 and not inside:
            inside, last = True, ""
        if token.type == tokenize.OP and token.string in "{[(":
            depth += 1
        elif token.type == tokenize.OP and token.string in ")]}":
            depth -= 1
        elif inside and depth == 0 and token.type == tokenize.NEWLINE:
            inside = False
        elif inside and depth == 1 and token.type == tokenize.COMMENT:
            said.append(token.string.removeprefix("#").strip())
        elif inside and depth == 1 and token.type == tokenize.OP and token.string == ":" and last:
            found[last], said, last = " ".join(said), [], ""
        elif inside and depth == 1 and token.type == tokenize.STRING:
            last = token.string.strip("\"'")
    return found


def listed(fields: Mapping[str, Mapping[str, str]], said: Mapping[str, str]) -> str:
    """A list of messages: name, fields, and what the comment says."""
    lines = []
    for name, specs in fields.items():
        words = "; ".join(field_words(*field) for field in specs.items()) or "no fields"
        text = f"- **`{name}`** ({words})."
        text += f" {said[name]}" if said.get(name) else ""
        lines.append(
            textwrap.fill(text, COLUMNS, subsequent_indent="  ", break_on_hyphens=False, break_long_words=False)
        )
    return "\n".join(lines)


def renewed(page: str) -> str:
    """The page with its lists made anew.

    page: str, the whole of it.
    """
    ours = Path(printed.__file__).read_text(encoding="utf-8")
    wire = Path(protocol.__file__).read_text(encoding="utf-8")
    own = {name: fields for name, fields in PRINTED.items() if name not in EVENTS}
    parts = [
        "## Of commands alone",
        listed(own, meanings(ours, "BATCH") | meanings(ours, "PRINTED")),
        "## From the engine",
        listed(EVENTS, meanings(wire, "EVENTS")),
        "## To the engine",
        listed(COMMANDS, meanings(wire, "COMMANDS")),
    ]
    before, _, rest = page.partition(BEGIN)
    return before + BEGIN + "\n\n" + "\n\n".join(parts) + "\n\n" + END + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
