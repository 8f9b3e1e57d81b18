"""A phrase is its English text, and keeps what that was made of."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest

from blender_addon.core.job import Trouble
from blender_addon.core.phrase import Phrase, again, joined, kept, phrase, phrases

ROOT = Path(__file__).resolve().parents[3]


def test_a_phrase_is_its_english_text() -> None:
    made = phrase("{count:,} faces of '{name}'", count=12345, name="Cube")
    assert made == "12,345 faces of 'Cube'" and isinstance(made, str)
    assert json.loads(json.dumps({"text": made})) == {"text": "12,345 faces of 'Cube'"}


def test_braces_of_a_text_without_values_stay() -> None:
    assert phrase("{why}") == "{why}" and phrases({1: "a {b}"})[1] == "a {b}"


def test_a_phrase_keeps_its_template_and_values_where_it_is_copied() -> None:
    made = copy.deepcopy(phrase("Seed {seed}", seed=7))
    assert made.template == "Seed {seed}" and made.values == {"seed": 7}


def test_joined_phrases_stay_phrases() -> None:
    made = joined([phrase("One {number}.", number=1), "Two."])
    assert made == "One 1. Two."
    assert made.values["part_0"].template == "One {number}."  # type: ignore[attr-defined]
    assert joined([]) == ""


def test_a_trouble_goes_into_the_journal_in_english_and_comes_back() -> None:
    trouble = Trouble("a.b", phrase("What {x}.", x=1), "Why.", phrase("Fix."))
    assert Trouble.from_json(json.loads(json.dumps(trouble.to_json()))) == trouble


MADE = [
    phrase("{count:,} of {share:.0%} in '{name}'", count=12345, share=0.5, name="Käse {x}"),
    phrase("{why}.", why=phrase("Seed {seed}", seed=7)),
    joined([phrase("One {number}.", number=1), "Two.", phrase("Three.")]),
    phrase("{big} and {wide} at {place}", big=1 << 80, wide=float("inf"), place=("a", 1)),
]


@pytest.mark.parametrize("made", MADE, ids=str)
def test_a_text_that_was_written_down_is_the_phrase_that_it_was(made: Phrase) -> None:
    known = json.loads(json.dumps(kept([made, "plain", phrase("Without values.")])))
    assert list(known) == [str(made)]
    back = again(str(made), known)
    assert back == made and isinstance(back, Phrase) and back.template == made.template
    assert list(back.values) == list(made.values)
    for name, value in made.values.items():
        assert isinstance(back.values[name], Phrase) is isinstance(value, Phrase)
    assert again("plain", known) == "plain" and type(again("plain", known)) is str


TEXT = "a 7"
NESTED: dict[str, Any] = {"template": "7", "values": {}}
for _ in range(50):
    NESTED = {"template": "{a}", "values": {"a": NESTED}}


@pytest.mark.parametrize(
    "record",
    [
        None,
        7,
        {},
        {"template": "a {x}"},
        {"template": "a {x}", "values": []},
        {"template": "a {x}", "values": {"x": None}},
        {"template": "a {x}", "values": {"x": [7]}},
        {"template": "a {x}", "values": {"x": 8}},
        {"template": "a {x}", "values": {"y": 7}},
        {"template": "a {x", "values": {"x": 7}},
        {"template": "a {0}", "values": {"0": 7}},
        {"template": "a {}", "values": {"x": 7}},
        {"template": "a {x.__class__}", "values": {"x": 7}},
        {"template": "a {x[0]}", "values": {"x": "7"}},
        {"template": "a {x!r}", "values": {"x": 7}},
        {"template": "a {x:>999999999999}", "values": {"x": 7}},
        {"template": "a {x:{y}}", "values": {"x": 7, "y": "999999999"}},
        {"template": "a {x:,}", "values": {"x": "7"}},
        {"template": "a {x}" + " " * 5000, "values": {"x": 7}},
        {"template": "a {x}", "values": {"x": "7" * 5000}},
        {"template": "a {x}", "values": {f"x{n}": n for n in range(1000)} | {"x": 7}},
        {"template": "a {x}", "values": {"x": NESTED}},
    ],
    ids=lambda record: str(record)[:60],
)
def test_a_damaged_record_leaves_the_english(record: Any) -> None:
    back = again(TEXT, {TEXT: record})
    assert back == TEXT and type(back) is str
    assert again(TEXT, record) == TEXT


def test_every_format_of_the_addons_texts_is_taken_back() -> None:
    """A new one has to be among those that are believed."""
    used = set()
    for path in (ROOT / "blender_addon" / "translations").glob("*.json"):
        for text in json.loads(path.read_text(encoding="utf-8")):
            used |= set(re.findall(r"\{\w+:([^{}]*)\}", text))
    assert len(used) > 3
    for wanted in used:
        made = phrase(f"{{x:{wanted}}}", x=7)
        assert isinstance(again(str(made), kept([made])), Phrase), wanted
