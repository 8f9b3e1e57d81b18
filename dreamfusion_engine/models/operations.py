"""The arithmetic of a diffusion model for one picture, from its configs alone: no torch, no weights.

Operations are those of convolutions, matrix products and attention. A multiply-add counts as two, as torch's own flop
counter counts. `benchmarks/speed/operations.py` checks the formulas against that counter for the real architectures.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dreamfusion_engine.models.clip_folder import Tower

BACKWARD = 1.03  # of a VAE's encoder with frozen weights, times its forward pass: attention's is more than once
_CLIP_TOKENS = 77
# Prompt tokens, from the pipelines' defaults.
_TOKENS = {
    "FluxTransformer2DModel": 512,
    "SD3Transformer2DModel": 333,
    "PixArtTransformer2DModel": 300,
    "SanaTransformer2DModel": 300,
}
_JOINT = ("FluxTransformer2DModel", "SD3Transformer2DModel")  # prompt tokens go through every layer
# Encoders that are not walked through: operations a pixel and squared channel of the first block, from the counter.
_ENCODERS = {"AutoencoderTiny": 113.9, "AutoencoderDC": 303.1}


def denoiser_operations(config: Mapping[str, Any], latent: int) -> float:
    """Return the operations of one call of a denoiser for one picture; 0 where the config does not say.

    config: of a UNet2DConditionModel or a diffusion transformer.
    latent: int, height and width of what it denoises.
    """
    if "block_out_channels" in config:
        return _unet(config, latent) * frames_a_view(config)
    return _transformer(config, latent)


def frames_a_view(config: Mapping[str, Any]) -> float:
    """Return the pictures that a denoiser is shown for each view: more than one where a group has a frame beside.

    config: of the denoiser, in the terms of diffusers (`multi_view.read_denoiser_config`).
    """
    frames, beside = int(config.get("views_together") or 1), int(config.get("frames_beside") or 0)
    return frames / (frames - beside) if 0 <= beside < frames else 1.0


def encoder_operations(config: Mapping[str, Any], pixels: int) -> float:
    """Return the operations of a VAE's encoder, forwards, for one picture; 0 without a VAE.

    config: of the VAE.
    pixels: int, height and width of the picture.
    """
    if not config:
        return 0.0
    channels = list(config.get("encoder_block_out_channels") or config["block_out_channels"])
    name = str(config.get("_class_name"))
    if name in _ENCODERS:
        return _ENCODERS[name] * channels[0] ** 2 * pixels * pixels
    layers, before, total = int(config.get("layers_per_block", 2)), channels[0], 0.0
    total += _convolution(3, channels[0], pixels * pixels)
    for level, c in enumerate(channels):
        area = pixels * pixels / 4**level
        total += _resnet(before, c, area) + (layers - 1) * _resnet(c, c, area)
        total += _convolution(c, c, area / 4) if level + 1 < len(channels) else 0.0
        before = c
    area = pixels * pixels / 4 ** (len(channels) - 1)
    c = channels[-1]
    return total + 2 * _resnet(c, c, area) + 8 * c * c * area + 4 * area * area * c


def tower_operations(tower: Tower) -> float:
    """Return the operations of a CLIP's tower of pictures, forwards, for one picture.

    tower: Tower.
    """
    n, width = tower.tokens, tower.width
    layer = 8.0 * n * width * width + 4.0 * n * width * tower.inner + 4.0 * n * n * width
    return tower.layers * layer + 2.0 * (n - 1) * tower.inputs * width + 2.0 * width * tower.vector


def _convolution(before: float, after: float, area: float) -> float:
    return 2.0 * 9.0 * before * after * area


def _resnet(before: int, after: int, area: float) -> float:
    shortcut = 2.0 * before * after * area if before != after else 0.0
    return _convolution(before, after, area) + _convolution(after, after, area) + shortcut


def _by_level(value: Any, levels: int) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value] * levels


def _unet(config: Mapping[str, Any], latent: int) -> float:
    """Level by level: down, middle, up, as UNet2DConditionModel is built."""
    channels = list(config["block_out_channels"])
    levels = len(channels)
    layers = _by_level(config.get("layers_per_block", 2), levels)
    depth = _by_level(config.get("transformer_layers_per_block") or 1, levels)
    depth_up = config.get("reverse_transformer_layers_per_block") or depth[::-1]
    width = _by_level(config.get("cross_attention_dim") or 1280, levels)
    down = list(config["down_block_types"])
    up = list(config["up_block_types"])
    area = [latent * latent / 4**level for level in range(levels)]
    views = int(config.get("views_together") or 1)
    ins, outs = int(config.get("in_channels") or 4), int(config.get("out_channels") or 4)
    # Zero123 reads a picture's latents too, and is told one token. ImageDream is told a picture's beside the prompt's.
    told = 1 if ins == 2 * outs else _CLIP_TOKENS + int(config.get("picture_tokens") or 0)
    total = _convolution(ins, channels[0], area[0]) + _convolution(channels[0], outs, area[0])
    skips, before = [channels[0]], channels[0]
    for level, c in enumerate(channels):
        for number in range(layers[level]):
            total += _resnet(before, c, area[level])
            total += _attention(down[level], c, area[level], _deep(depth[level], number), width[level], views, told)
            before = c
            skips.append(c)
        if level + 1 < levels:
            halved = area[level + 1]
            total += _resnet(c, c, halved) if _resampled_by_resnets(down[level]) else _convolution(c, c, halved)
            skips.append(c)
    c, last = channels[-1], area[-1]
    middle = config.get("mid_block_type", "UNetMidBlock2DCrossAttn") or ""
    if middle:
        total += 2 * _resnet(c, c, last) + _attention(middle, c, last, _deep(depth[-1], 0), width[-1], views, told)
    for level in reversed(range(levels)):
        c, block_class = channels[level], up[levels - 1 - level]
        for number in range(layers[level] + 1):
            total += _resnet(before + skips.pop(), c, area[level])
            deep = _deep(depth_up[levels - 1 - level], number)
            total += _attention(block_class, c, area[level], deep, width[level], views, told)
            before = c
        if level:
            doubled = area[level - 1]
            total += _resnet(c, c, doubled) if _resampled_by_resnets(block_class) else _convolution(c, c, doubled)
    return total


def _resampled_by_resnets(block_class: str) -> bool:
    return "Simple" in block_class or block_class.startswith("Resnet")


def _deep(depth: Any, number: int) -> int:
    """Transformer blocks after a level's residual block: distilled models have lists of their own (SSD-1B)."""
    return int(depth[number]) if isinstance(depth, list | tuple) else int(depth)


