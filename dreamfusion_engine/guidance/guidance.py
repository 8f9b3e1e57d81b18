"""What a training asks of a teacher with its prompt, whether it denoises pictures or compares them with words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from dreamfusion_engine.config.stages import GuidanceConfig, Shading
from dreamfusion_engine.guidance.step_inputs import ViewRange


@dataclass(frozen=True, kw_only=True)
class Behind:
    """What lies behind the object in renders, for a teacher that puts something else there.

    opacity: float32[B, 1, H, W] in [0, 1], of the object, with its graph.
    colour: float32[B, 3], sRGB, the background that the renders have.
    """

    opacity: Tensor
    colour: Tensor


class Guidance(Protocol):
    """A frozen teacher with a prompt: renders go in, a loss comes out.

    A step's `step_inputs` are a dataclass of tensors, which hold all that is random and all that the host decides.

    config: GuidanceConfig of the attempt.
    together: int, views in a row that are judged together; 1: each alone.
    has_front: bool, whether front and back of the prompt's object may differ.
    looks_behind: bool, whether `seen` uses what it is told of the background.
    """

    config: GuidanceConfig
    together: int
    has_front: bool
    looks_behind: bool

    @property
    def recordable(self) -> bool:
        """Whether `loss` does the same work in every step, so that a CUDA graph can record it."""
        ...

    def restart(self, config: GuidanceConfig, seed: int) -> None:
        """Forget what was learned from renders, and continue with the settings of another attempt."""
        ...

    def state(self) -> dict[str, Tensor]:
        """Return every tensor that a checkpoint needs."""
        ...

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore what `state()` returned."""
        ...

    def model_shape(self, size: int) -> tuple[int, ...]:
        """Return (C, h, w), to be told to `step_inputs`, of a render of size x size pixels."""
        ...

    def step_inputs(
        self,
        shape: Sequence[int],
        azimuth: Tensor,
        elevation: Tensor,
        shading: Shading,
        progress: float,
        generator: torch.Generator,
        part: ViewRange,
    ) -> Any:
        """Draw and decide everything that a step needs besides the renders.

        shape: (B, C, h, w), with what `model_shape` returned.
        azimuth, elevation: float32[B], radians, cameras of the renders.
        shading: of all the renders.
        progress: float in [0, 1], share of training done.
        generator: source of the random numbers.
        part: ViewRange, which of the step's renders these are.
        """
        ...

    def further_noises(self, step: Any) -> int:
        """Return how many noises the step has beyond the first: it decides the work that a graph records."""
        ...

    def seen(self, images: Tensor, step: Any, behind: Behind | None = None) -> Tensor:
        """Return renders as the model sees them: x of `loss`.

        images: float32[B, 3, H, W] in [0, 1].
        step: of the same renders, from `step_inputs`.
        behind: Behind of the renders.
        """
        ...

    def loss(self, x: Tensor, step: Any) -> tuple[Tensor, Tensor]:
        """Return the loss, a scalar, and a measure of each view, float32[B]."""
        ...

    def pull(self, x: Tensor, step: Any) -> tuple[Tensor, Tensor]:
        """Return the gradient at x, without a graph, and the measure; another thread may call it."""
        ...

    def loss_at(self, x: Tensor, gradient: Tensor) -> Tensor:
        """Return the loss, a scalar, whose gradient at x is what `pull` returned."""
        ...

    def score_size(self, progress: float, size: int) -> float:
        """Return by how much the regularisers' weights grow so that they mean the same beside this teacher."""
        ...

    def view_contrast(self, images: Tensor, shading: Shading, generator: torch.Generator) -> float:
        """Return how differently the model sees the prompt's front and back; 0: the same."""
        ...

    def prompt_gain(self, images: Tensor, azimuth: Tensor, elevation: Tensor) -> float:
        """Return how much better the prompt fits pictures than none does; higher is better.

        images: float32[B, 3, H, W] in [0, 1].
        azimuth, elevation: float32[B], radians, cameras of the pictures.
        """
        ...
