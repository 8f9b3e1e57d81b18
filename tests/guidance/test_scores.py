"""Every score against closed forms and against the others: for a Gaussian mixture the best denoiser is known exactly.

For one Gaussian N(mu, s^2 I) it sees eps = sigma (x_t - alpha mu) / v, with v = alpha^2 s^2 + sigma^2.
"""

from __future__ import annotations

import pytest
import torch
from reference.gaussian_teacher import GaussianTeacher

from dreamfusion_engine.guidance.classifier_free import classifier_free_guidance
from dreamfusion_engine.guidance.scores.csd import csd_residual
from dreamfusion_engine.guidance.scores.nfsd import nfsd_residual
from dreamfusion_engine.guidance.scores.sampled import (
    ancestral_step,
    sampled_image,
    sampling_steps,
    sampling_timesteps,
)
from dreamfusion_engine.guidance.scores.sdi import (
    ddim_inversion,
    ddim_step,
    inversion_steps,
    inversion_timesteps,
    inverted_noise,
)
from dreamfusion_engine.guidance.scores.sds import (
    clamp_bound,
    clamped_residual,
    clipped_pixels,
    score_loss,
    score_weight,
    sds_residual,
)
from dreamfusion_engine.guidance.scores.vsd import denoising_loss, vsd_residual
from dreamfusion_engine.models.noise import NoiseSchedule, add_noise

T_ALL = torch.tensor([50, 300, 600, 950])


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def modes(count: int, size: int = 4, seed: int = 0) -> torch.Tensor:
    return 0.6 * (2.0 * torch.rand(count, 3, size, size, generator=rng(seed)) - 1.0)


def normal(seed: int) -> torch.Tensor:
    return torch.randn(4, 3, 4, 4, generator=rng(seed))


def test_the_loss_has_exactly_the_gradient_and_half_its_square_as_value() -> None:
    x = torch.randn(2, 3, 4, 4, generator=rng(), requires_grad=True)
    gradient = 1e-6 * torch.randn(2, 3, 4, 4, generator=rng(1))  # small beside x: a subtraction would round it
    loss = score_loss(x, gradient)
    loss.backward()
    assert x.grad is not None and torch.equal(x.grad, gradient)
    assert float(loss.detach()) == pytest.approx(0.5 * float(gradient.square().sum()))


@pytest.mark.parametrize("weighting", ["sigma_squared", "uniform", "alpha_sigma"])
@pytest.mark.parametrize("scale", [1.0, 7.5])
def test_sds_is_the_score_of_the_mixture_by_automatic_differentiation(weighting: str, scale: float) -> None:
    teacher = GaussianTeacher(modes(3).double(), 0.3, {"a": [0.7, 0.3, 1e-9]})
    x0, noise = (0.5 * torch.randn(4, 3, 4, 4, generator=rng(s), dtype=torch.float64) for s in (1, 2))
    alpha, sigma = (level.double() for level in teacher.schedule.at(T_ALL))
    x_t = add_noise(x0, noise, alpha, sigma).requires_grad_()
    shares = teacher.encode_prompts(["", "a"]).tokens[:, 0]

    def score(row: int) -> torch.Tensor:
        density = teacher.log_density(x_t, T_ALL, shares[row].expand(4, -1)).sum()
        return torch.autograd.grad(density, x_t)[0]

    # eps_hat = -sigma * score, guided as a score: log p(x|y)^w p(x)^(1-w)
    expected = -sigma * (scale * score(1) + (1.0 - scale) * score(0)) - noise
    expected = (
        expected
        * {"sigma_squared": sigma**2, "uniform": torch.ones_like(sigma), "alpha_sigma": alpha * sigma}[weighting]
    )
    x_in, embeddings = x_t.detach().float(), teacher.encode_prompts(["", "a"])
    e_u, e_c = (teacher.predict_noise(x_in, T_ALL, embeddings.rows([row] * 4)) for row in (0, 1))
    weight = score_weight(alpha.float(), sigma.float(), weighting)  # type: ignore[arg-type]
    actual = weight * sds_residual(classifier_free_guidance(e_u, e_c, scale), noise.float())
    torch.testing.assert_close(actual.double(), expected, atol=2e-5, rtol=1e-4)


