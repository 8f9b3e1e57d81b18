"""Cards: what the full prompt of a view says, which objects have no front, and that a damaged card is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from reference.tiny_pipeline import card_values

from dreamfusion_engine.errors import SetupError
from dreamfusion_engine.models.card import SHADINGS, PromptCard, compose_prompt
from dreamfusion_engine.models.card_file import read_card
from dreamfusion_engine.models.pipeline_folder import STARTER_FOLDER
from dreamfusion_engine.models.prompt_check import check_vocabulary
from dreamfusion_engine.models.views import VIEWS
from training.starter.objects.kinds import KINDS


def card(folder: Path) -> PromptCard:
    (folder / "dreamfusion.json").write_text(json.dumps(card_values()))
    return read_card(folder)


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
