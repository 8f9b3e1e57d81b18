"""The size of a diffusion model, read from its folder's configs and the headers of its safetensors files.

Nothing is loaded. Activations follow from the configs by counting tensors; `benchmarks/memory/networks.py` checks the
counts against torch's own, for the real architectures.

"Numbers" are elements of a tensor, whatever their precision; "live" ones exist at the same moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dreamfusion_engine.models.card_file import read_card
from dreamfusion_engine.models.clip_folder import Tower, is_clip, towers
from dreamfusion_engine.models.family import FAMILIES, IMAGE_ENCODER
from dreamfusion_engine.models.image_dream import resampler_parameters
from dreamfusion_engine.models.multi_view import read_denoiser_config
from dreamfusion_engine.models.operations import (
    denoiser_operations,
    encoder_operations,
    frames_a_view,
    tower_operations,
)
from dreamfusion_engine.models.part_weights import PartWeights, damaged, read_part_weights

# What reads the prompt, or a given picture, comes and goes before the rest.
ENCODERS = ("text_encoder", "text_encoder_2", "text_encoder_3")
DENOISERS = ("unet", "transformer")
_UNET_FEED_FORWARD = 21.0  # live numbers a channel and pixel in a block with transformers: GEGLU's are most of them
_RESNET = 3.0  # ... in a residual block, a channel of its input: the input, its norm, its activation
_TRANSFORMER = 12.5  # live numbers a token and channel of a diffusion transformer: SD3 12.4, PixArt 12.3 ...
_PARALLEL_TRANSFORMER = 15.3  # ... with attention and feed-forward side by side, or gated convolutions: Flux, Sana
_PARALLEL_CLASSES = ("FluxTransformer2DModel", "SanaTransformer2DModel")
_RESNET_KEPT = 3.0  # numbers a pixel that a residual block keeps for its backward pass: 3 (C_in + C_out)
# Numbers a pixel of the picture and channel of the encoder's first block, by benchmarks/memory/networks.py: kept for
# the backward pass (of AutoencoderKL they are summed up below), alive in a pass without one, alive when recomputed.
_KEPT = {"AutoencoderTiny": 7.4, "AutoencoderDC": 31.0}
_LIVE = {"AutoencoderTiny": 3.1}
_LIVE_ELSE = 5.0
_RECOMPUTED = {"AutoencoderTiny": 6.1, "AutoencoderDC": 11.1}
_RECOMPUTED_ELSE = 9.1
# Numbers a token that a layer of CLIP keeps with frozen weights: the inputs of its two norms, queries, keys, values and
# what attention makes of them; and in its feed-forward, for each inner number, the sum and its sigmoid (quick GELU).
_TOWER_KEPT, _TOWER_KEPT_INNER = 6.0, 2.0
_PACKED = {"FluxTransformer2DModel": (128, 2)}  # latent size and patch, which this class's config does not say
_SHARED_TEXT = {"FluxTransformer2DModel": 512, "SD3Transformer2DModel": 333}  # prompt tokens beside the picture's

HALF_ABOVE = 200_000_000  # parameters beyond which precision 'auto' holds a model in half precision on a card


@dataclass(frozen=True, kw_only=True)
class ModelSizes:
    """The numbers that decide a model's memory.

    denoiser, vae: parameters of each; 0 for what the model lacks.
    text_encoders: parameters of the largest encoder of texts or of a given picture; they come and go before the others.
    denoiser_live: numbers alive at once in one call of the denoiser, for one picture.
    encoder_kept: numbers that the VAE's encoder keeps for its backward pass, for one picture of `pixels`.
    encoder_live: numbers alive at once in its pass without gradients, for one picture of `pixels`.
    encoder_recomputed: numbers alive at once where the backward pass computes every block again, for one picture.
    pixels: the model's own picture size, pixels along a side.
    vae_float32: whether the VAE computes in float32 unless asked otherwise (SDXL's overflows in half precision).
    transformer: whether the denoiser is one; transformers get bfloat16, and unets float16, where half precision is
        automatic.
    closed_vocabulary: as its card says; models without one are told other views' prompts too (Perp-Neg).
    denoiser_operations, encoder_operations: arithmetic of one forward pass for one picture (operations.py); 0: unknown.
    compares: bool, whether it compares pictures with words and denoises nothing. What is said of the denoiser is then
        about the tower of pictures, and its live numbers are those that it keeps for its backward pass.
    """

    denoiser: int
    text_encoders: int
    vae: int = 0
    denoiser_live: int = 0
    encoder_kept: int = 0
    encoder_live: int = 0
    encoder_recomputed: int = 0
    pixels: int = 0
    vae_float32: bool = False
    transformer: bool = False
    closed_vocabulary: bool = False
    denoiser_operations: float = 0.0
    encoder_operations: float = 0.0
    compares: bool = False


def read_sizes(folder: Path, weights: Mapping[str, PartWeights] | None = None) -> ModelSizes:
    """Return the sizes of the pipeline in `folder`. A missing part counts as 0: completeness is checked elsewhere.

    folder: Path of the model.
    weights: of its parts, as `PipelineFolder` has them; None: their headers are read here.
    Raises SetupError model.damaged, model.incomplete or model.pickled where a config or the weights cannot be read.
    """
    try:
        return _read_sizes(folder, weights)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError) as error:
        raise damaged(folder, f"a config says nothing that can be used: {type(error).__name__} {error}") from error


def _read_sizes(folder: Path, weights: Mapping[str, PartWeights] | None) -> ModelSizes:
    if is_clip(folder):
        return _clip_sizes(folder)

    def count(part: str) -> int:
        if weights is None:
            return parameters(folder, part)
        return weights[part].parameters if part in weights else 0

    part = next((name for name in DENOISERS if (folder / name).is_dir()), DENOISERS[0])
    config = _config(folder / part)
    projections = {family.picture_parts[-1] for family in FAMILIES.values() if family.told_poses}
    pictured = bool(config.get("picture_tokens"))
    told_picture = pictured or any((folder / part).is_dir() for part in projections)
    encoders = (*ENCODERS, *([IMAGE_ENCODER] if told_picture else []))  # other folders have one that nothing reads
    resampler = resampler_parameters(read_part_weights(folder, part)) if pictured else 0  # comes and goes with them
    vae = _config(folder / "vae")
    latent = latent_size(config)
    pixels = latent * vae_factor(vae)
    return ModelSizes(
        denoiser=count(part) - resampler,
        text_encoders=max(count(name) for name in encoders),
        vae=count("vae"),
        denoiser_live=denoiser_live(config, latent),
        encoder_kept=encoder_kept(vae, pixels),
        encoder_live=encoder_live(vae, pixels),
        encoder_recomputed=encoder_recomputed(vae, pixels),
        pixels=pixels,
        vae_float32=bool(vae.get("force_upcast", False)),
        transformer=part == "transformer",
        closed_vocabulary=read_card(folder).closed_vocabulary,
        denoiser_operations=denoiser_operations(config, latent),
        encoder_operations=encoder_operations(vae, pixels),
    )


def _clip_sizes(folder: Path) -> ModelSizes:
    vision, text = towers(folder)
    return ModelSizes(
        denoiser=vision.parameters,
        text_encoders=vision.parameters + text.parameters,  # both towers are read with the prompt
        denoiser_live=tower_kept(vision),
        pixels=vision.pixels,
        closed_vocabulary=read_card(folder).closed_vocabulary,
        denoiser_operations=tower_operations(vision),
        compares=True,
    )


def tower_kept(tower: Tower) -> int:
    """Return the numbers that a CLIP's tower of pictures keeps for the way back to one picture.

    tower: Tower.
    """
    layer = _TOWER_KEPT * tower.width + _TOWER_KEPT_INNER * tower.inner
    return round(tower.tokens * tower.layers * layer)


def parameters(folder: Path, part: str) -> int:
    """Return the parameters of a part, from its files' headers; 0 for a part that is missing.

    folder: Path of the pipeline.
    part: str, such as 'unet'.
    """
    return read_part_weights(folder, part).parameters if (folder / part).is_dir() else 0


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    return read_denoiser_config(path) if path.is_file() else {}


def denoiser_live(config: Mapping[str, Any], latent: int) -> int:
    """Return the numbers alive at once in one call of a denoiser without gradients, for one picture.

    config: of a UNet2DConditionModel or a diffusion transformer.
    latent: int, height and width of what it denoises.
    """
    if "block_out_channels" in config:
        return round(_unet_live(config, latent) * frames_a_view(config))
    return round(_transformer_live(config, latent))


def _unet_live(config: Mapping[str, Any], latent: int) -> float:
    """The largest, over the up blocks, of: outputs kept for the up path, the block's input, and what it works with."""
    channels = config["block_out_channels"]
    layers = _by_level(config.get("layers_per_block", 2), len(channels))
    down = config["down_block_types"]
    area = [latent * latent / 4**level for level in range(len(channels))]
    # What the down path leaves behind, by level: its residual blocks, and the halved picture that the next begins with.
    skips = [layers[level] * c * area[level] for level, c in enumerate(channels)]
    skips[0] += channels[0] * area[0]
    for level in range(1, len(channels)):
        skips[level] += channels[level - 1] * area[level]
    largest = 0.0
    for level, c in enumerate(channels):
        above = channels[min(level + 1, len(channels) - 1)]
        below = channels[max(level - 1, 0)] if level else c
        inside = _RESNET * (above + max(c, below if layers[level] else c))
        if "CrossAttn" in down[level] and "Simple" not in down[level]:
            inside = max(inside, _UNET_FEED_FORWARD * c)
        largest = max(largest, sum(skips[: level + 1]) + (above + inside) * area[level])
    return largest


def _by_level(value: int | list[int], levels: int) -> list[int]:
    return list(value) if isinstance(value, list | tuple) else [int(value)] * levels


def _transformer_live(config: Mapping[str, Any], latent: int) -> float:
    width = int(config.get("num_attention_heads", 0)) * int(config.get("attention_head_dim", 0))
    name = str(config.get("_class_name", ""))
    patch = _PACKED[name][1] if name in _PACKED else int(config.get("patch_size") or 1)
    tokens = (latent // patch) ** 2 + _SHARED_TEXT.get(name, 0)
    return (_PARALLEL_TRANSFORMER if name in _PARALLEL_CLASSES else _TRANSFORMER) * tokens * width


def latent_size(config: Mapping[str, Any]) -> int:
    """Return the height and width of what a denoiser was trained to denoise; 0 where its config does not say."""
    name = str(config.get("_class_name", ""))
    return _PACKED[name][0] if name in _PACKED else int(config.get("sample_size") or 0)


def vae_factor(config: Mapping[str, Any]) -> int:
    """Return the pixels along the side of one latent; 1 without a VAE."""
    return int(2 ** (len(_encoder_channels(config)) - 1)) if config else 1


def _encoder_channels(config: Mapping[str, Any]) -> list[int]:
    return list(config.get("encoder_block_out_channels") or config["block_out_channels"])


def encoder_kept(config: Mapping[str, Any], pixels: int) -> int:
    """Return the numbers that a VAE's encoder keeps for the backward pass of one picture of pixels x pixels.

    config: of the VAE.
    pixels: int, side of the picture.
    """
    if not config:
        return 0
    channels = _encoder_channels(config)
    name = str(config.get("_class_name"))
    if name in _KEPT:
        return round(_KEPT[name] * channels[0] * pixels * pixels)
    layers = int(config.get("layers_per_block", 2))
    total, before = 0.0, channels[0]
    for level, c in enumerate(channels):
        area = pixels * pixels / 4**level
        total += _RESNET_KEPT * (before + c + (layers - 1) * 2 * c) * area
        if level + 1 < len(channels):
            total += c * area  # padded for the halving convolution
        before = c
    area = pixels * pixels / 4 ** (len(channels) - 1)
    total += (2 * 2 * _RESNET_KEPT + 8) * channels[-1] * area  # the middle: two residual blocks and attention
    return round(total)


def encoder_live(config: Mapping[str, Any], pixels: int) -> int:
    """Return the numbers alive at once when a VAE encodes one picture of pixels x pixels without gradients.

    config: of the VAE.
    pixels: int, side of the picture.
    """
    return _of_first_block(config, pixels, _LIVE, _LIVE_ELSE)


def encoder_recomputed(config: Mapping[str, Any], pixels: int) -> int:
    """Return the numbers alive at once in a backward pass that computes each block of the encoder again.

    config: of the VAE.
    pixels: int, side of the picture.
    """
    return _of_first_block(config, pixels, _RECOMPUTED, _RECOMPUTED_ELSE)


def _of_first_block(config: Mapping[str, Any], pixels: int, known: Mapping[str, float], otherwise: float) -> int:
    if not config:
        return 0
    factor = known.get(str(config.get("_class_name")), otherwise)
    return round(factor * _encoder_channels(config)[0] * pixels * pixels)
