"""Score distillation: renders in, a loss out whose gradient makes them more like what a diffusion model expects.

One call for every score of `scores/`: noise a render, ask the frozen model, make its predictions into a residual, weigh
it. x is what the model denoises, float32[B, C, H, W]; t int64[B]; alpha, sigma float32[B, 1, 1, 1].
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from dreamfusion_engine.config.scores import SCORES
from dreamfusion_engine.config.stages import GuidanceConfig, PromptsConfig, ScoreConfig, Shading
from dreamfusion_engine.guidance.classifier_free import guidance_scale, guided_noise
from dreamfusion_engine.guidance.perp_neg import perp_neg_noise
from dreamfusion_engine.guidance.prompt_conditioning import Encode, PromptConditioning, PromptEmbeddings
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
from dreamfusion_engine.guidance.step_inputs import Part, StepInputs
from dreamfusion_engine.guidance.timesteps import sample_timesteps, timestep_range
from dreamfusion_engine.machine.device import sent
from dreamfusion_engine.models.card import AUTOMATIC, VIEWS, PromptCard, View, by_hand, check_vocabulary
from dreamfusion_engine.models.noise import NoiseSchedule, add_noise
from dreamfusion_engine.models.teacher import Conditioning, Teacher


class ScoreDistillation:
    """Score distillation from one teacher for one prompt, seen from any side and in any shading.

    Every text is encoded here, once, so that a step is one call of the denoiser (two more for 'vsd', several for
    'sdi' and 'sampled'). prompt, negative: the artist's words; negative takes the place of the empty prompt in
    guidance. texts: prompts by hand. card: how the model wants to be asked. score: what 'sdi', 'vsd' and 'sampled'
    need besides. seed: starts the copy that 'vsd' trains. encode: in the place of the teacher's own encoding, such as
    one with a cache.
    Raises InputError input.unknown_words where the card's vocabulary is closed.
    """

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
    ) -> None:
        check_vocabulary(prompt, card)
        check_vocabulary(negative, card, "negative prompt")
        for view in VIEWS:
            check_vocabulary(by_hand(prompt, view, texts), card, f"prompt of the {view} view")
        self.teacher = teacher
        self.config = config
        self.settings = score
        self.has_front = card.has_front(prompt)
        self.conditioning = PromptConditioning(encode or teacher.encode_prompts, prompt, negative, card, config, texts)
        self._timesteps = teacher.schedule.usable
        self.renders = RenderScore(teacher, score, seed) if SCORES[config.score].learns else None
        self._shapes: dict[int, tuple[int, ...]] = {}
        self._schedule_on_host: NoiseSchedule | None = None  # copied once; a step must not wait for a card

    def restart(self, config: GuidanceConfig, seed: int) -> None:
        """Forget what was learned from renders, and go on with the settings of another attempt."""
        self.config = config
        if self.renders is not None:
            self.renders = RenderScore(self.teacher, self.settings, seed)

    def state(self) -> dict[str, Tensor]:
        """Every tensor that a checkpoint needs; none for scores that learn nothing."""
        return {} if self.renders is None else self.renders.state()

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from `state()` with the same settings."""
        if self.renders is not None:
            self.renders.load_state(tensors)

    def predictions(self, x_t: Tensor, t: Tensor, embeddings: PromptEmbeddings) -> Predictions:
        """What the model sees in noisy renders, by one call of the denoiser for all texts."""
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
        """The guided noise, rescaled as the settings say, float32 as x_t. scale: of the guidance, w."""
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
        part: Part,
    ) -> StepInputs:
        """What `step` asks; the same arguments. shape: (B, C, h, w) of the renders as the model sees them.

        Apart from `judge`, because this is what changes from step to step: random numbers and what the host decides.
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

    def seen(self, images: Tensor, step: StepInputs) -> Tensor:
        """Renders float32[B, 3, H, W] in [0, 1] as the model sees them, float32[B, C, h, w]: x of `judge`."""
        if step.posterior is None:
            return self.teacher.to_model_space(images)
        return self.teacher.to_model_space(images, step.posterior)

    def judge(self, x: Tensor, step: StepInputs) -> tuple[Tensor, Tensor]:
        """The loss of `step`, and |g| a pixel value (root mean square), float32[B].

        x: the renders as the model sees them, float32[B, C, h, w], with their graph. Draws nothing and, but for the
        scores 'sdi' and 'vsd', decides nothing on the host.
        """
        gradient, norm = self.pull(x, step)
        if self.renders is not None and step.learning is not None:
            self.renders.learn(x, *step.learning, step.embeddings.cond, torch.isfinite(norm).all())
        return mean_score_loss(x, gradient), norm

    @torch.no_grad()
    def pull(self, x: Tensor, step: StepInputs) -> tuple[Tensor, Tensor]:
        """The score's gradient g, as x, and |g| a pixel value float32[B]: all of `judge` that no gradient goes through.

        Another thread may ask, one at a time: it changes nothing here.
        """
        residual = clamped_residual(RESIDUALS[self.config.score](self, x, step), step.clamp)
        gradient = score_weight(*self.teacher.schedule.at(step.t), self.config.weighting) * residual
        gradient = clipped_pixels(gradient, self.settings.pixel_clip)
        return gradient, gradient.square().mean(dim=(1, 2, 3)).sqrt()

    @property
    def schedule(self) -> NoiseSchedule:
        """The teacher's, on its device."""
        return self.teacher.schedule

    @property
    def recordable(self) -> bool:
        """Whether `judge` is the same work in every step, so that a CUDA graph can hold it."""
        return SCORES[self.config.score].recordable

    def model_shape(self, size: int) -> tuple[int, ...]:
        """(C, h, w) of a render of size x size pixels as the model sees it; found out once for each size."""
        if size not in self._shapes:
            with torch.no_grad():
                picture = torch.zeros(1, 3, size, size, device=self.teacher.device)
                self._shapes[size] = tuple(self.teacher.to_model_space(picture).shape[1:])
        return self._shapes[size]

    def score_size(self, progress: float, size: int) -> float:
        """How large the score of renders of size x size pixels is at `progress`, beside the starter's, which is 1.

        What the regularisers' weights are multiplied by; see `guidance.score_size`.
        """
        weight = 1.0
        if self.config.weighting != "uniform":
            if self._schedule_on_host is None:
                self._schedule_on_host = self.teacher.schedule.to(torch.device("cpu"))
            weight = mean_weight(self._schedule_on_host, *timestep_range(progress, self.config), self.config.weighting)
        return score_size(self.config.scale, self.model_shape(size)[0], weight)

    @torch.no_grad()
    def view_contrast(self, images: Tensor, shading: Shading, generator: torch.Generator) -> float:
        """How differently the model sees the prompt's front and its back: |e_front - e_back| / |e_mean - e_uncond|.

        images: float32[B, 3, H, W] in [0, 1], renders to ask about. 0 where both views mean the same to it, as for an
        object of revolution; then a back like the front is no fault. Noise at t = 0.6 T, where shapes are decided.
        """
        x = self.teacher.to_model_space(images)
        noise = self._noise_of(Part(first=0, total=len(x)), x.shape, generator)
        apart = of_prompt = 0.0
        for one, its_noise in zip(x.split(1), noise.split(1), strict=True):  # a call no larger than a step's
            t = torch.full((1,), int(0.6 * self._timesteps), device=x.device)
            x_t = add_noise(one, its_noise, *self.teacher.schedule.at(t))
            sides: tuple[View, View] = ("front", "back")
            front, back = (self.conditioning.of_views([side], shading) for side in sides)
            texts = Conditioning.join([self.conditioning.unconditional(1), front, back])
            uncond, e_front, e_back = self.teacher.predict_noise(x_t.repeat(3, 1, 1, 1), t.repeat(3), texts).chunk(3)
            apart += float((e_front - e_back).square().sum())
            of_prompt += float((0.5 * (e_front + e_back) - uncond).square().sum())
        return math.sqrt(apart) / max(math.sqrt(of_prompt), 1e-12)

    def _guided(self, seen: Predictions, x_t: Tensor, t: Tensor, scale: float | Tensor) -> Tensor:
        alpha, sigma = self.teacher.schedule.at(t)
        return guided_noise(seen.uncond, seen.cond, x_t, alpha, sigma, scale=scale, rescale=self.config.rescale)

    def _timesteps_of(self, part: Part, count: int, low: float, high: float, generator: torch.Generator) -> Tensor:
        t = sample_timesteps(part.total, low, high, self._timesteps, generator)[part.first : part.first + count]
        return sent(t, self.teacher.device)

    def _noise_of(self, part: Part, shape: Sequence[int], generator: torch.Generator) -> Tensor:
        noise = torch.randn((part.total, *shape[1:]), generator=generator, device=generator.device)
        return sent(noise[part.first : part.first + shape[0]], self.teacher.device)
