"""Score distillation from a teacher that is told a prompt and a picture, against the published loss written out.

Of: dreamfusion_engine/guidance/pictured_prompt.py, dreamfusion_engine/guidance/distillation.py.
"""

from __future__ import annotations

import math
from typing import get_args

import pytest
import torch
from reference.distillation_step import distillation_step
from reference.tiny_image_dream import TOKENS, TinyImageDream, write_image_dream
from torch import Tensor

from dreamfusion_engine.config.presets import preset
from dreamfusion_engine.config.recipes import IMAGE_DREAM
from dreamfusion_engine.config.scores import Score
from dreamfusion_engine.config.stages import GuidanceConfig
from dreamfusion_engine.guidance.camera_matrices import camera_matrices
from dreamfusion_engine.guidance.distillation import ScoreDistillation
from dreamfusion_engine.guidance.pictured_prompt import PicturedPrompt
from dreamfusion_engine.guidance.prompt_conditioning import PromptConditioning
from dreamfusion_engine.guidance.step_inputs import StepInputs, ViewRange
from dreamfusion_engine.models.card import PromptCard
from dreamfusion_engine.models.families.image_dream import ImageDream
from dreamfusion_engine.models.load import load_teacher
from dreamfusion_engine.models.pipeline_folder import open_pipeline

CPU = torch.device("cpu")
VIEWS, RECIPE = 8, preset("standard", "a red mug", recipe=IMAGE_DREAM).guidance
AZIMUTH = torch.cat([turn + torch.arange(4) * 0.5 * math.pi for turn in (0.4, 1.3)])
ELEVATION = torch.tensor([0.0, 0.08]).repeat_interleave(4)
IMAGE = torch.randint(0, 256, (1, 3, 16, 16), generator=torch.Generator().manual_seed(6)) / 255.0


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> tuple[ImageDream, TinyImageDream]:
    folder = tmp_path_factory.mktemp("imagedream") / "model"
    networks = write_image_dream(folder)
    teacher = load_teacher(open_pipeline(folder), CPU)
    assert isinstance(teacher, ImageDream)
    return teacher, networks


def distillation(teacher: ImageDream, prompt: str = "a red mug", score: Score = "sds") -> ScoreDistillation:
    """By the settings of the recipe."""
    values = {**vars(RECIPE), "score": score, "view_prompts": "off"}
    config = GuidanceConfig(**values)
    words = PromptConditioning(teacher.encode_prompts, prompt, "blue clay", PromptCard(), config, tells_cameras=True)
    told = PicturedPrompt(words, teacher.encode_picture(IMAGE))
    return ScoreDistillation(teacher, prompt, "blue clay", PromptCard(), config, together=4, told=told)


def asked(scores: ScoreDistillation, first: int = 0, count: int = VIEWS) -> StepInputs:
    part, rows = ViewRange(first=first, total=VIEWS), slice(first, first + count)
    generator = torch.Generator().manual_seed(3)
    return scores.step_inputs((count, 4, 8, 8), AZIMUTH[rows], ELEVATION[rows], "albedo", 0.3, generator, part)


def plain_loss(networks: TinyImageDream, x: Tensor, step: StepInputs) -> Tensor:
    """1/2 sum |x - x_0|^2 / B, x_0 held still: guided by 5, its spread over a group pulled by a fifth to the prompt's.

    Written in pictures and not in noise, as the published guidance is, with the re-computed pipeline.
    """
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64).square()
    kept = (1.0 - betas).cumprod(0)[step.t].float().view(-1, 1, 1, 1)
    noisy = kept.sqrt() * x + (1.0 - kept).sqrt() * step.noise
    words = step.embeddings.uncond.tokens[:, :-TOKENS], step.embeddings.cond.tokens[:, :-TOKENS]
    cameras = camera_matrices(AZIMUTH, ELEVATION)
    without, told = networks.noise(noisy.detach(), step.t, 2.0 * IMAGE - 1.0, words, cameras)
    guided, prompted = (
        (noisy - (1.0 - kept).sqrt() * noise) / kept.sqrt() for noise in (without + 5.0 * (told - without), told)
    )
    groups = [
        0.2 * one * (other.std() / one.std()) + 0.8 * one
        for one, other in zip(guided.split(4), prompted.split(4), strict=True)
    ]
    return 0.5 * (x - torch.cat(groups).detach()).square().sum() / len(x)


