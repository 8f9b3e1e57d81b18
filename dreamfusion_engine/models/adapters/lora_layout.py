"""The layout of a LoRA file, told by the names and shapes of its tensors alone.

A LoRA (Hu 2021, arXiv 2106.09685) adds w (alpha / r) B A to a layer's weights, with A [r, I] and B [O, r]. Programs
name its tensors differently: kohya's by the layer's path with underscores (lora_unet_down_blocks_0_...lora_down),
PEFT's and diffusers' by the path itself (unet.down_blocks.0...lora_A, ...to_q_lora.down, ...lora.down), xlabs' by a
block's processor (double_blocks.0.processor.qkv_lora1.down). Nothing heavy is imported here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dreamfusion_engine.models.file_kinds import UNREAD_ADDITIONS, learned_words, lone_part
from dreamfusion_engine.models.part_weights import FLOATS
from dreamfusion_engine.models.safetensors_header import TensorEntry
from dreamfusion_engine.models.single_file.layouts import LAYOUTS, NotUsable, recognise
from dreamfusion_engine.wire.bounded_json import parse_json

DENOISER = "denoiser"
_MATRIX = re.compile(r"(?:[._]lora(?:_linear_layer)?[._](down|up)|\.lora_(A|B)(?:\.default)?)\.weight$")
# xlabs' for Flux: both streams' factors hang on a block's processor, and a number tells the streams apart.
_XLABS_LAYER = re.compile(r"(?:double|single)_blocks\.\d+\.processor\.(?:qkv|proj)_lora[12]?")
_XLABS = re.compile(rf"({_XLABS_LAYER.pattern})\.(down|up)\.weight$")
_LAYER = re.compile(r"[\w.-]{1,300}", re.ASCII)
_PARTS = (  # how a name begins -> the part that it belongs to
    ("lora_unet_", DENOISER),
    ("lora_transformer_", DENOISER),
    ("lora_te_", "text_encoder"),
    ("lora_te1_", "text_encoder"),
    ("lora_te2_", "text_encoder_2"),
    ("lora_te3_", "text_encoder_3"),
    ("unet.", DENOISER),
    ("transformer.", DENOISER),
    ("diffusion_model.", DENOISER),
    ("text_encoder.", "text_encoder"),
    ("text_encoder_2.", "text_encoder_2"),
    ("text_encoder_3.", "text_encoder_3"),
    ("down_blocks.", DENOISER),
    ("mid_block.", DENOISER),
    ("up_blocks.", DENOISER),
    ("double_blocks.", DENOISER),
    ("single_blocks.", DENOISER),
)
# Layers under the names of the models' first programs, which diffusers' functions turn into its own.
FOREIGN = re.compile(
    r"(?:^|[._])(?:input_blocks|middle_block|output_blocks|double_blocks|single_blocks|joint_blocks)[._]"
)


@dataclass(frozen=True, kw_only=True)
class LoraPair:
    """The two factors for one layer.

    part: 'denoiser' or a text encoder.
    layer: str, the layer's path as the file spells it.
    down, up: names of the tensors A and B.
    alpha: name of the tensor alpha; None where the file has none.
    """

    part: str
    layer: str
    down: str
    up: str
    alpha: str | None

    @property
    def foreign(self) -> bool:
        """Whether another program named the layer, so that its name is not the layer's path."""
        return self.part == DENOISER and FOREIGN.search(self.layer) is not None

    @property
    def xlabs(self) -> bool:
        """Whether xlabs named the layer, as the processor of a block."""
        return ".processor." in self.layer


def lora_pairs(tensors: Mapping[str, TensorEntry]) -> list[LoraPair]:
    """Return the pairs of factors of a LoRA, one for each layer.

    tensors: the file's header.
    Raises NotUsable; its message says what the file is instead.
    """
    _refuse_others(tensors)
    pairs = paired(tensors)
    for pair in pairs:
        down, up = tensors[pair.down], tensors[pair.up]
        if not {down.dtype, up.dtype} <= set(FLOATS):
            raise NotUsable(f"a LoRA in {down.dtype}, and only {', '.join(FLOATS)} are read")
        if min(len(down.shape), len(up.shape)) < 2 or down.shape[0] != up.shape[1] or down.shape[0] == 0:
            raise NotUsable(f"a LoRA whose factors for {pair.layer} do not fit each other")
        if pair.alpha is not None and tensors[pair.alpha].parameters != 1:
            raise NotUsable(f"a LoRA whose alpha for {pair.layer} is no number")
    return pairs


def said_of_scale(text: str) -> dict[str, Any]:
    """Return what diffusers wrote into a file's metadata ("lora_adapter_metadata"), such as 'unet.lora_alpha'.

    text: str, JSON.
    Raises NotUsable where an alpha is no finite number, or a layer's pattern cannot be read.
    """
    try:
        said = parse_json(text.encode("utf-8", "replace"))
        if not isinstance(said, dict):
            raise TypeError("it is no mapping")
        alphas = [value for name, value in said.items() if name.endswith(".lora_alpha")]
        for patterns in (value or {} for name, value in said.items() if name.endswith(".alpha_pattern")):
            alphas += patterns.values()
            for pattern in patterns:
                names_layer(pattern, "")
        if not all(math.isfinite(float(alpha)) for alpha in alphas):
            raise ValueError("an alpha is not finite")
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise NotUsable(f"a LoRA whose metadata cannot be read: {str(error)[:120]}") from error
    return said


