"""Score distillation from a teacher that is told a picture, against the published loss written out.

Of: dreamfusion_engine/guidance/picture_conditioning.py, dreamfusion_engine/guidance/distillation.py.
"""

from __future__ import annotations

import math

import pytest
import torch
from reference.distillation_step import distillation_step
from reference.tiny_families import LATENT
from reference.tiny_zero123 import TinyZero123, pose_by_degrees, write_zero123
from torch import Tensor

from dreamfusion_engine.config.scores import SCORES, Score
from dreamfusion_engine.config.stages import GuidanceConfig
from dreamfusion_engine.config.stages.reference import KNOWN_POSES, KnownPose
from dreamfusion_engine.guidance.distillation import ScoreDistillation
from dreamfusion_engine.guidance.picture_conditioning import PictureConditioning, TeacherPicture
from dreamfusion_engine.guidance.step_inputs import StepInputs, ViewRange
from dreamfusion_engine.models.card import PromptCard
from dreamfusion_engine.models.families.zero123 import Zero123
from dreamfusion_engine.models.load import load_teacher
from dreamfusion_engine.models.pipeline_folder import open_pipeline

CPU = torch.device("cpu")
SCALE, PICTURE_DEG = 3.0, (270.0, 20.0)
CAMERAS_DEG = [(0.0, 10.0), (100.0, 60.0), (275.0, -10.0)]
AZIMUTH, ELEVATION = (torch.deg2rad(torch.tensor(each)) for each in zip(*CAMERAS_DEG, strict=True))
IMAGE = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(6))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> tuple[Zero123, TinyZero123]:
    folder = tmp_path_factory.mktemp("zero123") / "model"
    networks = write_zero123(folder)
    teacher = load_teacher(open_pipeline(folder), CPU)
    assert isinstance(teacher, Zero123)
    return teacher, networks


def distillation(teacher: Zero123, pose: KnownPose, score: Score = "sds") -> ScoreDistillation:
    config = GuidanceConfig(
        score=score,
        scale=SCALE,
        scale_kept=1.0,
        rescale=0.0,
        weighting="sigma_squared",
        view_prompts="off",
        perp_neg="off",
    )
    azimuth, elevation = map(math.radians, PICTURE_DEG)
    told = PictureConditioning(teacher, TeacherPicture(image=IMAGE, azimuth=azimuth, elevation=elevation, pose=pose))
    return ScoreDistillation(teacher, "", "", PromptCard(), config, told=told)


def asked(scores: ScoreDistillation) -> StepInputs:
    part, generator = ViewRange(first=0, total=3), torch.Generator().manual_seed(3)
    return scores.step_inputs((3, 4, LATENT, LATENT), AZIMUTH, ELEVATION, "albedo", 0.3, generator, part)


def plain_gradient(networks: TinyZero123, x: Tensor, step: StepInputs, stable: bool) -> Tensor:
    """(1 - alphas_cumprod) (e_u + s (e_c - e_u) - noise), of the pipeline re-computed from the paper."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64).square()
    kept = (1.0 - betas).cumprod(0)[step.t].float().view(-1, 1, 1, 1)
    noisy = kept.sqrt() * x + (1.0 - kept).sqrt() * step.noise
    pose = torch.tensor([pose_by_degrees(*camera, *PICTURE_DEG, stable) for camera in CAMERAS_DEG])
    without, told = networks.noise(noisy, step.t, 2.0 * IMAGE - 1.0, pose)
    return (1.0 - kept) * (without + SCALE * (told - without) - step.noise)


@pytest.mark.parametrize("pose", KNOWN_POSES)
def test_the_gradient_is_that_of_the_published_loss(model: tuple[Zero123, TinyZero123], pose: KnownPose) -> None:
    scores = distillation(model[0], pose)
    step, x = asked(scores), torch.randn(3, 4, LATENT, LATENT, generator=torch.Generator().manual_seed(1))
    found, _ = scores.pull(x, step)
    wanted = plain_gradient(model[1], x, step, pose == "stable-zero123")
    assert float((found - wanted).norm() / wanted.norm()) < 1e-5
    other = plain_gradient(model[1], x, step, pose != "stable-zero123")
    assert float((found - other).norm() / wanted.norm()) > 1e-4, "the other poses would be wrong"


def test_every_row_is_told_the_picture_and_no_words_are_asked_for(model: tuple[Zero123, TinyZero123]) -> None:
    step = asked(distillation(model[0], "zero123"))
    told, without = step.embeddings.cond, step.embeddings.uncond
    assert told.tokens.shape[:2] == (3, 1) and told.picture is not None and without.picture is not None
    assert float(without.tokens.abs().max()) == float(without.picture.abs().max()) == 0.0
    assert torch.equal(told.picture[0], told.picture[2]) and float(told.picture.std()) > 0.0
    assert step.embeddings.against == () and step.embeddings.bad is None


def test_a_named_view_is_its_camera(model: tuple[Zero123, TinyZero123]) -> None:
    told = distillation(model[0], "zero123").conditioning
    named = told.of_views(["front", "back"], "albedo")
    cameras = told.embeddings(torch.tensor([0.0, math.pi]), torch.zeros(2), "albedo").cond
    torch.testing.assert_close(named.tokens, cameras.tokens)


@pytest.mark.slow
@pytest.mark.parametrize("score", [name for name, record in SCORES.items() if not record.names_bad])
def test_every_score_moves_the_pixels_of_all_views(model: tuple[Zero123, TinyZero123], score: Score) -> None:
    image = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(9)).requires_grad_()
    scores, generator = distillation(model[0], "zero123", score), torch.Generator().manual_seed(10)
    loss, seen = distillation_step(scores, image, AZIMUTH, ELEVATION, "albedo", 0.3, generator)
    loss.backward()
    assert image.grad is not None and bool(seen.finite) and bool(torch.isfinite(image.grad).all())
    assert int((image.grad.abs().amax(dim=1) > 0.0).sum()) == 3 * 16 * 16
