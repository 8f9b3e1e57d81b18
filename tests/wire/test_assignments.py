"""The words of --set: names and values come out as they were given, and what is no assignment is refused."""

from __future__ import annotations

from typing import Any

import pytest

from dreamfusion_engine.wire.assignments import BadAssignment, assigned, nested


@pytest.mark.parametrize(
    ("word", "name", "value"),
    [
        ("mesh.texture=2048", "mesh.texture", 2048),
        ("optimize.resolution=[16, 32]", "optimize.resolution", [16, 32]),
        ("guidance.score=vsd", "guidance.score", "vsd"),
        ("prompts.back=a = b", "prompts.back", "a = b"),
        (" seed =3", "seed", 3),
        ("prompts.front=", "prompts.front", ""),
        ("mesh.iso=" + "[" * 100_000, "mesh.iso", "[" * 100_000),
    ],
)
def test_a_word_gives_a_name_and_a_value(word: str, name: str, value: Any) -> None:
    assert assigned(word) == (name, value)


@pytest.mark.parametrize("word", ["mesh.texture", "=5", "mesh.=5", ".texture=5", "a.b.c=5", ""])
def test_a_word_of_another_form_is_refused(word: str) -> None:
    with pytest.raises(BadAssignment) as caught:
        assigned(word)
    assert "STAGE.KEY=VALUE" in caught.value.why and "--set" in caught.value.fix


def test_the_reader_of_values_is_the_callers() -> None:
    def refuse(text: str) -> Any:
        raise ValueError(text)

    assert assigned("seed=3", refuse) == ("seed", "3")


def test_names_are_grouped_by_stage_and_the_later_value_counts() -> None:
    pairs = [("mesh.texture", 64), ("seed", 1), ("mesh.padding", 2), ("mesh.texture", 128)]
    assert nested(pairs) == {"mesh": {"texture": 128, "padding": 2}, "seed": 1}
    assert nested([("mesh", {"texture": 64}), ("mesh.padding", 2)]) == {"mesh": {"texture": 64, "padding": 2}}


def test_a_value_and_a_group_of_one_name_contradict_each_other() -> None:
    with pytest.raises(BadAssignment, match="contradict"):
        nested([("mesh", 5), ("mesh.texture", 64)])
