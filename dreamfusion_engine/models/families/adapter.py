"""What all families share: check the prompts, load a denoiser on first use, turn its prediction into noise.

A family adds `read`, which asks its text encoders, and `ask`, which asks its denoiser.
"""

from __future__ import annotations

import abc
from typing import Any

import torch
from torch import Tensor, nn

from dreamfusion_engine.errors import SetupError
from dreamfusion_engine.machine.backends import backend_of
from dreamfusion_engine.models.families.parts import Parts
from dreamfusion_engine.models.families.space import Space
from dreamfusion_engine.models.noise import NoiseSchedule, PredictionType, noise_from_prediction
from dreamfusion_engine.models.teacher import Conditioning


class Adapter(abc.ABC):
    """A folder of one family as a `Teacher`. Inputs and outputs are always float32.

    The denoiser is loaded on first use. The text encoders, which come and go before, then have the memory to
    themselves.

    parts: Parts of the folder.
    class_name: str, the denoiser's class.
    space: Space that the model denoises in.
    schedule: NoiseSchedule of the model.
    prediction: what the denoiser predicts.
    memory_format: of the denoiser's inputs and weights; convolutions on a CPU are faster channels-last.
    """

    def __init__(
        self,
        parts: Parts,
        *,
        class_name: str,
        space: Space,
        schedule: NoiseSchedule,
        prediction: PredictionType,
        memory_format: torch.memory_format = torch.contiguous_format,
    ) -> None:
        self.parts = parts
        self.device = parts.device
        self.image_size = space.size
        self.schedule = schedule.to(parts.device)
        self.prediction: PredictionType = prediction
        self._class_name = class_name
        self._space = space
        ordered = backend_of(parts.device).channels_last
        self._memory_format = memory_format if ordered else torch.contiguous_format
        self._denoiser: Any = None

    @abc.abstractmethod
    def read(self, texts: list[str]) -> Conditioning:
        """Return the Conditioning of each text.

        Raises InputError input.prompt_tokens.
        """

    @abc.abstractmethod
    def ask(self, x: Tensor, t: Tensor, told: Conditioning) -> Tensor:
        """Return what the denoiser predicts, in its own terms.

        x: [B, C, h, w], what it denoises, in its weights' precision.
        t: int64[B], timesteps.
        told: Conditioning, B rows, in its weights' precision.
        """

    @property
    def denoiser(self) -> Any:
        """The frozen network that predicts.

        Raises SetupError model.damaged.
        """
        if self._denoiser is None:
            self._denoiser = self._load_denoiser()
        return self._denoiser

    @denoiser.setter
    def denoiser(self, network: nn.Module) -> None:
        self._denoiser = network

    def _load_denoiser(self) -> nn.Module:
        return self.parts.network(self.parts.family.denoiser, self._class_name, self._memory_format)

    @torch.no_grad()
    def encode_prompts(self, prompts: list[str]) -> Conditioning:
        """Return the Conditioning of P prompts, P rows.

        prompts: P texts.
        Raises InputError input.prompt_tokens where a prompt has more tokens than the model reads: its view words, at
            the end, would be lost silently.
        Raises SetupError model.damaged where an embedding is not finite.
        """
        told = self.read(prompts)
        embeddings = {name: value for name, value in told.tensors().items() if name != "mask"}
        if not all(bool(torch.isfinite(value).all()) for value in embeddings.values()):
            raise SetupError(
                "model.damaged",
                what="The model's text encoder does not work.",
                why="It turns the prompt into values that are not finite numbers.",
                fix="Copy or download the model again; on a GPU, try --device cpu.",
            )
        whole = {name: value.float() for name, value in embeddings.items()}
        return Conditioning(tokens=whole["tokens"], mask=told.mask, pooled=whole.get("pooled"))

    def to_model_space(self, image: Tensor, posterior: Tensor | None = None) -> Tensor:
        """Return images as the model denoises them, float32[B, C, h, w]; differentiable.

        image: float32[B, 3, H, W] in [0, 1].
        posterior: float32[B, C, h, w], standard normal noise to sample an autoencoder's latents with; None: the mean.
        """
        return self._space.encode(image, posterior)

    def predict_noise(self, x_t: Tensor, t: Tensor, conditioning: Conditioning) -> Tensor:
        """Return the noise eps in x_t, float32[B, C, h, w], whatever the model predicts.

        x_t: float32[B, C, h, w].
        t: int64[B] in [0, T), timesteps.
        conditioning: Conditioning, B rows.
        """
        dtype = self.parts.dtype
        x = x_t.to(dtype).contiguous(memory_format=self._memory_format)
        cast = {name: value if name == "mask" else value.to(dtype) for name, value in conditioning.tensors().items()}
        told = Conditioning.from_tensors(cast)
        autocast = self.parts.autocast
        with torch.autocast(self.device.type, autocast, enabled=autocast is not None):
            output = self.ask(x, t, told)
        prediction = output[:, : x_t.shape[1]].float().contiguous()  # a variance may follow the prediction
        alpha, sigma = self.schedule.at(t)
        return noise_from_prediction(prediction, self.prediction, x_t, alpha, sigma)
