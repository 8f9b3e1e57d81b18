"""Facts about the latent teacher in training/latent/weights: what it has learnt goes through the whole latent path.

Of: training/latent.
"""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from reference.distillation_step import distillation_step
from torch import Tensor

from dreamfusion_engine.config.presets import preset
from dreamfusion_engine.config.recipes import LATENT_RECIPE
from dreamfusion_engine.guidance.distillation import ScoreDistillation
from dreamfusion_engine.models.load import load_teacher
from dreamfusion_engine.models.pipeline_folder import PipelineFolder, open_pipeline
from dreamfusion_engine.models.teacher import Teacher
from training.latent.packed import unpack
from training.latent.train import LatentPlan
from training.starter.corpus import Corpus
from training.starter.objects.kinds import kinds_named

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> PipelineFolder:
    return open_pipeline(unpack(tmp_path_factory.mktemp("latent") / "pipeline"))


@pytest.fixture(scope="module")
def teacher(pipeline: PipelineFolder) -> Teacher:
    return load_teacher(pipeline, CPU, precision="float32")


def test_it_is_a_stable_diffusion_with_the_small_models_recipe(pipeline: PipelineFolder) -> None:
    assert pipeline.family == "StableDiffusionPipeline"
    assert preset("standard", "a mug", recipe=LATENT_RECIPE).optimize.resolution == (64, 64)
    assert pipeline.card.closed_vocabulary and len(pipeline.card.kinds) == 24 and pipeline.card.azimuths


def test_a_pictures_own_caption_predicts_its_noise_better_than_another_pictures(teacher: Teacher) -> None:
    """Of pictures that no training has seen; measured: 98 of 100."""
    corpus = Corpus(pixels=64, capacity=48, fresh=0, seed=987_654, device=CPU, kinds=kinds_named(LatentPlan().kinds))
    pictures, captions = corpus.batch(48)
    t = torch.full((48,), 600)
    with torch.no_grad():
        clean = teacher.to_model_space(pictures)
        noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
        alpha, sigma = teacher.schedule.at(t)
        noised = alpha * clean + sigma * noise

        def errors(texts: list[str]) -> Tensor:
            seen = teacher.predict_noise(noised, t, teacher.encode_prompts(texts))
            return (seen - noise).square().flatten(1).mean(1)

        own, others = errors(captions), errors([*captions[1:], captions[0]])
    assert float((own < others).float().mean()) > 0.8


@pytest.mark.parametrize(("colour", "channels"), [("red", (0, 2)), ("blue", (2, 0))])
def test_score_distillation_paints_the_colour_that_is_asked_for(
    pipeline: PipelineFolder, teacher: Teacher, colour: str, channels: tuple[int, int]
) -> None:
    """Two grey pictures, optimized pixel by pixel through the autoencoder by the recipe of this model."""
    config = preset("standard", f"a {colour} mug", recipe=LATENT_RECIPE)
    scores = ScoreDistillation(teacher, config.prompt, "", pipeline.card, config.guidance, score=config.score)
    logits = torch.zeros(2, 3, 64, 64, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.1)
    generator = torch.Generator().manual_seed(0)
    azimuth, elevation = torch.tensor([0.0, 0.5 * math.pi]), torch.tensor([0.3, 0.3])
    for step in range(40):
        loss, seen = distillation_step(
            scores, logits.sigmoid(), azimuth, elevation, "albedo", 0.5 * step / 40, generator
        )
        assert bool(seen.finite)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    middle = logits.detach().sigmoid()[:, :, 24:40, 24:40].mean(dim=(0, 2, 3))
    asked, other = channels  # red against blue; green is in both of their shades
    assert float(middle[asked] - middle[other]) > 0.1, middle.tolist()


def test_unpacking_gives_the_same_files_every_time(pipeline: PipelineFolder, tmp_path: Path) -> None:
    again = open_pipeline(unpack(tmp_path / "again"))
    assert again.card.files == pipeline.card.files and len(again.card.files) > 8
