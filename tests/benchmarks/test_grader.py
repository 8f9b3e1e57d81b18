"""What the judge is asked of an object: wrong captions are wrong, and kind, colour and part are told apart.

Of: benchmarks/shared/grader.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.shared import portraits
from benchmarks.shared.grader import Grade, Grader, colours_of, mean_grade, parts_of, second_judge
from benchmarks.shared.prompt_list import Prompt, described
from dreamfusion_engine.judge.folder import WEIGHTS
from dreamfusion_engine.judge.model import load_judge


def prompt_of(text: str) -> Prompt:
    kind, appearance = described()[text]
    return Prompt(text=text, kind=kind, appearance=appearance)


def test_the_same_kind_in_every_colour_is_asked_and_the_rest_of_the_caption_stays() -> None:
    plain = colours_of(prompt_of("a red mug"))
    assert len(plain) == 9 and "a blue mug" in plain and "a red mug" not in plain
    patterned = colours_of(prompt_of("a red mug with a blue handle and white stripes"))
    assert "a green mug with a blue handle and white stripes" in patterned
    assert colours_of(prompt_of("a hamburger")) == []
    assert colours_of(prompt_of("a mug with a blue handle")) == [], "a white mug with a blue handle is not wrong"


def test_part_colours_are_swapped_left_out_and_spread_over_the_whole() -> None:
    two = parts_of(prompt_of("a red mug with a blue handle"))
    assert {"a red mug", "a blue mug", "a blue mug with a red handle", "a red mug with a green handle"} <= set(two)
    assert "a red mug with a blue handle" not in two
    assert {"a mug", "a blue mug"} <= set(parts_of(prompt_of("a mug with a blue handle")))
    assert parts_of(prompt_of("a red mug")) == []


@pytest.mark.slow
def test_kind_and_colour_are_graded_apart() -> None:
    red, blue = prompt_of("a red car"), prompt_of("a blue car")
    grader = Grader(load_judge(), [red, blue])
    views = portraits.truth_portraits(red.kind, red.appearance, 0)
    right, wrong = grader.grade(red, *views), grader.grade(blue, *views)
    assert (right.kind, right.own_colour, right.part) == (1.0, 1.0, None)
    assert (wrong.kind, wrong.own_colour, wrong.colour) == (1.0, 0.0, 0.0)
    assert right.colour == 1.0 and wrong.textureless == right.textureless


def test_means_are_over_those_that_have_the_figure() -> None:
    one = Grade(colour=1.0, textureless=0.5, kind=1.0, own_colour=None, part=None)
    two = Grade(colour=0.0, textureless=0.5, kind=0.5, own_colour=0.5, part=None)
    assert mean_grade([one, two]) == Grade(colour=0.5, textureless=0.5, kind=0.75, own_colour=0.5, part=None)


def test_the_second_judge_is_another_clip_or_refused_with_a_reason(tmp_path: Path) -> None:
    assert second_judge(None) is None
    for folder, reason in ((WEIGHTS, "is the first"), (tmp_path, "config.json"), (tmp_path / "none", "no such folder")):
        with pytest.raises(SystemExit, match=reason) as refused:
            second_judge(folder)
        assert "fix:" in str(refused.value)
