"""Correct the configs of a base by the shapes of a single file's weights: sizes and inputs.

Models of one architecture come in several sizes (Stable Diffusion 3 medium, 3.5 medium and large; Flux with and without
an input for guidance). The transformer's own weights say which, so one base serves them all.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from dreamfusion_engine.models.safetensors_header import TensorEntry
from dreamfusion_engine.models.single_file.layouts import UNET, Architecture, Prediction

# How the pipelines of the Flux with an input for guidance, and of the one without, shift their noise, as their
# scheduler_config.json were published.
_GUIDED_FLUX = {
    "use_dynamic_shifting": True,
    "base_shift": 0.5,
    "max_shift": 1.15,
    "base_image_seq_len": 256,
    "max_image_seq_len": 4096,
}
_PLAIN_FLUX = {"use_dynamic_shifting": False, "shift": 1.0}


def denoiser_config(
    architecture: Architecture, tensors: Mapping[str, TensorEntry], config: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the base's config of the denoiser with what the weights say; a unet's is left as it is.

    architecture: of the file.
    tensors: the file's header.
    config: the base's.
    Raises KeyError or ValueError where weights that every such model has are missing or of another shape.
    """
    shapes = {name.removeprefix(UNET): entry.shape for name, entry in tensors.items()}
    if architecture == "sd3":
        return {**config, **_sd3(shapes, int(config["attention_head_dim"]))}
    if architecture == "flux":
        return {**config, **_flux(shapes, int(config["attention_head_dim"]))}
    return dict(config)


def scheduler_config(
    architecture: Architecture,
    tensors: Mapping[str, TensorEntry],
    prediction: Prediction | None,
    config: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the base's config of the scheduler with what the file says of its training.

    Fine-tunes that saw pure noise carry the empty tensor `ztsnr` (arXiv 2305.08891, section 3.1).

    architecture: of the file.
    tensors: the file's header.
    prediction: what the denoiser predicts, where the file says it.
    config: the base's.
    """
    changed = dict(config)
    if architecture == "flux" and bool(config.get("use_dynamic_shifting")) != _guided(tensors):
        changed |= _GUIDED_FLUX if _guided(tensors) else _PLAIN_FLUX  # the base is the other Flux
    if prediction is not None and architecture not in ("sd3", "flux"):
        changed["prediction_type"] = prediction
        if "ztsnr" in tensors:
            changed["rescale_betas_zero_snr"] = True
    return changed


def _sd3(shapes: Mapping[str, tuple[int, ...]], head: int) -> dict[str, Any]:
    width, told = shapes["context_embedder.weight"]
    _, channels, patch, _ = shapes["x_embedder.proj.weight"]
    return {
        "num_layers": _count(shapes, "joint_blocks"),
        "num_attention_heads": width // head,
        "caption_projection_dim": width,
        "joint_attention_dim": told,
        "pooled_projection_dim": shapes["y_embedder.mlp.0.weight"][1],
        "in_channels": channels,
        "out_channels": shapes["final_layer.linear.weight"][0] // patch**2,
        "patch_size": patch,
        "pos_embed_max_size": math.isqrt(shapes["pos_embed"][1]),
        "qk_norm": "rms_norm" if any(".attn.ln_q." in name for name in shapes) else None,
        "dual_attention_layers": sorted({int(name.split(".")[1]) for name in shapes if ".attn2." in name}),
    }


def _flux(shapes: Mapping[str, tuple[int, ...]], head: int) -> dict[str, Any]:
    width, channels = shapes["img_in.weight"]
    return {
        "num_layers": _count(shapes, "double_blocks"),
        "num_single_layers": _count(shapes, "single_blocks"),
        "num_attention_heads": width // head,
        "in_channels": channels,
        "joint_attention_dim": shapes["txt_in.weight"][1],
        "pooled_projection_dim": shapes["vector_in.in_layer.weight"][1],
        "guidance_embeds": any(name.startswith("guidance_in.") for name in shapes),
    }


def _guided(tensors: Mapping[str, TensorEntry]) -> bool:
    return any(name.removeprefix(UNET).startswith("guidance_in.") for name in tensors)


def _count(shapes: Mapping[str, tuple[int, ...]], blocks: str) -> int:
    numbers = [int(found[1]) for name in shapes if (found := re.match(rf"{blocks}\.(\d+)\.", name))]
    return max(numbers) + 1
