"""Stable Diffusion 1 and 2: a unet over latents with one CLIP (arXiv 2112.10752). It predicts eps or v."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from dreamfusion_engine.models.families.adapter import Adapter
from dreamfusion_engine.models.families.parts import Parts
from dreamfusion_engine.models.families.schedule import diffusion_schedule
from dreamfusion_engine.models.families.space import LatentSpace, latent_pixels
from dreamfusion_engine.models.families.text import (
    CLIP_TOKENS,
    reading_length,
    refuse_long,
    token_numbers,
    with_encoder,
)
from dreamfusion_engine.models.teacher import Conditioning


class StableDiffusion(Adapter):
    """StableDiffusionPipeline."""

    def __init__(self, parts: Parts) -> None:
        schedule, prediction = diffusion_schedule(parts)
        super().__init__(
            parts,
            class_name="UNet2DConditionModel",
            space=LatentSpace(parts, latent_pixels(parts)),
            schedule=schedule,
            prediction=prediction,
            memory_format=torch.channels_last,
        )

    def read(self, texts: list[str]) -> Conditioning:
        tokenizer = self.parts.tokenizer("tokenizer")
        length = reading_length(tokenizer, CLIP_TOKENS)
        texts = self.parts.spelt_out("text_encoder", texts)
        refuse_long(tokenizer, texts, length)
        numbers, mask = (value.to(self.device) for value in token_numbers(tokenizer, texts, length))

        def last_states(encoder: Any) -> tuple[Tensor, ...]:
            masked = getattr(encoder.config, "use_attention_mask", False)
            return (encoder(numbers, attention_mask=mask if masked else None)[0],)

        (states,) = with_encoder(self.parts, "text_encoder", "CLIPTextModel", last_states)
        return Conditioning(tokens=states)

    def ask(self, x: Tensor, t: Tensor, told: Conditioning) -> Tensor:
        output: Tensor = self.denoiser(x, t, encoder_hidden_states=told.tokens, return_dict=False)[0]
        return output
