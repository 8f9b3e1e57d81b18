"""Score distillation against closed forms: for a Gaussian mixture of images the best denoiser is known exactly."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from reference.gaussian_teacher import GaussianTeacher
from reference.tiny_pipeline import card_values

from dreamfusion_engine.config import GuidanceConfig
from dreamfusion_engine.errors import InputError
from dreamfusion_engine.guidance.noise import NoiseSchedule, add_noise, predicted_clean_image
from dreamfusion_engine.guidance.prompts import PromptCard
from dreamfusion_engine.guidance.sds import (
    ScoreDistillation,
    classifier_free_guidance,
    guidance_scale,
    guided_noise,
    rescale_guidance,
    sample_timesteps,
    sds_gradient,
    sds_loss,
    sds_weight,
    timestep_range,
)
from dreamfusion_engine.guidance.teacher import Conditioning

PLAIN = GuidanceConfig(scale=1.0, rescale=0.0, weighting="sigma_squared")
FRONT = torch.zeros(4)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def modes(count: int, size: int = 4, seed: int = 0) -> torch.Tensor:
    return 0.6 * (2.0 * torch.rand(count, 3, size, size, generator=rng(seed)) - 1.0)


def distil(
    teacher: GaussianTeacher, prompt: str, config: GuidanceConfig, start: torch.Tensor, steps: int
) -> torch.Tensor:
    """Optimise an image float32[3, h, h] in [0, 1] directly, four views a step, all of the front."""
    distillation = ScoreDistillation(teacher, prompt, "", PromptCard(), config)
    image = start.clone().requires_grad_()
    optimiser = torch.optim.Adam([image], lr=0.02)
    generator = rng(5)
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = 0.02 * (1.0 - step / steps)
        loss, _ = distillation.step(image.expand(4, -1, -1, -1), FRONT, FRONT, "albedo", step / steps, generator)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return 2.0 * image.detach() - 1.0


def test_guidance_is_the_unconditional_at_zero_the_conditional_at_one_and_linear_beyond() -> None:
    e_u, e_c = torch.randn(2, 2, 3, 4, 4, generator=rng())
    torch.testing.assert_close(classifier_free_guidance(e_u, e_c, 0.0), e_u)
    torch.testing.assert_close(classifier_free_guidance(e_u, e_c, 1.0), e_c)
    torch.testing.assert_close(classifier_free_guidance(e_u, e_c, 8.0), 8.0 * e_c - 7.0 * e_u)


def test_full_rescale_gives_the_conditional_spread_and_none_changes_nothing() -> None:
    guided, cond = 5.0 * torch.randn(3, 3, 8, 8, generator=rng(1)), torch.randn(3, 3, 8, 8, generator=rng(2))
    full = rescale_guidance(guided, cond, 1.0)
    torch.testing.assert_close(full.std(dim=(1, 2, 3)), cond.std(dim=(1, 2, 3)))
    torch.testing.assert_close(full / guided, (full / guided)[:, :1, :1, :1].expand_as(full))  # one factor a view
    torch.testing.assert_close(rescale_guidance(guided, cond, 0.0), guided)
    torch.testing.assert_close(rescale_guidance(guided, cond, 0.3), 0.3 * full + 0.7 * guided)


def test_rescale_keeps_a_constant_prediction_finite() -> None:
    assert torch.isfinite(rescale_guidance(torch.zeros(1, 3, 2, 2), torch.randn(1, 3, 2, 2), 1.0)).all()


def test_rescale_lowers_the_contrast_of_the_clean_image_that_guidance_overdid() -> None:
    teacher = GaussianTeacher(modes(2), 0.2, {"a": [1.0, 0.0]})
    x_t = torch.randn(1, 3, 4, 4, generator=rng(3))
    t = torch.tensor([700])
    alpha, sigma = teacher.schedule.at(t)
    e_u, e_c = teacher.predict_noise(x_t.repeat(2, 1, 1, 1), t.repeat(2), teacher.encode_prompts(["", "a"])).chunk(2)

    def contrast(rescale: float) -> float:
        config = GuidanceConfig(scale=20.0, rescale=rescale)
        noise = guided_noise(e_u, e_c, x_t, alpha, sigma, scale=config.scale, rescale=config.rescale)
        return float(predicted_clean_image(noise, x_t, alpha, sigma).std())

    assert contrast(1.0) == pytest.approx(float(predicted_clean_image(e_c, x_t, alpha, sigma).std()), rel=1e-4)
    assert contrast(1.0) < contrast(0.5) < contrast(0.0)


def test_the_loss_has_exactly_the_sds_gradient_and_half_its_square_as_value() -> None:
    x = torch.randn(2, 3, 4, 4, generator=rng(), requires_grad=True)
    gradient = 1e-6 * torch.randn(2, 3, 4, 4, generator=rng(1))  # small beside x: a subtraction would round it
    loss = sds_loss(x, gradient)
    loss.backward()
    assert torch.equal(x.grad, gradient)
    assert float(loss.detach()) == pytest.approx(0.5 * float(gradient.square().sum()))


@pytest.mark.parametrize("weighting", ["sigma_squared", "uniform"])
@pytest.mark.parametrize("scale", [1.0, 7.5])
def test_the_gradient_is_the_score_of_the_mixture_by_automatic_differentiation(weighting: str, scale: float) -> None:
    teacher = GaussianTeacher(modes(3).double(), 0.3, {"a": [0.7, 0.3, 1e-9]})
    x0, noise = (0.5 * torch.randn(4, 3, 4, 4, generator=rng(s), dtype=torch.float64) for s in (1, 2))
    t = torch.tensor([50, 300, 600, 950])
    alpha, sigma = (level.double() for level in teacher.schedule.at(t))
    x_t = add_noise(x0, noise, alpha, sigma).requires_grad_()
    shares = teacher.encode_prompts(["", "a"]).tokens[:, 0]

    def score(row: int) -> torch.Tensor:
        density = teacher.log_density(x_t, t, shares[row].expand(4, -1)).sum()
        return torch.autograd.grad(density, x_t)[0]

    # eps_hat = -sigma * score, guided as a score: log p(x|y)^w p(x)^(1-w)
    expected = -sigma * (scale * score(1) + (1.0 - scale) * score(0)) - noise
    expected = expected * (sigma**2 if weighting == "sigma_squared" else 1.0)
    x_in, embeddings = x_t.detach().float(), teacher.encode_prompts(["", "a"])
    e_u, e_c = (teacher.predict_noise(x_in, t, embeddings.rows([row] * 4)) for row in (0, 1))
    weight = sds_weight(sigma.float(), weighting)  # type: ignore[arg-type]
    actual = sds_gradient(classifier_free_guidance(e_u, e_c, scale), noise.float(), weight)
    torch.testing.assert_close(actual.double(), expected, atol=2e-5, rtol=1e-4)


def test_a_step_passes_the_gradient_to_the_pixels_of_each_view_alone() -> None:
    """For one Gaussian, g = w sigma (alpha (x - mu) + sigma eps) / v - w eps; the mean over eps is the linear part."""
    teacher = GaussianTeacher(modes(1), 0.25)
    distillation = ScoreDistillation(teacher, "a", "", PromptCard(), PLAIN)
    images = torch.rand(2, 3, 4, 4, generator=rng(4), requires_grad=True)
    angle = torch.zeros(2)
    generator = rng(7)
    loss, info = distillation.step(images, angle, angle, "albedo", 0.5, generator)
    loss.backward()
    # Draw again what the step drew: the order, timesteps then noise, is part of what a seed means.
    again = rng(7)
    t = sample_timesteps(2, *timestep_range(0.5, PLAIN), 1000, again)
    noise = torch.randn(2, 3, 4, 4, generator=again)
    assert torch.equal(t, info.t)
    alpha, sigma = teacher.schedule.at(t)
    x = (2.0 * images - 1.0).detach()
    variance = alpha**2 * 0.25**2 + sigma**2
    g = sigma**2 * (sigma * (alpha * (x - teacher.means) + sigma * noise) / variance - noise)
    torch.testing.assert_close(images.grad, 2.0 * g / (2 * 4 * 4), atol=1e-6, rtol=1e-4)  # 2: from [0, 1] to [-1, 1]
    torch.testing.assert_close(info.gradient_norm, g.square().mean(dim=(1, 2, 3)).sqrt(), atol=1e-5, rtol=1e-4)
    assert info.finite
    assert info.views == ("front", "front")


def test_distilling_one_gaussian_ends_at_its_mean() -> None:
    teacher = GaussianTeacher(modes(1), 0.1)
    end = distil(teacher, "a", PLAIN, torch.full((3, 4, 4), 0.5), 250)
    assert float((end - teacher.means[0]).abs().mean()) < 0.03
    assert float(teacher.means[0].abs().mean()) > 0.25  # where it began


def test_distilling_a_mixture_with_guidance_ends_in_the_prompted_mode_from_the_other_mode() -> None:
    means = modes(2)
    teacher = GaussianTeacher(means, 0.1, {"a": [1.0, 1e-12], "b": [1e-12, 1.0]})
    config = GuidanceConfig(scale=4.0, rescale=0.5)
    apart = float((means[0] - means[1]).norm())
    for prompt, wanted in (("a", 0), ("b", 1)):
        end = distil(teacher, prompt, config, 0.5 * means[1 - wanted] + 0.5, 250)
        assert float((end - means[wanted]).norm()) < 0.2 * apart
        assert float((end - means[1 - wanted]).norm()) > 0.8 * apart


def test_the_negative_prompt_takes_the_place_of_the_empty_one() -> None:
    teacher = GaussianTeacher(modes(2), 0.1, {"a": [1.0, 1e-12], "b": [1e-12, 1.0]})
    x_t, t = torch.randn(1, 3, 4, 4, generator=rng()), torch.tensor([800])
    config = GuidanceConfig(scale=3.0, rescale=0.0)
    away = ScoreDistillation(teacher, "a", "b", PromptCard(), config).predict(x_t, t, ["front"], "albedo", config.scale)
    e_b, e_a = (teacher.predict_noise(x_t, t, teacher.encode_prompts([name])) for name in ("b", "a"))
    torch.testing.assert_close(away, 3.0 * e_a - 2.0 * e_b)


def test_one_step_is_one_call_of_the_denoiser_and_every_prompt_is_encoded_once() -> None:
    teacher = GaussianTeacher(modes(1), 0.1)
    card = dataclasses.replace(PromptCard(), shading={"albedo": "flat", "lambertian": "", "textureless": "clay"})
    distillation = ScoreDistillation(teacher, "a mug", "", card, GuidanceConfig())
    assert len(teacher.asked) == len(set(teacher.asked)) == 1 + 4 * 3
    assert "a mug, back view, clay" in teacher.asked
    distillation.step(torch.rand(3, 3, 4, 4), torch.tensor([0.0, 1.5, 3.1]), torch.zeros(3), "lambertian", 0.0, rng())
    assert teacher.calls == 1


def test_views_choose_their_own_words_unless_view_prompts_are_off() -> None:
    shares = {
        f"{v} view": [float(i == j) + 1e-9 for j in range(4)]
        for i, v in enumerate(("front", "side", "back", "overhead"))
    }

    class ByView(GaussianTeacher):
        def encode_prompts(self, prompts: list[str]) -> Conditioning:
            self.asked = prompts
            rows = torch.tensor([shares.get(p.split(", ")[-1], [0.25] * 4) for p in prompts])
            return Conditioning(tokens=rows[:, None, :])

    angles = torch.tensor([0.1, 1.6, 3.0, 0.1]), torch.tensor([0.0, 0.0, 0.0, 1.3])
    teacher = ByView(modes(4), 0.1)
    seen = ScoreDistillation(teacher, "a", "", PromptCard(), GuidanceConfig())
    _, info = seen.step(torch.rand(4, 3, 4, 4, generator=rng()), *angles, "albedo", 0.5, rng())
    assert info.views == ("front", "side", "back", "overhead")
    assert seen.conditioning(list(info.views), "albedo").tokens[:, 0].argmax(dim=1).tolist() == [0, 1, 2, 3]
    blind = ScoreDistillation(teacher, "a", "", PromptCard(), GuidanceConfig(view_prompts=False))
    assert teacher.asked == ["", "a"]
    assert blind.conditioning(list(info.views), "albedo").tokens.std(dim=0).max() == 0.0


def test_view_contrast_is_zero_when_the_model_expects_the_same_from_both_sides() -> None:
    class Sided(GaussianTeacher):
        def encode_prompts(self, prompts: list[str]) -> Conditioning:
            shares = [
                [1e-9, 1.0, 1e-9] if "back" in p else [1.0, 1e-9, 1e-9] if p else [0.3, 0.3, 0.4] for p in prompts
            ]
            return Conditioning(tokens=torch.tensor(shares)[:, None, :])

    images = torch.rand(2, 3, 4, 4, generator=rng())
    same = ScoreDistillation(GaussianTeacher(modes(3), 0.1, {"a": [1.0, 1e-9, 1e-9]}), "a", "", PromptCard(), PLAIN)
    other = ScoreDistillation(Sided(modes(3), 0.1), "a", "", PromptCard(), PLAIN)
    assert same.view_contrast(images, "albedo", rng()) == 0.0
    assert other.view_contrast(images, "albedo", rng()) > 0.5


def test_the_same_seed_gives_the_same_step_bit_for_bit() -> None:
    teacher = GaussianTeacher(modes(2), 0.1, {"a": [1.0, 1e-9]})
    distillation = ScoreDistillation(teacher, "a", "", PromptCard(), GuidanceConfig())
    images = torch.rand(2, 3, 4, 4, generator=rng())
    losses = [distillation.step(images, FRONT[:2], FRONT[:2], "albedo", 0.2, rng(9))[0] for _ in range(2)]
    assert torch.equal(*losses)
    assert not torch.equal(losses[0], distillation.step(images, FRONT[:2], FRONT[:2], "albedo", 0.2, rng(10))[0])


def test_a_noise_prediction_that_is_not_finite_is_reported() -> None:
    class Broken(GaussianTeacher):
        def predict_noise(self, x_t: torch.Tensor, t: torch.Tensor, conditioning: Conditioning) -> torch.Tensor:
            noise = super().predict_noise(x_t, t, conditioning)
            noise[0, 0, 0, 0] = math.nan
            return noise

    distillation = ScoreDistillation(Broken(modes(1), 0.1), "a", "", PromptCard(), GuidanceConfig())
    _, info = distillation.step(torch.rand(2, 3, 4, 4), FRONT[:2], FRONT[:2], "albedo", 0.0, rng())
    assert not info.finite


def test_unknown_words_are_refused_before_anything_is_encoded() -> None:
    values = card_values()
    card = PromptCard(closed_vocabulary=True, words=frozenset(values["words"]), kinds=tuple(values["kinds"]))
    teacher = GaussianTeacher(modes(1), 0.1)
    for prompt, negative in (("a zebra", ""), ("a mug", "ugly")):
        with pytest.raises(InputError, match="zebra|ugly"):
            ScoreDistillation(teacher, prompt, negative, card, GuidanceConfig())
    assert teacher.asked == []


def test_the_timestep_range_moves_from_its_start_to_its_end_and_stays() -> None:
    config = GuidanceConfig(t_max=(0.98, 0.6), t_min=(0.5, 0.1), anneal_until=0.8)
    assert timestep_range(0.0, config) == pytest.approx((0.5, 0.98))
    assert timestep_range(0.4, config) == pytest.approx((0.3, 0.79))
    assert timestep_range(0.8, config) == timestep_range(1.0, config) == pytest.approx((0.1, 0.6))
    ranges = [timestep_range(i / 50, config) for i in range(51)]
    assert all(low < high for low, high in ranges)
    assert ranges == sorted(ranges, reverse=True)


def test_timesteps_are_uniform_in_the_range_and_one_in_each_part_of_it() -> None:
    generator = rng()
    drawn = torch.stack([sample_timesteps(4, 0.2, 0.6, 1000, generator) for _ in range(2000)])
    assert int(drawn.min()) >= 200
    assert int(drawn.max()) < 600
    for part in range(4):
        column = drawn[:, part].double()
        assert 200 + 100 * part <= column.min() < column.max() < 300 + 100 * part
    histogram = torch.histc(drawn.double(), bins=8, min=200, max=600) / drawn.numel()
    torch.testing.assert_close(histogram, torch.full((8,), 0.125, dtype=torch.float64), atol=0.02, rtol=0.0)
    assert int(sample_timesteps(1, 0.9999, 0.99999, 10, generator)) == 9


def test_a_schedule_that_ends_without_signal_never_yields_a_timestep_without_signal() -> None:
    teacher = GaussianTeacher(modes(1), 0.1)
    teacher.schedule = NoiseSchedule.variance_preserving(
        torch.linspace(0.999, 0.0, 1000)
    )  # zero terminal signal-to-noise ratio
    config = GuidanceConfig(t_min=(0.998, 0.998), t_max=(0.9999, 0.9999), scale=5.0)
    distillation = ScoreDistillation(teacher, "a", "", PromptCard(), config)
    for seed in range(20):
        _, info = distillation.step(torch.rand(1, 3, 4, 4), FRONT[:1], FRONT[:1], "albedo", 0.0, rng(seed))
        assert info.finite
        assert int(info.t) < 999


def test_the_guidance_scale_falls_once_the_noise_levels_have_annealed() -> None:
    config = GuidanceConfig(scale=9.0, scale_kept=0.25, anneal_until=0.5)
    assert [guidance_scale(p, config) for p in (0.0, 0.5, 0.75, 1.0)] == [9.0, 9.0, 6.0, 3.0]
    assert guidance_scale(1.0, GuidanceConfig(scale=9.0, scale_kept=0.25, anneal_until=1.0)) == 9.0
    unguided = GuidanceConfig(scale=1.0, scale_kept=0.0)
    assert guidance_scale(0.0, unguided) == guidance_scale(1.0, unguided) == 1.0


def test_a_step_is_guided_by_the_scale_of_its_progress() -> None:
    """Once nothing of the guidance is left, a step is the same as one without."""
    strong = dataclasses.replace(PLAIN, scale=5.0, scale_kept=0.0, anneal_until=0.5)

    def gradient(config: GuidanceConfig, progress: float) -> torch.Tensor:
        teacher = GaussianTeacher(modes(3), 0.1, {"a": [1.0, 1e-9, 1e-9]})
        seen = torch.full((2, 3, 4, 4), 0.4, requires_grad=True)
        loss, _ = ScoreDistillation(teacher, "a", "", PromptCard(), config).step(
            seen, torch.zeros(2), torch.zeros(2), "albedo", progress, rng()
        )
        loss.backward()
        assert seen.grad is not None
        return seen.grad

    without = dataclasses.replace(strong, scale=1.0)
    torch.testing.assert_close(gradient(strong, 1.0), gradient(without, 1.0))
    assert not torch.allclose(gradient(strong, 0.0), gradient(without, 0.0))
