"""What a report says of a result, in sentences: nothing is claimed that it does not say, whatever it holds."""

from __future__ import annotations

from typing import Any

import pytest

from blender_addon.core.job import WORDS_LIMIT, verdict_of


def test_without_a_judge_there_is_no_grade_and_of_an_old_engine_nothing() -> None:
    assert verdict_of({"judge": None, "terms": {"line": "Made with X."}}) == ["Made with X."]
    assert verdict_of({}) == []


@pytest.mark.parametrize("score", [None, "1", True, -0.1, 1.5, float("nan"), 10**400, [1.0]])
def test_a_grade_that_is_none_is_left_out(score: Any) -> None:
    assert verdict_of({"judge": {"by": "x", "score": score, "shape": 0.5}, "terms": [score]}) == []


def test_a_sentence_is_cut() -> None:
    assert [len(line) for line in verdict_of({"terms": {"line": "x" * 10 * WORDS_LIMIT}})] == [WORDS_LIMIT]
