"""Zero123 and its kin: Stable Diffusion 1 that is told a picture and a change of pose (Liu 2023, arXiv 2303.11328).

No code of its publishers is needed. The unet, the autoencoder and the encoder of pictures are classes of diffusers and
transformers; what is left is one linear map.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamfusion_engine.models.families.adapter import Adapter
from dreamfusion_engine.models.families.given_picture import clip_normalised, refuse_not_finite
from dreamfusion_engine.models.families.parts import Parts
from dreamfusion_engine.models.families.schedule import diffusion_schedule
from dreamfusion_engine.models.families.space import LatentSpace, latent_pixels
from dreamfusion_engine.models.families.text import with_encoder
from dreamfusion_engine.models.family import IMAGE_ENCODER
from dreamfusion_engine.models.teacher import Conditioning, resize_square
from dreamfusion_engine.models.told_picture import ENCODER_CLASS, encoder_sizes


@dataclass(frozen=True, kw_only=True)
class EncodedPicture:
    """A picture in the model's terms.

    vector: float32[1, E], CLIP's vector of it.
    latents: float32[1, C, h, w], the autoencoder's mean, not scaled.
    """

    vector: Tensor
    latents: Tensor


class Zero123(Adapter):
    """Zero1to3StableDiffusionPipeline: told one picture, it judges what the object looks like from elsewhere."""

    def __init__(self, parts: Parts) -> None:
        schedule, prediction = diffusion_schedule(parts)
        self._latents = LatentSpace(parts, latent_pixels(parts, beside=1))
        super().__init__(
            parts,
            class_name="UNet2DConditionModel",
            space=self._latents,
            schedule=schedule,
            prediction=prediction,
            memory_format=torch.channels_last,
        )
        self._linear: tuple[Tensor, Tensor] | None = None

    def read(self, texts: list[str]) -> Conditioning:
        raise NotImplementedError("it is told a picture, and reads no words: encode_picture")

    @torch.no_grad()
    def encode_picture(self, image: Tensor) -> EncodedPicture:
        """Return a picture in the model's terms. The encoder comes and goes with this call.

        image: float32[1, 3, H, H] in [0, 1], sRGB, the object over white.
        Raises SetupError model.damaged where the numbers are not finite.
        """
        square = resize_square(image.to(self.device), self.image_size)
        pixels, _ = encoder_sizes(self.parts.folder.path)
        seen = clip_pixels(square, pixels).to(self.parts.text_dtype)

        def read(encoder: Any) -> tuple[Tensor, ...]:
            return (encoder(pixel_values=seen).image_embeds.float(),)

        (vector,) = with_encoder(self.parts, IMAGE_ENCODER, ENCODER_CLASS, read)
        latents = self._latents.unscaled(square)
        refuse_not_finite(vector, latents)
        return EncodedPicture(vector=vector, latents=latents)

    @torch.no_grad()
    def told(self, picture: EncodedPicture, pose: Tensor) -> Conditioning:
        """Return what the denoiser is told of B views: one token each, W [v, p] + b, and the picture's latents.

        picture: EncodedPicture, v and the latents.
        pose: float32[B, 4], p, how far each camera is from the one that took the picture.
        Source: arXiv 2303.11328, section 3.2.
        """
        weight, bias = self._projection
        count = len(pose)
        joined = torch.cat([picture.vector.expand(count, -1), pose], dim=1)
        tokens = F.linear(joined, weight, bias)[:, None]
        return Conditioning(tokens=tokens, picture=picture.latents.expand(count, -1, -1, -1))

    def told_nothing(self, picture: EncodedPicture, count: int) -> Conditioning:
        """Return what it is told without the picture, `count` rows: zeros for the token and for the latents.

        picture: EncodedPicture, for the shapes.
        count: int, B.
        """
        width = self._projection[1].shape[0]
        tokens = picture.vector.new_zeros(count, 1, width)
        return Conditioning(tokens=tokens, picture=torch.zeros_like(picture.latents).expand(count, -1, -1, -1))

    def ask(self, x: Tensor, t: Tensor, told: Conditioning) -> Tensor:
        assert told.picture is not None
        both = torch.cat([x, told.picture], dim=1).contiguous(memory_format=self._memory_format)
        output: Tensor = self.denoiser(both, t, encoder_hidden_states=told.tokens, return_dict=False)[0]
        return output

    @property
    def _projection(self) -> tuple[Tensor, Tensor]:
        """Weight float32[D, E + 4] and bias float32[D] of the linear map; read on first use."""
        if self._linear is None:
            with self.parts.foreign_errors():
                from safetensors.torch import load_file

                files = self.parts.folder.weights[self.parts.family.picture_parts[-1]].files
                state = {name.rpartition(".")[2]: each for file in files for name, each in load_file(file).items()}
            self._linear = state["weight"].float().to(self.device), state["bias"].float().to(self.device)
        return self._linear


def clip_pixels(image: Tensor, pixels: int) -> Tensor:
    """Return images as OpenAI's CLIP sees them in this pipeline, float32[B, 3, pixels, pixels].

    image: float32[B, 3, H, H] in [0, 1]; it is resized bicubically, corner to corner, without a filter.
    pixels: int, side.
    """
    return clip_normalised(F.interpolate(image, (pixels, pixels), mode="bicubic", align_corners=True))
