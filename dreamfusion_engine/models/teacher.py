"""A frozen text-to-image diffusion model as a teacher: takes prompts, returns noise predictions.

`Teacher` is all that score distillation needs to know of a model, whatever its family. `Conditioning` is what its
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
    """What a denoiser is told, one row for each prompt or view.

    tokens: float32[P, K, D], an embedding for each token.
    mask: bool[P, K], the tokens that count; None where all do.
    pooled: float32[P, E], one embedding of the whole prompt; None where the family has none.
    camera: float32[P, 16], where each view is from, for a denoiser that judges several together; None for all others.
    picture: float32[P, C, h, w], latents of a picture of the object, for a denoiser that is told one; None for others.
    """

    tokens: Tensor
    mask: Tensor | None = None
    pooled: Tensor | None = None
    camera: Tensor | None = None
    picture: Tensor | None = None

    def __len__(self) -> int:
        return len(self.tokens)

    def rows(self, index: Tensor | Sequence[int]) -> Conditioning:
        """Return the rows of `index`, in its order; an index may repeat."""
        if not isinstance(index, Tensor):  # a list would be sent to the device by a copy that waits for it
            index = sent(torch.tensor(index, dtype=torch.long), self.tokens.device)
        return self.from_tensors({name: value[index] for name, value in self.tensors().items()})

    @staticmethod
    def join(parts: Sequence[Conditioning]) -> Conditioning:
        """Return the rows of all `parts` (one or more of the same family), one after another."""
        each = [part.tensors() for part in parts]
        return Conditioning.from_tensors({name: torch.cat([part[name] for part in each]) for name in each[0]})

    def to(self, device: torch.device) -> Conditioning:
        """Return the same on another device."""
        return self.from_tensors({name: value.to(device) for name, value in self.tensors().items()})

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors that are present, by name, as a safetensors file needs them."""
        named = {
            "tokens": self.tokens,
            "mask": self.mask,
            "pooled": self.pooled,
            "camera": self.camera,
            "picture": self.picture,
        }
        return {name: value for name, value in named.items() if value is not None}

    @staticmethod
    def from_tensors(values: Mapping[str, Tensor]) -> Conditioning:
        """Build a Conditioning from what `tensors` returned.

        Raises KeyError without 'tokens'.
        """
        return Conditioning(
            tokens=values["tokens"],
            mask=values.get("mask"),
            pooled=values.get("pooled"),
            camera=values.get("camera"),
            picture=values.get("picture"),
        )

    def seen_from(self, camera: Tensor) -> Conditioning:
        """Return the same, with each row told where its view is from.

        camera: float32[P, 16].
        """
        return self.from_tensors({**self.tensors(), "camera": camera})


class Teacher(Protocol):
    """What score distillation needs of a diffusion model.

    device: torch.device of its tensors.
    image_size: int, pixels along a side of the pictures that it was trained on.
    schedule: NoiseSchedule, whose index is the timestep.
    denoiser: nn.Module, frozen. A shallow copy of the teacher with another module here, such as one with a LoRA, is a
        teacher too.
    """

    device: torch.device
    image_size: int
    schedule: NoiseSchedule
    denoiser: nn.Module

    def encode_prompts(self, prompts: list[str]) -> Conditioning:
        """Return the Conditioning of P prompts, P rows; load the text encoders for this call and free them after it."""
        ...

    def to_model_space(self, image: Tensor, posterior: Tensor | None = None) -> Tensor:
        """Return images as the model denoises them, float32[B, C, h, w]; differentiable.

        image: float32[B, 3, H, W] in [0, 1].
        posterior: float32[B, C, h, w], standard normal noise to sample an autoencoder's latents with; None: the mean.
        """
        ...

    def predict_noise(self, x_t: Tensor, t: Tensor, conditioning: Conditioning) -> Tensor:
        """Return the noise eps that the model predicts in x_t, float32 as x_t.

        The result has a graph where gradients are on; callers that want none turn them off.

        x_t: float32[B, C, h, w].
        t: int64[B] in [0, T), timesteps.
        conditioning: Conditioning, B rows.
        """
        ...


def resize_square(image: Tensor, size: int) -> Tensor:
    """Resize images to size x size: averaged over areas downwards, bilinear upwards, untouched when they fit.

    Both are linear and keep a constant image. The average does not alias, so no pixel of a large render is ignored.

    image: float[B, C, H, W].
    size: int, pixels.
    """
    height, width = image.shape[-2:]
    if (height, width) == (size, size):
        return image
    if height >= size and width >= size:
        return F.interpolate(image, (size, size), mode="area")
    return F.interpolate(image, (size, size), mode="bilinear", align_corners=False)
