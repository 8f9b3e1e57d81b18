"""Steps that are only timed leave the run's randomness and its teacher alone."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from reference.tiny_training import CPU, disc_teacher, tiny_config

from dreamfusion_engine.guidance.distillation import ScoreDistillation
from dreamfusion_engine.models.card import PromptCard
from dreamfusion_engine.optimize.step_trial import StepTrial
from dreamfusion_engine.optimize.volume_training import VolumeTraining


def test_a_trial_takes_time_and_changes_nothing_that_a_run_sees() -> None:
    config = tiny_config(views=2)
    states = []
    for tried in (False, True):
        scores = ScoreDistillation(disc_teacher(), config.prompt, "", PromptCard(), config.guidance)
        if tried:
            trial = StepTrial(config, scores, CPU)
            assert all(trial.seconds(overlap) > 0.0 for overlap in (False, True, False))
        training = VolumeTraining(config, seed=0, device=CPU)
        for _ in range(2):
            training.train_step(scores)
        states.append(training.state())
    assert all(torch.equal(states[1][name], value) for name, value in states[0].items())


def test_a_trial_that_runs_out_of_memory_says_so_and_another_error_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    config = tiny_config(views=2)
    scores = ScoreDistillation(disc_teacher(), config.prompt, "", PromptCard(), config.guidance)
    error: Exception = MemoryError()

    def fail(*given: Any, **named: Any) -> None:
        raise error

    monkeypatch.setattr(VolumeTraining, "train_step", fail)
    assert math.isnan(StepTrial(config, scores, CPU).seconds(True))
    error = ValueError("a bug")
    with pytest.raises(ValueError, match="a bug"):
        StepTrial(config, scores, CPU).seconds(True)
