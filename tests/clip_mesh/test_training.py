"""A step of CLIP-Mesh: its gradient by transformers' own CLIP, its parts, and that it goes on bit for bit."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from clip_mesh.trainings import CPU, PROMPT, guidance, settings, training
from reference.tiny_clip import SIZE, write_tiny_clip
from torch import Tensor
from transformers import AutoTokenizer, CLIPModel

from dreamfusion_engine.clip_mesh.render import Looks
from dreamfusion_engine.clip_mesh.sphere import roughness_weight
from dreamfusion_engine.clip_mesh.training import ClipMeshTraining
from dreamfusion_engine.clip_mesh.views import sample_sphere_views
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.guidance.clip.backgrounds import patterned_backgrounds
from dreamfusion_engine.optimize.training import Training


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_clip(tmp_path_factory.mktemp("clip"))


class StillTraining(ClipMeshTraining):
    """One that computes a step's gradients and moves nothing."""

    def _move(self) -> None:
        self.gradients = [each.grad.clone() for each in self.field.parameters() if each.grad is not None]


def still(config: GenerateConfig, step: int = 0) -> StillTraining:
    made, like = StillTraining(config, seed=0, device=CPU), training(config, bent=0.03)
    made.field.load_state_dict(like.field.state_dict())
    made.step = step
    return made


def reference_loss(folder: Path, run: ClipMeshTraining, control: Tensor) -> float:
    """The loss of the first step, by hand: its views, their backgrounds, transformers' CLIP, and the roughness."""
    config, generator = run.config, torch.Generator().manual_seed(0)
    count, size = config.optimize.views, config.optimize.resolution[0]
    views = sample_sphere_views(config, count, generator)
    torch.randint(1, (count, 2), generator=generator)  # corners of crops, which are the whole picture
    behind = patterned_backgrounds(count, size, config.clip.blur, generator, plain=True)
    with torch.no_grad():
        kept = run.field.control.clone()
        run.field.control.copy_(control)
        looks, rough = run.looks(), float(run.field.roughness())
        run.field.control.copy_(kept)
        grey = torch.arange(count) >= count // 2
        black = torch.zeros(count, 3)
        seen = run.renderer.render(
            Looks(**{name: value.detach() for name, value in vars(looks).items()}),
            views.cameras,
            size,
            background=black,
            light=views.light,
            grey=grey if run.progress < config.sphere.plain else None,
        )
        pictures = seen.colour.permute(0, 3, 1, 2) + (1.0 - seen.opacity[:, None]) * behind
        assert size == SIZE.pixels, "nothing to be resized"
        model = CLIPModel.from_pretrained(folder, dtype=torch.float32).eval()
        tokens = AutoTokenizer.from_pretrained(folder)([PROMPT], return_tensors="pt")
        words = model.text_projection(model.text_model(**tokens).pooler_output)
        images = model.visual_projection(model.vision_model(pixel_values=2.0 * pictures - 1.0).pooler_output)
    cosines = torch.nn.functional.cosine_similarity(images, words)
    assert float(cosines.std()) > 1e-3, "a silent network would agree with anything"
    return -float(cosines.mean()) + roughness_weight(run.progress, config.sphere) * rough


@pytest.mark.slow
@pytest.mark.parametrize("step", [0, 6])
def test_a_steps_gradient_is_that_of_the_loss_by_transformers_own_clip(folder: Path, step: int) -> None:
    """Along the gradient the loss by hand changes as it says; with grey views at first, without them later."""
    config = settings(sphere={"laplacian": [2.0, 0.6]})
    run = still(config, step)
    run.train_step(guidance(folder, config))
    gradient, here = run.gradients[0], run.field.control.detach().clone()
    direction, h = gradient / gradient.norm(), 1e-2
    ends = [reference_loss(folder, run, here + sign * h * direction) for sign in (1.0, -1.0)]
    assert (ends[0] - ends[1]) / (2.0 * h) == pytest.approx(float(gradient.norm()), rel=0.1)


@pytest.mark.slow
def test_a_step_in_parts_is_the_whole_step(folder: Path) -> None:
    whole, parts = (still(settings(memory={"views_at_once": at_once})) for at_once in (0, 1))
    for run in (whole, parts):
        run.train_step(guidance(folder, run.config))
    for one, other in zip(whole.gradients, parts.gradients, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-3)


@pytest.mark.slow
def test_the_rate_falls_and_the_maps_stay_in_their_ranges(folder: Path) -> None:
    config = settings(optimize={"learning_rate": 0.5})
    run, teacher = training(config), guidance(folder, config)
    rates = []
    for _ in range(4):
        run.train_step(teacher)
        rates.append(run.optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([0.5 * 10.0 ** (-k / 8) for k in range(4)])
    assert float(run.field.colour.min()) >= 0.0 and float(run.field.colour.max()) <= 1.0
    assert float(run.field.normal.min()) >= -1.0 and float(run.field.normal.max()) <= 1.0
    assert not run.broken()


@pytest.mark.slow
def test_it_goes_on_from_a_state_bit_for_bit(folder: Path) -> None:
    config = settings()
    teacher = guidance(folder, config)
    whole = training(config)
    for _ in range(2):
        whole.train_step(teacher)
    kept = {name: tensor.clone() for name, tensor in whole.state().items()}
    whole.train_step(teacher)
    other = ClipMeshTraining(config, seed=7, device=CPU)
    other.load_state(kept)
    other.train_step(teacher)
    found, expected = other.state(), whole.state()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.slow
def test_what_is_not_finite_moves_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = settings()
    run, teacher = training(config), guidance(folder, config)
    run.train_step(teacher)
    before = [each.detach().clone() for each in run.field.parameters()]

    def lost(*arguments: Any) -> Any:
        loss, fits = type(teacher).loss(teacher, *arguments)
        return loss * float("nan"), fits

    monkeypatch.setattr(teacher, "loss", lost)
    run.train_step(teacher)
    assert run.broken()
    assert all(torch.equal(a, b) for a, b in zip(before, run.field.parameters(), strict=True))


def test_it_is_looked_at_in_the_middle_and_large_wherever_it_is() -> None:
    run: Training = training()
    assert isinstance(run, ClipMeshTraining)
    plain = run.probe()
    with torch.no_grad():
        run.field.control.mul_(0.1).add_(3.0)
    moved = run.probe()
    assert plain.finite and 0.1 < plain.opacity < 0.5
    assert dataclasses.asdict(moved) == pytest.approx(dataclasses.asdict(plain), abs=0.02)
