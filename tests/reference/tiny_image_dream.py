"""ImageDream at tiny size with random weights: its folder as published, and its pipeline re-computed.

The re-computation is written from the paper (arXiv 2312.02201) and facts of the published pipeline, from the networks
that were written to the folder, and shares nothing with the engine.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from reference.multi_view_unet import MultiViewUNet
from reference.tiny_families import spread_out, stable_diffusion
from reference.tiny_mvdream import CONFIG
from reference.tiny_zero123 import MEAN, STD
from safetensors.torch import save_file
from torch import Tensor

TOKENS = 3  # of a picture
STATE = 24  # width of the image encoder's states
PIXELS = 16  # a side of the pictures that the encoder reads: the model's own, so that nothing is resized
SIZES: dict[str, Any] = {"encoder_width": STATE, "resampler_layers": 2, "resampler_heads": 2}


@dataclass(frozen=True)
class TinyImageDream:
    """The networks of a tiny model: unet with its resampler, autoencoder, encoder of pictures."""

    unet: MultiViewUNet
    vae: Any
    encoder: Any

    @torch.no_grad()
    def noise(
        self, x: Tensor, t: Tensor, image: Tensor, words: tuple[Tensor, Tensor], camera: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The predictions without and with prompt and picture, each with a fifth frame that holds the picture.

        x: float32[G * 4, C, h, w]; image: float32[1, 3, H, H] in [-1, 1], of the model's size.
        words: without and with the prompt, float32[G * 4, K, D]; camera: float32[G * 4, 16].
        """
        states = self.states(image)
        latents = self.vae.encode(image).latent_dist.mode() * self.vae.config.scaling_factor
        found = []
        for text, seen, frame in (
            (words[0], torch.zeros_like(states), torch.zeros_like(latents)),
            (words[1], states, latents),
        ):
            tokens = self.unet.image_embed(seen)
            noisy, times, texts, cameras = [], [], [], []
            for first in range(0, len(x), 4):
                views = slice(first, first + 4)
                noisy += [x[views], frame]
                times += [t[views], t[first : first + 1]]
                texts += [text[views], text[first : first + 1]]
                cameras += [camera[views], torch.zeros(1, 16)]
            rows = torch.cat(noisy)
            predicted = self.unet(
                rows,
                torch.cat(times),
                torch.cat(texts),
                torch.cat(cameras),
                views=5,
                picture=torch.cat([tokens] * len(rows)),
            )
            found.append(torch.cat([group[:4] for group in predicted.split(5)]))
        return found[0], found[1]

    @torch.no_grad()
    def states(self, image: Tensor) -> Tensor:
        """The states before the last layer of the encoder, float32[1, N, STATE]; image as for `noise`."""
        seen = torch.stack([((0.5 * image[:, i] + 0.5) - MEAN[i]) / STD[i] for i in range(3)], 1)
        states: Tensor = self.encoder(seen, output_hidden_states=True).hidden_states[-2]
        return states


def image_encoder() -> Any:
    from transformers import CLIPVisionConfig, CLIPVisionModel

    torch.manual_seed(31)
    config = CLIPVisionConfig(
        hidden_size=STATE,
        intermediate_size=40,
        num_hidden_layers=3,
        num_attention_heads=4,
        image_size=PIXELS,
        patch_size=8,
    )
    return spread_out(CLIPVisionModel(config))


def write_image_dream(folder: Path) -> TinyImageDream:
    """Write the folder of a tiny model; return its networks."""
    torch.manual_seed(32)
    network = spread_out(MultiViewUNet({**CONFIG, **SIZES, "ip_dim": TOKENS}))
    pipeline = stable_diffusion()
    pipeline.unet = None
    pipeline.save_pretrained(folder)
    encoder = image_encoder()
    encoder.save_pretrained(folder / "image_encoder")
    (folder / "unet").mkdir()
    config = {**CONFIG, "ip_dim": TOKENS, "ip_weight": 1.0}
    (folder / "unet" / "config.json").write_text(json.dumps(config), encoding="utf-8")
    save_file(network.state_dict(), folder / "unet" / "diffusion_pytorch_model.safetensors")
    index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
    index |= {
        "_class_name": "MVDreamPipeline",
        "unet": ["mv_unet", "MultiViewUNetModel"],
        "image_encoder": ["transformers", "CLIPVisionModel"],
        "feature_extractor": ["transformers", "CLIPImageProcessor"],
    }
    (folder / "model_index.json").write_text(json.dumps(index), encoding="utf-8")
    return TinyImageDream(unet=network, vae=pipeline.vae, encoder=encoder)