def test_classifier_score_distillation_is_the_gradient_of_the_classifier() -> None:
    """s (e_c - e_u) = -s sigma grad log p(y | x_t), by automatic differentiation of log p(x_t | y) - log p(x_t)."""
    teacher = GaussianTeacher(modes(3).double(), 0.3, {"a": [0.7, 0.3, 1e-9]})
    x_t = normal(3).double().requires_grad_()
    told = teacher.encode_prompts(["", "a"])
    shares = told.tokens[:, 0]
    log_p = [teacher.log_density(x_t, T_ALL, shares[row].expand(4, -1)) for row in (0, 1)]
    expected = -5.0 * teacher.schedule.at(T_ALL)[1].double() * torch.autograd.grad((log_p[1] - log_p[0]).sum(), x_t)[0]
    e_u, e_c = (teacher.predict_noise(x_t.detach().float(), T_ALL, told.rows([row] * 4)) for row in (0, 1))
    torch.testing.assert_close(csd_residual(e_u, e_c, 5.0).double(), expected, atol=1e-4, rtol=1e-4)


def test_classifier_score_distillation_is_sds_without_the_pull_towards_any_picture() -> None:
    e_u, e_c, noise = normal(1), normal(2), normal(3)
    sds = sds_residual(classifier_free_guidance(e_u, e_c, 9.0), noise)
    torch.testing.assert_close(csd_residual(e_u, e_c, 9.0), sds - (e_u - noise))
    assert torch.equal(csd_residual(e_u, e_u, 9.0), torch.zeros_like(e_u))


