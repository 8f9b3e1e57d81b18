"""MVDream at tiny size with random weights: its folder as published, and its single file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from reference.ldm_checkpoint import hidden_open_clip_state, vae_state
from reference.multi_view_unet import MultiViewUNet
from reference.tiny_families import LATENT, WIDTH, clip, spread_out, stable_diffusion
from safetensors.torch import save_file

CONFIG: dict[str, Any] = {  # the keys of the published folder's config
    "_class_name": "MultiViewUNetModel",
    "image_size": LATENT,
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": 32,
    "channel_mult": [1, 2, 2],
    "num_res_blocks": 1,
    "attention_resolutions": [2, 1],
    "num_head_channels": 16,
    "transformer_depth": 1,
    "context_dim": WIDTH,
    "camera_dim": 16,
}


def multi_view_unet(context: int = WIDTH) -> MultiViewUNet:
    torch.manual_seed(11)
    network: MultiViewUNet = spread_out(MultiViewUNet({**CONFIG, "context_dim": context}))
    return network


def write_mvdream(folder: Path, context: int = WIDTH) -> tuple[Any, MultiViewUNet]:
    """Write the folder; return the pipeline that all of it but the unet is of, and the unet.

    folder: Path to make.
    context: int, width of the text states.
    """
    network, pipeline = multi_view_unet(context), stable_diffusion()
    pipeline.text_encoder = clip(width=context)
    pipeline.unet = None
    pipeline.save_pretrained(folder)
    (folder / "unet").mkdir()
    config = {**CONFIG, "context_dim": context}
    (folder / "unet" / "config.json").write_text(json.dumps(config), encoding="utf-8")
    save_file(network.state_dict(), folder / "unet" / "diffusion_pytorch_model.safetensors")
    index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
    index |= {
        "_class_name": "MVDreamPipeline",
        "unet": ["mv_unet", "MultiViewUNetModel"],
        "image_encoder": [None, None],
    }
    (folder / "model_index.json").write_text(json.dumps(index), encoding="utf-8")
    return pipeline, network


def write_mvdream_file(file: Path, base: Path) -> None:
    """Write one file with the whole model, in half precision, and the folder `base` of the same model."""
    pipeline, network = write_mvdream(base, 1024)  # a width by which diffusers knows the text encoder
    state = {f"model.diffusion_model.{name}": value for name, value in network.state_dict().items()}
    state |= {**vae_state(pipeline.vae), **hidden_open_clip_state(pipeline.text_encoder)}
    save_file({name: value.half().contiguous().clone() for name, value in state.items()}, file)
