"""A frozen text-to-image diffusion model, seen as a teacher: prompts in, noise predictions out.

`Teacher` is all that score distillation needs to know of a model, whatever its family; `Conditioning` is what its
denoiser is told. Importing this module loads torch only.

Axis letters: B views, P prompts, K tokens, D embedding width, E width of a pooled embedding, T timesteps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dreamfusion_engine.machine.device import sent
from dreamfusion_engine.models.noise import NoiseSchedule


@dataclass(frozen=True, kw_only=True)
class Conditioning:
    """What a denoiser is told, a row a prompt or a view.

    tokens: float32[P, K, D], an embedding for each token. mask: bool[P, K], the tokens that count, or None where all
    do. pooled: float32[P, E], one embedding of the whole prompt, or None where the family has none.
    """

    tokens: Tensor
    mask: Tensor | None = None
    pooled: Tensor | None = None

    def __len__(self) -> int:
        return len(self.tokens)

    def rows(self, index: Tensor | Sequence[int]) -> Conditioning:
        """The rows of `index`, in its order; a row may be named more than once."""
        if not isinstance(index, Tensor):  # a list would be sent to the device by a copy that waits for it
            index = sent(torch.tensor(index, dtype=torch.long), self.tokens.device)
        return self.from_tensors({name: value[index] for name, value in self.tensors().items()})

    @staticmethod
    def join(parts: Sequence[Conditioning]) -> Conditioning:
        """The rows of all `parts` (one or more of the same family), one after another."""
        each = [part.tensors() for part in parts]
        return Conditioning.from_tensors({name: torch.cat([part[name] for part in each]) for name in each[0]})

    def to(self, device: torch.device) -> Conditioning:
        """The same on another device."""
        return self.from_tensors({name: value.to(device) for name, value in self.tensors().items()})

    def tensors(self) -> dict[str, Tensor]:
        """What is there, by name, as a safetensors file wants it."""
        named = {"tokens": self.tokens, "mask": self.mask, "pooled": self.pooled}
        return {name: value for name, value in named.items() if value is not None}

    @staticmethod
    def from_tensors(values: Mapping[str, Tensor]) -> Conditioning:
        """The inverse of `tensors`. Raises KeyError without 'tokens'."""
        return Conditioning(tokens=values["tokens"], mask=values.get("mask"), pooled=values.get("pooled"))


class Teacher(Protocol):
    """What score distillation asks of a diffusion model.

    device: where its tensors are. image_size: pixels of the square picture it was trained on.
    schedule: its noise schedule, whose index is the timestep. denoiser: its frozen network; a shallow copy of the
    teacher with another module in its place is a teacher too (a LoRA, say).
    """

    device: torch.device
    image_size: int
    schedule: NoiseSchedule
    denoiser: nn.Module

    def encode_prompts(self, prompts: list[str]) -> Conditioning:
        """What the denoiser is told for each prompt; the text encoders are loaded for this call and freed after it."""
        ...

    def to_model_space(self, image: Tensor, posterior: Tensor | None = None) -> Tensor:
        """What the model denoises, of images float32[B, 3, H, W] in [0, 1]; differentiable.

        posterior: standard normal noise, shaped as the result, to sample an autoencoder's latents with; None: the mean.
        """
        ...

    def predict_noise(self, x_t: Tensor, t: Tensor, conditioning: Conditioning) -> Tensor:
        """The noise eps, float32 as x_t, that the model sees in x_t at timesteps int64[B], told B rows.

        Carries a graph where gradients are on: callers that want none say so.
        """
        ...


def resize_square(image: Tensor, size: int) -> Tensor:
    """Images [B, C, H, W] at size x size: averaged over areas downwards, bilinear upwards, untouched when they fit.

    Both are linear and keep a constant image; the average does not alias, so no pixel of a large render is ignored.
    """
    height, width = image.shape[-2:]
    if (height, width) == (size, size):
        return image
    if height >= size and width >= size:
        return F.interpolate(image, (size, size), mode="area")
    return F.interpolate(image, (size, size), mode="bilinear", align_corners=False)
