"""What one step of score distillation asks the model, apart from the renders: all that differs from step to step."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from dreamfusion_engine.guidance.prompt_conditioning import PromptEmbeddings


@dataclass(frozen=True, kw_only=True)
class ViewRange:
    """Some of a step's renders. All parts of a step start with the same random state.

    first: int, index of the part's first render.
    total: int, number of renders in the step.
    """

    first: int
    total: int


@dataclass(frozen=True, kw_only=True)
class StepInputs:
    """What a step needs for its B renders, drawn before they are made; all on the model's device.

    t: int64[B], timesteps.
    noise: float32[B, C, h, w], standard normal.
    embeddings: PromptEmbeddings of the B views.
    scale: float32[], guidance scale w.
    learning: (t int64[B], noise float32[B, C, h, w]) for the copy that 'vsd' trains; None for other scores.
    fresh: float32[N - 1, B, C, h, w], noise that 'sampled' adds on the way down; None for other scores.
    clamp: float32[], bound of the residual; None for no bound.
    posterior: float32[B, C, h, w], noise of latents that are sampled; None where latents are the mean.
    """

    t: Tensor
    noise: Tensor
    embeddings: PromptEmbeddings
    scale: Tensor
    learning: tuple[Tensor, Tensor] | None = None
    fresh: Tensor | None = None
    clamp: Tensor | None = None
    posterior: Tensor | None = None
