"""Guidance: linear in its scale, rescaled to natural contrast, faded at the end."""

from __future__ import annotations

import pytest
import torch
from reference.gaussian_teacher import GaussianTeacher

from dreamfusion_engine.config.stages import GuidanceConfig
from dreamfusion_engine.guidance.classifier_free import (
    classifier_free_guidance,
    guidance_scale,
    guided_noise,
    rescale_guidance,
)
from dreamfusion_engine.models.noise import predicted_clean_image


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def modes(count: int, size: int = 4, seed: int = 0) -> torch.Tensor:
    return 0.6 * (2.0 * torch.rand(count, 3, size, size, generator=rng(seed)) - 1.0)


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


def test_the_guidance_scale_falls_once_the_noise_levels_have_annealed() -> None:
    config = GuidanceConfig(scale=9.0, scale_kept=0.25, anneal_until=0.5)
    assert [guidance_scale(p, config) for p in (0.0, 0.5, 0.75, 1.0)] == [9.0, 9.0, 6.0, 3.0]
    assert guidance_scale(1.0, GuidanceConfig(scale=9.0, scale_kept=0.25, anneal_until=1.0)) == 9.0
    unguided = GuidanceConfig(scale=1.0, scale_kept=0.0)
    assert guidance_scale(0.0, unguided) == guidance_scale(1.0, unguided) == 1.0
