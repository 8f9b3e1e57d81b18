"""Training with groups of views that a teacher judges together: in parts, halves and processes as at once.

Of: dreamfusion_engine/optimize/training.py, dreamfusion_engine/optimize/overlap.py.
"""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from reference.tiny_mvdream import write_mvdream
from reference.tiny_training import CPU, SIZE
from torch import Tensor

from dreamfusion_engine.config.presets import preset
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.guidance.distillation import ScoreDistillation
from dreamfusion_engine.models.card import PromptCard
from dreamfusion_engine.models.families.adapter import Adapter
from dreamfusion_engine.models.load import load_teacher
from dreamfusion_engine.models.pipeline_folder import open_pipeline
from dreamfusion_engine.optimize.overlap import halves, may_overlap
from dreamfusion_engine.optimize.step_views import sample_step_views
from dreamfusion_engine.optimize.volume_training import VolumeTraining


def config(views: int = 8, at_once: int = 0) -> GenerateConfig:
    settings: dict[str, Any] = {
        "field": {"levels": 4, "log2_table": 10, "base_resolution": 8, "finest_resolution": 32, "hidden": 16},
        "render": {"steps": 32, "max_samples_per_ray": 128, "occupancy_resolution": 16},
        "optimize": {"steps": 30, "views": views, "resolution": [SIZE, SIZE], "albedo_until": 0.0, "textureless": 0.0},
        "memory": {"views_at_once": at_once},
    }
    return preset("draft", "a red mug", settings, "MVDreamPipeline")


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Adapter:
    folder = tmp_path_factory.mktemp("mvdream") / "model"
    write_mvdream(folder)
    return load_teacher(open_pipeline(folder), CPU)


def gradient(teacher: Adapter, settings: GenerateConfig, *, overlap: bool = False) -> Tensor:
    """The field's gradient after one step."""
    scores = ScoreDistillation(
        teacher, settings.prompt, "", PromptCard(), settings.guidance, score=settings.score, together=4
    )
    training = VolumeTraining(settings, seed=0, device=CPU)
    training.train_step(scores, overlap=overlap)
    return torch.cat([each.grad.flatten() for each in training.field.parameters() if each.grad is not None])


def test_the_views_of_a_step_are_groups_around_the_object() -> None:
    generator = torch.Generator().manual_seed(0)
    cameras = sample_step_views(config(12), 12, SIZE, generator, generator).cameras
    azimuth = cameras.azimuth.view(3, 4)
    turns = (azimuth - azimuth[:, :1]) % (2.0 * math.pi)
    torch.testing.assert_close(turns, 0.5 * math.pi * torch.arange(4).expand(3, 4), atol=1e-5, rtol=0.0)
    for shared in (cameras.elevation, cameras.position.norm(dim=1), cameras.focal):
        groups = shared.view(3, 4)
        torch.testing.assert_close(groups, groups[:, :1].expand(3, 4), atol=1e-5, rtol=0.0)
        assert len({round(float(value), 6) for value in groups[:, 0]}) == 3, "each group has its own"
    quarter = (azimuth[:, 0] % (0.5 * math.pi)).sort().values
    apart = torch.cat([quarter.diff(), quarter[:1] + 0.5 * math.pi - quarter[-1:]])
    assert float(apart.max()) < 0.5 * math.pi * 2 / 3 + 1e-5, "the groups share a quarter turn out among themselves"
    assert float(cameras.elevation.min()) >= 0.0 and float(cameras.elevation.max()) <= math.radians(30.0)


@pytest.mark.slow
def test_groups_in_parts_have_the_gradient_of_all_at_once(teacher: Adapter) -> None:
    whole, parts = gradient(teacher, config()), gradient(teacher, config(at_once=4))
    assert float(whole.norm()) > 0.0
    assert float((parts - whole).norm() / whole.norm()) < 1e-4


@pytest.mark.slow
def test_halves_are_whole_groups_and_have_the_gradient_of_the_whole(teacher: Adapter) -> None:
    assert may_overlap(config(8)) and not may_overlap(config(4)) and not may_overlap(config(8, at_once=4))
    assert halves(0, 12, 4) == [(0, 8), (8, 4)] and halves(4, 8, 4) == [(4, 4), (8, 4)]
    whole, halved = gradient(teacher, config()), gradient(teacher, config(), overlap=True)
    assert float((halved - whole).norm() / whole.norm()) < 1e-4
