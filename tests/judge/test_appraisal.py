"""A grade tells a right picture from a wrong one, and is none where the judge knows nothing."""

from __future__ import annotations

import torch

from benchmarks.shared import portraits
from dreamfusion_engine.judge.appraisal import BUILT_IN, appraiser
from dreamfusion_engine.judge.folder import WEIGHTS
from training.starter.objects.kinds import Appearance, kind_named


def test_the_corpus_own_mug_is_a_red_mug_and_no_blue_one() -> None:
    colour, clay = portraits.truth_portraits(kind_named("mug"), Appearance(colour="red"), 0)
    right, wrong = (appraiser(prompt, WEIGHTS) for prompt in ("a red mug", "a blue mug"))
    assert right is not None and wrong is not None
    good, bad = right.appraise(colour, clay), wrong.appraise(colour, clay)
    assert good.score == 1.0 and good.surety > 0.9 and bad.score == 0.0 and bad.surety < 0.6
    assert good.shape == bad.shape == 1.0, "the shape is that of a mug in any colour"
    assert (good.by, good.views, good.captions) == (BUILT_IN, 8, 33)


def test_nothing_is_claimed_without_a_judge_or_of_what_it_does_not_know() -> None:
    assert appraiser("a red mug", None) is None
    assert appraiser("a steampunk teapot", WEIGHTS) is None


def test_judging_draws_no_random_numbers() -> None:
    state = torch.get_rng_state()
    found = appraiser("a red mug", WEIGHTS)
    assert found is not None
    noise = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    found.appraise(noise, noise)
    assert torch.equal(state, torch.get_rng_state())