def _attention(block_class: str, c: int, area: float, depth: int, width: int, views: int, told: int) -> float:
    """What follows a residual block: nothing, DeepFloyd's attention, or a stack of transformer blocks.

    views: views of a multi-view model, among whose pixels each pixel attends.
    told: tokens of the prompt.
    """
    if "CrossAttn" not in block_class:
        return 0.0
    if "Simple" in block_class:  # picture and prompt in one attention
        return 8 * c * c * area + 4 * area * (area + told) * c + 4 * told * width * c
    layer = 8 * c * c * area + 4 * area * views * area * c  # the picture with itself, or with the others of its group
    layer += 4 * c * c * area + 4 * told * width * c + 4 * area * told * c  # ... with the prompt
    layer += 24 * c * c * area  # GEGLU
    return 4 * c * c * area + depth * layer


def _transformer(config: Mapping[str, Any], latent: int) -> float:
    """Matrix products by the squared width and token, and attention by the squared number of tokens."""
    width = int(config.get("num_attention_heads") or 0) * int(config.get("attention_head_dim") or 0)
    name = str(config.get("_class_name", ""))
    layers = int(config.get("num_layers") or 0) + int(config.get("num_single_layers") or 0)
    patch = 2 if name == "FluxTransformer2DModel" else int(config.get("patch_size") or 1)
    tokens, told = (latent // patch) ** 2, _TOKENS.get(name, 300)
    if name in _JOINT:  # 4 of attention and 8 of the feed-forward; in Flux's single layers 12 too
        whole = tokens + told
        dual = len(config.get("dual_attention_layers") or ())  # of SD3.5 medium: attention once more, picture only
        joint = layers * (24.0 * whole * width * width + 4.0 * whole * whole * width)
        return joint + dual * (8.0 * tokens * width * width + 4.0 * tokens * tokens * width)
    cross = 4.0 * tokens * width * width + 4.0 * told * width * width + 4.0 * tokens * told * width
    if name == "SanaTransformer2DModel":  # attention without a table; gated convolutions of 2.5 times the width
        head = int(config.get("attention_head_dim") or 32)
        ratio = float(config.get("mlp_ratio") or 2.5)
        own = 8.0 * tokens * width * width + 4.0 * tokens * width * head
        return layers * (own + cross + 6.0 * ratio * tokens * width * width)
    own = 8.0 * tokens * width * width + 4.0 * tokens * tokens * width
    return layers * (own + cross + 16.0 * tokens * width * width)
