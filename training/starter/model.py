"""The starter model: a small pixel-space text-to-image diffusion model of stock transformers and diffusers classes.

It is saved as an ordinary `IFPipeline` folder (DeepFloyd IF stage I's layout), so that the engine loads it with the
same code as any checkpoint of that family. The UNet has no residual block at full resolution on the way down: at 64
pixels that level would cost half of the time and draws little that the next one cannot.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import DDPMScheduler, UNet2DConditionModel
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast, T5Config, T5EncoderModel

from dreamfusion_engine.models.card_file import CARD_NAME, PICTURE_NAME
from training.starter.captions import (
    AZIMUTH_WORDS,
    ELEVATION_WORDS,
    HEADING_WORDS,
    SHADING_WORDS,
    TOKENS,
    VIEW_WORDS,
    camera_word_mixtures,
    known_words,
    make_tokenizer,
)
from training.starter.objects.kinds import Kind
from training.starter.objects.palette import COLOURS

TEXT_WIDTH = 128
_WORDS = ("shared.weight", "embeddings.token_embedding.weight")  # parameters with a row for each word: T5's and CLIP's
# What the command line and the add-on suggest: what comes out best.
EXAMPLES = ["a hamburger", "a mushroom", "a snowman", "a cactus", "a pink donut", "a rocket"]


@dataclass(frozen=True, kw_only=True)
class ModelSize:
    """How large the network is.

    channels: int for each of the UNet's four levels, from full resolution down.
    blocks: int, residual blocks on each level.
    heads: int, heads of the attention at the lowest level.
    """

    channels: tuple[int, int, int, int] = (32, 64, 96, 192)
    blocks: tuple[int, int, int, int] = (0, 1, 1, 1)
    heads: int = 4


class TextToImage(nn.Module):
    """A text encoder and a UNet that are trained together to predict v (Salimans 2022) of a noised picture."""

    text_encoder: Any
    unet: UNet2DConditionModel

    def __init__(self) -> None:
        super().__init__()
        self.tokenizer: PreTrainedTokenizerFast = make_tokenizer()

    def tokens(self, captions: list[str]) -> Tensor:
        """Return the token ids of captions, int64[B, TOKENS].

        captions: B texts.
        """
        encoded = self.tokenizer(
            captions, padding="max_length", max_length=TOKENS, truncation=True, return_tensors="pt"
        )
        return encoded.input_ids


class StarterModel(TextToImage):
    """The pixel-space model: T5 and a UNet of four levels.

    size: ModelSize.
    pixels: int, side of its pictures.
    told: settings of what else its UNet is told.
    """

    def __init__(self, size: ModelSize, pixels: int, **told: Any) -> None:
        super().__init__()
        self.text_encoder = T5EncoderModel(
            T5Config(
                vocab_size=len(self.tokenizer),
                d_model=TEXT_WIDTH,
                d_kv=32,
                d_ff=256,
                num_layers=2,
                num_heads=4,
                dropout_rate=0.0,
                feed_forward_proj="gated-gelu",
                pad_token_id=0,
                eos_token_id=1,
            )
        )
        self.unet = UNet2DConditionModel(
            sample_size=pixels,
            in_channels=3,
            out_channels=6,  # IF's layout: prediction, then a learned variance, which this model leaves unused
            block_out_channels=size.channels,
            layers_per_block=size.blocks,
            down_block_types=("DownBlock2D", "DownBlock2D", "DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D", "UpBlock2D", "UpBlock2D"),
            mid_block_type="UNetMidBlock2DCrossAttn",
            resnet_time_scale_shift="scale_shift",
            cross_attention_dim=TEXT_WIDTH,
            attention_head_dim=size.heads,
            norm_num_groups=8,
            addition_embed_type="text",
            addition_embed_type_num_heads=4,
            **told,
        )

    def forward(self, noised: Tensor, t: Tensor, tokens: Tensor) -> Tensor:
        """Predict v, float32[B, 3, H, W].

        noised: float32[B, 3, H, W], noised pictures.
        t: int64[B], timesteps.
        tokens: int64[B, TOKENS].
        """
        states = self.text_encoder(tokens, attention_mask=(tokens != 0).long())[0]
        return self.unet(noised, t, encoder_hidden_states=states).sample[:, :3]


def start_from(model: TextToImage, folder: Path, added: tuple[str, ...] = ()) -> None:
    """Copy the weights of the pipeline in `folder`, made by an earlier version of this module, into `model`.

    Words that both know keep their embedding. New ones stay as they are, but those for exact cameras begin as mixtures
    of what the model knows of views.

    model: TextToImage.
    folder: Path of the pipeline.
    added: beginnings of the names of parameters that the pipeline may lack; without it they stay as they are.
    Raises ValueError where the sizes differ.
    """
    words = PreTrainedTokenizerFast.from_pretrained(folder / "tokenizer").get_vocab()
    for part, name in ((model.unet, "unet"), (model.text_encoder, "text_encoder")):
        found: dict[str, Tensor] = {}
        for file in sorted((folder / name).glob("*.safetensors")):
            found |= load_file(file)
        with torch.no_grad():
            for key, parameter in part.named_parameters():
                if key in _WORDS:
                    known = {word: found[key][row].float() for word, row in words.items()}
                    for word, mixture in camera_word_mixtures().items():
                        if word not in known and all(part in known for part in mixture):
                            known[word] = torch.stack([share * known[w] for w, share in mixture.items()]).sum(0)
                    for word, row in model.tokenizer.get_vocab().items():
                        if word in known:
                            parameter[row] = known[word]
                elif key not in found and key.startswith(added):
                    continue
                elif key not in found or found[key].shape != parameter.shape:
                    raise ValueError(f"{folder / name} has no {key} of shape {tuple(parameter.shape)}.")
                else:
                    parameter.copy_(found[key])


def make_scheduler() -> DDPMScheduler:
    """Return the noise schedule: 1000 steps, cosine (Nichol 2021), v prediction."""
    return DDPMScheduler(
        num_train_timesteps=1000,
        beta_schedule="squaredcos_cap_v2",
        prediction_type="v_prediction",
        variance_type="fixed_small",
        clip_sample=True,
    )


def save_pipeline(
    model: TextToImage, folder: Path, kinds: Sequence[Kind], training: dict[str, Any], family: str = "IFPipeline"
) -> None:
    """Write `model` to `folder` as a diffusers pipeline in fp16 safetensors, with our card `dreamfusion.json`.

    model: TextToImage.
    folder: Path.
    kinds: Kinds that it was trained on.
    training: what the card says of the training.
    family: str, the pipeline class that the folder names.
    """
    save_parts(model, folder)
    make_scheduler().save_pretrained(folder / "scheduler")
    index = {
        "_class_name": family,
        "_diffusers_version": "0.35.0",
        "feature_extractor": [None, None],
        "requires_safety_checker": False,
        "safety_checker": [None, None],
        "scheduler": ["diffusers", "DDPMScheduler"],
        "text_encoder": ["transformers", "T5EncoderModel"],
        "tokenizer": ["transformers", "PreTrainedTokenizerFast"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "watermarker": [None, None],
    }
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
    write_card(folder, kinds, training)


def save_parts(model: TextToImage, folder: Path) -> None:
    """Write unet and text encoder, as float16 safetensors, and the tokenizer, each into its own folder.

    model: TextToImage.
    folder: Path of the pipeline.
    """
    folder.mkdir(parents=True, exist_ok=True)
    dtype = {name: p.dtype for name, p in model.named_parameters()}
    model.half()
    # Files stay under 16 MiB each, so that every host takes them; diffusers reads the parts by their index.
    model.unet.save_pretrained(folder / "unet", safe_serialization=True, max_shard_size="12MB")
    model.text_encoder.save_pretrained(folder / "text_encoder", safe_serialization=True)
    _load_in_single_precision(folder / "text_encoder" / "config.json")
    model.tokenizer.save_pretrained(folder / "tokenizer")
    for name, parameter in model.named_parameters():
        parameter.data = parameter.data.to(dtype[name])


def _load_in_single_precision(config: Path) -> None:
    """Say in a part's config that it is loaded in float32 where nobody asks for a type.

    transformers 5 takes the type from there; diffusers takes float32 for the unet, and the two must be the same.
    """
    values = json.loads(config.read_text(encoding="utf-8"))
    config.write_text(json.dumps({**values, "dtype": "float32"}, indent=2) + "\n", encoding="utf-8")


def write_card(folder: Path, kinds: Sequence[Kind], training: dict[str, Any]) -> None:
    """Write `dreamfusion.json`: what a model of the corpus knows, and the checksums of the files that are there.

    folder: Path of the model.
    kinds: Kinds that it was trained on.
    training: what the card says of the training.
    """
    card = {
        "format": 1,
        "closed_vocabulary": True,
        "words": known_words(kinds),
        "kinds": [kind.names[0] for kind in kinds],
        "colours": list(COLOURS),
        "parts": [f"{kind.names[0]} {kind.part}" for kind in kinds if kind.part],
        "without_front": [name for kind in kinds if not kind.front for name in kind.names],
        "examples": EXAMPLES,
        "views": VIEW_WORDS,
        "headings": HEADING_WORDS,
        "azimuths": AZIMUTH_WORDS,
        "elevations": {str(degrees): word for degrees, word in ELEVATION_WORDS.items()},
        "shading": SHADING_WORDS,
        "files": {
            str(path.relative_to(folder).as_posix()): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name not in (CARD_NAME, PICTURE_NAME, "samples.png", "README.md")
        },
        "training": training,
    }
    (folder / CARD_NAME).write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
