"""What a score may ask of the model, and what the model answers."""

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
    """The noise that the model predicts in x_t; all float32 as x_t.

    uncond: without the prompt.
    cond: with the prompt, after Perp-Neg.
    bad: with words for bad pictures; None for scores that do not ask for them.
    """

    uncond: Tensor
    cond: Tensor
    bad: Tensor | None


class RenderModel(Protocol):
    """A model of the renders."""

    def predict_noise(self, x_t: Tensor, t: Tensor, told: Conditioning) -> Tensor:
        """Return the noise that it predicts, float32 as x_t.

        x_t: float32[B, C, h, w], noisy renders.
        t: int64[B], timesteps.
        told: Conditioning, B rows.
        """
        ...


class Guide(Protocol):
    """The model with its prompt and its guidance.

    schedule: NoiseSchedule of the model.
    settings: ScoreConfig, settings of the scores.
    renders: RenderModel, for scores that learn from renders; None for others.
    """

    @property
    def schedule(self) -> NoiseSchedule: ...
    @property
    def settings(self) -> ScoreConfig: ...
    @property
    def renders(self) -> RenderModel | None: ...

    def predictions(self, x_t: Tensor, t: Tensor, embeddings: PromptEmbeddings) -> Predictions:
        """Predict the noise in noisy renders.

        x_t: float32[B, C, h, w], noisy renders.
        t: int64[B], timesteps.
        embeddings: PromptEmbeddings of the B views.
        """
        ...

    def guided(self, x_t: Tensor, t: Tensor, embeddings: PromptEmbeddings, scale: float | Tensor) -> Tensor:
        """Return the guided noise, float32 as x_t, rescaled as the settings say.

        x_t: float32[B, C, h, w], noisy renders.
        t: int64[B], timesteps.
        embeddings: PromptEmbeddings of the B views.
        scale: float or float32[], guidance scale w.
        """
        ...


class Residual(Protocol):
    """A score: returns the residual of renders x, float32[B, C, h, w], before w(t)."""

    def __call__(self, guide: Guide, x: Tensor, step: StepInputs) -> Tensor: ...
