"""DeepFloyd IF, first stage: a unet over pixels with T5's states (github.com/deep-floyd/IF). The starter is one."""

from __future__ import annotations

import torch
from torch import Tensor

from dreamfusion_engine.models.families.adapter import Adapter
from dreamfusion_engine.models.families.parts import Parts
from dreamfusion_engine.models.families.schedule import diffusion_schedule
from dreamfusion_engine.models.families.space import PixelSpace
from dreamfusion_engine.models.families.text import reading_length, refuse_long, t5_states
from dreamfusion_engine.models.family import FAMILIES
from dreamfusion_engine.models.teacher import Conditioning

TOKENS = FAMILIES["IFPipeline"].tokens  # what the IF pipeline gives its text encoder at most


class PixelDiffusion(Adapter):
    """IFPipeline. Its unet predicts 3 channels, or 6 of which the last 3, a variance, are ignored."""

    def __init__(self, parts: Parts) -> None:
        config = parts.config("unet")
        channels, size = (config.get("in_channels"), config.get("out_channels")), config.get("sample_size")
        if channels not in ((3, 3), (3, 6)) or not size:
            raise parts.unsupported(
                f"It has {channels[0]} input and {channels[1]} output channels at size {size}; "
                "a first-stage pixel-space model has 3 and 3 or 6, and a size."
            )
        schedule, prediction = diffusion_schedule(parts)
        super().__init__(
            parts,
            class_name="UNet2DConditionModel",
            space=PixelSpace(int(size)),
            schedule=schedule,
            prediction=prediction,
            memory_format=torch.channels_last,
        )

    def read(self, texts: list[str]) -> Conditioning:
        captions = [text.strip().lower() for text in texts]  # as IF prepares its captions
        tokenizer = self.parts.tokenizer("tokenizer")
        length = reading_length(tokenizer, TOKENS)
        refuse_long(tokenizer, captions, length)
        states, _ = t5_states(self.parts, "", captions, length, masked=True)
        return Conditioning(tokens=states)  # the unet looks at the padding too

    def ask(self, x: Tensor, t: Tensor, told: Conditioning) -> Tensor:
        output: Tensor = self.denoiser(x, t, encoder_hidden_states=told.tokens, return_dict=False)[0]
        return output
