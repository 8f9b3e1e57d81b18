"""The low-rank copy that learns the renders: it begins as the model, shares its weights, learns, and goes on bit for
bit. On a real UNet with random weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from reference.distillation_step import distillation_step
from reference.gaussian_teacher import GaussianTeacher
from torch import nn

from dreamfusion_engine.config.stages import GuidanceConfig, ScoreConfig
from dreamfusion_engine.errors import SetupError
from dreamfusion_engine.guidance.distillation import ScoreDistillation
from dreamfusion_engine.guidance.scores.lora import LowRankLinear, low_rank_parameters, with_low_rank
from dreamfusion_engine.guidance.scores.render_model import RenderScore
from dreamfusion_engine.models.card import PromptCard
from dreamfusion_engine.models.load import load_teacher
from dreamfusion_engine.models.pipeline_folder import open_pipeline
from dreamfusion_engine.models.teacher import Teacher

CONFIG = ScoreConfig(lora_rate=0.01)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def teacher(saved_pipeline: Path) -> Teacher:
    return load_teacher(open_pipeline(saved_pipeline), torch.device("cpu"))


def noisy(seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Renders, timesteps and noise."""
    generator = rng(seed)
    x, noise = torch.randn(2, 2, 3, 16, 16, generator=generator)
    return x, torch.randint(0, 900, (2,), generator=generator), noise


def test_a_low_rank_layer_is_w_plus_b_a() -> None:
    base = nn.Linear(6, 5)
    layer = LowRankLinear(base, 2, rng())
    x = torch.randn(3, 6, generator=rng(1))
    assert torch.equal(layer(x), base(x))
    layer.up.data.normal_(generator=rng(2))
    merged = nn.Linear(6, 5)
    merged.weight.data, merged.bias.data = base.weight.data + layer.up.data @ layer.down.data, base.bias.data
    torch.testing.assert_close(layer(x), merged(x))


@pytest.mark.slow
def test_the_copy_shares_every_weight_and_changes_every_attention_projection(teacher: Teacher) -> None:
    changed = with_low_rank(teacher.denoiser, 4, rng())
    before = dict(teacher.denoiser.named_parameters())
    ours = low_rank_parameters(changed)
    shared = [p for name, p in changed.named_parameters() if name not in ours]
    assert {id(p) for p in shared} == {id(p) for p in before.values()}
    wanted = {n for n in before if n.endswith(("to_q.weight", "to_k.weight", "to_v.weight", "to_out.0.weight"))}
    assert len(wanted) >= 8
    assert {f"{n.removesuffix('.weight')}.{part}" for n in wanted for part in ("down", "up")} == set(ours)
    assert not any(isinstance(m, LowRankLinear) for m in teacher.denoiser.modules())


@pytest.mark.slow
def test_an_untrained_copy_sees_what_the_model_sees_bit_for_bit(teacher: Teacher) -> None:
    x, t, _ = noisy(1)
    told = teacher.encode_prompts(["a red mug", "a blue mug"])
    with torch.no_grad():
        assert torch.equal(RenderScore(teacher, CONFIG, 0).predict_noise(x, t, told), teacher.predict_noise(x, t, told))


@pytest.mark.slow
def test_the_copy_learns_a_render_and_leaves_the_model_alone(teacher: Teacher) -> None:
    before = {n: p.clone() for n, p in teacher.denoiser.named_parameters()}
    copy = RenderScore(teacher, CONFIG, 0)
    told = teacher.encode_prompts(["a red mug", "a red mug"])
    x = noisy(1)[0]
    losses = [copy.learn(x, *noisy(seed)[1:], told) for seed in range(30)]
    again = [copy.learn(x, *noisy(seed)[1:], told) for seed in range(10)]
    assert sum(again) < 0.97 * sum(losses[:10])
    assert all(torch.equal(p, before[n]) for n, p in teacher.denoiser.named_parameters())


@pytest.mark.slow
def test_a_saved_copy_goes_on_bit_for_bit(teacher: Teacher) -> None:
    told = teacher.encode_prompts(["a red mug", "a blue mug"])
    first = RenderScore(teacher, CONFIG, 0)
    for seed in range(3):
        first.learn(*noisy(seed), told)
    second = RenderScore(teacher, CONFIG, 99)
    second.load_state({name: tensor.clone() for name, tensor in first.state().items()})
    for copy in (first, second):
        copy.learn(*noisy(7), told)
    a, b = first.state(), second.state()
    assert a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_renders_that_are_not_finite_or_not_sound_teach_nothing(teacher: Teacher) -> None:
    copy = RenderScore(teacher, CONFIG, 0)
    told = teacher.encode_prompts(["a red mug", "a blue mug"])
    x, t, noise = noisy(1)
    start = {name: tensor.clone() for name, tensor in copy.state().items()}
    copy.learn(x * float("inf"), t, noise, told)
    assert all(torch.equal(start[name], copy.state()[name]) for name in start)
    copy.learn(x, t, noise, told)
    before = {name: tensor.clone() for name, tensor in copy.state().items()}
    assert not all(torch.equal(start[name], before[name]) for name in start)
    copy.learn(x * float("inf"), t, noise, told)
    copy.learn(x, t, noise, told, torch.tensor(False))
    after = copy.state()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_denoiser_without_attention_is_refused_with_another_score() -> None:
    with pytest.raises(SetupError, match="vsd") as caught:
        ScoreDistillation(
            GaussianTeacher(torch.zeros(1, 3, 4, 4), 0.3), "a", "", PromptCard(), GuidanceConfig(score="vsd")
        )
    assert caught.value.code == "model.unsupported" and "guidance.score=sds" in caught.value.fix


@pytest.mark.slow
def test_a_run_with_vsd_saves_what_it_has_learned_and_a_restart_forgets_it(teacher: Teacher) -> None:
    config = GuidanceConfig(score="vsd", scale=3.0)

    def made(seed: int) -> ScoreDistillation:
        return ScoreDistillation(teacher, "a red mug", "", PromptCard(), config, score=CONFIG, seed=seed)

    def steps(distillation: ScoreDistillation, count: int, generator: torch.Generator) -> torch.Tensor:
        for _ in range(count):
            images = torch.full((2, 3, 16, 16), 0.4, requires_grad=True)
            loss, info = distillation_step(
                distillation, images, torch.zeros(2), torch.zeros(2), "albedo", 0.5, generator
            )
            assert info.finite
        loss.backward()
        assert images.grad is not None
        return images.grad

    whole, generator = made(0), rng()
    expected = steps(whole, 3, generator)
    broken, generator = made(0), rng()
    steps(broken, 2, generator)
    resumed = made(5)
    resumed.load_state(broken.state())
    assert torch.equal(steps(resumed, 1, generator), expected)
    resumed.restart(config, 0)
    fresh = made(0).state()
    assert all(torch.equal(tensor, fresh[name]) for name, tensor in resumed.state().items())
