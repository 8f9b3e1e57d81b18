"""A tiny single file of Stable Diffusion 2, which does not say what it predicts, and the base that does."""

from __future__ import annotations

from pathlib import Path

from reference.ldm_checkpoint import hidden_open_clip_state, unet_state, vae_state
from reference.tiny_families import VARIANTS, clip, unet
from safetensors.torch import save_file


def write_stable_diffusion_2(file: Path, base: Path) -> None:
    """Write the file, in half precision, and the pipeline folder `base` of the same model, which predicts v."""
    pipeline = VARIANTS["sd-v"]()
    pipeline.text_encoder = clip(width=1024)  # by which such files are told
    cross = ("CrossAttnDownBlock2D", "CrossAttnUpBlock2D")
    pipeline.unet = unet(
        cross_attention_dim=1024,
        use_linear_projection=True,
        down_block_types=(cross[0], "DownBlock2D"),
        up_block_types=("UpBlock2D", cross[1]),
        layers_per_block=2,
    )
    pipeline.save_pretrained(base)
    state = {**unet_state(pipeline.unet), **vae_state(pipeline.vae), **hidden_open_clip_state(pipeline.text_encoder)}
    save_file({name: value.half().contiguous().clone() for name, value in state.items()}, file)
