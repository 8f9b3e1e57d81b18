"""The forward process and the four names of one prediction."""

from __future__ import annotations

import pytest
import torch
from reference.gaussian_teacher import cosine_alphas_cumprod
from reference.predictions_of_noise import flow_from_noise, velocity_from_noise

from dreamfusion_engine.models.noise import (
    NoiseSchedule,
    PredictionType,
    add_noise,
    noise_from_clean,
    noise_from_flow,
    noise_from_prediction,
    noise_from_velocity,
    predicted_clean_image,
)

VARIANCE_PRESERVING = NoiseSchedule.variance_preserving(cosine_alphas_cumprod().double())


@pytest.fixture
def case() -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    x0, noise = (torch.randn(5, 3, 4, 4, generator=generator, dtype=torch.float64) for _ in range(2))
    alpha, sigma = VARIANCE_PRESERVING.at(torch.tensor([3, 100, 500, 900, 980]))
    return x0, noise, add_noise(x0, noise, alpha, sigma), alpha, sigma


def test_alpha_and_sigma_keep_the_variance(case: tuple[torch.Tensor, ...]) -> None:
    _, _, _, alpha, sigma = case
    torch.testing.assert_close(alpha**2 + sigma**2, torch.ones_like(alpha))
    assert alpha.shape == (5, 1, 1, 1)


def test_noisy_images_of_unit_variance_keep_unit_variance() -> None:
    generator = torch.Generator().manual_seed(1)
    x0, noise = (torch.randn(2, 3, 128, 128, generator=generator) for _ in range(2))
    x_t = add_noise(x0, noise, *VARIANCE_PRESERVING.at(torch.tensor([250, 700])))
    assert x_t.var(dim=(1, 2, 3)) == pytest.approx([1.0, 1.0], abs=0.02)


def test_each_prediction_type_gives_back_the_true_noise(case: tuple[torch.Tensor, ...]) -> None:
    x0, noise, x_t, alpha, sigma = case
    velocity = alpha * noise - sigma * x0  # its definition, arXiv 2202.00512
    told: list[tuple[torch.Tensor, PredictionType]] = [(noise, "epsilon"), (velocity, "v_prediction"), (x0, "sample")]
    for prediction, prediction_type in told:
        torch.testing.assert_close(noise_from_prediction(prediction, prediction_type, x_t, alpha, sigma), noise)


