"""What a score may ask of the model, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from dreamfusion_engine.config.stages import ScoreConfig
from dreamfusion_engine.guidance.prompt_conditioning import PromptEmbeddings
from dreamfusion_engine.guidance.step_inputs import StepInputs
from dreamfusion_engine.models.noise import NoiseSchedule
from dreamfusion_engine.models.teacher import Conditioning


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """The noise that the model sees in x_t, float32 as x_t: without the prompt, with it (after Perp-Neg), and for bad
    pictures where a score asks for that."""

    uncond: Tensor
    cond: Tensor
    bad: Tensor | None


class RenderModel(Protocol):
    """A model of the renders."""

    def predict_noise(self, x_t: Tensor, t: Tensor, told: Conditioning) -> Tensor:
        """The noise that it sees, float32 as x_t, at timesteps int64[B]."""
        ...


class Guide(Protocol):
    """The model with its prompt and its guidance. settings: of the scores. renders: for scores that learn them."""

    @property
    def schedule(self) -> NoiseSchedule: ...
    @property
    def settings(self) -> ScoreConfig: ...
    @property
    def renders(self) -> RenderModel | None: ...

    def predictions(self, x_t: Tensor, t: Tensor, embeddings: PromptEmbeddings) -> Predictions:
        """What the model sees in noisy renders."""
        ...

    def guided(self, x_t: Tensor, t: Tensor, embeddings: PromptEmbeddings, scale: float | Tensor) -> Tensor:
        """The guided noise, rescaled as the settings say, float32 as x_t. scale: of the guidance, w."""
        ...


class Residual(Protocol):
    """A score: what it makes of renders x, float32[B, C, h, w], before w(t)."""

    def __call__(self, guide: Guide, x: Tensor, step: StepInputs) -> Tensor: ...
