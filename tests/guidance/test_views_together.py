"""Score distillation from a teacher that judges four views together.

Of: dreamfusion_engine/guidance/distillation.py.
"""

from __future__ import annotations

import math
from typing import get_args

import pytest
import torch
from reference.distillation_step import distillation_step
from reference.multi_view_unet import MultiViewUNet
from reference.tiny_mvdream import write_mvdream
from torch import Tensor

from dreamfusion_engine.config.scores import Score
from dreamfusion_engine.config.stages import GuidanceConfig
from dreamfusion_engine.guidance.camera_matrices import camera_matrices
from dreamfusion_engine.guidance.distillation import ScoreDistillation
from dreamfusion_engine.guidance.step_inputs import StepInputs, ViewRange
from dreamfusion_engine.models.card import PromptCard
from dreamfusion_engine.models.families.adapter import Adapter
from dreamfusion_engine.models.load import load_teacher
from dreamfusion_engine.models.pipeline_folder import open_pipeline

CPU = torch.device("cpu")
VIEWS, SCALE, RESCALE = 8, 50.0, 0.5
AZIMUTH = torch.cat([turn + torch.arange(4) * 0.5 * math.pi for turn in (0.4, 1.3)])
ELEVATION = torch.tensor([0.1, 0.5]).repeat_interleave(4)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> tuple[Adapter, MultiViewUNet]:
    folder = tmp_path_factory.mktemp("mvdream") / "model"
    _, network = write_mvdream(folder)
    return load_teacher(open_pipeline(folder), CPU), network


def distillation(teacher: Adapter, score: Score = "sds") -> ScoreDistillation:
    config = GuidanceConfig(
        score=score,
        scale=SCALE,
        scale_kept=1.0,
        rescale=RESCALE,
        weighting="reconstruction",
        t_min=(0.3, 0.02),
        view_prompts="off",
        perp_neg="off",
    )
    return ScoreDistillation(teacher, "a red mug", "blue clay", PromptCard(), config, together=4)


def asked(scores: ScoreDistillation, first: int = 0, count: int = VIEWS) -> StepInputs:
    part, rows = ViewRange(first=first, total=VIEWS), slice(first, first + count)
    generator = torch.Generator().manual_seed(3)
    return scores.step_inputs((count, 4, 8, 8), AZIMUTH[rows], ELEVATION[rows], "albedo", 0.3, generator, part)


def plain_loss(network: MultiViewUNet, x: Tensor, step: StepInputs) -> Tensor:
    """1/2 sum |x - x_0|^2 / B, x_0 held still: guided, and its spread over a group pulled half-way to the prompt's.

    Written in pictures and not in noise, with the network of the paper.
    """
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64).square()
    kept = (1.0 - betas).cumprod(0)[step.t].float().view(-1, 1, 1, 1)
    noisy = kept.sqrt() * x + (1.0 - kept).sqrt() * step.noise
    camera = camera_matrices(AZIMUTH, ELEVATION)
    without, told = (
        network(noisy, step.t, each.tokens, camera) for each in (step.embeddings.uncond, step.embeddings.cond)
    )
    guided, prompted = (
        (noisy - (1.0 - kept).sqrt() * noise) / kept.sqrt() for noise in (without + SCALE * (told - without), told)
    )
    groups = [
        RESCALE * one * (other.std() / one.std()) + (1.0 - RESCALE) * one
        for one, other in zip(guided.split(4), prompted.split(4), strict=True)
    ]
    return 0.5 * (x - torch.cat(groups).detach()).square().sum() / len(x)


@pytest.mark.slow
def test_the_gradient_is_that_of_the_plain_reconstruction_loss(model: tuple[Adapter, MultiViewUNet]) -> None:
    teacher, network = model
    scores = distillation(teacher)
    step = asked(scores)
    x = torch.randn(VIEWS, 4, 8, 8, generator=torch.Generator().manual_seed(1)).requires_grad_()
    (plain,) = torch.autograd.grad(plain_loss(network, x, step), x)
    (ours,) = torch.autograd.grad(scores.loss(x, step)[0], x)
    pixels = 8 * 8  # ours is a mean over them
    assert float((pixels * ours - plain).norm() / plain.norm()) < 1e-4
    alone = ScoreDistillation(teacher, "a red mug", "blue clay", PromptCard(), scores.config, together=1)
    alone.conditioning = scores.conditioning
    (apart,) = torch.autograd.grad(alone.loss(x, step)[0], x)
    assert float((apart - ours).norm() / ours.norm()) > 1e-3, "the spread of a group is not that of each view"


def test_a_group_has_one_timestep_and_every_text_is_told_its_cameras(model: tuple[Adapter, MultiViewUNet]) -> None:
    step = asked(distillation(model[0]))
    times = step.t.view(2, 4)
    assert bool((times == times[:, :1]).all()) and int(times[0, 0]) < int(times[1, 0])
    assert len({noise.sum().item() for noise in step.noise}) == VIEWS, "each view has noise of its own"
    cameras = camera_matrices(AZIMUTH, ELEVATION)
    for told in (step.embeddings.uncond, step.embeddings.cond):
        assert told.camera is not None and torch.equal(told.camera, cameras)


def test_groups_judged_one_after_another_get_what_they_get_together(model: tuple[Adapter, MultiViewUNet]) -> None:
    scores = distillation(model[0])
    x = torch.randn(VIEWS, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    whole, _ = scores.pull(x, asked(scores))
    parts = [scores.pull(x[first : first + 4], asked(scores, first, 4))[0] for first in (0, 4)]
    torch.testing.assert_close(torch.cat(parts), whole, atol=1e-4, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("score", get_args(Score))
def test_every_score_moves_the_pixels_of_all_views(model: tuple[Adapter, MultiViewUNet], score: Score) -> None:
    image = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(9)).requires_grad_()
    scores, generator = distillation(model[0], score), torch.Generator().manual_seed(10)
    loss, seen = distillation_step(scores, image, AZIMUTH[:4], ELEVATION[:4], "albedo", 0.3, generator)
    loss.backward()
    assert image.grad is not None and bool(seen.finite) and bool(torch.isfinite(image.grad).all())
    assert int((image.grad.abs().amax(dim=1) > 0.0).sum()) == 4 * 16 * 16
