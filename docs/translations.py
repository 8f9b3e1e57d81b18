"""Finds every text of the add-on's interface, and brings the translations up to date: python docs/translations.py

A file of blender_addon/translations/ gets an empty entry for each new text, and loses those that the code no longer
has. An empty entry shows English. To begin a language, named as Blender names it: python docs/translations.py es
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ADDON = ROOT / "blender_addon"
SETTINGS = ADDON / "core" / "engine_settings.json"
FOLDER = ADDON / "translations"

# Functions whose texts are shown -> the places of those among their arguments.
_SHOWN = {
    "phrase": (0,),
    "translated": (0,),
    "fixed": (0,),
    "Trouble": (1, 2, 3),
    "draw_text": (2,),
    "report": (1,),
    "poll_message_set": (0,),
}
_KEYWORDS = {"text", "placeholder", "title", "message", "confirm_text"}  # of a layout's functions, and of a dialog
_LAYOUT = {"label", "operator", "prop", "menu", "popover", "template_list", "invoke_confirm", "invoke_props_dialog"}
_CLASS = {"bl_label", "bl_description"}
_FIELD = re.compile(r"\{(\w*)[^{}]*\}")  # a name in braces


def texts() -> list[str]:
    """Every text that can be translated, in alphabetical order."""
    found = set(_of_settings())
    for path in sorted(ADDON.rglob("*.py")):
        found |= set(of_module(path))
    return sorted(filter(is_wording, found), key=lambda text: (text.casefold(), text))


def fields(text: str) -> set[str]:
    """The names in braces that a text has."""
    return set(_FIELD.findall(text))


def is_wording(text: str) -> bool:
    """Whether a text has words of its own: not '{why}.' or '1024'."""
    return re.search("[A-Za-z]{2}", _FIELD.sub("", text)) is not None


def of_module(path: Path) -> Iterator[str]:
    """The texts of a Python file.

    path: Path of it.
    """
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield from _of_call(node)
        elif isinstance(node, ast.ClassDef):
            yield from _of_class(node)
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "bl_info":
            about = ast.literal_eval(node.value)
            yield from (about["description"], about["location"])


def _of_call(call: ast.Call) -> Iterator[str]:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name == "phrases" and call.args and isinstance(call.args[0], ast.Dict):
        for value in call.args[0].values:
            yield from _literals(value)
    elif name.endswith("Property"):
        yield from _of_property(call)
    for place in _SHOWN.get(name, ()):
        if place < len(call.args):
            yield from _literals(call.args[place])
    if name in _LAYOUT:
        for keyword in call.keywords:
            if keyword.arg in _KEYWORDS:
                yield from _literals(keyword.value)


def _of_property(call: ast.Call) -> Iterator[str]:
    """Name, description and the lines of a menu; nothing of a property that no panel shows."""
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    if "HIDDEN" in ast.unparse(given.get("options", ast.Constant(""))):
        return
    for key in ("name", "description"):
        if key in given:
            yield from _literals(given[key])
    items = given.get("items")
    for line in items.elts if isinstance(items, ast.Tuple) else ():
        for value in line.elts[1:3] if isinstance(line, ast.Tuple) else ():
            yield from _literals(value)


def _of_class(cls: ast.ClassDef) -> Iterator[str]:
    """Label and description; an operator without a description is described by its docstring."""
    own = {
        target.id: statement.value
        for statement in cls.body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name)
    }
    for key in _CLASS & own.keys():
        yield from _literals(own[key])
    if "_OT_" in cls.name and "bl_description" not in own:
        yield ast.get_docstring(cls, clean=False) or ""


def _literals(node: ast.expr) -> Iterator[str]:
    """The texts that an expression may be: one that is written out, or two of which a condition chooses."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _literals(node.body)
        yield from _literals(node.orelse)
    elif isinstance(node, ast.BoolOp):
        for value in node.values:
            yield from _literals(value)


def _of_settings() -> Iterator[str]:
    """What the engine declares of the settings that Blender shows."""
    for stage in json.loads(SETTINGS.read_text(encoding="utf-8"))["stages"].values():
        for about in stage.values():
            yield from (about["label"], about["says"], about.get("group", ""))
            for words in about.get("words", {}).values():
                yield from words


def read(path: Path) -> dict[str, str]:
    """A language's translations: English text -> translation, '' where there is none yet."""
    found: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found


def update(path: Path, wanted: list[str]) -> int:
    """Write a language's file with an entry for each text. Returns how many are empty."""
    known = read(path)
    fresh = {text: known.get(text, "") for text in wanted}
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(fresh, ensure_ascii=False, indent=0) + "\n", encoding="utf-8", newline="\n")
    return sum(not shown for shown in fresh.values())


if __name__ == "__main__":
    everything = texts()
    for file in sorted({*FOLDER.glob("*.json"), *(FOLDER / f"{name}.json" for name in sys.argv[1:])}):
        print(f"{file.stem}: {len(everything)} texts, {update(file, everything)} without a translation")
