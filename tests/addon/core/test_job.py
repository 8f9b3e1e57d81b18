"""What a report says of a result, in sentences: nothing is claimed that it does not say, whatever it holds."""

from __future__ import annotations

from typing import Any

import pytest

from blender_addon.core.job import WORDS_LIMIT, Recipe, verdict_of


def test_without_a_judge_there_is_no_grade_and_of_an_old_engine_nothing() -> None:
    assert verdict_of({"judge": None, "terms": {"line": "Made with X."}}) == ["Made with X."]
    assert verdict_of({}) == []


@pytest.mark.parametrize("score", [None, "1", True, -0.1, 1.5, float("nan"), 10**400, [1.0]])
def test_a_grade_that_is_none_is_left_out(score: Any) -> None:
    assert verdict_of({"judge": {"by": "x", "score": score, "shape": 0.5}, "terms": [score]}) == []


def test_a_sentence_is_cut() -> None:
    assert [len(line) for line in verdict_of({"terms": {"line": "x" * 10 * WORDS_LIMIT}})] == [WORDS_LIMIT]


def test_a_texture_model_is_sent_for_new_objects_alone_and_no_damage_is_one() -> None:
    made_by = Recipe("a mug", settings={"texture": {"model": "owner/painter"}})
    assert made_by.texture_model == "owner/painter" and Recipe.from_json(made_by.to_json()) == made_by
    sent = [made_by.settings_message(task).get("texture") for task in ("generate", "texture", "refine")]
    assert sent == [{"model": "owner/painter"}, None, None]
    every: list[dict[str, Any]] = [{}, {"texture": 3}, {"texture": {}}, {"texture": {"model": None}}]
    for damaged in every:
        assert Recipe("a mug", settings=damaged).texture_model == ""
