"""Score distillation sampling: the gradient that makes a picture more like what a diffusion model expects.

DreamFusion (Poole 2022, arXiv 2209.14988), section 3: add noise to a render, ask the frozen model which noise it sees
given the prompt, and move the render against the difference. x is what the model denoises, float32[B, C, H, W];
t int64[B]; alpha, sigma float32[B, 1, 1, 1].
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from dreamfusion_engine.config import GuidanceConfig
from dreamfusion_engine.guidance.noise import add_noise, noise_from_clean, predicted_clean_image
from dreamfusion_engine.guidance.prompts import SHADINGS, VIEWS, PromptCard, Shading, View, check_vocabulary, view_of
from dreamfusion_engine.guidance.teacher import Conditioning, Teacher


def classifier_free_guidance(noise_uncond: Tensor, noise_cond: Tensor, scale: float) -> Tensor:
    """eps = e_u + w (e_c - e_u) (Ho & Salimans 2022, arXiv 2207.12598, eq. 6, with w here = 1 + w there).

    w = 0 ignores the prompt, w = 1 follows it, more exaggerates it.
    """
    return noise_uncond + scale * (noise_cond - noise_uncond)


def rescale_guidance(guided: Tensor, cond: Tensor, share: float) -> Tensor:
    """phi guided std(cond) / std(guided) + (1 - phi) guided, against over-saturation (arXiv 2305.08891, eq. 15-16).

    guided, cond: float32[B, ...], the guided and the conditional prediction of the clean image; share: phi in [0, 1].
    The standard deviations are over all axes but B. A constant prediction, which has no spread to match, is kept.
    """
    axes = tuple(range(1, guided.ndim))
    spread = guided.std(dim=axes, keepdim=True)
    factor = torch.where(spread > 0.0, cond.std(dim=axes, keepdim=True) / spread, torch.ones_like(spread))
    return (share * factor + (1.0 - share)) * guided


def guided_noise(
    noise_uncond: Tensor,
    noise_cond: Tensor,
    x_t: Tensor,
    alpha: Tensor,
    sigma: Tensor,
    *,
    scale: float,
    rescale: float,
) -> Tensor:
    """The guided noise, its clean image rescaled by the share `rescale`: what SDS compares with the true noise."""
    guided = classifier_free_guidance(noise_uncond, noise_cond, scale)
    if rescale == 0.0:
        return guided
    clean = predicted_clean_image(guided, x_t, alpha, sigma)
    cond = predicted_clean_image(noise_cond, x_t, alpha, sigma)
    return noise_from_clean(rescale_guidance(clean, cond, rescale), x_t, alpha, sigma)


def sds_weight(sigma: Tensor, weighting: Literal["sigma_squared", "uniform"]) -> Tensor:
    """w(t): sigma_t^2, or 1 (DreamFusion, App. A.2: both work as well). Shape as sigma."""
    return sigma.square() if weighting == "sigma_squared" else torch.ones_like(sigma)


def sds_gradient(noise_predicted: Tensor, noise: Tensor, weight: Tensor) -> Tensor:
    """g = w(t) (eps_hat - eps), the gradient of L_SDS with respect to x (DreamFusion, eq. 3), per view."""
    return weight * (noise_predicted - noise)


def sds_loss(x: Tensor, gradient: Tensor) -> Tensor:
    """A scalar of value |g|^2 / 2 whose autograd gradient with respect to x is exactly g.

    It is 1/2 |x - stopgrad(x - g)|^2 (DreamFusion's stop-gradient target form) written without the subtraction of
    nearly equal numbers, which would round g.
    """
    g = gradient.detach()
    return (g * (x - x.detach())).sum() + 0.5 * g.square().sum()


def guidance_scale(progress: float, config: GuidanceConfig) -> float:
    """w: `scale` until `anneal_until`, from there linearly to 1 + (scale - 1) scale_kept at the end of training.

    Strong guidance finds the shape, but exaggerates: at low noise, where colours are decided, it makes colours that no
    picture has. Weak guidance from the start, or from the middle on, loses thin parts. (Guidance at a part of the noise
    levels only: Kynkaanniemi 2024, arXiv 2404.07724.)
    """
    late = 1.0 - config.anneal_until
    share = min(max((progress - config.anneal_until) / late, 0.0), 1.0) if late > 0.0 else 0.0
    return 1.0 + (config.scale - 1.0) * (1.0 - share + share * config.scale_kept)


def timestep_range(progress: float, config: GuidanceConfig) -> tuple[float, float]:
    """(t_min, t_max) as fractions of T, moving linearly from start to end values over the first `anneal_until`.

    progress: share of training done, in [0, 1].
    """
    share = min(max(progress / config.anneal_until, 0.0), 1.0)
    low, high = ((1.0 - share) * start + share * end for start, end in (config.t_min, config.t_max))
    return low, high


def sample_timesteps(count: int, low: float, high: float, total: int, generator: torch.Generator) -> Tensor:
    """Timesteps int64[count], on the generator's device: uniform in [low T, high T), one in each `count`-th of it.

    Each timestep is as likely as in independent draws, in the mean over the views; the parts lower the variance of a
    step. low, high: fractions of T in [0, 1]; total: T.
    """
    part = torch.arange(count, device=generator.device, dtype=torch.float32)
    place = (part + torch.rand(count, generator=generator, device=generator.device)) / count
    return ((low + (high - low) * place) * total).long().clamp(0, total - 1)


@dataclass(frozen=True, kw_only=True)
class StepInfo:
    """What one step of score distillation saw.

    finite: whether the noise prediction was; the caller raises RunError run.non_finite (or recovers) when it was not.
    gradient_norm: float32[B], |g| a pixel value (root mean square). t: int64[B]. views: the named view of each camera.
    """

    finite: bool
    gradient_norm: Tensor
    t: Tensor
    views: tuple[View, ...]


class ScoreDistillation:
    """Score distillation from one teacher for one prompt, seen from any side and in any shading.

    The embeddings of every view and shading are made here, once, so that a step is one call of the denoiser.
    prompt, negative: the artist's words; negative takes the place of the empty prompt in guidance. card: how the model
    wants to be asked. Raises InputError input.unknown_words where the card's vocabulary is closed.
    """

    def __init__(self, teacher: Teacher, prompt: str, negative: str, card: PromptCard, config: GuidanceConfig) -> None:
        check_vocabulary(prompt, card)
        check_vocabulary(negative, card, "negative prompt")
        self.teacher = teacher
        self.config = config
        views: tuple[View | None, ...] = VIEWS if config.view_prompts else (None,)
        texts = {(v, s): card.full_prompt(prompt, v, s) for v in views for s in SHADINGS}
        distinct = list(dict.fromkeys([negative, *texts.values()]))
        self._row = {key: distinct.index(text) for key, text in texts.items()}
        self._conditioning = teacher.encode_prompts(distinct)  # row 0: the negative prompt
        self._timesteps = teacher.schedule.usable

    def conditioning(self, views: list[View], shading: Shading) -> Conditioning:
        """What the denoiser is told for each view in one shading, B rows."""
        keys: list[View | None] = [*views] if self.config.view_prompts else [None] * len(views)
        return self._conditioning.rows([self._row[key, shading] for key in keys])

    def unconditional(self, count: int) -> Conditioning:
        """What the denoiser is told without the prompt: the negative prompt, `count` rows."""
        return self._conditioning.rows([0] * count)

    def predict(self, x_t: Tensor, t: Tensor, views: list[View], shading: Shading, scale: float) -> Tensor:
        """The guided noise, float32 as x_t, for noisy images of the named views, by one denoiser call of 2 B images.

        scale: of the guidance, w.
        """
        told = Conditioning.join([self.unconditional(len(views)), self.conditioning(views, shading)])
        both = self.teacher.predict_noise(torch.cat([x_t, x_t]), torch.cat([t, t]), told)
        noise_uncond, noise_cond = both.chunk(2)
        alpha, sigma = self.teacher.schedule.at(t)
        return guided_noise(noise_uncond, noise_cond, x_t, alpha, sigma, scale=scale, rescale=self.config.rescale)

    def step(
        self,
        images: Tensor,
        azimuth: Tensor,
        elevation: Tensor,
        shading: Shading,
        progress: float,
        generator: torch.Generator,
    ) -> tuple[Tensor, StepInfo]:
        """The SDS loss of B renders, a mean over views and pixels, and what the step saw.

        images: float32[B, 3, H, W] in [0, 1], with its graph. azimuth, elevation: float32[B], radians. shading: of the
        renders. progress: share of training done, in [0, 1]. generator: draws timesteps, then noise.
        The gradient of the loss with respect to the image at the model's size h x w is g / (B h w). Where the noise
        prediction is not finite the loss is not either, and `finite` says so: test it before stepping an optimiser.
        """
        x = self.teacher.to_model_space(images)
        count, _, height, width = x.shape
        views = [view_of(a, e) for a, e in zip(azimuth.tolist(), elevation.tolist(), strict=True)]
        with torch.no_grad():
            low, high = timestep_range(progress, self.config)
            t = sample_timesteps(count, low, high, self._timesteps, generator).to(x.device)
            noise = torch.randn(x.shape, generator=generator, device=generator.device).to(x.device)
            alpha, sigma = self.teacher.schedule.at(t)
            x_t = add_noise(x, noise, alpha, sigma)
            predicted = self.predict(x_t, t, views, shading, guidance_scale(progress, self.config))
            gradient = sds_gradient(predicted, noise, sds_weight(sigma, self.config.weighting))
            norm = gradient.square().mean(dim=(1, 2, 3)).sqrt()
        loss = sds_loss(x, gradient) / (count * height * width)
        finite = math.isfinite(float(norm.sum()))
        return loss, StepInfo(finite=finite, gradient_norm=norm, t=t, views=tuple(views))

    @torch.no_grad()
    def view_contrast(self, images: Tensor, shading: Shading, generator: torch.Generator) -> float:
        """How differently the model sees the prompt's front and its back: |e_front - e_back| / |e_mean - e_uncond|.

        images: float32[B, 3, H, W] in [0, 1], renders to ask about. 0 where both views mean the same to it, as for an
        object of revolution; then a back like the front is no fault. Noise at t = 0.6 T, where shapes are decided.
        """
        x = self.teacher.to_model_space(images)
        t = torch.full((len(x),), int(0.6 * self._timesteps), device=x.device)
        noise = torch.randn(x.shape, generator=generator, device=generator.device).to(x.device)
        x_t = add_noise(x, noise, *self.teacher.schedule.at(t))
        front, back = (self.conditioning([side] * len(x), shading) for side in ("front", "back"))
        texts = Conditioning.join([self.unconditional(len(x)), front, back])
        uncond, e_front, e_back = self.teacher.predict_noise(x_t.repeat(3, 1, 1, 1), t.repeat(3), texts).chunk(3)
        return float((e_front - e_back).norm() / (0.5 * (e_front + e_back) - uncond).norm().clamp(min=1e-12))
