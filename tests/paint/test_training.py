"""The training of colours: it moves them where the model wants them, goes on bit for bit, and takes failures back."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mesh.shapes import icosphere
from paint.surfaces import canvas, mirrored
from reference.gaussian_teacher import GaussianTeacher
from reference.tiny_training import CPU, BrokenTeacher, disc_teacher, tiny_config
from torch import Tensor

from dreamfusion_engine.config.stages import GenerateConfig, Shading
from dreamfusion_engine.errors import Cancelled, InputError
from dreamfusion_engine.events import Event, Note
from dreamfusion_engine.guidance.distillation import ScoreDistillation
from dreamfusion_engine.memory.step_down import StepDown
from dreamfusion_engine.models.card import PromptCard
from dreamfusion_engine.models.teacher import Conditioning
from dreamfusion_engine.optimize.session import Session
from dreamfusion_engine.paint.canvas import Canvas, DeviceCanvas
from dreamfusion_engine.paint.render import SurfaceRenderer
from dreamfusion_engine.paint.training import SurfaceTraining
from dreamfusion_engine.scene.cameras import turntable_cameras


@functools.cache
def ball() -> Canvas:
    vertices, triangles = icosphere(2)
    return canvas((vertices, triangles, np.zeros((len(triangles), 3, 2), np.float32)), texture=16)


def lit(steps: int = 12, **more: Any) -> GenerateConfig:
    """As `painting` has it: with light from the first step on."""
    return tiny_config(steps, albedo_until=0.0, textureless=0.0, **more)


def renderer(made: Canvas | None = None, grid: int = 1) -> SurfaceRenderer:
    return SurfaceRenderer(DeviceCanvas.of(made or ball(), CPU), grid)


def training(config: GenerateConfig, seed: int = 0, grid: int = 1) -> SurfaceTraining:
    return SurfaceTraining(renderer(grid=grid), config, seed=seed, device=CPU)


def distillation(config: GenerateConfig, teacher: Any = None) -> ScoreDistillation:
    return ScoreDistillation(teacher or disc_teacher(), config.prompt, "", PromptCard(), config.guidance)


def session(folder: Path, config: GenerateConfig, *, subject: str = "ball", control: Any = None) -> Session:
    return Session(
        config=config,
        distillation=distillation(config),
        device=CPU,
        folder=folder,
        report=lambda event: None,
        control=control or (lambda: "continue"),
        seconds_after=0.0,
        snapshot=lambda training: None,
        subject=subject,
        new_training=functools.partial(SurfaceTraining, renderer()),
        watched=("non_finite",),
    )


def stop_at(step: int, word: str) -> Callable[[], str]:
    asked = iter(range(10**6))
    return lambda: word if next(asked) >= step else "continue"


def same_state(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def mean_colour(made: SurfaceTraining) -> Tensor:
    """Of what is seen from four sides, float32[3]."""
    cameras = turntable_cameras(4, elevation=0.3, config=made.config.camera, device=CPU)
    seen = made.view(cameras, 16)
    return seen.colour[seen.opacity == 1.0].mean(0)


def test_colours_move_to_those_that_the_model_expects() -> None:
    config = lit(60)
    made, scores = training(config), distillation(config)
    red = torch.tensor([0.9, 0.2, 0.2])
    away = float((mean_colour(made) - red).norm())
    for _ in range(60):
        made.train_step(scores)
    assert not made.broken()
    assert float((mean_colour(made) - red).norm()) < 0.35 * away
    assert float(mean_colour(made)[0]) > 0.7 > 0.4 > float(mean_colour(made)[1:].max())


def test_the_shape_stays() -> None:
    config = lit(4)
    made = training(config)
    before = made.view(turntable_cameras(2, elevation=0.2, config=config.camera, device=CPU), 16)
    for _ in range(4):
        made.train_step(distillation(config))
    after = made.view(turntable_cameras(2, elevation=0.2, config=config.camera, device=CPU), 16)
    assert torch.equal(before.opacity, after.opacity) and torch.equal(before.depth, after.depth)
    assert not torch.equal(before.colour, after.colour)


@pytest.mark.parametrize(("albedo_until", "expected"), [(0.0, {"albedo", "lambertian"}), (1.0, {"albedo"})])
def test_no_step_is_textureless(albedo_until: float, expected: set[Shading]) -> None:
    config = tiny_config(30, albedo_until=albedo_until, textureless=1.0)
    made = training(config)
    assert {made._choose_shading(step / 30) for step in range(30)} == expected


@pytest.mark.parametrize("at_once", [1, 2])
def test_views_in_parts_have_the_gradient_of_all_at_once(at_once: int) -> None:
    def gradient(config: GenerateConfig) -> Tensor:
        made = training(config, grid=2)
        made.train_step(distillation(config))
        return torch.cat([p.grad.flatten() for p in made.field.parameters() if p.grad is not None])

    whole = gradient(lit(views=3, gradient_clip=0.0))
    parts = gradient(lit(views=3, gradient_clip=0.0, views_at_once=at_once))
    assert float(whole.norm()) > 0.0
    assert float((parts - whole).norm() / whole.norm()) < 1e-5


def test_a_gradient_that_is_not_finite_moves_nothing_and_is_told_once() -> None:
    config = lit()
    made = training(config)
    made.train_step(distillation(config))
    assert not made.broken()
    before = {name: value.clone() for name, value in made.state().items()}
    made.train_step(distillation(config, BrokenTeacher(disc_teacher().means, 0.3)))
    moved = {name for name, value in made.state().items() if not torch.equal(before[name], value)}
    assert moved <= {"generator", "host_generator", "step", "field.level_weight"}
    assert made.broken() and not made.broken()


def test_a_step_that_sees_nothing_moves_nothing() -> None:
    """A canvas that no view meets: gradients are zero, and nothing breaks."""
    config = lit()
    far = dataclasses.replace(renderer().canvas, vertices=renderer().canvas.vertices + 1e3)
    made = SurfaceTraining(SurfaceRenderer(far), config, seed=0, device=CPU)
    before = [parameter.detach().clone() for parameter in made.field.parameters()]
    made.train_step(distillation(config))
    assert not made.broken()
    assert all(torch.equal(a, b) for a, b in zip(before, made.field.parameters(), strict=True))


class ShortTeacher(GaussianTeacher):
    """Runs out of memory in its n-th call, once."""

    def __init__(self, call: int) -> None:
        super().__init__(disc_teacher().means, 0.3)
        self.short_at = call

    def predict_noise(self, x_t: Tensor, t: Tensor, conditioning: Conditioning) -> Tensor:
        if self.calls + 1 == self.short_at:
            self.short_at = -1
            raise torch.OutOfMemoryError("2 TiB")
        return super().predict_noise(x_t, t, conditioning)


@pytest.mark.parametrize("at_step", [0, 3])
def test_a_step_that_runs_out_of_memory_leaves_no_trace(at_step: int) -> None:
    config = lit(views=2, views_at_once=1)
    whole, short = training(config), training(config)
    teacher = ShortTeacher(-1)
    scores = distillation(config), distillation(config, teacher)
    for _ in range(at_step):
        whole.train_step(scores[0])
        short.train_step(scores[1])
    before = {name: value.clone() for name, value in short.state().items()}
    teacher.short_at = teacher.calls + 2  # in the second part
    with pytest.raises(torch.OutOfMemoryError):
        short.train_step(scores[1])
    assert same_state(before, short.state())
    whole.train_step(scores[0])
    short.train_step(scores[1])
    assert same_state(whole.state(), short.state())


def test_a_run_that_is_short_of_memory_gives_something_up_and_ends(tmp_path: Path) -> None:
    config = lit(4, views=2)
    notes: list[Event] = []
    run = session(tmp_path, config)
    run.distillation = distillation(config, ShortTeacher(2))
    run.memory = StepDown(device=CPU, report=notes.append)
    run.report = notes.append
    assert run.run().step == 4
    assert run.memory.taken and any(isinstance(note, Note) and "memory" in note.code for note in notes)


def test_the_same_seed_paints_the_same_bit_for_bit_and_another_does_not(tmp_path: Path) -> None:
    runs = [session(tmp_path / name, lit(6)) for name in "ab"]
    other = session(tmp_path / "c", dataclasses.replace(lit(6), seed=1))
    first, second, third = (run.run().state() for run in (*runs, other))
    assert same_state(first, second)
    assert not same_state(first, third)


def test_a_cancelled_run_resumes_and_ends_bit_for_bit_like_an_unbroken_one(tmp_path: Path) -> None:
    unbroken = session(tmp_path / "whole", lit())
    unbroken.run()
    with pytest.raises(Cancelled):
        session(tmp_path / "broken", lit(), control=stop_at(5, "cancel")).run()
    resumed = session(tmp_path / "broken", lit())
    resumed.resume()
    assert isinstance(resumed.training, SurfaceTraining) and resumed.training.step == 5
    resumed.run()
    assert same_state(unbroken.training.state(), resumed.training.state())


def test_a_checkpoint_of_another_surface_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        session(tmp_path, lit(), control=stop_at(3, "cancel")).run()
    for subject, code in (("cube", "checkpoint.other_run"), ("", "checkpoint.missing")):
        with pytest.raises(InputError) as refused:
            session(tmp_path, lit(), subject=subject).resume()
        assert refused.value.code == code and "mesh" in refused.value.what


def test_no_verdict_about_the_shape_ends_a_run(tmp_path: Path) -> None:
    """A sheet is flat, and seen from the side nearly empty: the artist wanted it so."""
    sheet = canvas(mirrored(2), texture=16)
    run = session(tmp_path, lit(50))
    run.new_training = functools.partial(SurfaceTraining, renderer(sheet))
    run.training = run._trained_from_start(run.config, 0)
    asked: list[Any] = []
    run.distillation.view_contrast = lambda *given: asked.append(given) or 0.0  # type: ignore[func-returns-value, method-assign]
    assert run.run().step == 50
    assert run.health_report()["verdict"] == "good" and run.restarts == 0
    assert [probe.finite for probe in run.health.history] == [True, True]
    assert not asked, "the model is asked for what only a verdict that is not watched needs"


def test_what_is_only_looked_at_has_one_sample_a_pixel() -> None:
    made = training(lit(), grid=3)
    cameras = turntable_cameras(1, elevation=0.2, config=made.config.camera, device=CPU)
    seen = made.view(cameras, 16, shading="lambertian")
    assert seen.samples == int(seen.opacity.sum()) and seen.colour.shape == (1, 16, 16, 3)


def test_a_probe_measures_what_is_seen() -> None:
    probe = training(lit()).probe()
    assert 0.2 < probe.opacity < 0.7 and probe.finite and 0.05 < probe.relief < 0.2
