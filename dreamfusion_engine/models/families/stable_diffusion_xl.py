"""Stable Diffusion XL: a unet over latents with two CLIPs and the size of the picture (arXiv 2307.01952)."""

from __future__ import annotations

import torch
from torch import Tensor

from dreamfusion_engine.models.families.adapter import Adapter
from dreamfusion_engine.models.families.parts import Parts
from dreamfusion_engine.models.families.schedule import diffusion_schedule
from dreamfusion_engine.models.families.space import LatentSpace, latent_pixels
from dreamfusion_engine.models.families.text import CLIP_TOKENS, clip_states, reading_length, refuse_long
from dreamfusion_engine.models.teacher import Conditioning


class StableDiffusionXL(Adapter):
    """StableDiffusionXLPipeline.

    Its size conditioning (original size, crop, target size; arXiv 2307.01952, section 2.2) says: a whole picture of the
    model's own size. Where the pipeline asks for it (force_zeros_for_empty_prompt), an empty prompt is zeros, not an
    encoded empty text, as in the model's training.
    """

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
        self._zeros_for_empty = bool(parts.setting("force_zeros_for_empty_prompt", True))

    def read(self, texts: list[str]) -> Conditioning:
        tokenizer = self.parts.tokenizer("tokenizer")
        spelt_out = self.parts.spelt_out("text_encoder", texts)
        refuse_long(tokenizer, spelt_out, reading_length(tokenizer, CLIP_TOKENS))
        first, _ = clip_states(self.parts, "", "CLIPTextModel", texts)
        second, pooled = clip_states(self.parts, "_2", "CLIPTextModelWithProjection", texts)
        tokens = torch.cat([first, second], dim=-1)
        if self._zeros_for_empty:
            empty = torch.tensor([not text for text in texts], device=tokens.device)
            tokens = tokens.masked_fill(empty[:, None, None], 0.0)
            pooled = pooled.masked_fill(empty[:, None], 0.0)
        return Conditioning(tokens=tokens, pooled=pooled)

    def ask(self, x: Tensor, t: Tensor, told: Conditioning) -> Tensor:
        sizes = x.new_full((len(x), 6), float(self.image_size))
        sizes[:, 2:4].zero_()  # the crop's corner; made on the device, because a CUDA graph cannot hold a copy to it
        added = {"text_embeds": told.pooled, "time_ids": sizes}
        output: Tensor = self.denoiser(
            x, t, encoder_hidden_states=told.tokens, added_cond_kwargs=added, return_dict=False
        )[0]
        return output
