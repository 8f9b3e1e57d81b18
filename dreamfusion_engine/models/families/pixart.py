"""PixArt-Sigma: a transformer over latents with T5's states (arXiv 2403.04692). Its learned variance is ignored."""

from __future__ import annotations

from torch import Tensor

from dreamfusion_engine.models.families.adapter import Adapter
from dreamfusion_engine.models.families.parts import Parts
from dreamfusion_engine.models.families.schedule import diffusion_schedule
from dreamfusion_engine.models.families.space import LatentSpace, latent_pixels
from dreamfusion_engine.models.families.text import refuse_long, t5_states
from dreamfusion_engine.models.family import FAMILIES
from dreamfusion_engine.models.teacher import Conditioning

TOKENS = FAMILIES["PixArtSigmaPipeline"].tokens  # what the pipeline gives its text encoder


class PixArtSigma(Adapter):
    """PixArtSigmaPipeline."""

    def __init__(self, parts: Parts) -> None:
        schedule, prediction = diffusion_schedule(parts)
        super().__init__(
            parts,
            class_name="PixArtTransformer2DModel",
            space=LatentSpace(parts, latent_pixels(parts)),
            schedule=schedule,
            prediction=prediction,
        )

    def read(self, texts: list[str]) -> Conditioning:
        captions = [text.strip().lower() for text in texts]  # as PixArt prepares its captions
        refuse_long(self.parts.tokenizer("tokenizer"), captions, TOKENS)
        states, mask = t5_states(self.parts, "", captions, TOKENS, masked=True)
        return Conditioning(tokens=states, mask=mask)

    def ask(self, x: Tensor, t: Tensor, told: Conditioning) -> Tensor:
        output: Tensor = self.denoiser(
            x,
            encoder_hidden_states=told.tokens,
            encoder_attention_mask=told.mask,
            timestep=t,
            added_cond_kwargs={"resolution": None, "aspect_ratio": None},
            return_dict=False,
        )[0]
        return output
