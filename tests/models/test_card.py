"""Prompts: which view a camera sees, what the full prompt says, and words that a small model does not know."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from reference.tiny_pipeline import card_values

from dreamfusion_engine.errors import InputError, SetupError
from dreamfusion_engine.models.card import (
    SHADINGS,
    VIEWS,
    PromptCard,
    check_vocabulary,
    compose_prompt,
    heading_of,
    read_card,
    unknown_words,
    view_of,
)
from dreamfusion_engine.models.pipeline_folder import STARTER_FOLDER
from training.starter.objects.kinds import KINDS


def card(folder: Path) -> PromptCard:
    (folder / "dreamfusion.json").write_text(json.dumps(card_values()))
    return read_card(folder)


@pytest.mark.parametrize(
    ("azimuth", "elevation", "view"),
    [
        (0, 0, "front"),
        (44, 59, "front"),
        (46, 0, "side"),
        (134, -10, "side"),
        (136, 0, "back"),
        (180, 0, "back"),
        (224, 0, "back"),
        (226, 0, "side"),
        (270, 0, "side"),
        (316, 0, "front"),
        (360, 0, "front"),
        (0, 61, "overhead"),
        (180, 90, "overhead"),
    ],
)
def test_views_are_named_by_azimuth_and_overhead_above_sixty_degrees(azimuth: int, elevation: int, view: str) -> None:
    assert view_of(math.radians(azimuth), math.radians(elevation)) == view


def test_the_named_view_does_not_depend_on_whole_turns_or_on_left_and_right() -> None:
    for degrees in range(0, 360, 7):
        angle = math.radians(degrees + 0.5)
        assert view_of(angle, 0.1) == view_of(angle + 4.0 * math.pi, 0.1) == view_of(-angle, 0.1)


def test_front_side_and_back_share_the_circle_one_to_two_to_one() -> None:
    seen = [view_of(math.radians(d + 0.5), 0.0) for d in range(360)]
    assert [seen.count(view) for view in ("front", "side", "back")] == [90, 180, 90]


def test_a_full_prompt_joins_its_parts_and_leaves_out_empty_ones(tmp_path: Path) -> None:
    assert compose_prompt("a mug", "", "") == "a mug"
    assert PromptCard().full_prompt("a mug", "back", "textureless") == "a mug, back view"
    starter = card(tmp_path)
    assert starter.full_prompt("a mug", "front", "albedo") == "a mug, front view, flat colours"
    assert starter.full_prompt("a mug", None, "textureless") == "a mug, white clay"
    assert {starter.full_prompt("a mug", view, shading) for view in VIEWS for shading in SHADINGS}.__len__() == 12


def test_a_model_without_a_card_knows_every_word(tmp_path: Path) -> None:
    check_vocabulary("a zeppelin made of glass", read_card(tmp_path))


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("A Red MUG!", []),
        ("a mug, with handle.", []),
        ("a red-blue mug", []),
        ("a grean mug", ["grean"]),
        ("zebra mug zebra", ["zebra"]),
        ("a mug \U0001f354", ["\U0001f354"]),
        ("\u30cf\u30f3\u30d0\u30fc\u30ac\u30fc", ["\u30cf\u30f3\u30d0\u30fc\u30ac\u30fc"]),
        ("\u201ca mug\u201d \u2026", []),
        ("", []),
    ],
)
def test_unknown_words_are_found_whatever_case_and_punctuation(text: str, missing: list[str]) -> None:
    assert unknown_words(text, set(card_values()["words"])) == missing


def test_an_unknown_word_is_named_with_near_words_examples_and_another_model(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        check_vocabulary("a hamburgar and a zeppelin", card(tmp_path), "negative prompt")
    error = caught.value
    assert error.code == "input.unknown_words"
    assert error.exit_code == 2
    for word in ("negative prompt", "'hamburgar'", "'zeppelin'"):
        assert word in error.what
    assert "hamburger, mug" in error.why
    for word in ("for 'hamburgar' 'hamburger'", '"a red mug"', "--model FOLDER"):
        assert word in error.fix


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "{}",
        '{"format": 2}',
        json.dumps({**card_values(), "views": {"front": "front view"}}),
        json.dumps({**card_values(), "azimuths": ["ahead"], "elevations": {"0": "level"}}),
    ],
)
def test_a_damaged_card_is_an_error_that_names_its_file(tmp_path: Path, content: str) -> None:
    (tmp_path / "dreamfusion.json").write_text(content)
    with pytest.raises(SetupError) as caught:
        read_card(tmp_path)
    assert caught.value.code == "model.card"
    assert "dreamfusion.json" in caught.value.why


@pytest.mark.parametrize(
    ("degrees", "heading"),
    [
        (0, "front"),
        (22, "front"),
        (23, "front right"),
        (90, "right"),
        (-90, "left"),
        (180, "back"),
        (-406, "front left"),
    ],
)
def test_the_heading_is_the_nearest_of_eight_compass_points(degrees: float, heading: str) -> None:
    assert heading_of(math.radians(degrees)) == heading


@pytest.mark.parametrize(
    ("prompt", "front"),
    [
        ("a yellow lamp", False),
        ("A Table Lamp!", False),
        ("an ice cream", False),
        ("a red mug", True),
        ("a mug on a table", True),
        ("a lampshade", True),
        ("a thing", True),
    ],
)
def test_only_kinds_that_the_card_lists_have_no_front(prompt: str, front: bool) -> None:
    card = PromptCard(kinds=("lamp", "mug", "table"), without_front=("lamp", "table lamp", "table", "ice cream"))
    assert card.has_front(prompt) is front
    assert PromptCard().has_front(prompt), "an open vocabulary says nothing of kinds"


def test_the_cards_of_the_starter_and_of_its_corpus_agree_on_what_has_no_front() -> None:
    card = read_card(STARTER_FOLDER)
    corpus = {name: kind.front for kind in KINDS for name in kind.names}
    assert "lamp" in card.without_front and not any(corpus[name] for name in card.without_front)
    assert all(corpus[name] for name in set(card.kinds) - set(card.without_front))
