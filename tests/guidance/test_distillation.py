"""Score distillation as a whole: where it ends for mixtures whose best denoiser is known, and what a step does."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from reference.distillation_step import distillation_step
from reference.gaussian_teacher import GaussianTeacher
from reference.tiny_pipeline import card_values

from dreamfusion_engine.config.stages import GuidanceConfig, ScoreConfig
from dreamfusion_engine.errors import InputError
from dreamfusion_engine.guidance.classifier_free import classifier_free_guidance
from dreamfusion_engine.guidance.distillation import ScoreDistillation
from dreamfusion_engine.guidance.perp_neg import perp_neg_noise, view_negatives
from dreamfusion_engine.guidance.step_inputs import StepInputs, ViewRange
from dreamfusion_engine.guidance.timesteps import sample_timesteps, timestep_range
from dreamfusion_engine.models.card import PromptCard
from dreamfusion_engine.models.noise import NoiseSchedule
from dreamfusion_engine.models.teacher import Conditioning

PLAIN = GuidanceConfig(scale=1.0, rescale=0.0, weighting="sigma_squared")
FRONT = torch.zeros(4)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def modes(count: int, size: int = 4, seed: int = 0) -> torch.Tensor:
    return 0.6 * (2.0 * torch.rand(count, 3, size, size, generator=rng(seed)) - 1.0)


def guided(made: ScoreDistillation, x_t: torch.Tensor, t: torch.Tensor, scale: float) -> torch.Tensor:
    """The guided noise for pictures seen from the front."""
    angle = torch.zeros(len(t))
    return made.guided(x_t, t, made.conditioning.embeddings(angle, angle, "albedo"), scale)


def distil(
    teacher: GaussianTeacher, prompt: str, config: GuidanceConfig, start: torch.Tensor, steps: int
) -> torch.Tensor:
    """Optimize an image float32[3, h, h] in [0, 1] directly, four views a step, all of the front."""
    distillation = ScoreDistillation(teacher, prompt, "", PromptCard(), config)
    image = start.clone().requires_grad_()
    optimizer = torch.optim.Adam([image], lr=0.02)
    generator = rng(5)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 0.02 * (1.0 - step / steps)
        loss, _ = distillation_step(
            distillation, image.expand(4, -1, -1, -1), FRONT, FRONT, "albedo", step / steps, generator
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return 2.0 * image.detach() - 1.0


def test_a_step_passes_the_gradient_to_the_pixels_of_each_view_alone() -> None:
    """For one Gaussian, g = w sigma (alpha (x - mu) + sigma eps) / v - w eps; the mean over eps is the linear part."""
    teacher = GaussianTeacher(modes(1), 0.25)
    distillation = ScoreDistillation(teacher, "a", "", PromptCard(), PLAIN)
    images = torch.rand(2, 3, 4, 4, generator=rng(4), requires_grad=True)
    angle = torch.zeros(2)
    generator = rng(7)
    loss, info = distillation_step(distillation, images, angle, angle, "albedo", 0.5, generator)
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


@pytest.mark.slow
def test_distilling_a_mixture_with_guidance_ends_in_the_prompted_mode_from_the_other_mode() -> None:
    means = modes(2)
    teacher = GaussianTeacher(means, 0.1, {"a": [1.0, 1e-12], "b": [1e-12, 1.0]})
    config = GuidanceConfig(scale=4.0, rescale=0.5)
    apart = float((means[0] - means[1]).norm())
    for prompt, wanted in (("a", 0), ("b", 1)):
        end = distil(teacher, prompt, config, 0.5 * means[1 - wanted] + 0.5, 250)
        assert float((end - means[wanted]).norm()) < 0.2 * apart
        assert float((end - means[1 - wanted]).norm()) > 0.8 * apart


@pytest.mark.parametrize("score", ["csd", "nfsd", "sdi", "sampled"])
def test_every_score_leads_from_the_other_mode_to_the_prompted_one(score: str) -> None:
    means = modes(2)
    teacher = GaussianTeacher(means, 0.1, {"a": [1.0, 1e-12], "b": [1e-12, 1.0]})
    config = GuidanceConfig(scale=4.0, rescale=0.0, score=score, perp_neg="off")  # type: ignore[arg-type]
    end = distil(teacher, "a", config, 0.5 * means[1] + 0.5, 80)
    assert float((end - means[0]).norm()) < float((end - means[1]).norm())


def test_inversion_draws_no_noise_and_asks_nothing_of_a_render_that_is_what_the_model_expects() -> None:
    """At the mean of one Gaussian the inverted noise is 0 and so is the noise that the model sees there."""
    teacher = GaussianTeacher(modes(1), 0.2)
    config = dataclasses.replace(PLAIN, score="sdi", perp_neg="off")
    distillation = ScoreDistillation(teacher, "a", "", PromptCard(), config)
    _, info = distillation_step(distillation, 0.5 * teacher.means + 0.5, FRONT[:1], FRONT[:1], "albedo", 0.5, rng())
    assert float(info.gradient_norm) < 1e-4
    away = (0.5 * teacher.means + 0.6).expand(2, -1, -1, -1)
    _, moved = distillation_step(distillation, away, FRONT[:2], FRONT[:2], "albedo", 0.5, rng())
    assert float(moved.gradient_norm.min()) > 0.01


def test_a_picture_sampled_in_one_step_pulls_as_the_single_prediction_does() -> None:
    """With the same guidance one step is SDS; a share of it guides by 1 + share (w - 1)."""
    teacher = GaussianTeacher(modes(2), 0.3, {"a": [0.9, 0.1]})
    images = torch.rand(2, 3, 4, 4, generator=rng(4), requires_grad=True)

    def gradient(score: str, scale: float, share: float = 1.0) -> torch.Tensor:
        config = GuidanceConfig(score=score, scale=scale, perp_neg="off")  # type: ignore[arg-type]
        settings = ScoreConfig(sampling_steps=1, sampling_guidance=share)
        distillation = ScoreDistillation(teacher, "a", "", PromptCard(), config, score=settings)
        loss, _ = distillation_step(distillation, images, FRONT[:2], FRONT[:2], "albedo", 0.5, rng(7))
        return torch.autograd.grad(loss, images)[0]

    torch.testing.assert_close(gradient("sampled", 3.0), gradient("sds", 3.0), atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(gradient("sampled", 5.0, 0.25), gradient("sds", 2.0), atol=1e-6, rtol=1e-4)


def test_sampling_takes_fewer_steps_as_the_noise_anneals() -> None:
    teacher = GaussianTeacher(modes(1), 0.3)
    config = GuidanceConfig(score="sampled", t_max=(0.98, 0.3))
    distillation = ScoreDistillation(teacher, "a", "", PromptCard(), config, score=ScoreConfig(sampling_steps=4))
    calls = []
    for progress in (0.0, 0.5, 1.0):
        before = teacher.calls
        distillation_step(distillation, torch.rand(3, 3, 4, 4), FRONT[:3], FRONT[:3], "albedo", progress, rng())
        calls.append(teacher.calls - before)
    assert calls == [4, 2, 2]


@pytest.mark.parametrize("score", ["sds", "sampled"])
def test_renders_judged_in_parts_get_what_they_get_among_the_others(score: str) -> None:
    teacher = GaussianTeacher(modes(2), 0.3, {"a": [0.9, 0.1]})
    config = GuidanceConfig(score=score, scale=3.0, perp_neg="off")  # type: ignore[arg-type]
    distillation = ScoreDistillation(teacher, "a", "", PromptCard(), config)
    x, angle = torch.randn(4, 3, 4, 4, generator=rng(4)), torch.tensor([0.0, 1.5, 3.1, 4.0])

    def norms(first: int, count: int) -> torch.Tensor:
        rows = slice(first, first + count)
        part = ViewRange(first=first, total=4)
        shape, angles = x[rows].shape, (angle[rows], FRONT[rows])
        question = distillation.step_inputs(shape, *angles, "albedo", 0.3, rng(9), part)
        return distillation.loss(x[rows], question)[1]

    torch.testing.assert_close(torch.cat([norms(0, 1), norms(1, 3)]), norms(0, 4))


@pytest.mark.parametrize("score", ["sds", "csd", "nfsd"])
@pytest.mark.parametrize("perp_neg", ["on", "off"])
def test_a_step_is_one_call_of_the_denoiser_whatever_it_is_told(score: str, perp_neg: str) -> None:
    teacher = GaussianTeacher(modes(2), 0.1, {"a": [1.0, 1e-9]})
    config = GuidanceConfig(score=score, perp_neg=perp_neg)  # type: ignore[arg-type]
    distillation = ScoreDistillation(teacher, "a", "", PromptCard(), config)
    distillation_step(
        distillation, torch.rand(3, 3, 4, 4), torch.tensor([0.0, 1.5, 3.1]), torch.zeros(3), "lambertian", 0.0, rng()
    )
    assert teacher.calls == 1


def test_perp_neg_uses_the_fronts_and_the_sides_prompt_with_the_cameras_weights() -> None:
    """A step's guided noise is what the pure functions make of each prompt's own prediction."""
    names = ["", "a, front view", "a, side view", "a, back view"]
    shares = {name: [1.0 + 5.0 * (i == j) for j in range(3)] for i, name in enumerate(names[1:])}

    class ByView(GaussianTeacher):
        def encode_prompts(self, prompts: list[str]) -> Conditioning:
            rows = torch.tensor([shares.get(p, [1.0, 1.0, 1.0]) for p in prompts])
            return Conditioning(tokens=(rows / rows.sum(dim=1, keepdim=True))[:, None, :])

    teacher = ByView(modes(3), 0.8)
    x_t, t = torch.randn(2, 3, 4, 4, generator=rng(1)), torch.tensor([600, 600])
    azimuth, level = torch.tensor([0.9 * math.pi, 0.1]), torch.zeros(2)
    config = GuidanceConfig(rescale=0.0, perp_neg="on")
    made = ScoreDistillation(teacher, "a", "", PromptCard(), config)
    actual = made.guided(x_t, t, made.conditioning.embeddings(azimuth, level, "albedo"), 5.0)
    e_u, front, side, back = (teacher.predict_noise(x_t, t, teacher.encode_prompts([n, n])) for n in names)
    cond = torch.stack([back[0], front[1]])
    weighed = perp_neg_noise(e_u, cond, torch.stack([front, side]), view_negatives(azimuth, level))
    torch.testing.assert_close(actual, classifier_free_guidance(e_u, weighed, 5.0), atol=1e-5, rtol=1e-4)
    assert not torch.allclose(actual, classifier_free_guidance(e_u, cond, 5.0), atol=1e-3)


def test_the_negative_prompt_takes_the_place_of_the_empty_one() -> None:
    teacher = GaussianTeacher(modes(2), 0.1, {"a": [1.0, 1e-12], "b": [1e-12, 1.0]})
    x_t, t = torch.randn(1, 3, 4, 4, generator=rng()), torch.tensor([800])
    config = GuidanceConfig(scale=3.0, rescale=0.0)
    away = guided(ScoreDistillation(teacher, "a", "b", PromptCard(), config), x_t, t, 3.0)
    e_b, e_a = (teacher.predict_noise(x_t, t, teacher.encode_prompts([name])) for name in ("b", "a"))
    torch.testing.assert_close(away, 3.0 * e_a - 2.0 * e_b)


def test_one_step_is_one_call_of_the_denoiser_and_every_prompt_is_encoded_once() -> None:
    teacher = GaussianTeacher(modes(1), 0.1)
    card = dataclasses.replace(PromptCard(), shading={"albedo": "flat", "lambertian": "", "textureless": "clay"})
    distillation = ScoreDistillation(teacher, "a mug", "", card, GuidanceConfig())
    assert len(teacher.asked) == len(set(teacher.asked)) == 1 + 4 * 3
    assert "a mug, back view, clay" in teacher.asked
    distillation_step(
        distillation, torch.rand(3, 3, 4, 4), torch.tensor([0.0, 1.5, 3.1]), torch.zeros(3), "lambertian", 0.0, rng()
    )
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
    _, info = distillation_step(seen, torch.rand(4, 3, 4, 4, generator=rng()), *angles, "albedo", 0.5, rng())
    assert info.views == ("front", "side", "back", "overhead")
    assert seen.conditioning.of_cameras(*angles, "albedo").tokens[:, 0].argmax(dim=1).tolist() == [0, 1, 2, 3]
    blind = ScoreDistillation(teacher, "a", "", PromptCard(), GuidanceConfig(view_prompts="off"))
    assert teacher.asked == ["", "a"]
    assert blind.conditioning.of_cameras(*angles, "albedo").tokens.std(dim=0).max() == 0.0


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
    losses = [distillation_step(distillation, images, FRONT[:2], FRONT[:2], "albedo", 0.2, rng(9))[0] for _ in range(2)]
    assert torch.equal(*losses)
    assert not torch.equal(
        losses[0], distillation_step(distillation, images, FRONT[:2], FRONT[:2], "albedo", 0.2, rng(10))[0]
    )


def test_a_noise_prediction_that_is_not_finite_is_reported() -> None:
    class Broken(GaussianTeacher):
        def predict_noise(self, x_t: torch.Tensor, t: torch.Tensor, conditioning: Conditioning) -> torch.Tensor:
            noise = super().predict_noise(x_t, t, conditioning)
            noise[0, 0, 0, 0] = math.nan
            return noise

    distillation = ScoreDistillation(Broken(modes(1), 0.1), "a", "", PromptCard(), GuidanceConfig())
    _, info = distillation_step(distillation, torch.rand(2, 3, 4, 4), FRONT[:2], FRONT[:2], "albedo", 0.0, rng())
    assert not info.finite


def test_unknown_words_are_refused_before_anything_is_encoded() -> None:
    values = card_values()
    card = PromptCard(closed_vocabulary=True, words=frozenset(values["words"]), kinds=tuple(values["kinds"]))
    teacher = GaussianTeacher(modes(1), 0.1)
    for prompt, negative in (("a zebra", ""), ("a mug", "ugly")):
        with pytest.raises(InputError, match="zebra|ugly"):
            ScoreDistillation(teacher, prompt, negative, card, GuidanceConfig())
    assert teacher.asked == []


def test_a_schedule_that_ends_without_signal_never_yields_a_timestep_without_signal() -> None:
    teacher = GaussianTeacher(modes(1), 0.1)
    teacher.schedule = NoiseSchedule.variance_preserving(
        torch.linspace(0.999, 0.0, 1000)
    )  # zero terminal signal-to-noise ratio
    config = GuidanceConfig(t_min=(0.998, 0.998), t_max=(0.9999, 0.9999), scale=5.0)
    distillation = ScoreDistillation(teacher, "a", "", PromptCard(), config)
    for seed in range(20):
        _, info = distillation_step(
            distillation, torch.rand(1, 3, 4, 4), FRONT[:1], FRONT[:1], "albedo", 0.0, rng(seed)
        )
        assert info.finite
        assert int(info.t) < 999


def test_a_step_is_guided_by_the_scale_of_its_progress() -> None:
    """Once nothing of the guidance is left, a step is the same as one without."""
    strong = dataclasses.replace(PLAIN, scale=5.0, scale_kept=0.0, anneal_until=0.5)

    def gradient(config: GuidanceConfig, progress: float) -> torch.Tensor:
        teacher = GaussianTeacher(modes(3), 0.1, {"a": [1.0, 1e-9, 1e-9]})
        seen = torch.full((2, 3, 4, 4), 0.4, requires_grad=True)
        loss, _ = distillation_step(
            ScoreDistillation(teacher, "a", "", PromptCard(), config),
            seen,
            torch.zeros(2),
            torch.zeros(2),
            "albedo",
            progress,
            rng(),
        )
        loss.backward()
        assert seen.grad is not None
        return seen.grad

    without = dataclasses.replace(strong, scale=1.0)
    torch.testing.assert_close(gradient(strong, 1.0), gradient(without, 1.0))
    assert not torch.allclose(gradient(strong, 0.0), gradient(without, 0.0))


def test_a_step_clamps_its_residual_by_the_bound_of_its_time_and_clips_pixels_after() -> None:
    teacher = GaussianTeacher(modes(1), 0.25)
    images = torch.rand(2, 3, 4, 4, generator=rng(4))
    angle = torch.zeros(2)

    def gradient(score: ScoreConfig, progress: float = 0.5) -> torch.Tensor:
        made = ScoreDistillation(
            teacher, "a", "", PromptCard(), dataclasses.replace(PLAIN, weighting="uniform"), score=score
        )
        seen = images.clone().requires_grad_()
        loss, _ = distillation_step(made, seen, angle, angle, "albedo", progress, rng(7))
        loss.backward()
        assert seen.grad is not None
        return seen.grad * (2 * 4 * 4) / 2.0  # g itself

    plain = gradient(ScoreConfig())
    assert float(plain.abs().max()) > 0.1
    torch.testing.assert_close(gradient(ScoreConfig(clamp=(0.02, 0.06))), plain.clamp(-0.04, 0.04))
    clipped = gradient(ScoreConfig(pixel_clip=0.05))
    norm = plain.norm(dim=1, keepdim=True)
    torch.testing.assert_close(clipped, plain * (0.05 / norm).clamp_max(1.0))
    both = gradient(ScoreConfig(clamp=(0.04, 0.04), pixel_clip=0.05))
    assert float(both.norm(dim=1).max()) <= 0.05 + 1e-6


def test_sampled_latents_draw_last_and_from_the_generator_of_the_step() -> None:
    teacher = GaussianTeacher(modes(1), 0.25)
    angles = torch.zeros(4), torch.zeros(4)

    def asked(score: ScoreConfig, first: int = 0, count: int = 4) -> StepInputs:
        made = ScoreDistillation(teacher, "a", "", PromptCard(), PLAIN, score=score)
        part = ViewRange(first=first, total=4)
        mine = [angle[first : first + count] for angle in angles]
        return made.step_inputs((count, 3, 4, 4), mine[0], mine[1], "albedo", 0.3, rng(9), part)

    mean, sample = asked(ScoreConfig()), asked(ScoreConfig(latents="sample"))
    assert mean.posterior is None and mean.clamp is None
    assert torch.equal(mean.t, sample.t) and torch.equal(mean.noise, sample.noise), "the other draws stay the same"
    assert sample.posterior is not None and not torch.equal(sample.posterior, sample.noise)
    second = asked(ScoreConfig(latents="sample"), first=2, count=2).posterior
    assert second is not None and torch.equal(second, sample.posterior[2:]), "in parts each view gets its own"
