"""What a score is said to ask of the denoiser is what it asks: real steps of a tiny network, counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, get_args

import pytest
import torch
from reference.distillation_step import distillation_step
from reference.tiny_families import Case
from torch.utils.flop_counter import FlopCounterMode

from dreamfusion_engine.config.presets import preset
from dreamfusion_engine.config.scores import BACKWARD_ALONE, SCORES, Score
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.guidance.distillation import ScoreDistillation
from dreamfusion_engine.guidance.scores.residuals import RESIDUALS
from dreamfusion_engine.guidance.step_inputs import ViewRange
from dreamfusion_engine.models.card import PromptCard
from dreamfusion_engine.models.sizes import ModelSizes
from dreamfusion_engine.speed import run_time

pytestmark = pytest.mark.slow

CARD = PromptCard()
STEPS = 12  # spread over training


class Counted:
    """Passes through a network and the pictures in them: forwards without gradients, and backwards."""

    def __init__(self) -> None:
        self.calls = self.rows = self.learning_calls = self.learning_rows = 0

    def note(self, rows: int) -> None:
        if torch.is_grad_enabled():
            self.learning_calls += 1
            self.learning_rows += rows
        else:
            self.calls += 1
            self.rows += rows


@contextmanager
def counting(teacher: Any) -> Iterator[Counted]:
    """Every call of a teacher, and of the copy that a score makes of it."""
    counted = Counted()
    teacher_class = type(teacher)
    asked = teacher_class.predict_noise

    def heard(self: Any, x_t: torch.Tensor, t: torch.Tensor, told: Any) -> torch.Tensor:
        counted.note(len(x_t))
        return asked(self, x_t, t, told)  # type: ignore[no-any-return]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(teacher_class, "predict_noise", heard)
        yield counted


def distilled(case: Case, config: GenerateConfig) -> ScoreDistillation:
    return ScoreDistillation(case.teacher, "a mug", "", CARD, config.guidance, score=config.score)


def train(scores: ScoreDistillation, config: GenerateConfig) -> None:
    """STEPS steps from the start of training to its end, each with all views, as many at once as the settings say."""
    views = config.optimize.views
    at_once = config.memory.views_at_once or views
    for step in range(STEPS):
        for first in range(0, views, at_once):
            images = torch.full((at_once, 3, 16, 16), 0.4, requires_grad=True)
            angle = torch.zeros(at_once)
            generator = torch.Generator().manual_seed(step)
            progress = (step + 0.5) / STEPS
            distillation_step(
                scores, images, angle, angle, "albedo", progress, generator, ViewRange(first=first, total=views)
            )


@pytest.mark.parametrize("score", get_args(Score))
def test_a_step_asks_as_often_as_the_estimate_says(score: Score, cases: Callable[[str], Case]) -> None:
    case = cases("sd-v")
    for views, at_once, perp_neg in ((2, 0, "on"), (2, 1, "off")):
        guidance = {"score": score, "perp_neg": perp_neg}
        settings = {"optimize": {"views": views}, "memory": {"views_at_once": at_once}, "guidance": guidance}
        config = preset("standard", "a mug", settings)
        scores = distilled(case, config)
        with counting(case.teacher) as counted:
            train(scores, config)
        work = SCORES[score]
        sizes = ModelSizes(denoiser=1, text_encoders=0, denoiser_operations=1.0)
        told = run_time.denoiser_step_operations(sizes, config)
        seen = (counted.rows + (1.0 + BACKWARD_ALONE) * counted.learning_rows) / STEPS
        parts = views // (at_once or views)
        passes = parts * work.calls(config.score, *run_time.timesteps_of_a_call(config))
        passed = (counted.calls + 2 * counted.learning_calls) / STEPS
        exact = score in ("sds", "csd", "nfsd", "vsd")  # the others' steps follow the noise
        assert told == pytest.approx(seen, rel=1e-9 if exact else 0.06), (views, at_once)
        assert passes == pytest.approx(passed, rel=1e-9 if exact else 0.06), (views, at_once)
        assert counted.learning_calls == STEPS * parts * work.learns


def test_only_scores_whose_work_never_changes_can_be_recorded() -> None:
    assert {name for name, record in SCORES.items() if record.recordable} == {"sds", "csd", "nfsd", "sampled"}


def test_every_score_has_a_record_and_a_residual() -> None:
    assert set(SCORES) == set(get_args(Score)) == set(RESIDUALS)


def test_a_lesson_of_the_copy_costs_a_forward_and_a_backward_pass(cases: Callable[[str], Case]) -> None:
    """Torch's count of a VSD step over an SDS step: 5 rows a view to 2, besides the low-rank weights' own work."""
    case = cases("sd-v")
    counts = {}
    scores: tuple[Score, ...] = ("sds", "vsd")
    for score in scores:
        config = preset("standard", "a mug", {"guidance": {"score": score, "perp_neg": "off"}})
        config = replace(config, score=replace(config.score, lora_rank=1))
        distillation = distilled(case, config)
        x = torch.full((2, *distillation.model_shape(16)), 0.1)
        angle = torch.zeros(2)
        question = distillation.step_inputs(
            x.shape, angle, angle, "albedo", 0.5, torch.Generator().manual_seed(0), ViewRange(first=0, total=2)
        )
        with FlopCounterMode(display=False) as counter:
            distillation.loss(x, question)
        counts[score] = counter.get_total_flops()
    assert counts["vsd"] / counts["sds"] == pytest.approx((2 + 2 + BACKWARD_ALONE) / 2, rel=0.15)
