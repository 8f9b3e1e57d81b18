"""Stable Diffusion 3: a transformer over latents with two CLIPs and an optional T5 (arXiv 2403.03206).

It predicts the flow u = eps - x_0.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamfusion_engine.models.families.adapter import Adapter
from dreamfusion_engine.models.families.parts import Parts
from dreamfusion_engine.models.families.schedule import flow_schedule
from dreamfusion_engine.models.families.space import LatentSpace, latent_pixels
from dreamfusion_engine.models.families.text import CLIP_TOKENS, clip_states, reading_length, refuse_long, t5_states
from dreamfusion_engine.models.family import FAMILIES
from dreamfusion_engine.models.teacher import Conditioning

T5_TOKENS = FAMILIES["StableDiffusion3Pipeline"].tokens  # what the pipeline gives T5
CLIP_KIND = "CLIPTextModelWithProjection"


class StableDiffusion3(Adapter):
    """StableDiffusion3Pipeline.

    T5 (text_encoder_3), the largest part of all, may be absent. Zeros then replace its states, as the model now and
    then saw them in training. A prompt may then have only CLIP's 77 tokens.
    """

    def __init__(self, parts: Parts) -> None:
        config = parts.config("transformer")
        self._width = int(config.get("joint_attention_dim", 4096))
        side = int(config.get("sample_size", 128)) // int(config.get("patch_size", 2))
        super().__init__(
            parts,
            class_name="SD3Transformer2DModel",
            space=LatentSpace(parts, latent_pixels(parts)),
            schedule=flow_schedule(parts, side * side),
            prediction="flow_prediction",
        )

    def read(self, texts: list[str]) -> Conditioning:
        whole = self.parts.has("text_encoder_3")
        tokenizer = self.parts.tokenizer("tokenizer_3" if whole else "tokenizer")
        refuse_long(tokenizer, texts, T5_TOKENS if whole else reading_length(tokenizer, CLIP_TOKENS))
        first, pooled = clip_states(self.parts, "", CLIP_KIND, texts)
        second, pooled_2 = clip_states(self.parts, "_2", CLIP_KIND, texts)
        clip = torch.cat([first, second], dim=-1)
        clip = F.pad(clip, (0, self._width - clip.shape[-1]))
        t5 = clip.new_zeros(len(texts), T5_TOKENS, self._width)
        if whole:
            t5, _ = t5_states(self.parts, "_3", texts, T5_TOKENS, masked=False)
        return Conditioning(tokens=torch.cat([clip, t5], dim=1), pooled=torch.cat([pooled, pooled_2], dim=-1))

    def ask(self, x: Tensor, t: Tensor, told: Conditioning) -> Tensor:
        output: Tensor = self.denoiser(
            hidden_states=x,
            timestep=1000.0 * self.schedule.sigma[t],  # its time is the noise level, not the index
            encoder_hidden_states=told.tokens,
            pooled_projections=told.pooled,
            return_dict=False,
        )[0]
        return output
