"""Flux: a transformer over packed latents, with T5's states and CLIP's embedding of the whole text.

It predicts the flow u = eps - x_0 (Black Forest Labs 2024, github.com/black-forest-labs/flux).
"""

from __future__ import annotations

import torch
from torch import Tensor

from dreamfusion_engine.models.families.adapter import Adapter
from dreamfusion_engine.models.families.parts import Parts
from dreamfusion_engine.models.families.schedule import flow_schedule
from dreamfusion_engine.models.families.space import LatentSpace, vae_scale
from dreamfusion_engine.models.families.text import clip_states, refuse_long, t5_states
from dreamfusion_engine.models.family import FAMILIES
from dreamfusion_engine.models.teacher import Conditioning

TOKENS = FAMILIES["FluxPipeline"].tokens  # what the pipeline gives T5
LATENT_SIZE = 128  # a side, in latents, of the pictures that the pipeline makes; the configuration does not say it
EMBEDDED_GUIDANCE = 3.5  # the pipeline's own


class Flux(Adapter):
    """FluxPipeline.

    A guidance-distilled Flux ("dev") takes a guidance scale as an input, next to the time, and answers with a flow that
    is already guided. This scale is `embedded_guidance`, a constant here. Classifier-free guidance between prompt and
    negative prompt goes on top (the pipeline calls its scale true_cfg_scale); with a scale of 1 only the embedded one
    is left. A Flux without that input ("schnell") ignores `embedded_guidance`.
    """

    def __init__(self, parts: Parts) -> None:
        self.embedded_guidance = EMBEDDED_GUIDANCE
        self._embeds = bool(parts.config("transformer").get("guidance_embeds", False))
        super().__init__(
            parts,
            class_name="FluxTransformer2DModel",
            space=LatentSpace(parts, LATENT_SIZE * vae_scale(parts)),
            schedule=flow_schedule(parts, (LATENT_SIZE // 2) ** 2),
            prediction="flow_prediction",
        )

    def read(self, texts: list[str]) -> Conditioning:
        refuse_long(self.parts.tokenizer("tokenizer_2"), texts, TOKENS)
        _, pooled = clip_states(self.parts, "", "CLIPTextModel", texts)
        states, _ = t5_states(self.parts, "_2", texts, TOKENS, masked=False)
        return Conditioning(tokens=states, pooled=pooled)

    def ask(self, x: Tensor, t: Tensor, told: Conditioning) -> Tensor:
        rows, columns = (side // 2 for side in x.shape[2:])
        guidance = torch.full((len(x),), self.embedded_guidance, device=x.device) if self._embeds else None
        output: Tensor = self.denoiser(
            hidden_states=pack(x),
            timestep=self.schedule.sigma[t],  # its time is the noise level, not the index
            guidance=guidance,
            pooled_projections=told.pooled,
            encoder_hidden_states=told.tokens,
            txt_ids=x.new_zeros(told.tokens.shape[1], 3),
            img_ids=positions(rows, columns, x),
            return_dict=False,
        )[0]
        return unpack(output, rows, columns)


def pack(x: Tensor) -> Tensor:
    """Return latents [B, C, 2 R, 2 S] as tokens [B, R S, 4 C], each a square of 2 by 2."""
    batch, channels, height, width = x.shape
    squares = x.reshape(batch, channels, height // 2, 2, width // 2, 2).permute(0, 2, 4, 1, 3, 5)
    return squares.reshape(batch, (height // 2) * (width // 2), 4 * channels)


def unpack(tokens: Tensor, rows: int, columns: int) -> Tensor:
    """Return latents [B, C, 2 R, 2 S] from tokens [B, R S, 4 C], the inverse of `pack`.

    tokens: [B, R S, 4 C].
    rows: int, R.
    columns: int, S.
    """
    batch, _, width = tokens.shape
    squares = tokens.reshape(batch, rows, columns, width // 4, 2, 2).permute(0, 3, 1, 4, 2, 5)
    return squares.reshape(batch, width // 4, 2 * rows, 2 * columns)


def positions(rows: int, columns: int, like: Tensor) -> Tensor:
    """Return (0, row, column) of each token, [R S, 3].

    rows: int, R.
    columns: int, S.
    like: Tensor; gives the device and the type.
    """
    row, column = torch.meshgrid(*(torch.arange(n, device=like.device) for n in (rows, columns)), indexing="ij")
    return torch.stack([torch.zeros_like(row), row, column], dim=-1).reshape(-1, 3).to(like)