def names_layer(pattern: str, layer: str) -> bool:
    """Return whether a pattern of alphas names a layer: its whole path, or its end unless the pattern begins with ^.

    PEFT takes patterns for regular expressions and writes layers' names. The patterns of a foreign file are not
    evaluated, because a few characters can take hours.

    pattern: str, from the file.
    layer: str, the layer's path.
    Raises ValueError for a pattern that is no name.
    """
    name = pattern.removeprefix("^").replace("\\.", ".")
    if not _LAYER.fullmatch(name):
        raise ValueError(f"{pattern[:60]!r} in its alpha_pattern is not the name of a layer")
    return layer == name or (name == pattern.replace("\\.", ".") and layer.endswith(f".{name}"))


def paired(names: Iterable[str]) -> list[LoraPair]:
    """Return the factors in pairs, by their names.

    Raises NotUsable for a name that is not of a LoRA, and for a factor without the other.
    """
    halves: dict[tuple[str, str], dict[str, str]] = {}
    for name in names:
        match = _XLABS.search(name) or _MATRIX.search(name)
        role = "alpha" if name.endswith(".alpha") else ""
        if match:
            role = "down" if "down" in match.groups() or "A" in match.groups() else "up"
        elif not role:
            raise NotUsable(f"no LoRA that is read here: it holds {name[:120]}")
        stem = name.removesuffix(".alpha")
        if match:
            stem = name[: match.end(1)] if match.re is _XLABS else name[: match.start()]
        halves.setdefault(_place(stem), {})[role] = name
    for (_, layer), found in halves.items():
        if "down" not in found or "up" not in found:
            raise NotUsable(f"an incomplete LoRA: it has one of the two factors for {layer}")
    return [
        LoraPair(part=part, layer=layer, down=found["down"], up=found["up"], alpha=found.get("alpha"))
        for (part, layer), found in halves.items()
    ]


def _place(stem: str) -> tuple[str, str]:
    """Part and layer of a name without its ending."""
    for begin, part in _PARTS:
        if stem.startswith(begin):
            layer = stem if begin.endswith(("blocks.", "block.")) else stem.removeprefix(begin)
            return part, layer if _XLABS_LAYER.fullmatch(layer) else layer.replace(".processor.", ".")
    raise NotUsable(f"no LoRA that is read here: nothing says which part {stem[:120]} belongs to")


def _refuse_others(tensors: Mapping[str, TensorEntry]) -> None:
    for piece, what in UNREAD_ADDITIONS:
        if any(piece in name for name in tensors):
            raise NotUsable(what)
    if any(_MATRIX.search(name) or _XLABS.search(name) for name in tensors):
        return
    if not tensors:
        raise NotUsable("a file without tensors")
    if learned_words(tensors):
        raise NotUsable("a textual inversion by its shape, which is for --embedding")
    try:
        whole = LAYOUTS[recognise(tensors)].title
    except NotUsable:
        whole = ""
    if whole:
        raise NotUsable(f"a whole model of {whole}, which is for --model")
    alone = lone_part(tensors)
    if alone:
        raise NotUsable(f"{alone}, a part of a model")


def title_of(pairs: list[LoraPair], tensors: Mapping[str, TensorEntry]) -> str:
    """Return the model that a LoRA was made for, in words, as far as its layers tell.

    pairs: LoraPairs of the file.
    tensors: TensorEntry of each tensor, by name.
    """
    layers = {pair.layer.replace(".", "_"): pair for pair in pairs if pair.part == DENOISER}
    pieces = (
        (("double_blocks_", "single_blocks_", "single_transformer_blocks_"), "Flux"),
        (("joint_blocks_",), "Stable Diffusion 3"),
    )
    for begins, title in pieces:
        if any(layer.startswith(begins) for layer in layers):
            return title
    if any(layer.startswith("transformer_blocks_") for layer in layers):
        other = any("_attn1_" in layer or "_attn2_" in layer for layer in layers)
        return "PixArt" if other else "Stable Diffusion 3 or Flux"
    if any("down_blocks_" in layer or "up_blocks_" in layer or FOREIGN.search(layer) for layer in layers):
        widths = {768: "Stable Diffusion 1", 1024: "Stable Diffusion 2", 2048: "Stable Diffusion XL"}
        width = context_width(pairs, tensors)
        return widths.get(
            width or 0, "a model like Stable Diffusion" + (f" with prompts {width} wide" if width else "")
        )
    return "text encoders alone" if not layers else "another architecture"


def context_width(pairs: list[LoraPair], tensors: Mapping[str, TensorEntry]) -> int | None:
    """Return the width of the prompt states that a unet's LoRA reads; None where it does not change those layers.

    pairs: LoraPairs of the file.
    tensors: TensorEntry of each tensor, by name.
    """
    for pair in pairs:
        if pair.part == DENOISER and pair.layer.replace(".", "_").endswith(("attn2_to_k", "attn2_to_v")):
            return tensors[pair.down].shape[1]
    return None
