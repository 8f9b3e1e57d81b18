"""Words that a small model does not know are found, named and helped with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from reference.tiny_pipeline import card_values

from dreamfusion_engine.errors import InputError
from dreamfusion_engine.models.card_file import read_card
from dreamfusion_engine.models.prompt_check import check_vocabulary, unknown_words


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
    (tmp_path / "dreamfusion.json").write_text(json.dumps(card_values()))
    with pytest.raises(InputError) as caught:
        check_vocabulary("a hamburgar and a zeppelin", read_card(tmp_path), "negative prompt")
    error = caught.value
    assert error.code == "input.unknown_words"
    assert error.exit_code == 2
    for word in ("negative prompt", "'hamburgar'", "'zeppelin'"):
        assert word in error.what
    assert "hamburger, mug" in error.why
    for word in ("for 'hamburgar' 'hamburger'", '"a red mug"', "--model FOLDER"):
        assert word in error.fix
