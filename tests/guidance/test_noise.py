"""The forward process and the three names of one prediction."""

from __future__ import annotations

import pytest
import torch
from reference.gaussian_teacher import cosine_alphas_cumprod

from dreamfusion_engine.guidance.noise import (
    add_noise,
    alpha_sigma,
    noise_from_clean,
    noise_from_prediction,
    noise_from_velocity,
    predicted_clean_image,
    velocity_from_noise,
)


@pytest.fixture
def case() -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    x0, noise = (torch.randn(5, 3, 4, 4, generator=generator, dtype=torch.float64) for _ in range(2))
    alpha, sigma = alpha_sigma(cosine_alphas_cumprod().double(), torch.tensor([3, 100, 500, 900, 980]))
    return x0, noise, add_noise(x0, noise, alpha, sigma), alpha, sigma


def test_alpha_and_sigma_keep_the_variance(case: tuple[torch.Tensor, ...]) -> None:
    _, _, _, alpha, sigma = case
    torch.testing.assert_close(alpha**2 + sigma**2, torch.ones_like(alpha))
    assert alpha.shape == (5, 1, 1, 1)


def test_noisy_images_of_unit_variance_keep_unit_variance() -> None:
    generator = torch.Generator().manual_seed(1)
    x0, noise = (torch.randn(2, 3, 128, 128, generator=generator) for _ in range(2))
    x_t = add_noise(x0, noise, *alpha_sigma(cosine_alphas_cumprod(), torch.tensor([250, 700])))
    assert x_t.var(dim=(1, 2, 3)) == pytest.approx([1.0, 1.0], abs=0.02)


def test_each_prediction_type_gives_back_the_true_noise(case: tuple[torch.Tensor, ...]) -> None:
    x0, noise, x_t, alpha, sigma = case
    velocity = alpha * noise - sigma * x0  # its definition, arXiv 2202.00512
    for prediction, kind in ((noise, "epsilon"), (velocity, "v_prediction"), (x0, "sample")):
        torch.testing.assert_close(noise_from_prediction(prediction, kind, x_t, alpha, sigma), noise)


def test_conversions_are_mutually_inverse_for_any_prediction(case: tuple[torch.Tensor, ...]) -> None:
    _, _, x_t, alpha, sigma = case
    any_noise = torch.randn(x_t.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    velocity = velocity_from_noise(any_noise, x_t, alpha, sigma)
    clean = predicted_clean_image(any_noise, x_t, alpha, sigma)
    torch.testing.assert_close(noise_from_velocity(velocity, x_t, alpha, sigma), any_noise)
    torch.testing.assert_close(noise_from_clean(clean, x_t, alpha, sigma), any_noise)
    torch.testing.assert_close(alpha * x_t - sigma * velocity, clean)  # x_0 from v directly


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "sample"])
def test_conversions_agree_with_what_the_scheduler_of_diffusers_understands(kind: str) -> None:
    from diffusers import DDPMScheduler

    scheduler = DDPMScheduler(prediction_type=kind, beta_schedule="squaredcos_cap_v2", clip_sample=False)
    generator = torch.Generator().manual_seed(3)
    x_t, output = (torch.randn(1, 3, 4, 4, generator=generator) for _ in range(2))
    alpha, sigma = alpha_sigma(scheduler.alphas_cumprod, torch.tensor([600]))
    theirs = scheduler.step(output, 600, x_t).pred_original_sample
    ours = predicted_clean_image(noise_from_prediction(output, kind, x_t, alpha, sigma), x_t, alpha, sigma)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
