"""CLIP: two towers that make vectors of pictures and of words (Radford 2021, arXiv 2103.00020). It denoises nothing."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from dreamfusion_engine.errors import SetupError
from dreamfusion_engine.models.clip_folder import picture_statistics, towers
from dreamfusion_engine.models.families.parts import Parts
from dreamfusion_engine.models.families.text import (
    CLIP_TOKENS,
    reading_length,
    refuse_long,
    token_numbers,
    with_encoder,
)
from dreamfusion_engine.models.family import CLIP, WHOLE
from dreamfusion_engine.models.teacher import Conditioning, resize_square


class ClipTeacher:
    """A CLIPModel's folder as a teacher that compares. Inputs and outputs are always float32.

    The tower of words comes and goes with `encode_prompts`; that of pictures is loaded on first use and stays.

    parts: Parts of the folder.
    device: attribute, torch.device of its tensors.
    image_size: attribute, int, pixels along a side of its pictures.
    """

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.device = parts.device
        vision, text = towers(parts.folder.path)
        self.image_size = vision.pixels
        self._tokens = min(text.tokens, CLIP_TOKENS)
        mean, std = (torch.tensor(each, device=parts.device) for each in picture_statistics(parts.folder.path))
        self._mean, self._std = mean[:, None, None], std[:, None, None]
        self._vision: Any = None

    @torch.no_grad()
    def encode_prompts(self, prompts: list[str]) -> Conditioning:
        """Return the unit vectors of P prompts: Conditioning of P rows with one token of D numbers each.

        prompts: P texts.
        Raises InputError input.prompt_tokens for one that has more tokens than the model reads.
        Raises SetupError model.damaged where a vector is not finite.
        """
        tokenizer = self.parts.tokenizer(WHOLE)
        length = min(reading_length(tokenizer, CLIP_TOKENS), self._tokens)
        refuse_long(tokenizer, prompts, length)
        numbers, mask = (each.to(self.device) for each in token_numbers(tokenizer, prompts, length))

        def read(model: Any) -> tuple[Tensor, ...]:
            pooled = model.text_model(input_ids=numbers, attention_mask=mask).pooler_output
            return (nn.functional.normalize(model.text_projection(pooled).float(), dim=-1),)

        (vectors,) = with_encoder(self.parts, WHOLE, CLIP, read)
        if not bool(torch.isfinite(vectors).all()):
            raise SetupError(
                "model.damaged",
                what="The model's text tower does not work.",
                why="It turns the prompt into values that are not finite numbers.",
                fix="Copy or download the model again; on a GPU, try --device cpu.",
            )
        return Conditioning(tokens=vectors[:, None])

    def to_model_space(self, image: Tensor) -> Tensor:
        """Return images at the model's size and scale, float32[B, 3, h, h]; differentiable.

        image: float32[B, 3, H, H], sRGB in [0, 1].
        """
        return (resize_square(image, self.image_size) - self._mean) / self._std

    def picture_vectors(self, x: Tensor) -> Tensor:
        """Return the unit vectors of pictures, float32[B, D]; differentiable where gradients are on.

        x: float32[B, 3, h, h], from `to_model_space`.
        """
        autocast = self.parts.autocast
        with torch.autocast(self.device.type, autocast, enabled=autocast is not None):
            pooled = self.vision.vision_model(pixel_values=x.to(self.parts.dtype)).pooler_output
            vectors: Tensor = self.vision.visual_projection(pooled)
        return nn.functional.normalize(vectors.float(), dim=-1)

    @property
    def vision(self) -> Any:
        """The frozen tower of pictures.

        Raises SetupError model.damaged.
        """
        if self._vision is None:
            model: Any = self.parts.network(WHOLE, CLIP)
            del model.text_model, model.text_projection
            self._vision = model
        return self._vision
