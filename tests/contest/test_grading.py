"""Without a judge the teacher ranks: a draft that looks like the prompt gains by it, an empty one does not."""

from __future__ import annotations

import pytest
import torch
from reference.tiny_training import CPU, SIZE, disc_teacher, tiny_config

from dreamfusion_engine.config.stages import GuidanceConfig
from dreamfusion_engine.contest.grading import BY_TEACHER, Grading, prompt_gain
from dreamfusion_engine.guidance.distillation import ScoreDistillation
from dreamfusion_engine.models.card import PromptCard
from dreamfusion_engine.models.teacher import Conditioning
from dreamfusion_engine.optimize.volume_training import VolumeTraining


class Picky(type(disc_teacher())):  # type: ignore[misc]
    """Knows a red disc when it is told of it, and nothing when it is not."""

    def predict_noise(self, x_t: torch.Tensor, t: torch.Tensor, conditioning: Conditioning) -> torch.Tensor:
        half = len(x_t) // 2
        told = super().predict_noise(x_t[half:], t[half:], conditioning)
        return torch.cat([torch.zeros_like(x_t[:half]), told])


def distillation() -> ScoreDistillation:
    plain = disc_teacher()
    teacher = Picky.__new__(Picky)
    teacher.__dict__.update(plain.__dict__)
    return ScoreDistillation(teacher, "a ball", "", PromptCard(), GuidanceConfig(view_prompts="off", perp_neg="off"))


@pytest.mark.slow
def test_the_same_draft_has_the_same_grade_and_no_random_number_of_the_run_is_drawn() -> None:
    training = VolumeTraining(tiny_config(), seed=0, device=CPU)
    state = training.generator.get_state()
    grading = Grading(tiny_config(), distillation(), None)
    assert grading.by == BY_TEACHER
    assert grading.grade(training) == pytest.approx(prompt_gain(training, distillation(), SIZE), abs=1e-9)
    assert torch.equal(training.generator.get_state(), state)


def test_a_teacher_that_needs_no_prompt_gains_nothing_by_it() -> None:
    plain = ScoreDistillation(disc_teacher(), "a ball", "", PromptCard(), GuidanceConfig(view_prompts="off"))
    assert prompt_gain(VolumeTraining(tiny_config(), seed=0, device=CPU), plain, SIZE) == pytest.approx(0.0, abs=1e-6)
    assert prompt_gain(VolumeTraining(tiny_config(), seed=0, device=CPU), distillation(), SIZE) > 0.1
