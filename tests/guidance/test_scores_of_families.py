"""Scores with families of models: a step of real classes at tiny size, UNets and transformers, gives a gradient.

Of: dreamfusion_engine/guidance/scores, dreamfusion_engine/models/families.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from reference.distillation_step import distillation_step
from reference.tiny_families import Case

from dreamfusion_engine.config.scores import Score
from dreamfusion_engine.config.stages import GuidanceConfig
from dreamfusion_engine.guidance.distillation import ScoreDistillation
from dreamfusion_engine.models.card import PromptCard

FAMILIES = ("sd-v", "sdxl", "sd3", "flux-dev")


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_a_step_of_each_score_moves_the_picture(family: str, cases: Callable[[str], Case]) -> None:
    case = cases(family)
    angle = torch.tensor([0.4, 2.0])
    scores: tuple[Score, ...] = ("nfsd", "sdi", "vsd", "sampled")  # what they do is all that the others do, and more
    for score in scores:
        config = GuidanceConfig(score=score, view_prompts="interpolated", perp_neg="on", scale=3.0)
        distillation = ScoreDistillation(
            case.teacher, "a red mug", "blue clay", PromptCard(), config, encode=case.encode
        )
        images = torch.full((2, 3, 16, 16), 0.4, requires_grad=True)
        generator = torch.Generator().manual_seed(0)
        loss, info = distillation_step(distillation, images, angle, torch.zeros(2), "albedo", 0.9, generator)
        loss.backward()
        assert info.finite, score
        assert images.grad is not None
        assert 0.0 < float(images.grad.abs().max()) < float("inf"), score
        if score == "vsd":
            learned = [
                float(tensor.abs().max()) for name, tensor in distillation.state().items() if name.endswith("up")
            ]
            assert len(learned) >= 4 and max(learned) > 0.0