@pytest.mark.slow
@pytest.mark.parametrize("prompt", ["a red mug", ""])
def test_the_gradient_is_that_of_the_published_loss(model: tuple[ImageDream, TinyImageDream], prompt: str) -> None:
    scores = distillation(model[0], prompt)
    step = asked(scores)
    x = torch.randn(VIEWS, 4, 8, 8, generator=torch.Generator().manual_seed(1)).requires_grad_()
    (plain,) = torch.autograd.grad(plain_loss(model[1], x, step), x)
    (ours,) = torch.autograd.grad(scores.loss(x, step)[0], x)
    pixels = 8 * 8  # ours is a mean over them
    assert float((pixels * ours - plain).norm() / plain.norm()) < 1e-4


def test_every_row_is_told_words_tokens_and_frame_and_without_the_prompt_no_picture(
    model: tuple[ImageDream, TinyImageDream],
) -> None:
    scores = distillation(model[0], score="nfsd")
    step, picture = asked(scores), model[0].encode_picture(IMAGE)
    told, without, bad = step.embeddings.cond, step.embeddings.uncond, step.embeddings.bad
    assert bad is not None
    for each, tokens, scale in (
        (told, picture.tokens, 1.0),
        (without, picture.without, 0.0),
        (bad, picture.without, 0),
    ):
        assert each.tokens.shape == (VIEWS, 77 + TOKENS, 32) and each.picture is not None and each.camera is not None
        assert torch.equal(each.tokens[:, -TOKENS:], tokens.expand(VIEWS, -1, -1))
        assert torch.equal(each.picture, scale * picture.latents.expand(VIEWS, -1, -1, -1))
        assert torch.equal(each.camera, camera_matrices(AZIMUTH, ELEVATION))
    assert float((picture.tokens - picture.without).abs().max()) > 1e-3
    assert not torch.equal(bad.tokens, without.tokens), "words for bad pictures are words"


def test_a_named_view_and_no_prompt_are_told_of_the_same_way(model: tuple[ImageDream, TinyImageDream]) -> None:
    told, picture = distillation(model[0]).conditioning, model[0].encode_picture(IMAGE)
    named = told.of_views(["front", "back"], "albedo")
    assert torch.equal(named.tokens, told.of_cameras(torch.zeros(2), torch.zeros(2), "albedo").tokens)
    without = told.unconditional(2)
    assert torch.equal(without.tokens[:, -TOKENS:], picture.without.expand(2, -1, -1))
    assert without.picture is not None and float(without.picture.abs().max()) == 0.0


@pytest.mark.slow
def test_groups_judged_one_after_another_get_what_they_get_together(model: tuple[ImageDream, TinyImageDream]) -> None:
    scores = distillation(model[0])
    x = torch.randn(VIEWS, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    whole, _ = scores.pull(x, asked(scores))
    parts = [scores.pull(x[first : first + 4], asked(scores, first, 4))[0] for first in (0, 4)]
    torch.testing.assert_close(torch.cat(parts), whole, atol=1e-4, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("score", get_args(Score))
def test_every_score_moves_the_pixels_of_all_views(model: tuple[ImageDream, TinyImageDream], score: Score) -> None:
    image = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(9)).requires_grad_()
    scores, generator = distillation(model[0], score=score), torch.Generator().manual_seed(10)
    loss, seen = distillation_step(scores, image, AZIMUTH[:4], ELEVATION[:4], "albedo", 0.3, generator)
    loss.backward()
    assert image.grad is not None and bool(seen.finite) and bool(torch.isfinite(image.grad).all())
    assert int((image.grad.abs().amax(dim=1) > 0.0).sum()) == 4 * 16 * 16