def test_noise_free_distillation_has_no_noise_left_in_it_for_gaussian_pictures() -> None:
    """For Gaussians of one spread the noise's part of e is the same whatever the mean: above low noise it cancels.

    e_u - e_bad = sigma alpha (mu_bad - mu_u) / v and e_c - e_u = sigma alpha (mu_u - mu_c) / v, whatever x_t is.
    """
    mu = modes(3)
    teachers = [GaussianTeacher(m[None], 0.3) for m in mu]
    alpha, sigma = teachers[0].schedule.at(T_ALL)
    v = alpha**2 * 0.3**2 + sigma**2
    told = teachers[0].encode_prompts([""] * 4)
    low = T_ALL < 200
    for seed in (1, 2):
        x_t = normal(seed)
        e_u, e_c, e_bad = (teacher.predict_noise(x_t, T_ALL, told) for teacher in teachers)
        actual = nfsd_residual(e_u, e_c, e_bad, low, 7.5)
        expected = sigma * alpha / v * ((mu[2] - mu[0]) + 7.5 * (mu[0] - mu[1]))
        torch.testing.assert_close(actual[1:], expected[1:], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(actual[0], e_u[0] + 7.5 * (e_c[0] - e_u[0]))


def test_noise_free_distillation_without_words_for_bad_pictures_is_the_classifiers_alone_above_low_noise() -> None:
    e_u, e_c = normal(1), normal(2)
    residual = nfsd_residual(e_u, e_c, e_u, torch.tensor([False, True, False, True]), 3.0)
    csd = csd_residual(e_u, e_c, 3.0)
    torch.testing.assert_close(residual[::2], csd[::2])
    torch.testing.assert_close(residual[1::2], csd[1::2] + e_u[1::2])


def test_a_ddim_step_and_its_return_end_where_they_began() -> None:
    schedule = GaussianTeacher(modes(1), 0.3).schedule
    here, there = schedule.at(T_ALL), schedule.at(T_ALL + 20)
    x_t, noise = normal(1), normal(2)
    torch.testing.assert_close(ddim_step(ddim_step(x_t, noise, here, there), noise, there, here), x_t)


def test_inversion_timesteps_lead_from_none_to_each_views_own() -> None:
    times = inversion_timesteps(T_ALL, 4)
    assert times.shape == (5, 4)
    assert torch.equal(times[0], torch.zeros(4, dtype=torch.int64))
    assert torch.equal(times[-1], T_ALL)
    assert bool((times.diff(dim=0) > 0).all())
    assert [inversion_steps(torch.tensor([t]), 1000, 10) for t in (1, 100, 101, 999)] == [1, 1, 2, 10]


@pytest.mark.parametrize(
    "schedule", [GaussianTeacher(modes(1), 0.3).schedule, NoiseSchedule.rectified_flow(1000, 1.0)], ids=["vp", "flow"]
)
def test_inversion_of_a_gaussian_follows_its_path(schedule: NoiseSchedule) -> None:
    """Along the sampler's exact path (x_t - alpha mu) / sqrt(v) stays; and each step of it is known: the factor
    (alpha' alpha s^2 + sigma' sigma) / v on x_t - alpha mu."""
    teacher = GaussianTeacher(modes(1), 0.3)
    teacher.schedule = schedule
    mu, told = teacher.means, teacher.encode_prompts([""] * 4)
    x = normal(4)

    def predict(x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return teacher.predict_noise(x_t, t, told)

    def spread(t: torch.Tensor) -> torch.Tensor:
        alpha, sigma = schedule.at(t)
        return alpha**2 * 0.3**2 + sigma**2

    few = ddim_inversion(x, T_ALL, predict, schedule, 5)
    times = inversion_timesteps(T_ALL, 5)
    away = x - schedule.at(times[0])[0] * mu
    for here, there in zip(times[:-1], times[1:], strict=True):
        (a, s), (a_next, s_next) = schedule.at(here), schedule.at(there)
        away = away * (a_next * a * 0.3**2 + s_next * s) / spread(here)
    torch.testing.assert_close(few, schedule.at(T_ALL)[0] * mu + away, atol=1e-4, rtol=1e-4)

    zero = torch.zeros_like(T_ALL)
    exact = schedule.at(T_ALL)[0] * mu + (spread(T_ALL) / spread(zero)).sqrt() * (x - schedule.at(zero)[0] * mu)
    many = ddim_inversion(x, T_ALL, predict, schedule, 200)
    assert float((many - exact).abs().max()) < 0.05 * float((exact - x).abs().max())
    assert float((many - exact).norm()) < 0.2 * float((few - exact).norm())


def test_the_inverted_noise_is_the_noise_that_leads_to_the_inverted_picture() -> None:
    schedule = GaussianTeacher(modes(1), 0.3).schedule
    alpha, sigma = schedule.at(T_ALL)
    x, x_t = normal(1), normal(2)
    torch.testing.assert_close(add_noise(x, inverted_noise(x, x_t, alpha, sigma), alpha, sigma), x_t)
    torch.testing.assert_close(
        inverted_noise(x, add_noise(x, normal(3), alpha, sigma), alpha, sigma), normal(3), atol=1e-5, rtol=1e-4
    )


def test_variational_distillation_with_an_untrained_copy_is_classifier_score_distillation() -> None:
    e_u, e_c = normal(1), normal(2)
    guided = classifier_free_guidance(e_u, e_c, 7.0)
    torch.testing.assert_close(vsd_residual(guided, e_c), csd_residual(e_u, e_c, 6.0), atol=1e-5, rtol=1e-5)


def test_variational_distillation_with_a_copy_that_knows_the_one_render_exactly_is_sds() -> None:
    """The best denoiser of renders that are all the same x sees the noise that is there: spread 0 in closed form."""
    x, noise = normal(1), normal(2)
    renders = GaussianTeacher(x[:1], 1e-6)
    alpha, sigma = renders.schedule.at(T_ALL)
    x_t = add_noise(x[:1].expand(4, -1, -1, -1), noise, alpha, sigma)
    seen = renders.predict_noise(x_t, T_ALL, renders.encode_prompts([""] * 4))
    guided = normal(3)
    torch.testing.assert_close(vsd_residual(guided, seen), sds_residual(guided, noise), atol=1e-4, rtol=1e-4)
    assert float(denoising_loss(seen, noise)) < 1e-8


def test_weights_of_the_pull_towards_the_clean_picture_are_as_documented() -> None:
    alpha, sigma = GaussianTeacher(modes(1), 0.3).schedule.at(T_ALL)
    pull = alpha / sigma  # eps_hat - eps = (alpha / sigma) (x - x_0)
    expected = {"uniform": alpha / sigma, "sigma_squared": alpha * sigma, "alpha_sigma": alpha**2}
    for weighting, value in expected.items():
        torch.testing.assert_close(score_weight(alpha, sigma, weighting) * pull, value)  # type: ignore[arg-type]


def test_sampling_falls_from_each_views_timestep_in_equal_steps() -> None:
    times = sampling_timesteps(torch.tensor([900, 300, 7]), 3)
    assert times.tolist() == [[900, 300, 7], [600, 200, 4], [300, 100, 2]]
    assert [sampling_steps(share, 6) for share in (0.98, 0.5, 0.17, 0.16, 0.01)] == [6, 3, 2, 1, 1]


def test_an_ancestral_step_is_the_step_of_diffusers_ddpm_sampler() -> None:
    from diffusers import DDPMScheduler

    sampler = DDPMScheduler(1000, beta_schedule="squaredcos_cap_v2", clip_sample=False, variance_type="fixed_small")
    schedule = NoiseSchedule.variance_preserving(sampler.alphas_cumprod)
    sampler.set_timesteps(10)
    x_t, noise = normal(1), normal(2)
    expected = sampler.step(noise, 800, x_t, generator=rng(5)).prev_sample
    fresh = torch.randn(x_t.shape, generator=rng(5))
    here, there = (schedule.at(torch.full((4,), t)) for t in (800, 700))
    torch.testing.assert_close(ancestral_step(x_t, noise, fresh, here, there), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("flow", [False, True])
def test_an_ancestral_step_with_the_true_noise_leaves_the_noise_of_the_next_level(flow: bool) -> None:
    schedule = NoiseSchedule.rectified_flow(1000, 3.0) if flow else GaussianTeacher(modes(1), 0.2).schedule
    x0 = torch.zeros(4000, 1, 1, 1)
    noise, fresh = (torch.randn(x0.shape, generator=rng(seed)) for seed in (1, 2))
    here, there = (schedule.at(torch.full((len(x0),), t)) for t in (700, 400))
    x_s = ancestral_step(add_noise(x0, noise, *here), noise, fresh, here, there)
    assert float(x_s.std() / there[1][0]) == pytest.approx(1.0, abs=0.04)
    assert float(torch.corrcoef(torch.stack([x_s.flatten(), noise.flatten()]))[0, 1]) == pytest.approx(
        float(here[0][0] * there[1][0] / (there[0][0] * here[1][0])), abs=0.04
    )


def test_a_sampled_picture_is_one_of_the_modes_where_a_single_prediction_is_their_mean() -> None:
    means = torch.stack([torch.full((3, 4, 4), 0.7), torch.full((3, 4, 4), -0.7)])
    teacher = GaussianTeacher(means, 0.05)
    told = teacher.encode_prompts([""])
    t = torch.full((16,), 950)
    x_t = add_noise(torch.zeros(16, 3, 4, 4), torch.randn(16, 3, 4, 4, generator=rng(3)), *teacher.schedule.at(t))

    def predict(x: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
        return teacher.predict_noise(x, s, told.rows([0] * len(x)))

    def away(pictures: torch.Tensor) -> torch.Tensor:
        return (pictures.mean(dim=(1, 2, 3)).abs() - 0.7).abs()

    def sampled(steps: int) -> torch.Tensor:
        fresh = torch.randn(steps - 1, *x_t.shape, generator=rng(4))
        return sampled_image(x_t, t, predict, teacher.schedule, fresh)

    assert float(away(sampled(1)).median()) > 0.2, "a mixture of both"
    several = sampled(12)
    assert float(away(several).max()) < 0.05
    assert 3 < int((several.mean(dim=(1, 2, 3)) > 0.0).sum()) < 13, "now the one, now the other"


def test_a_clamped_residual_stays_within_its_bound_and_keeps_what_is_not_finite() -> None:
    nan, inf = float("nan"), float("inf")
    residual = torch.tensor([-3.0, -0.5, 0.0, 0.7, 2.0, inf, -inf, nan])
    clamped = clamped_residual(residual, torch.tensor(0.6))
    wanted = torch.tensor([-0.6, -0.5, 0.0, 0.6, 0.6, inf, -inf, nan])
    torch.testing.assert_close(clamped, wanted, equal_nan=True)
    assert clamped_residual(residual, None) is residual


def test_the_bound_goes_linearly_from_start_to_end() -> None:
    assert [clamp_bound(progress, (0.5, 2.0)) for progress in (0.0, 0.5, 1.0)] == [0.5, 1.25, 2.0]
    assert clamp_bound(0.3, (0.0, 0.0)) == 0.0


def test_a_clipped_pixel_keeps_its_direction_and_no_other_pixel_changes() -> None:
    gradient = torch.zeros(1, 3, 2, 2)
    gradient[0, :, 0, 0] = torch.tensor([3.0, 0.0, 4.0])  # of norm 5
    gradient[0, :, 1, 1] = torch.tensor([0.3, 0.4, 0.0])  # of norm 0.5
    clipped = clipped_pixels(gradient, 1.0)
    torch.testing.assert_close(clipped[0, :, 0, 0], torch.tensor([0.6, 0.0, 0.8]))
    assert torch.equal(clipped[0, :, 1, 1], gradient[0, :, 1, 1]) and not clipped[0, :, 0, 1].any()
    assert clipped_pixels(gradient, 0.0) is gradient
    gradient[0, 0, 0, 1] = float("inf")
    assert not torch.isfinite(clipped_pixels(gradient, 1.0)).all(), "a broken prediction is still told"
