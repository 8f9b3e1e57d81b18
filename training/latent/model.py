"""The latent model: a small Stable Diffusion of the classes that large ones have, over latents of 4 x 16 x 16.

It is saved as an ordinary `StableDiffusionPipeline` folder. Text encoder, UNet and autoencoder are CLIPTextModel,
UNet2DConditionModel and AutoencoderKL; the words are the starter model's.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from safetensors.torch import load_file
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, PreTrainedTokenizerFast

from dreamfusion_engine.machine.device import training_cast
from dreamfusion_engine.models.pipeline_folder import STARTER_FOLDER
from training.starter.captions import TOKENS
from training.starter.model import TEXT_WIDTH, TextToImage, make_scheduler, save_parts, write_card
from training.starter.objects.kinds import Kind

# Of CLIP's embeddings of words to begin with. CLIP begins with 0.02; larger ones let words outweigh their places.
_WORD_SPREAD = 0.1


@dataclass(frozen=True, kw_only=True)
class LatentSize:
    """Widths of the UNet's three levels, residual blocks on each, and heads of its attention at the two lower ones."""

    channels: tuple[int, int, int] = (64, 128, 192)
    blocks: int = 1
    heads: int = 4


class LatentModel(TextToImage):
    """CLIP and a UNet of three levels over latents; see `encoded` for those."""

    def __init__(self, size: LatentSize, latents: int) -> None:
        """latents: side of the square of latents."""
        super().__init__()
        self.text_encoder = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(self.tokenizer),
                hidden_size=TEXT_WIDTH,
                intermediate_size=2 * TEXT_WIDTH,
                projection_dim=TEXT_WIDTH,
                num_hidden_layers=2,
                num_attention_heads=4,
                max_position_embeddings=TOKENS,
                pad_token_id=self.tokenizer.pad_token_id,
                bos_token_id=self.tokenizer.eos_token_id,  # texts begin with none
                eos_token_id=self.tokenizer.eos_token_id,
            )
        )
        self.unet = UNet2DConditionModel(
            sample_size=latents,
            in_channels=4,
            out_channels=4,
            block_out_channels=size.channels,
            layers_per_block=size.blocks,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            resnet_time_scale_shift="scale_shift",
            cross_attention_dim=TEXT_WIDTH,
            attention_head_dim=size.heads,
            norm_num_groups=8,
        )

    def forward(self, noised: Tensor, t: Tensor, tokens: Tensor) -> Tensor:
        """Return v float32[B, 4, h, w].

        Padding is not hidden from CLIP: no Stable Diffusion hides it, and the engine asks all of them alike.

        noised: float32[B, 4, h, w], noised latents.
        t: int64[B], timesteps.
        tokens: int64[B, TOKENS].
        """
        states = self.text_encoder(tokens)[0]
        return self.unet(noised, t, encoder_hidden_states=states).sample


def take_words(model: LatentModel, folder: Path = STARTER_FOLDER) -> None:
    """Start `model`'s embeddings of words with those of the pixel-space pipeline in `folder`.

    That model has learnt which words are alike, and how exact cameras follow one another.
    """
    rows = PreTrainedTokenizerFast.from_pretrained(folder / "tokenizer").get_vocab()
    learnt = load_file(folder / "text_encoder" / "model.safetensors")["shared.weight"].float()
    learnt = learnt * (_WORD_SPREAD / learnt.std())
    words = model.text_encoder.get_input_embeddings().weight
    with torch.no_grad():
        for word, row in model.tokenizer.get_vocab().items():
            if word in rows:
                words[row] = learnt[rows[word]]


def load_autoencoder(folder: Path, device: torch.device) -> AutoencoderKL:
    """The autoencoder in `folder`, frozen, in float32."""
    vae: AutoencoderKL = AutoencoderKL.from_pretrained(folder, use_safetensors=True, torch_dtype=torch.float32)
    return vae.to(device, memory_format=torch.channels_last).eval().requires_grad_(False)


@torch.no_grad()
def encoded(vae: AutoencoderKL, pictures: Tensor) -> Tensor:
    """Return latents float32[B, 4, h, w] of pictures: the mean of the posterior times the factor.

    It is the mean because the engine noises the mean.

    vae: AutoencoderKL, frozen.
    pictures: float32[B, 3, H, W] in [0, 1].
    """
    x = (2.0 * pictures - 1.0).contiguous(memory_format=torch.channels_last)
    with training_cast(pictures.device):
        mean = vae.encode(x).latent_dist.mode()
    return mean.float() * vae.config.scaling_factor


def make_sampler() -> DDIMScheduler:
    """The sampler of the folder, on the starter's schedule. Latents have no bounds to be clipped to."""
    trained = make_scheduler().config
    return DDIMScheduler(
        num_train_timesteps=trained.num_train_timesteps,
        beta_schedule=trained.beta_schedule,
        prediction_type=trained.prediction_type,
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )


def save_latent_pipeline(
    model: TextToImage, vae: AutoencoderKL, folder: Path, kinds: Sequence[Kind], training: dict[str, Any]
) -> None:
    """Write the whole model to `folder` as a StableDiffusionPipeline in fp16 safetensors, with our card.

    model: TextToImage.
    vae: AutoencoderKL.
    folder: Path.
    kinds: Kinds that it was trained on.
    training: what the card says of the training.
    """
    save_parts(model, folder)
    vae.half().save_pretrained(folder / "vae", safe_serialization=True)
    vae.float()
    make_sampler().save_pretrained(folder / "scheduler")
    index = {
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": "0.35.0",
        "feature_extractor": [None, None],
        "image_encoder": [None, None],
        "requires_safety_checker": False,
        "safety_checker": [None, None],
        "scheduler": ["diffusers", "DDIMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "PreTrainedTokenizerFast"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
    write_card(folder, kinds, training)
