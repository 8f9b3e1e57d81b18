"""Facts about the benchmark of scores: its variants can be run, each score is one, and its measures can tell.

Of: benchmarks/guidance/scores.py.
"""

from __future__ import annotations

from typing import get_args

import pytest

from benchmarks.guidance.scores import ROOT, VARIANTS, Sides, line, sides_of
from benchmarks.shared import portraits
from benchmarks.shared.graded_run import Row
from benchmarks.shared.prompt_list import read_prompts
from dreamfusion_engine.commands.typed_settings import parse_settings
from dreamfusion_engine.config.presets import preset
from dreamfusion_engine.config.scores import Score
from dreamfusion_engine.judge.model import load_judge
from training.starter.objects.kinds import KINDS

NAMES = [kind.names[0] for kind in KINDS]


def test_every_score_is_a_variant_that_differs_from_the_first_in_one_setting() -> None:
    configs = {name: preset("draft", "a mug", parse_settings(words)).guidance for name, words in VARIANTS.items()}
    assert {config.score for config in configs.values()} == set(get_args(Score))
    first = vars(next(iter(configs.values())))
    for name, config in list(configs.items())[1:]:
        assert sum(value != first[key] for key, value in vars(config).items()) == 1, name


def test_the_prompts_are_all_known_and_some_have_a_front() -> None:
    prompts, left_out = read_prompts((ROOT / "benchmarks" / "prompts" / "four.txt").read_text().splitlines(), NAMES)
    assert len(prompts) == 4 and not left_out
    assert any(p.kind.front for p in prompts) and not all(p.kind.front for p in prompts)


@pytest.mark.slow
def test_an_object_whose_sides_are_all_alike_is_right_at_most_where_one_answer_is() -> None:
    (car, cactus), _ = read_prompts(["a red car", "a cactus"], NAMES)
    judge = load_judge()
    pictures = portraits.truth_portraits(car.kind, car.appearance, 0)[0]
    one_faced = sides_of(judge, car, pictures[:1].expand_as(pictures))
    assert one_faced is not None and one_faced.fronts in (0.0, 1.0)
    assert one_faced.views <= 3 / 8
    assert sides_of(judge, cactus, pictures) is None


def test_a_line_counts_a_failed_run_as_nothing_found() -> None:
    values = {"textureless": 0.5, "chamfer": 0.1, "iou": 0.6, "components": 1, "health": "good", "seconds": 50.0}
    values |= {"psnr": 30.0, "folds": 0, "folds_before": 0, "crossings": 0}
    good = Row(prompt="a", colour=1.0, **values)  # type: ignore[arg-type]
    failed = Row(prompt="b", colour=None, **dict.fromkeys(values, None) | {"health": "empty"})  # type: ignore[arg-type]
    text = line("sds", [good, failed], [Sides(views=0.5, fronts=0.25)], 42.0)
    assert text == "| sds | 50% | 25% | 0.100 | 0.30 | 50% | 25% | 1 failed | 50 | 42 |"
