"""A pipeline's weights under the names of the first Stable Diffusion program, as single-file checkpoints have them.

Written from the two programs' structure, block by block, and not from the converter that it tests.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}


def unet_names(levels: int = 4, layers: int = 2) -> list[tuple[str, str]]:
    """(beginning in diffusers, beginning in the first program) of every block, longest first."""
    pairs = [
        ("conv_in", "input_blocks.0.0"),
        ("time_embedding.linear_1", "time_embed.0"),
        ("time_embedding.linear_2", "time_embed.2"),
        ("add_embedding.linear_1", "label_emb.0.0"),
        ("add_embedding.linear_2", "label_emb.0.2"),
        ("conv_norm_out", "out.0"),
        ("conv_out", "out.2"),
        ("mid_block.resnets.0", "middle_block.0"),
        ("mid_block.attentions.0", "middle_block.1"),
        ("mid_block.resnets.1", "middle_block.2"),
    ]
    for i in range(levels):
        for j in range(layers):
            n = (layers + 1) * i + j + 1
            pairs += [(f"down_blocks.{i}.resnets.{j}", f"input_blocks.{n}.0")]
            pairs += [(f"down_blocks.{i}.attentions.{j}", f"input_blocks.{n}.1")]
        pairs += [(f"down_blocks.{i}.downsamplers.0.conv", f"input_blocks.{(layers + 1) * (i + 1)}.0.op")]
        for j in range(layers + 1):
            n = (layers + 1) * i + j
            pairs += [(f"up_blocks.{i}.resnets.{j}", f"output_blocks.{n}.0")]
            pairs += [(f"up_blocks.{i}.attentions.{j}", f"output_blocks.{n}.1")]
    return pairs


def unet_state(unet: Any) -> dict[str, Tensor]:
    """A UNet2DConditionModel's weights under the old names."""
    levels, layers = len(unet.config.block_out_channels), unet.config.layers_per_block
    names = dict(unet_names(levels, layers))
    for i, kind in enumerate(unet.config.up_block_types):  # an upsampler comes after the attention, where there is one
        place = 2 if "CrossAttn" in kind else 1
        names[f"up_blocks.{i}.upsamplers.0.conv"] = f"output_blocks.{(layers + 1) * i + layers}.{place}.conv"
    state = {}
    for name, value in unet.state_dict().items():
        start = next(start for start in names if name.startswith(start + "."))
        rest = name.removeprefix(start + ".")
        if ".resnets." in start:
            inner, _, last = rest.rpartition(".")
            rest = f"{_RESNET[inner]}.{last}"
        state[f"model.diffusion_model.{names[start]}.{rest}"] = value
    return state


def vae_state(vae: Any) -> dict[str, Tensor]:
    """An AutoencoderKL's weights under the old names."""
    levels = len(vae.config.block_out_channels)
    state = {}
    for name, value in vae.state_dict().items():
        old = name.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
        for i in range(levels):
            old = old.replace(f"down_blocks.{i}.resnets.", f"down.{i}.block.")
            old = old.replace(f"down_blocks.{i}.downsamplers.0.", f"down.{i}.downsample.")
            old = old.replace(f"up_blocks.{i}.resnets.", f"up.{levels - 1 - i}.block.")
            old = old.replace(f"up_blocks.{i}.upsamplers.0.", f"up.{levels - 1 - i}.upsample.")
        old = old.replace("mid_block.resnets.0", "mid.block_1").replace("mid_block.resnets.1", "mid.block_2")
        if "mid_block.attentions.0." in old:
            old = old.replace("mid_block.attentions.0.", "mid.attn_1.").replace("group_norm", "norm")
            for new, short in (("to_q", "q"), ("to_k", "k"), ("to_v", "v"), ("to_out.0", "proj_out")):
                old = old.replace(f".{new}.", f".{short}.")
            value = value[:, :, None, None] if value.ndim == 2 else value
        state[f"first_stage_model.{old}"] = value
    return state


def clip_state(encoder: Any, prefix: str = "cond_stage_model.transformer.") -> dict[str, Tensor]:
    """A CLIPTextModel's weights under the old names."""
    return {
        f"{prefix}text_model.{name.removeprefix('text_model.')}": value for name, value in encoder.state_dict().items()
    }


def hidden_open_clip_state(encoder: Any, prefix: str = "cond_stage_model.model.") -> dict[str, Tensor]:
    """A CLIPTextModel's weights as files of Stable Diffusion 2 have them.

    The whole OpenCLIP is there, of which the model reads the states before its last layer: that layer, the 24th, and
    the projection are in the file and in no pipeline folder.
    """
    width = encoder.config.hidden_size
    state = open_clip_state(encoder, prefix)
    extra = {"attn.in_proj_weight": (3 * width, width), "attn.in_proj_bias": (3 * width,), "ln_1.weight": (width,)}
    state |= {f"{prefix}transformer.resblocks.23.{name}": torch.randn(shape) for name, shape in extra.items()}
    return {**state, f"{prefix}text_projection": torch.randn(width, width), f"{prefix}logit_scale": torch.zeros(())}


def open_clip_state(encoder: Any, prefix: str = "conditioner.embedders.1.model.") -> dict[str, Tensor]:
    """A CLIP text encoder's weights under OpenCLIP's names: one matrix for query, key and value."""
    state: dict[str, Tensor] = {}
    weights = {name.removeprefix("text_model."): value for name, value in encoder.state_dict().items()}
    state[f"{prefix}token_embedding.weight"] = weights["embeddings.token_embedding.weight"]
    state[f"{prefix}positional_embedding"] = weights["embeddings.position_embedding.weight"]
    if "text_projection.weight" in weights:
        state[f"{prefix}text_projection"] = weights["text_projection.weight"].T.contiguous()
    for name in ("weight", "bias"):
        state[f"{prefix}ln_final.{name}"] = weights[f"final_layer_norm.{name}"]
    for layer in range(encoder.config.num_hidden_layers):
        new, old = f"encoder.layers.{layer}.", f"{prefix}transformer.resblocks.{layer}."
        for name in ("weight", "bias"):
            parts = [weights[f"{new}self_attn.{which}_proj.{name}"] for which in "qkv"]
            state[f"{old}attn.in_proj_{name}"] = torch.cat(parts)
            state[f"{old}attn.out_proj.{name}"] = weights[f"{new}self_attn.out_proj.{name}"]
            state[f"{old}ln_1.{name}"] = weights[f"{new}layer_norm1.{name}"]
            state[f"{old}ln_2.{name}"] = weights[f"{new}layer_norm2.{name}"]
            state[f"{old}mlp.c_fc.{name}"] = weights[f"{new}mlp.fc1.{name}"]
            state[f"{old}mlp.c_proj.{name}"] = weights[f"{new}mlp.fc2.{name}"]
    return state
