"""Score distillation: take renders, return a loss whose gradient makes them more like what a diffusion model expects.

Every score of `scores/` goes the same way: noise a render, ask the frozen model, form the residual from its
predictions, and weigh it. x is what the model denoises, float32[B, C, H, W]; t int64[B]; alpha, sigma
float32[B, 1, 1, 1].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from dreamfusion_engine.config.scores import SCORES
from dreamfusion_engine.config.stages import GuidanceConfig, PromptsConfig, ScoreConfig, Shading
from dreamfusion_engine.guidance.classifier_free import guidance_scale, guided_noise
from dreamfusion_engine.guidance.guidance import Behind
from dreamfusion_engine.guidance.perp_neg import perp_neg_noise
from dreamfusion_engine.guidance.prompt_conditioning import (
    Encode,
    PromptConditioning,
    PromptEmbeddings,
    ViewConditioning,
)
from dreamfusion_engine.guidance.prompt_gain import denoising_gain
from dreamfusion_engine.guidance.score_size import mean_weight, score_size
from dreamfusion_engine.guidance.scores.guide import Predictions
from dreamfusion_engine.guidance.scores.render_model import RenderScore
from dreamfusion_engine.guidance.scores.residuals import RESIDUALS
from dreamfusion_engine.guidance.scores.sampled import sampling_steps
from dreamfusion_engine.guidance.scores.sds import (
    clamp_bound,
    clamped_residual,
    clipped_pixels,
    mean_score_loss,
    score_weight,
)
from dreamfusion_engine.guidance.side_contrast import side_contrast
from dreamfusion_engine.guidance.step_inputs import StepInputs, ViewRange
from dreamfusion_engine.guidance.timesteps import sample_timesteps, timestep_range
from dreamfusion_engine.machine.device import sent
from dreamfusion_engine.models.card import AUTOMATIC, PromptCard, by_hand
from dreamfusion_engine.models.noise import NoiseSchedule
from dreamfusion_engine.models.prompt_check import check_vocabulary
from dreamfusion_engine.models.teacher import Conditioning, Teacher
from dreamfusion_engine.models.views import VIEWS


class ScoreDistillation:
    """Score distillation from one teacher for one prompt, for all views and shadings.

    It encodes every text once, at the start. A step is then one call of the denoiser (two more for 'vsd', several for
    'sdi' and 'sampled').

    teacher: the frozen diffusion model.
    prompt: str, the artist's words.
    negative: str, used in guidance in place of the empty prompt.
    card: PromptCard, how to word prompts for this model.
    config: GuidanceConfig, settings of the guidance.
    texts: PromptsConfig, prompts that the artist wrote by hand for single views.
    score: ScoreConfig, further settings of 'sdi', 'vsd' and 'sampled'.
    seed: int, seed of the low-rank copy that 'vsd' trains.
    encode: texts to Conditioning; replaces the teacher's own encoding, for example by one with a cache.
    together: int, views in a row that the teacher judges together, told where each is from; 1: each alone.
    told: ViewConditioning of a teacher that is told a picture; None: it is told the prompt alone.
    Raises InputError input.unknown_words where the card's vocabulary is closed and does not hold a word.
    """

    looks_behind = False

    def __init__(
        self,
        teacher: Teacher,
        prompt: str,
        negative: str,
        card: PromptCard,
        config: GuidanceConfig,
        *,
        texts: PromptsConfig = AUTOMATIC,
        score: ScoreConfig = ScoreConfig(),  # noqa: B008 (frozen)
        seed: int = 0,
        encode: Encode | None = None,
        together: int = 1,
        told: ViewConditioning | None = None,
    ) -> None:
        check_vocabulary(prompt, card)
        check_vocabulary(negative, card, "negative prompt")
        for view in VIEWS:
            check_vocabulary(by_hand(prompt, view, texts), card, f"prompt of the {view} view")
        self.teacher = teacher
        self.config = config
        self.settings = score
        self.together = together
        self.has_front = card.has_front(prompt)
        self.conditioning: ViewConditioning = told or PromptConditioning(
            encode or teacher.encode_prompts, prompt, negative, card, config, texts, tells_cameras=together > 1
        )
        self._timesteps = teacher.schedule.usable
        self.renders = RenderScore(teacher, score, seed) if SCORES[config.score].learns else None
        self._shapes: dict[int, tuple[int, ...]] = {}
        self._schedule_on_host: NoiseSchedule | None = None  # copied once; a step must not wait for a card

    def restart(self, config: GuidanceConfig, seed: int) -> None:
        """Forget what was learned from renders, and continue with the settings of another attempt.

        config: GuidanceConfig of the attempt.
        seed: int, seed of the low-rank copy that 'vsd' trains.
        """
        self.config = config
        if self.renders is not None:
            self.renders = RenderScore(self.teacher, self.settings, seed)

    def state(self) -> dict[str, Tensor]:
        """Return every tensor that a checkpoint needs; none for scores that learn nothing."""
        return {} if self.renders is None else self.renders.state()

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore what `state()` returned; the settings must be the same."""
        if self.renders is not None:
            self.renders.load_state(tensors)

    def predictions(self, x_t: Tensor, t: Tensor, embeddings: PromptEmbeddings) -> Predictions:
        """Predict the noise in noisy renders, by one call of the denoiser for all texts.

        x_t: float32[B, C, h, w], noisy renders.
        t: int64[B], timesteps.
        embeddings: PromptEmbeddings of the B views.
        """
        parts = [
            embeddings.uncond,
            embeddings.cond,
            *([] if embeddings.bad is None else [embeddings.bad]),
            *embeddings.against,
        ]
        rows = x_t.repeat(len(parts), *[1] * (x_t.ndim - 1))
        seen = self.teacher.predict_noise(rows, t.repeat(len(parts)), Conditioning.join(parts)).chunk(len(parts))
        uncond, cond, rest = seen[0], seen[1], seen[2:]
        bad, against = (rest[0], rest[1:]) if embeddings.bad is not None else (None, rest)
        if embeddings.weights is not None:
            cond = perp_neg_noise(uncond, cond, torch.stack(against), embeddings.weights)
        return Predictions(uncond=uncond, cond=cond, bad=bad)

    def guided(self, x_t: Tensor, t: Tensor, embeddings: PromptEmbeddings, scale: float | Tensor) -> Tensor:
        """Return the guided noise, float32 as x_t, rescaled as the settings say.

        x_t: float32[B, C, h, w], noisy renders.
        t: int64[B], timesteps.
        embeddings: PromptEmbeddings of the B views.
        scale: float or float32[], guidance scale w.
        """
        seen = self.predictions(x_t, t, embeddings)
        return self._guided(seen, x_t, t, scale)

    @torch.no_grad()
    def step_inputs(
        self,
        shape: Sequence[int],
        azimuth: Tensor,
        elevation: Tensor,
        shading: Shading,
        progress: float,
        generator: torch.Generator,
        part: ViewRange,
    ) -> StepInputs:
        """Draw and decide everything that a step needs besides the renders.

        It is apart from `loss` because it changes from step to step: random numbers and what the host decides.

        shape: (B, C, h, w) of the renders as the model sees them.
        azimuth, elevation: float32[B], radians, cameras of the renders.
        shading: of all the renders.
        progress: float in [0, 1], share of training done.
        generator: source of the random numbers.
        part: ViewRange, which of the step's renders these are.
        """
        device = self.teacher.device
        low, high = timestep_range(progress, self.config)
        t = self._timesteps_of(part, shape[0], low, high, generator)
        noise = self._noise_of(part, shape, generator)
        learning = None
        if self.renders is not None:
            learning = self._timesteps_of(part, shape[0], 0.0, 1.0, generator), self._noise_of(part, shape, generator)
        fresh = None
        if SCORES[self.config.score].draws_more:
            steps = sampling_steps(high, self.settings.sampling_steps)
            drawn = [self._noise_of(part, shape, generator) for _ in range(steps - 1)]
            fresh = torch.stack(drawn) if drawn else noise.new_empty((0, *shape))
        bound = clamp_bound(progress, self.settings.clamp)
        return StepInputs(
            t=t,
            noise=noise,
            embeddings=self.conditioning.embeddings(azimuth, elevation, shading),
            scale=sent(torch.tensor(guidance_scale(progress, self.config)), device),
            learning=learning,
            fresh=fresh,
            clamp=sent(torch.tensor(bound), device) if bound > 0.0 else None,
            posterior=self._noise_of(part, shape, generator) if self.settings.latents == "sample" else None,
        )

    def further_noises(self, step: StepInputs) -> int:
        """Return how many noises the score adds on the way down."""
        return 0 if step.fresh is None else len(step.fresh)

    def seen(self, images: Tensor, step: StepInputs, behind: Behind | None = None) -> Tensor:
        """Return renders as the model sees them, float32[B, C, h, w]: x of `loss`.

        images: float32[B, 3, H, W] in [0, 1].
        step: StepInputs of the same renders.
        behind: not used; the renders keep their background.
        """
        if step.posterior is None:
            return self.teacher.to_model_space(images)
        return self.teacher.to_model_space(images, step.posterior)

    def loss(self, x: Tensor, step: StepInputs) -> tuple[Tensor, Tensor]:
        """Return the loss, a scalar, and |g| per pixel value (root mean square), float32[B].

        It draws no random numbers. It decides nothing on the host, except for the scores 'sdi' and 'vsd'.

        x: float32[B, C, h, w], the renders as the model sees them, with their graph.
        step: StepInputs of the same renders.
        """
        gradient, norm = self.pull(x, step)
        if self.renders is not None and step.learning is not None:
            self.renders.learn(x, *step.learning, step.embeddings.cond, torch.isfinite(norm).all())
        return self.loss_at(x, gradient), norm

    @torch.no_grad()
    def pull(self, x: Tensor, step: StepInputs) -> tuple[Tensor, Tensor]:
        """Return the score's gradient g, float32 as x, and |g| per pixel value (root mean square), float32[B].

        This is the part of `loss` that no gradient goes through. It changes nothing in this object, so another thread
        may call it, one at a time.

        x: float32[B, C, h, w], the renders as the model sees them.
        step: StepInputs of the same renders.
        """
        residual = clamped_residual(RESIDUALS[self.config.score](self, x, step), step.clamp)
        gradient = score_weight(*self.teacher.schedule.at(step.t), self.config.weighting) * residual
        gradient = clipped_pixels(gradient, self.settings.pixel_clip)
        return gradient, gradient.square().mean(dim=(1, 2, 3)).sqrt()

    def loss_at(self, x: Tensor, gradient: Tensor) -> Tensor:
        """Return the loss, a scalar, whose gradient at x is g, from `pull`.

        x: float32[B, C, h, w], the renders as the model sees them, with their graph.
        gradient: float32[B, C, h, w], g.
        """
        return mean_score_loss(x, gradient)

    @property
    def schedule(self) -> NoiseSchedule:
        """The teacher's noise schedule, on its device."""
        return self.teacher.schedule

    @property
    def recordable(self) -> bool:
        """Whether `loss` does the same work in every step, so that a CUDA graph can record it."""
        return SCORES[self.config.score].recordable

    def model_shape(self, size: int) -> tuple[int, ...]:
        """Return (C, h, w) of a render as the model sees it; computed once for each size.

        size: int, pixels, width and height of the render.
        """
        if size not in self._shapes:
            with torch.no_grad():
                picture = torch.zeros(1, 3, size, size, device=self.teacher.device)
                self._shapes[size] = tuple(self.teacher.to_model_space(picture).shape[1:])
        return self._shapes[size]

    def score_size(self, progress: float, size: int) -> float:
        """Return the size of the score relative to the starter's, which is 1.

        The regularisers' weights are multiplied by it; see `guidance.score_size`.

        progress: float in [0, 1], share of training done.
        size: int, pixels, width and height of the renders.
        """
        weight = 1.0
        if self.config.weighting != "uniform":
            if self._schedule_on_host is None:
                self._schedule_on_host = self.teacher.schedule.to(torch.device("cpu"))
            weight = mean_weight(self._schedule_on_host, *timestep_range(progress, self.config), self.config.weighting)
        return score_size(self.config.scale, self.model_shape(size)[0], weight)

    @torch.no_grad()
    def view_contrast(self, images: Tensor, shading: Shading, generator: torch.Generator) -> float:
        """Return how differently the model sees the prompt's front and back: |e_front - e_back| / |e_mean - e_uncond|.

        It is 0 where both views mean the same to the model, as for an object of revolution. A back like the front is no
        fault then. See `side_contrast`.

        images: float32[B, 3, H, W] in [0, 1], renders to ask about.
        shading: of all the renders.
        generator: source of the noise.
        """
        x = self.teacher.to_model_space(images)
        noise = self._noise_of(ViewRange(first=0, total=len(x)), x.shape, generator)
        return side_contrast(self.teacher, self.conditioning, x, noise, shading)

    def prompt_gain(self, images: Tensor, azimuth: Tensor, elevation: Tensor) -> float:
        """Return `denoising_gain` of pictures: how much better their noise is found with the prompt than without.

        images: float32[B, 3, H, W] in [0, 1].
        azimuth, elevation: float32[B], radians, cameras of the pictures.
        """
        return denoising_gain(self.teacher, self.conditioning, images, azimuth, elevation, self.together)

    def _guided(self, seen: Predictions, x_t: Tensor, t: Tensor, scale: float | Tensor) -> Tensor:
        alpha, sigma = self.teacher.schedule.at(t)
        return guided_noise(
            seen.uncond,
            seen.cond,
            x_t,
            alpha,
            sigma,
            scale=scale,
            rescale=self.config.rescale,
            group=self.together,
        )

    def _timesteps_of(self, part: ViewRange, count: int, low: float, high: float, generator: torch.Generator) -> Tensor:
        t = sample_timesteps(part.total // self.together, low, high, self._timesteps, generator)
        t = t.repeat_interleave(self.together)  # views that are judged together are equally noisy
        return sent(t[part.first : part.first + count], self.teacher.device)

    def _noise_of(self, part: ViewRange, shape: Sequence[int], generator: torch.Generator) -> Tensor:
        noise = torch.randn((part.total, *shape[1:]), generator=generator, device=generator.device)
        return sent(noise[part.first : part.first + shape[0]], self.teacher.device)
