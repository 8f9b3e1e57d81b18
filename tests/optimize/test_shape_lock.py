"""A field that begins as a solid, and keeps it as strongly as asked."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from mesh.shapes import cube
from reference.tiny_training import disc_teacher, tiny_config

from dreamfusion_engine.config.stages import GenerateConfig, StartConfig
from dreamfusion_engine.guidance.distillation import ScoreDistillation
from dreamfusion_engine.mesh.solid import CELLS, solid_distance
from dreamfusion_engine.models.card import PromptCard
from dreamfusion_engine.optimize.shape_lock import EMPTY, FILLED, ShapeLock, lock_strength
from dreamfusion_engine.optimize.volume_training import VolumeTraining

CPU = torch.device("cpu")


def config_of(lock: float, steps: int = 30) -> GenerateConfig:
    return dataclasses.replace(tiny_config(steps=steps), start=StartConfig(lock=lock))


def begun(config: GenerateConfig, block: torch.Tensor) -> VolumeTraining:
    training = VolumeTraining(config, seed=3, device=CPU, lock=ShapeLock(block, config))
    training.begin()
    return training


@pytest.fixture(scope="module")
def block() -> torch.Tensor:
    """Distances of a block that is not in the middle, so that no blob passes for it."""
    vertices, triangles = cube((-0.2, -0.7, -0.3), 0.8)
    return solid_distance(vertices, triangles, CPU)


def overlap(training: VolumeTraining, distance: torch.Tensor) -> float:
    """Intersection over union of the field's opaque points and the solid, on its lattice."""
    along = torch.linspace(-1.0, 1.0, CELLS + 1)
    z, y, x = torch.meshgrid(along, along, along, indexing="ij")
    points = torch.stack([x, y, z], -1).reshape(-1, 3)
    step = 2.0 / training.config.render.steps
    with torch.no_grad():
        opacity = torch.cat([-torch.expm1(-step * training.field.density(p)) for p in points.split(100_000)])
    filled, inside = opacity > 0.4, distance.reshape(-1) < 0.0
    return float((filled & inside).sum() / (filled | inside).sum())


@pytest.mark.slow
def test_a_field_begins_as_the_solid(block: torch.Tensor) -> None:
    config = config_of(0.5)
    assert overlap(VolumeTraining(config, seed=3, device=CPU), block) < 0.5
    assert overlap(begun(config, block), block) > 0.9


@pytest.mark.slow
def test_a_locked_shape_stays_where_a_free_one_goes(block: torch.Tensor) -> None:
    """The teacher wants a disc in the middle."""

    def after(lock: float) -> float:
        config = config_of(lock, steps=60)
        training = begun(config, block)
        judge = ScoreDistillation(disc_teacher(), config.prompt, "", PromptCard(), config.guidance)
        for _ in range(60):
            training.train_step(judge)
        return overlap(training, block)

    free, held = after(0.0), after(1.0)
    assert held > 0.85
    assert held > free + 0.05


def test_the_solids_opacity_is_full_inside_and_none_outside(block: torch.Tensor) -> None:
    lock = ShapeLock(block, config_of(1.0))
    inside, outside = torch.tensor([[0.2, -0.3, 0.1]]), torch.tensor([[-0.8, 0.8, 0.8], [0.99, -0.99, 0.0]])
    assert float(lock.opacity(inside)) == pytest.approx(FILLED, abs=0.01)
    assert torch.allclose(lock.opacity(outside), torch.full((2,), EMPTY), atol=0.01)


@pytest.mark.parametrize(
    ("lock", "fade", "progress", "strength"),
    [(1.0, 1.0, 1.0, 1.0), (0.0, 1.0, 0.3, 0.0), (0.5, 1.0, 0.0, 0.25), (0.5, 1.0, 1.0, 0.125), (0.5, 0.0, 1.0, 0.25)],
)
def test_the_lock_fades_below_one(lock: float, fade: float, progress: float, strength: float) -> None:
    assert lock_strength(progress, StartConfig(lock=lock, fade=fade)) == pytest.approx(strength)


def test_the_weight_grows_with_the_score(block: torch.Tensor) -> None:
    lock = ShapeLock(block, config_of(1.0))
    assert lock.weight(0.5, 3.0) == pytest.approx(3.0 * lock.weight(0.5, 1.0))


@pytest.mark.slow
def test_the_same_seed_gives_the_same_start_and_steps_to_the_bit(block: torch.Tensor) -> None:
    def state() -> dict[str, torch.Tensor]:
        config = config_of(0.5)
        training = begun(config, block)
        judge = ScoreDistillation(disc_teacher(), config.prompt, "", PromptCard(), config.guidance)
        for _ in range(2):
            training.train_step(judge)
        return training.state()

    one, other = state(), state()
    assert all(np.array_equal(one[name].numpy(), other[name].numpy()) for name in one)
