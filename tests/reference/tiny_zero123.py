"""Zero123 at tiny size with random weights: its folder as either publisher lays it out, and its pipeline re-computed.

The re-computation is written from the paper (arXiv 2303.11328) and the published configs, from the networks that were
written to the folder, and shares nothing with the engine.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from reference.ldm_checkpoint import unet_state, vae_state
from reference.tiny_families import spread_out, unet, vae
from safetensors.torch import save_file
from torch import Tensor

WIDTH = 32  # of the token that the unet is told
VECTOR = 24  # of CLIP's vectors
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
# Publisher's pipeline class, name of the projection's part and class, prefix of its weights.
KXIC = ("Zero1to3StableDiffusionPipeline", "cc_projection", "CCProjection", "projection")
ASHAWKEY = ("Zero123Pipeline", "clip_camera_projection", "CLIPCameraProjection", "proj")


@dataclass(frozen=True)
class TinyZero123:
    """The networks of a tiny model: unet, autoencoder, encoder of pictures, and the linear map."""

    unet: Any
    vae: Any
    encoder: Any
    linear: torch.nn.Linear

    @torch.no_grad()
    def noise(self, x: Tensor, t: Tensor, image: Tensor, pose: Tensor) -> tuple[Tensor, Tensor]:
        """The predictions without and with the picture, in one batch as the pipeline makes it.

        image: float32[1, 3, H, H] in [-1, 1], of the model's size; pose: float32[B, 4].
        """
        count = len(x)
        seen = torch.nn.functional.interpolate(image, (32, 32), mode="bicubic", align_corners=True) / 2.0 + 0.5
        seen = torch.stack([(seen[:, i] - MEAN[i]) / STD[i] for i in range(3)], 1)
        embeds = self.encoder(seen).image_embeds.repeat(count, 1)
        tokens = self.linear(torch.cat([embeds, pose], -1)).unsqueeze(1)
        latents = self.vae.encode(image).latent_dist.mode().repeat(count, 1, 1, 1)
        tokens = torch.cat([torch.zeros_like(tokens), tokens])
        latents = torch.cat([torch.zeros_like(latents), latents])
        both = torch.cat([torch.cat([x, x]), latents], 1)
        without, told = self.unet(both, torch.cat([t, t]), encoder_hidden_states=tokens).sample.chunk(2)
        return without, told


def pose_by_degrees(
    azimuth: float, elevation: float, picture_azimuth: float, picture_elevation: float, stable: bool
) -> list[float]:
    """The four numbers as threestudio's program has them: polar angles in degrees, turned to radians at the end."""
    polar, picture_polar = 90.0 - elevation, 90.0 - picture_elevation
    turn = math.radians((azimuth - picture_azimuth) % 360.0)
    fourth = math.radians(90.0 - picture_elevation) if stable else 0.0
    return [math.radians(polar - picture_polar), math.sin(turn), math.cos(turn), fourth]


def image_encoder() -> Any:
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    torch.manual_seed(21)
    config = CLIPVisionConfig(
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        image_size=32,
        patch_size=8,
        projection_dim=VECTOR,
    )
    return spread_out(CLIPVisionModelWithProjection(config))


def write_zero123(folder: Path, layout: tuple[str, str, str, str] = KXIC) -> TinyZero123:
    """Write the folder of a tiny model; return its networks.

    layout: KXIC or ASHAWKEY.
    """
    from diffusers import DDIMScheduler

    name, part, part_class, prefix = layout
    torch.manual_seed(22)
    model = TinyZero123(
        unet(in_channels=8, cross_attention_dim=WIDTH), vae(), image_encoder(), torch.nn.Linear(VECTOR + 4, WIDTH)
    )
    model.unet.save_pretrained(folder / "unet")
    model.vae.save_pretrained(folder / "vae")
    model.encoder.save_pretrained(folder / "image_encoder")
    DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, steps_offset=1
    ).save_pretrained(folder / "scheduler")
    (folder / part).mkdir()
    weights = {f"{prefix}.{key}": value for key, value in model.linear.state_dict().items()}
    save_file(weights, folder / part / "diffusion_pytorch_model.safetensors")
    config = {"_class_name": part_class, "in_channel": VECTOR + 4, "out_channel": WIDTH}
    (folder / part / "config.json").write_text(json.dumps(config), encoding="utf-8")
    index = {
        "_class_name": name,
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "image_encoder": ["transformers", "CLIPVisionModelWithProjection"],
        "scheduler": ["diffusers", "DDIMScheduler"],
        part: ["its_code", part_class],
        "feature_extractor": ["transformers", "CLIPImageProcessor"],
        "safety_checker": [None, None],
    }
    (folder / "model_index.json").write_text(json.dumps(index), encoding="utf-8")
    return model


def open_ai_vision(encoder: Any, prefix: str) -> dict[str, Tensor]:
    """The tower of pictures under OpenAI's names: one matrix for query, key and value; the projection transposed."""
    state = encoder.state_dict()
    inside = "vision_model."
    found = {
        "class_embedding": state[f"{inside}embeddings.class_embedding"],
        "conv1.weight": state[f"{inside}embeddings.patch_embedding.weight"],
        "positional_embedding": state[f"{inside}embeddings.position_embedding.weight"],
        "proj": state["visual_projection.weight"].T,
    }
    for kind in ("weight", "bias"):
        found[f"ln_pre.{kind}"] = state[f"{inside}pre_layrnorm.{kind}"]
        found[f"ln_post.{kind}"] = state[f"{inside}post_layernorm.{kind}"]
        for i in range(encoder.config.num_hidden_layers):
            theirs, ours = f"{inside}encoder.layers.{i}.", f"transformer.resblocks.{i}."
            three = [state[f"{theirs}self_attn.{letter}_proj.{kind}"] for letter in "qkv"]
            found[f"{ours}attn.in_proj_{kind}"] = torch.cat(three)
            found[f"{ours}attn.out_proj.{kind}"] = state[f"{theirs}self_attn.out_proj.{kind}"]
            found[f"{ours}ln_1.{kind}"] = state[f"{theirs}layer_norm1.{kind}"]
            found[f"{ours}ln_2.{kind}"] = state[f"{theirs}layer_norm2.{kind}"]
            found[f"{ours}mlp.c_fc.{kind}"] = state[f"{theirs}mlp.fc1.{kind}"]
            found[f"{ours}mlp.c_proj.{kind}"] = state[f"{theirs}mlp.fc2.{kind}"]
    return {prefix + name: value for name, value in found.items()}


def write_zero123_file(file: Path, base: Path) -> None:
    """Write one file with the whole model, in half precision, and the folder `base` of the same model."""
    model = write_zero123(base)
    state = {**unet_state(model.unet), **vae_state(model.vae)}
    state |= open_ai_vision(model.encoder, "cond_stage_model.model.visual.")
    state |= {f"cc_projection.{name}": value for name, value in model.linear.state_dict().items()}
    state["model_ema.decay"] = torch.zeros(())
    save_file({name: value.half().contiguous().clone() for name, value in state.items()}, file)
