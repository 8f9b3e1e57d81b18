"""The training of a refinement: what moves, what stays, and that it goes on bit for bit."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from paint.surfaces import unwrapped_ball
from reference.tiny_training import CPU, BrokenTeacher, disc_teacher
from refinement.surfaces import ball, same_state, settings, surface, training

from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.errors import Cancelled, InputError
from dreamfusion_engine.guidance.distillation import ScoreDistillation
from dreamfusion_engine.models.card import PromptCard
from dreamfusion_engine.optimize.session import Session
from dreamfusion_engine.refinement.finish import finished
from dreamfusion_engine.refinement.repair import surface_faults
from dreamfusion_engine.refinement.training import RefineTraining
from dreamfusion_engine.scene.cameras import turntable_cameras


def distillation(config: GenerateConfig, teacher: Any = None) -> ScoreDistillation:
    return ScoreDistillation(teacher or disc_teacher(), config.prompt, "", PromptCard(), config.guidance)


def session(folder: Path, config: GenerateConfig, control: Callable[[], Any] = lambda: "continue") -> Session:
    return Session(
        config=config,
        distillation=distillation(config),
        device=CPU,
        folder=folder,
        report=lambda event: None,
        control=control,
        seconds_after=0.0,
        snapshot=lambda training: None,
        subject="ball",
        new_training=functools.partial(RefineTraining, surface()),
        watched=("non_finite",),
    )


def stop_at(step: int) -> Callable[[], str]:
    asked = iter(range(10**6))
    return lambda: "cancel" if next(asked) >= step else "continue"


def test_it_begins_as_the_mesh_is() -> None:
    made, report = finished(surface(), training(settings()), padding=4)
    used = surface().texels.used
    assert np.array_equal(made.vertices, ball().vertices) and np.array_equal(made.texture[used], ball().texture[used])
    assert report.moved_most == 0.0 and report.closed and report.crossings == report.folds == (0, 0)


def test_with_strength_0_vertices_stay_bit_for_bit_and_colours_move() -> None:
    config = settings(refine={"strength": 0.0})
    run = training(config)
    for _ in range(12):
        run.train_step(distillation(config))
    made, report = finished(surface(), run, padding=4)
    used = surface().texels.used
    assert made.vertices.tobytes() == ball().vertices.tobytes()
    assert not np.array_equal(made.texture[used], ball().texture[used])
    assert report.moved_mean == report.moved_most == 0.0


def test_vertices_without_freedom_stay_bit_for_bit_while_others_move() -> None:
    config = settings()
    share = (ball().vertices[:, 2] > -2.0).astype(np.float32)  # the upper half
    run = training(config, freedom=share)
    for _ in range(12):
        run.train_step(distillation(config))
    made, _ = finished(surface(), run, padding=4)
    assert made.vertices[share == 0.0].tobytes() == ball().vertices[share == 0.0].tobytes()
    assert (made.vertices[share == 1.0] != ball().vertices[share == 1.0]).any(1).mean() > 0.9


def test_it_stays_closed_whole_and_within_its_reach() -> None:
    config = settings(30, {"strength": 1.0, "reach": 0.1})
    run = training(config)
    for _ in range(30):
        run.train_step(distillation(config))
    made, report = finished(surface(), run, padding=4)
    assert report.closed and report.crossings == (0, 0) and report.folds == (0, 0)
    assert np.array_equal(made.triangles, ball().triangles) and np.array_equal(made.uv, ball().uv)
    assert 0.0 < report.moved_mean <= report.moved_most <= 0.1 + 1e-6
    assert surface_faults(made.vertices, made.triangles).crossings == 0
    assert np.allclose(np.linalg.norm(made.normals, axis=1), 1.0, atol=1e-5)


@pytest.mark.slow
def test_a_ball_pulled_by_silhouettes_becomes_an_ellipsoid() -> None:
    """Without a teacher: the pictures of an ellipsoid are the goal of the same renderer, shape and optimizer."""
    config = settings(60, {"strength": 1.0, "reach": 0.5, "stiffness": 1.0})
    run = training(config)
    half = torch.tensor([1.0, 1.0, 0.75])
    cameras = turntable_cameras(4, elevation=0.1, config=config.camera, device=CPU)
    black = torch.zeros(3)

    def pictures(vertices: torch.Tensor) -> torch.Tensor:
        run.moving.move(vertices)
        seen = run.moving.render(
            run.colours, vertices, cameras, 48, background=black, shading="textureless", light=cameras.position
        )
        return seen.pictures.opacity

    with torch.no_grad():
        goal = pictures(run.shape.rest * half)
    losses = []
    for step in range(60):
        vertices = run.shape.vertices().requires_grad_(True)
        loss = (pictures(vertices) - goal).square().mean()
        losses.append(float(loss.detach()))
        run.shape.move(torch.autograd.grad(loss, vertices)[0], 0.01 if step < 50 else 0.003, torch.tensor(False))
    moved = run.shape.vertices()
    size = moved.max(0).values - moved.min(0).values
    began = run.shape.rest.max(0).values - run.shape.rest.min(0).values
    assert losses[-1] < 0.06 * losses[0]
    assert torch.allclose(size / began, half, atol=0.04)
    assert surface_faults(moved.numpy(), ball().triangles).crossings == 0


def test_a_gradient_that_is_not_finite_moves_nothing() -> None:
    config = settings()
    run = training(config)
    run.train_step(distillation(config))
    before = {name: value.clone() for name, value in run.state().items()}
    run.train_step(distillation(config, BrokenTeacher(disc_teacher().means, 0.3)))
    moved = {name for name, value in run.state().items() if not torch.equal(before[name], value)}
    assert moved <= {"generator", "host_generator", "step", "field.level_weight"}
    assert run.broken()


def test_a_cancelled_run_resumes_and_ends_bit_for_bit_like_an_unbroken_one(tmp_path: Path) -> None:
    unbroken = session(tmp_path / "whole", settings())
    unbroken.run()
    with pytest.raises(Cancelled):
        session(tmp_path / "broken", settings(), control=stop_at(5)).run()
    resumed = session(tmp_path / "broken", settings())
    resumed.resume()
    assert resumed.training.step == 5
    resumed.run()
    assert same_state(unbroken.training.state(), resumed.training.state())
    other = session(tmp_path / "broken", settings(refine={"stiffness": 30.0}))
    with pytest.raises(InputError) as refused:
        other.resume()
    assert "refine.stiffness" in refused.value.why


def test_views_in_parts_have_the_gradient_of_all_at_once() -> None:
    def gradient(at_once: int) -> torch.Tensor:
        config = settings(views=3, gradient_clip=0.0, views_at_once=at_once)
        run = training(config)
        run.train_step(distillation(config))
        fields = [p.grad.flatten() for p in run.field.parameters() if p.grad is not None]
        return torch.cat([run.moves.pulls()[0].flatten(), *fields])

    whole, parts = gradient(0), gradient(2)
    assert float(whole.norm()) > 0.0 and float((parts - whole).norm() / whole.norm()) < 1e-5


def test_the_pull_of_the_regularisers_is_against_the_move() -> None:
    config = settings(refine={"roughness": 5.0, "edges": 0.0})
    run = training(config)
    run.shape._moves.copy_(torch.randn(run.shape.rest.shape, generator=torch.Generator().manual_seed(0)))
    run._begin_step(0.0)
    run._add_own_gradients(0.0, 1.0)
    move = (run.shape.vertices() - run.shape.rest).flatten()
    assert float(run.moves.pulls()[0].flatten() @ move) > 0.0
    assert len(unwrapped_ball(2, 64)[0]) == len(run.moves.pulls()[0])
