"""Entries in the keymap: none has a key, artists can give one, and it stays."""

from __future__ import annotations

from pathlib import Path

from addon.blenders import Session

SCRIPT = Path(__file__).with_name("scripts") / "keymap_kept.py"


def test_entries_have_no_key_are_listed_and_go_with_the_addon(blender: Session) -> None:
    facts = blender.run(SCRIPT).facts
    assert facts["first"] == dict.fromkeys(facts["operators"], "NONE")
    assert facts["listed"] == facts["operators"]
    assert {name.partition(".")[2] for name in facts["operators"]} <= set(facts["exist"])
    assert facts["off"] == [{}, {}]
    assert facts["again"] == ["F17", 1] and facts["others"] == ["NONE"]
