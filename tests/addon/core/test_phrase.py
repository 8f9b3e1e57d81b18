"""A phrase is its English text, and keeps what that was made of."""

from __future__ import annotations

import copy
import json

from blender_addon.core.job import Trouble
from blender_addon.core.phrase import joined, phrase, phrases


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
