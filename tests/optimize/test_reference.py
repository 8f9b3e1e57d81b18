"""A field is held to pictures from their cameras."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from reference.tiny_training import disc_teacher, tiny_config

from dreamfusion_engine.config.stages import GenerateConfig, ReferenceConfig
from dreamfusion_engine.guidance.distillation import ScoreDistillation
from dreamfusion_engine.models.card import PromptCard
from dreamfusion_engine.optimize.reference import (
    FIT_PIXELS,
    References,
    colour_loss,
    depth_bend_loss,
    lattice,
    mask_loss,
    moved_rays,
    over,
)
from dreamfusion_engine.optimize.volume_training import VolumeTraining
from dreamfusion_engine.pictures.placing import picture_cameras
from dreamfusion_engine.pictures.viewpoint import Viewpoint
from dreamfusion_engine.scene.cameras import camera_rays, projected

CPU = torch.device("cpu")
PIXELS = 64


def config_of(steps: int = 30, **reference: float) -> GenerateConfig:
    settings = {"resolution": 16, "normals": 0.0, "depth": 0.0, "begin": 0.0, **reference}
    return dataclasses.replace(tiny_config(steps=steps), reference=ReferenceConfig(**settings))  # type: ignore[arg-type]


def green_square(views: int = 1) -> tuple[torch.Tensor, list[Viewpoint]]:
    """Pictures of a green square that lies left of the middle, which no red ball looks like."""
    picture = torch.zeros(4, PIXELS, PIXELS)
    picture[[1, 3], 22:42, 14:34] = 1.0
    return picture[None].repeat(views, 1, 1, 1), [Viewpoint(90.0 * i) for i in range(views)]


class Moved:
    """Places that move pictures down by whole pixels: half of them where anything is seen."""

    def fitted(self, opacity: NDArray[np.float32]) -> NDArray[np.float64]:
        assert opacity.shape == (1, FIT_PIXELS, FIT_PIXELS) and np.isfinite(opacity).all()
        return np.array([[1.0, 0.0, 0.5 * float(opacity.max() > 0.0)]])

    def views(self, rows: NDArray[np.float64]) -> NDArray[np.float32]:
        return np.roll(green_square()[0].numpy(), round(rows[0, 2] * PIXELS), axis=2)


def references_of(config: GenerateConfig, views: int = 1, places: Moved | None = None) -> References:
    pictures, around = green_square(views)
    return References(picture_cameras(around, config.camera), pictures, config, places)


def test_moved_rays_go_through_moved_pixels() -> None:
    camera = picture_cameras([Viewpoint(40.0, 25.0)], tiny_config().camera)
    moved = torch.tensor([0.3, -0.45])
    origins, directions = moved_rays(camera, 8, moved)
    assert torch.allclose(directions.norm(dim=-1), torch.ones(64))
    seen = projected((origins + 2.0 * directions)[None], camera, 8, 8)[0]
    y, x = torch.meshgrid(torch.arange(8) + 0.5, torch.arange(8) + 0.5, indexing="ij")
    assert torch.allclose(seen[:, 0], x.flatten() + moved[0], atol=1e-4)
    assert torch.allclose(seen[:, 1], y.flatten() + moved[1], atol=1e-4)
    assert torch.allclose(moved_rays(camera, 8, torch.zeros(2))[1], camera_rays(camera, 8, 8)[1], atol=1e-6)


def test_a_moved_lattice_reads_a_picture_where_it_lies() -> None:
    """Of a picture whose value is the column, each pixel reads its own place."""
    picture = (torch.arange(32.0) + 0.5).expand(4, 32, 32)
    seen = lattice(picture, 8, torch.tensor([0.25, 0.0])).view(8, 8, 4)
    assert torch.allclose(seen[3, 1:-1, 0], ((torch.arange(8.0) + 0.75) * 4.0)[1:-1], atol=1e-4)


def test_a_picture_over_a_background_is_that_of_its_own_colours_and_the_background_where_it_is_empty() -> None:
    picture = torch.tensor([[0.1, 0.2, 0.3, 1.0], [0.0, 0.0, 0.0, 0.0], [0.1, 0.1, 0.1, 0.5]])
    colour, mask = over(picture, torch.tensor([1.0, 0.5, 0.0]))
    assert torch.allclose(colour, torch.tensor([[0.1, 0.2, 0.3], [1.0, 0.5, 0.0], [0.6, 0.35, 0.1]]))
    assert torch.equal(mask, torch.tensor([1.0, 0.0, 0.5]))


def test_losses_are_squares_with_their_own_gradients() -> None:
    seen = torch.rand(5, 3, requires_grad=True)
    wanted, mask = torch.rand(5, 3), torch.rand(5)
    opacity = torch.rand(5, requires_grad=True)
    (colour_loss(seen, wanted) + mask_loss(opacity, mask)).backward()
    assert seen.grad is not None and torch.allclose(seen.grad, 2.0 * (seen - wanted).detach() / 5.0)
    assert opacity.grad is not None and torch.allclose(opacity.grad, 2.0 * (opacity - mask).detach() / 5.0)


def test_a_slope_costs_nothing_a_fold_costs_and_what_is_no_object_does_not_count() -> None:
    x = torch.linspace(0.0, 1.0, 16)
    solid = torch.ones(1, 16, 16)
    slope = (0.4 * x + 0.2 * x[:, None])[None]
    assert depth_bend_loss(slope, solid) == pytest.approx(0.0, abs=1e-4)
    fold = (x - 0.5).abs().expand(1, 16, 16)
    bend = 16 * (2.0 / 15.0)  # |x - 1/2| has its fold between two pixels: two bends of half its change of slope
    two = 2 * (math.sqrt((0.5 * bend) ** 2 + 0.01) - 0.1)
    assert depth_bend_loss(fold, solid).item() == pytest.approx(two / (2 * 14), rel=1e-3)
    step = torch.where(x < 0.5, 1.0, 3.0).expand(1, 16, 16).clone()
    half = (x < 0.5).float().expand(1, 16, 16)
    assert depth_bend_loss(step, half) == pytest.approx(0.0, abs=1e-5)
    assert depth_bend_loss(step, torch.zeros(1, 16, 16)) == 0.0


@pytest.mark.parametrize("name", ["colour", "mask", "normals", "depth"])
def test_each_loss_has_a_gradient_that_lowers_it(name: str) -> None:
    weights = {"colour": 0.0, "mask": 0.0, name: 1.0}
    config = config_of(30, **weights)
    training = VolumeTraining(config, seed=3, device=CPU)
    training.field.open_levels(1.0)
    training.occupancy.update(training.field.density, training.generator)
    references = references_of(config)

    def loss() -> torch.Tensor:
        again = torch.Generator().manual_seed(1)
        return references.loss(training.field, training.occupancy, again, turn=0, progress=1.0, score_size=1.0)

    optimizer = torch.optim.Adam(training.field.parameters(), lr=0.01)
    before = loss()
    for _ in range(8):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
    assert before > 0.0 and loss() < 0.97 * before


def test_pictures_take_turns() -> None:
    config = config_of(every=3)
    references = references_of(config, views=2)
    steps = [step for step in range(12) if references.due(step)]
    assert steps == [0, 3, 6, 9]
    assert [references.turn(step) % len(references) for step in steps] == [0, 1, 0, 1]


def test_pictures_wait_for_their_share_of_training_and_are_fitted_once_before_they_count() -> None:
    waiting = references_of(config_of(10, begin=0.25), places=Moved())
    assert [step for step in range(10) if waiting.due(step)] == list(range(3, 10))
    assert [step for step in range(10) if waiting.fits(step)] == list(range(3, 10))
    fitted = waiting.fitted(torch.ones(1, FIT_PIXELS, FIT_PIXELS))
    assert not any(fitted.fits(step) for step in range(10)) and fitted.due(3) and not fitted.due(2)
    assert torch.equal(fitted.pictures, waiting.pictures.roll(PIXELS // 2, 2))
    at_once = references_of(config_of(10, begin=0.0), places=Moved())
    assert at_once.due(0) and not any(at_once.fits(step) for step in range(10))
    assert not any(references_of(config_of(10, begin=0.25)).fits(step) for step in range(10))


def test_a_checkpoint_holds_where_the_pictures_were_put() -> None:
    """A run that was broken off after the fit ends as one that was not, and does not fit again."""
    config = config_of(6, begin=0.3)
    judge = ScoreDistillation(disc_teacher(), config.prompt, "", PromptCard(), config.guidance)

    def trained() -> VolumeTraining:
        return VolumeTraining(config, seed=3, device=CPU, references=references_of(config, places=Moved()))

    whole, before = trained(), trained()
    assert whole.references is not None and whole.references.rows is None
    for _ in range(3):
        whole.train_step(judge)
    assert whole.references.rows is not None and whole.references.rows[0, 2] == 0.5
    again = trained()
    again.load_state(whole.state())
    assert again.references is not None and torch.equal(again.references.pictures, whole.references.pictures)
    assert torch.equal(again.references.rows, whole.references.rows) and "references.places" not in before.state()
    for training in (whole, again):
        training.train_step(judge)
    assert all(torch.equal(a, b) for a, b in zip(whole.state().values(), again.state().values(), strict=True))


@pytest.mark.slow
def test_a_field_comes_to_look_like_its_picture_where_the_teacher_wants_something_else() -> None:
    """The teacher wants a red ball in the middle."""

    def error(colour: float, mask: float) -> float:
        config = config_of(steps=60, colour=colour, mask=mask)
        references = references_of(config)
        training = VolumeTraining(config, seed=3, device=CPU, references=references)
        judge = ScoreDistillation(disc_teacher(), config.prompt, "", PromptCard(), config.guidance)
        for _ in range(60):
            training.train_step(judge)
        seen = training.view(references.cameras, PIXELS)
        wanted, _ = over(references.pictures[0].flatten(1).T, torch.ones(3))
        return float((seen.colour[0].reshape(-1, 3) - wanted).square().mean())

    assert error(20.0, 20.0) < 0.5 * error(0.0, 0.0)


def test_a_training_without_pictures_draws_the_same_numbers_as_before() -> None:
    config = config_of()
    judge = ScoreDistillation(disc_teacher(), config.prompt, "", PromptCard(), config.guidance)
    first = VolumeTraining(config, seed=3, device=CPU)
    second = VolumeTraining(dataclasses.replace(config, reference=ReferenceConfig()), seed=3, device=CPU)
    for training in (first, second):
        training.train_step(judge)
    assert all(torch.equal(a, b) for a, b in zip(first.state().values(), second.state().values(), strict=True))
