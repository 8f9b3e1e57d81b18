"""What the judge is asked: captions that differ from the prompt in one thing, and nothing about what it never saw."""

from __future__ import annotations

import pytest

from dreamfusion_engine.judge.question import OTHER_NAMES, known_question, open_question
from dreamfusion_engine.models.card_file import read_card
from dreamfusion_engine.models.pipeline_folder import STARTER_FOLDER
from training.starter.objects.kinds import kind_named

CARD = read_card(STARTER_FOLDER)


def asked(prompt: str) -> list[str]:
    found = known_question(prompt, CARD)
    return [] if found is None else list(found.captions)


def test_a_plain_kind_is_told_from_every_other_kind() -> None:
    captions = asked("a hamburger")
    assert captions[0] == "a hamburger" and len(captions) == len(set(captions)) == len(CARD.kinds)
    assert "an apple" in captions and "a red hamburger" not in captions


def test_a_colour_is_told_from_the_other_colours_of_the_same_kind() -> None:
    captions = asked("A red mug!")
    assert captions[0] == "a red mug" and {"a blue mug", "an orange mug", "a red chair"} <= set(captions)
    assert "a mug" not in captions, "that would not be wrong"
    assert len(captions) == len(CARD.colours) + len(CARD.kinds) - 1


def test_a_parts_colour_spread_over_the_whole_is_a_wrong_answer() -> None:
    captions = asked("a mug with a blue handle")
    assert captions[0] == "a mug with a blue handle" and "a blue mug" in captions and "a mug" not in captions


@pytest.mark.parametrize(
    "prompt", ["a teapot", "a mug and a chair", "a red thing", "ein roter Becher", "a hamburger with a hamburger"]
)
def test_nothing_is_asked_about_what_the_starter_does_not_know(prompt: str) -> None:
    assert known_question(prompt, CARD) is None


def test_second_names_are_those_of_the_corpus() -> None:
    kinds = [kind_named(name) for name in CARD.kinds]
    assert {other: kind.names[0] for kind in kinds for other in kind.names[1:]} == OTHER_NAMES
    assert asked("a burger")[0] == "a burger" and "a hamburger" not in asked("a burger")
    found = known_question("a blue burger", CARD)
    assert found is not None and found.shapes[0] == "a burger" and "a hamburger" not in found.shapes
    assert len(found.shapes) == len(CARD.kinds), "of clay nobody asks the colour"
    assert "a lamp" not in asked("a table lamp") and "a table" in asked("a table lamp")


def test_any_prompt_is_told_from_a_hundred_objects() -> None:
    captions = open_question(" a steampunk  teapot ").captions
    assert captions[0] == "a steampunk teapot" and len(set(captions)) == len(captions) == 101
    assert len(open_question("A Teapot").captions) == 100, "the same object is no wrong answer"