def test_conversions_are_mutually_inverse_for_any_prediction(case: tuple[torch.Tensor, ...]) -> None:
    _, _, x_t, alpha, sigma = case
    any_noise = torch.randn(x_t.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    velocity = velocity_from_noise(any_noise, x_t, alpha, sigma)
    clean = predicted_clean_image(any_noise, x_t, alpha, sigma)
    torch.testing.assert_close(noise_from_velocity(velocity, x_t, alpha, sigma), any_noise)
    torch.testing.assert_close(noise_from_clean(clean, x_t, alpha, sigma), any_noise)
    torch.testing.assert_close(alpha * x_t - sigma * velocity, clean)  # x_0 from v directly


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction", "sample"])
def test_conversions_agree_with_what_the_scheduler_of_diffusers_understands(prediction_type: PredictionType) -> None:
    from diffusers import DDPMScheduler

    scheduler = DDPMScheduler(prediction_type=prediction_type, beta_schedule="squaredcos_cap_v2", clip_sample=False)
    generator = torch.Generator().manual_seed(3)
    x_t, output = (torch.randn(1, 3, 4, 4, generator=generator) for _ in range(2))
    alpha, sigma = NoiseSchedule.variance_preserving(scheduler.alphas_cumprod).at(torch.tensor([600]))
    theirs = scheduler.step(output, 600, x_t).pred_original_sample
    ours = predicted_clean_image(noise_from_prediction(output, prediction_type, x_t, alpha, sigma), x_t, alpha, sigma)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def test_a_straight_schedule_goes_from_the_picture_to_the_noise_and_a_shift_leans_it_towards_noise() -> None:
    plain, shifted = NoiseSchedule.rectified_flow(1000, 1.0), NoiseSchedule.rectified_flow(1000, 3.0)
    for schedule in (plain, shifted):
        torch.testing.assert_close(schedule.alpha + schedule.sigma, torch.ones(1000))
        assert bool((schedule.sigma.diff() > 0.0).all())
        assert (float(schedule.sigma[-1]), float(schedule.alpha[-1])) == (1.0, 0.0)
    assert float(plain.sigma[499]) == 0.5
    assert float(shifted.sigma[499]) == pytest.approx(0.75)  # 3 * 0.5 / (1 + 2 * 0.5)


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_a_flow_gives_back_the_true_noise_and_a_noise_its_flow(shift: float) -> None:
    generator = torch.Generator().manual_seed(4)
    x0, noise, any_noise = (torch.randn(3, 4, 4, 4, generator=generator) for _ in range(3))
    alpha, sigma = NoiseSchedule.rectified_flow(1000, shift).at(torch.tensor([10, 500, 900]))
    x_t = add_noise(x0, noise, alpha, sigma)
    torch.testing.assert_close(noise_from_prediction(noise - x0, "flow_prediction", x_t, alpha, sigma), noise)
    flow = flow_from_noise(any_noise, x_t, alpha)
    torch.testing.assert_close(noise_from_flow(flow, x_t, alpha), any_noise)
    torch.testing.assert_close(x_t - sigma * flow, predicted_clean_image(any_noise, x_t, alpha, sigma))


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_the_straight_schedule_and_its_flow_are_those_of_the_scheduler_of_diffusers(shift: float) -> None:
    from diffusers import FlowMatchEulerDiscreteScheduler

    scheduler = FlowMatchEulerDiscreteScheduler(shift=shift)
    schedule = NoiseSchedule.rectified_flow(len(scheduler), shift)
    torch.testing.assert_close(schedule.sigma.flip(0), scheduler.sigmas, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(1000.0 * schedule.sigma.flip(0), scheduler.timesteps, atol=1e-3, rtol=1e-6)
    x0, noise = (torch.randn(1, 4, 4, 4, generator=torch.Generator().manual_seed(s)) for s in (5, 6))
    alpha, sigma = schedule.at(torch.tensor([999 - 300]))
    theirs = scheduler.scale_noise(x0, scheduler.timesteps[300:301], noise)
    torch.testing.assert_close(add_noise(x0, noise, alpha, sigma), theirs, atol=1e-5, rtol=1e-5)


def test_timesteps_without_signal_are_not_usable() -> None:
    assert NoiseSchedule.variance_preserving(torch.linspace(0.999, 0.0, 1000)).usable == 999
    assert NoiseSchedule.variance_preserving(cosine_alphas_cumprod()).usable == 1000
    flow = NoiseSchedule.rectified_flow(1000, 1.0)
    assert float(flow.alpha[flow.usable - 1]) ** 2 > 1e-5 >= float(flow.alpha[flow.usable]) ** 2


@pytest.mark.parametrize(
    ("prediction_type", "schedule"),
    [
        ("epsilon", VARIANCE_PRESERVING),
        ("v_prediction", VARIANCE_PRESERVING),
        ("sample", VARIANCE_PRESERVING),
        ("flow_prediction", NoiseSchedule.rectified_flow(1000, 3.0)),
        ("sample", NoiseSchedule.rectified_flow(1000, 1.0)),
    ],
)
def test_the_residual_of_score_distillation_is_the_error_of_what_is_predicted(
    prediction_type: PredictionType, schedule: NoiseSchedule
) -> None:
    """eps_hat - eps is the error of v or u times alpha, and the error of x_0 times -alpha / sigma."""
    generator = torch.Generator().manual_seed(7)
    x0, noise, error = (torch.randn(3, 4, 4, 4, generator=generator, dtype=torch.float64) for _ in range(3))
    alpha, sigma = (level.double() for level in schedule.at(torch.tensor([50, 400, 900])))
    x_t = add_noise(x0, noise, alpha, sigma)
    truth = {"epsilon": noise, "v_prediction": alpha * noise - sigma * x0, "sample": x0, "flow_prediction": noise - x0}
    factor = {
        "epsilon": torch.ones_like(alpha),
        "v_prediction": alpha,
        "sample": -alpha / sigma,
        "flow_prediction": alpha,
    }
    predicted = noise_from_prediction(truth[prediction_type] + error, prediction_type, x_t, alpha, sigma)
    torch.testing.assert_close(predicted - noise, factor[prediction_type] * error, atol=1e-5, rtol=1e-5)
