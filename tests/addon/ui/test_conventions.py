"""What Blender and its reviewers expect of names, labels and descriptions.

Of: blender_addon/ui.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from addon.blenders import Session, blenders

DUMP = """
import bpy, addon
addon.enable()
def described(cls):
    if not issubclass(cls, bpy.types.Operator):
        return ""
    name = cls.bl_idname.rpartition(".")[2].removeprefix("DREAMFUSION_OT_")
    return getattr(bpy.ops.dreamfusion, name).get_rna_type().description

classes = []
found = [getattr(bpy.types, name) for name in dir(bpy.types) if name.startswith("DREAMFUSION_")]
for base in (bpy.types.PropertyGroup, bpy.types.AddonPreferences):
    found += [cls for cls in base.__subclasses__() if cls.__name__.startswith("DREAMFUSION_")]
for cls in found:
    rna = cls.bl_rna
    base = next(b.__name__ for b in cls.__mro__ if b.__module__ == "bpy_types" or b.__module__.startswith("_bpy_types"))
    properties = []
    for prop in rna.properties:
        if prop.identifier in ("rna_type", "name") and base == "PropertyGroup" and not prop.description:
            continue
        if prop.is_runtime and prop.identifier not in ("bl_idname",):
            unseen = prop.is_hidden or prop.type in ("POINTER", "COLLECTION")
            properties.append([prop.identifier, prop.name, prop.description, unseen])
            if prop.type == "ENUM":
                for item in prop.enum_items:
                    properties.append([prop.identifier + "." + item.identifier, item.name, item.description, False])
    classes.append({
        "name": cls.__name__, "base": base, "label": getattr(cls, "bl_label", ""), "id": getattr(cls, "bl_idname", ""),
        "description": described(cls), "properties": properties,
        "options": sorted(getattr(cls, "bl_options", ())), "category": getattr(cls, "bl_category", ""),
        "parent": getattr(cls, "bl_parent_id", ""),
    })
addon.tell(classes=classes)
"""
KINDS = {
    "Operator": "OT",
    "Panel": "PT",
    "Menu": "MT",
    "UIList": "UL",
    "PropertyGroup": "PG",
    "AddonPreferences": "AP",
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
    assert {cls["base"] for cls in found} >= set(KINDS)
    return list(found)


def in_title_case(label: str) -> bool:
    words = re.findall(r"\b[A-Za-z][\w']*", label)
    return all(word[0].isupper() or word in SMALL for word in words)


def test_class_names_have_the_prefix_and_their_kind(classes: list[dict[str, Any]]) -> None:
    for cls in classes:
        assert re.fullmatch(rf"DREAMFUSION_{KINDS[cls['base']]}_[a-z_]+", cls["name"]), cls["name"]
        if cls["base"] == "Operator":
            assert re.fullmatch(r"dreamfusion\.[a-z_]+", cls["id"]) or cls["id"].startswith("DREAMFUSION_OT_"), cls[
                "id"
            ]


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
