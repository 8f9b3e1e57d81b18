"""The unet of ImageDream's folders: what it holds beside MVDream's, by its config and its weights' header alone.

ImageDream (arXiv 2312.02201) is MVDream that is told a picture too, in two ways. A resampler makes a few tokens of
CLIP's states of the picture; every attention to the prompt has further keys and values for them. And a fifth frame of
each group holds the picture's latents, with a camera of zeros. The resampler lies with the unet's weights. The index of
the folder names the same class as MVDream's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dreamfusion_engine.models.family import IMAGE_ENCODER
from dreamfusion_engine.models.multi_view import MOST_PICTURE_TOKENS
from dreamfusion_engine.models.part_weights import PartWeights, damaged, read_json
from dreamfusion_engine.models.safetensors_header import TensorEntry

RESAMPLER = "image_embed."  # before the names of the resampler's weights
PICTURE_KEYS, PICTURE_VALUES = "attn2.to_k_ip.weight", "attn2.to_v_ip.weight"
HEAD = 64  # channels of a head of the resampler (mv_unet.py of the published folder)
_PROMPT_KEYS = "attn2.to_k.weight"
_LAYER = re.compile(r"layers\.(\d+)\..+")
_MOST_LAYERS = 100
_ENCODER_WIDTH = 768  # of a CLIPVisionConfig that does not say


@dataclass(frozen=True, kw_only=True)
class ResamplerSizes:
    """The sizes of a resampler.

    reads: int, numbers of one of CLIP's states.
    width: int, channels inside.
    makes: int, numbers of a token.
    tokens: int, how many it makes.
    layers: int, of attention and feed-forward each.
    heads: int, of attention.
    inner: int, channels of a feed-forward.
    """

    reads: int
    width: int
    makes: int
    tokens: int
    layers: int
    heads: int
    inner: int


def resampler_sizes(shapes: Mapping[str, tuple[int, ...]]) -> ResamplerSizes:
    """Return the sizes of a resampler from its weights.

    shapes: of each weight by its name after RESAMPLER.
    Raises ValueError where a weight is missing, left over or of another shape.
    """
    try:
        _, tokens, width = shapes["latents"]
        reads, makes = shapes["proj_in.weight"][1], shapes["proj_out.weight"][0]
        inside, inner = shapes["layers.0.0.to_q.weight"][0], shapes["layers.0.1.1.weight"][0]
    except (KeyError, IndexError, ValueError) as error:
        raise ValueError(
            f"it has no {error}" if isinstance(error, KeyError) else "its weights have other axes"
        ) from error
    layers = 1 + max(int(match[1]) for name in shapes if (match := _LAYER.fullmatch(name)))
    empty = min(reads, width, makes, inside, inner) < 1
    if empty or layers > _MOST_LAYERS or not 1 <= tokens <= MOST_PICTURE_TOKENS or inside % HEAD:
        raise ValueError(f"it has {layers:,} layers, {tokens:,} tokens and heads of {inside:,} channels in all")
    wanted = {
        "latents": (1, tokens, width),
        "proj_in.weight": (width, reads),
        "proj_in.bias": (width,),
        "proj_out.weight": (makes, width),
        "proj_out.bias": (makes,),
        "norm_out.weight": (makes,),
        "norm_out.bias": (makes,),
    }
    for i in range(layers):
        layer = f"layers.{i}"
        wanted |= {
            f"{layer}.{norm}.{kind}": (width,) for norm in ("0.norm1", "0.norm2", "1.0") for kind in ("weight", "bias")
        }
        wanted |= {f"{layer}.0.to_q.weight": (inside, width), f"{layer}.0.to_kv.weight": (2 * inside, width)}
        wanted |= {f"{layer}.0.to_out.weight": (width, inside)}
        wanted |= {f"{layer}.1.1.weight": (inner, width), f"{layer}.1.3.weight": (width, inner)}
    wrong = sorted(name for name in wanted.keys() | shapes.keys() if wanted.get(name) != shapes.get(name))
    if wrong or inner % width:
        raise ValueError(f"{wrong[0] if wrong else 'a feed-forward'} does not fit the others")
    return ResamplerSizes(
        reads=reads, width=width, makes=makes, tokens=tokens, layers=layers, heads=inside // HEAD, inner=inner
    )


def resampler_parameters(weights: PartWeights) -> int:
    """Return the numbers of a unet's resampler, which comes and goes before the unet works.

    weights: PartWeights of the unet.
    """
    return sum(entry.parameters for name, entry in weights.tensors().items() if name.startswith(RESAMPLER))


def check_image_dream(folder: Path, unet: PartWeights) -> None:
    """Refuse a folder whose encoder of pictures, resampler and unet do not fit each other.

    folder: Path of the model; its configs' numbers are sane, and its unet is a multi-view one.
    unet: PartWeights of its unet.
    Raises SetupError model.damaged.
    """
    tensors = unet.tensors()
    config = read_json(folder / "unet" / "config.json")
    inside = {name: entry for name, entry in tensors.items() if name.startswith(RESAMPLER)}
    shapes = {name.removeprefix(RESAMPLER): tuple(entry.shape) for name, entry in inside.items()}
    try:
        sizes = resampler_sizes(shapes)
    except ValueError as error:
        raise damaged(folder, f"the resampler of its unet ({RESAMPLER}) cannot be used: {error}") from error
    encoder = read_json(folder / IMAGE_ENCODER / "config.json").get("hidden_size", _ENCODER_WIDTH)
    found = (sizes.reads, sizes.tokens, sizes.makes)
    if found != (encoder, config.get("ip_dim"), config.get("context_dim")):
        raise damaged(
            folder,
            f"the resampler of its unet makes {found[1]} tokens of {found[2]} numbers from states of {found[0]}; its "
            f"{IMAGE_ENCODER} gives {str(encoder)[:20]}, and its unet reads {str(config.get('ip_dim'))[:20]} of "
            f"{str(config.get('context_dim'))[:20]}",
        )
    _check_attention(folder, tensors)


def _check_attention(folder: Path, tensors: Mapping[str, TensorEntry]) -> None:
    """Every attention to the prompt has keys and values for the picture, of the same shape."""
    for name, entry in tensors.items():
        if not name.endswith(_PROMPT_KEYS):
            continue
        for other in (PICTURE_KEYS, PICTURE_VALUES):
            own = tensors.get(name.removesuffix(_PROMPT_KEYS) + other)
            if own is None or own.shape != entry.shape:
                raise damaged(folder, f"unet has no {other} beside {name} of the same shape: it may be MVDream's")
