"""What Blender and its reviewers expect of names, labels and descriptions.

Of: blender_addon/ui.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from addon.blenders import Session, blenders

DUMP = Path(__file__).with_name("scripts") / "conventions_dump.py"
KINDS = {
    "Operator": "OT",
    "Panel": "PT",
    "Menu": "MT",
    "UIList": "UL",
    "PropertyGroup": "PG",
    "AddonPreferences": "AP",
    "FileHandler": "FH",  # since Blender 4.1
}
SMALL = {
    "a",
    "an",
    "and",
    "as",
    "at",
    "by",
    "for",
    "from",
    "in",
    "it",
    "of",
    "on",
    "or",
    "per",
    "the",
    "to",
    "with",
    "px",
}


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    found = Session(blenders()[-1], tmp_path_factory.mktemp("conventions")).run(DUMP).facts["classes"]
    assert {cls["base"] for cls in found} >= set(KINDS) - {"FileHandler"}
    return list(found)


def in_title_case(label: str) -> bool:
    words = re.findall(r"\b[A-Za-z][\w']*", label)
    return all(word[0].isupper() or word in SMALL for word in words)


@pytest.mark.slow
def test_class_names_have_the_prefix_and_their_kind(classes: list[dict[str, Any]]) -> None:
    for cls in classes:
        assert re.fullmatch(rf"DREAMFUSION_{KINDS[cls['base']]}_[a-z_]+", cls["name"]), cls["name"]
        if cls["base"] == "Operator":
            assert re.fullmatch(r"dreamfusion\.[a-z_]+", cls["id"]) or cls["id"].startswith("DREAMFUSION_OT_"), cls[
                "id"
            ]


@pytest.mark.slow
def test_labels_are_in_title_case(classes: list[dict[str, Any]]) -> None:
    wrong = [cls["name"] for cls in classes if cls["label"] and not in_title_case(cls["label"])]
    wrong += [
        f"{cls['name']}.{identifier}: {name}"
        for cls in classes
        for identifier, name, _, hidden in cls["properties"]
        if not hidden and not in_title_case(name)
    ]
    assert not wrong


def test_descriptions_are_sentences_without_a_final_period(classes: list[dict[str, Any]]) -> None:
    wrong = []
    for cls in classes:
        texts = [(identifier, text) for identifier, _, text, hidden in cls["properties"] if not hidden]
        if cls["base"] == "Operator":
            texts.append(("", cls["description"]))
        for identifier, text in texts:
            if (
                not text
                or text.rstrip().endswith(".")
                or not (text[0].isupper() or text[0].isdigit() or text.startswith("auto"))
            ):
                wrong.append((cls["name"], identifier, text))
    assert not wrong


def test_only_what_changes_the_file_at_once_is_undoable(classes: list[dict[str, Any]]) -> None:
    runs = {"generate", "pause", "resume_job", "cancel", "finish", "queue_text", "insert", "test_connection"}
    for cls in classes:
        if cls["base"] == "Operator" and cls["name"].removeprefix("DREAMFUSION_OT_") in runs:
            assert "UNDO" not in cls["options"], cls["name"]


def test_there_is_one_tab_and_every_panel_below_the_first_is_closed(classes: list[dict[str, Any]]) -> None:
    panels = [cls for cls in classes if cls["base"] == "Panel" and cls["category"]]
    assert {panel["category"] for panel in panels} == {"DreamFusion"}
    first = [panel["name"] for panel in panels if not panel["parent"]]
    assert first == ["DREAMFUSION_PT_main"]
    assert all("DEFAULT_CLOSED" in panel["options"] for panel in panels if panel["parent"])
