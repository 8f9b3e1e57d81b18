"""Whether LoRAs and textual inversions fit a model, checked before anything heavy is imported.

The headers tell whether a LoRA fits: every layer that it changes must be in the model, with the width that its factors
have. diffusers skips a layer that it cannot find; the artist would then see a weaker LoRA and no reason.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path

from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.models.adapters.files import (
    LORA_FAMILIES,
    WORD_FAMILIES,
    AdapterFiles,
    LoraFile,
    lora_error,
    read_adapters,
    word_error,
)
from dreamfusion_engine.models.adapters.learned_word import LearnedWord, vocabulary
from dreamfusion_engine.models.adapters.lora_layout import DENOISER, LoraPair, context_width, title_of
from dreamfusion_engine.models.family import FAMILIES
from dreamfusion_engine.models.part_weights import read_json
from dreamfusion_engine.models.pipeline_folder import PipelineFolder, locate_model, open_pipeline, single_file
from dreamfusion_engine.models.safetensors_header import read_header
from dreamfusion_engine.models.single_file.layouts import LAYOUTS

_FOREIGN = {  # pipeline class -> how the layers begin that diffusers can rename for it
    "StableDiffusionPipeline": ("input_blocks", "middle_block", "output_blocks"),
    "StableDiffusionXLPipeline": ("input_blocks", "middle_block", "output_blocks"),
    "FluxPipeline": ("double_blocks", "single_blocks"),
}
_SD_TITLES = {768: "Stable Diffusion 1", 1024: "Stable Diffusion 2", 2048: "Stable Diffusion XL"}


def check_asked(config: GenerateConfig) -> None:
    """Raise InputError unless a run's adapters fit its model, as far as is known before the model is loaded."""
    files = read_adapters(config.adapters)
    if not files.loras and not files.words:
        return
    single = single_file(config.model, config.base)
    if single is not None and not single.converted:
        layout = LAYOUTS[single.architecture]
        check_adapters(files, layout.family, None, layout.title)
    else:
        folder = open_pipeline(locate_model(config.model, config.base))
        check_adapters(files, folder.family, folder)


def check_adapters(files: AdapterFiles, family: str, folder: PipelineFolder | None, title: str = "") -> None:
    """Raise InputError input.lora or input.embedding unless all adapters fit the model.

    files: AdapterFiles of the run.
    family: str, the model's pipeline class.
    folder: the model; None for a single file that was not converted yet, of which only the family is known.
    title: str, name of a single file's architecture.
    """
    for lora in files.loras:
        if family not in LORA_FAMILIES:
            raise lora_error(
                lora.path, f"no LoRA can be read for a model of the family {FAMILIES[family].title}", family
            )
        _check_lora(lora, family, folder, title)
    taken: dict[str, Path] = {}
    for word in files.words:
        if family not in WORD_FAMILIES:
            raise word_error(
                word.path, f"no textual inversion can be read for the family {FAMILIES[family].title}", family
            )
        _check_word(word, family, folder)
        for token in (token.lower() for token in word.tokens):
            if token in taken:
                raise word_error(word.path, f"its word {token!r} is also that of {taken[token]}", "", name=True)
            taken[token] = word.path


def layers_of(weights: Mapping[str, tuple[int, ...]]) -> dict[str, str]:
    """Return layers by a spelling that every program can be brought to: paths with underscores.

    weights: name of each weight to its shape.
    """
    names = (name for name, shape in weights.items() if name.endswith(".weight") and len(shape) >= 2)
    return {_spelling(name.removesuffix(".weight")): name for name in names}


def weight_of(pair: LoraPair, layers: Mapping[str, str]) -> str | None:
    """Return the name of the weight that a pair of factors changes; None where there is no such layer.

    pair: LoraPair.
    layers: names of the model's weights, by the layer's name in LoRAs.
    """
    name = _spelling(pair.layer)
    other = re.sub(r"self_attn_to_(q|k|v|out)$", r"self_attn_\1_proj", name)
    return layers.get(name) or layers.get(other) or (layers.get(f"{name}_0") if name.endswith("to_out") else None)


def factors_fit(down: tuple[int, ...], up: tuple[int, ...], weight: tuple[int, ...]) -> bool:
    """Return whether B A has the shape of a layer's weight.

    down: shape of A, [r, ...].
    up: shape of B, [O, r] or [O, r, 1, 1].
    weight: shape of the layer's weight, [O, ...].
    """
    return up[0] == weight[0] and math.prod(up[2:]) == 1 and math.prod(down[1:]) == math.prod(weight[1:])


def _check_lora(lora: LoraFile, family: str, folder: PipelineFolder | None, title: str) -> None:
    title = title or _model_title(family, folder)
    made_for = title_of(lora.pairs, lora.tensors)
    for part in dict.fromkeys(pair.part for pair in lora.pairs):
        if part != DENOISER and part not in LORA_FAMILIES[family]:
            raise lora_error(lora.path, f"it changes the {part}, and of {title} no such encoder can be changed", family)
    if folder is None:
        if made_for in {"PixArt", *(layout.title for layout in LAYOUTS.values())} - {title}:
            raise lora_error(lora.path, f"it was made for {made_for}, and the model is {title}", family)
        return
    own = FAMILIES[family].denoiser
    width, reads = context_width(lora.pairs, lora.tensors), read_json(folder.path / own / "config.json")
    expected = reads.get("cross_attention_dim")
    if width is not None and isinstance(expected, int) and width != expected:
        why = f"it was made for {made_for}, and the model is {title}: prompts are {width} wide there, {expected} here"
        raise lora_error(lora.path, why, family)
    for part in dict.fromkeys(pair.part for pair in lora.pairs):
        name = own if part == DENOISER else part
        shapes = {n: e.shape for file in folder.weights[name].files for n, e in read_header(file).items()}
        layers = layers_of(shapes)
        for pair in (pair for pair in lora.pairs if pair.part == part):
            weight = weight_of(pair, layers)
            if weight is None and _renamed_later(pair, lora, family):
                continue
            down, up = lora.tensors[pair.down].shape, lora.tensors[pair.up].shape
            if weight is None or not factors_fit(down, up, shapes[weight]):
                has = "has no such layer" if weight is None else f"has {list(shapes[weight])} there"
                why = f"it was made for {made_for}, and the model is {title}, which {has}: {pair.layer[:120]}"
                raise lora_error(lora.path, f"{why} ({down[1]} to {up[0]} wide)", family)


def _renamed_later(pair: LoraPair, lora: LoraFile, family: str) -> bool:
    """Whether diffusers may know the layer under another name, which shows when the file is loaded."""
    begins = _FOREIGN.get(family, ())
    return pair.part == DENOISER and any(
        other.foreign and other.layer.replace(".", "_").startswith(begins) for other in lora.pairs
    )


def _check_word(word: LearnedWord, family: str, folder: PipelineFolder | None) -> None:
    needed = WORD_FAMILIES[family]
    title = _model_title(family, folder)
    if set(word.tensors) != set(needed):
        why = f"it has vectors for {' and '.join(word.tensors)}, and {title} needs them for {' and '.join(needed)}"
        raise word_error(word.path, why, family)
    if folder is None:
        return
    for part in needed:
        width = read_json(folder.path / part / "config.json").get("hidden_size")
        if word.widths[part] != width:
            why = f"its vectors for the {part} are {word.widths[part]} wide, and those of {title} {width}"
            raise word_error(word.path, why, family)
        words = vocabulary(folder.path / part.replace("text_encoder", "tokenizer"))
        for token in word.tokens:
            if token.lower() in words:
                raise word_error(word.path, f"the model's tokenizer has a word {token!r} already", "", name=True)


def _model_title(family: str, folder: PipelineFolder | None) -> str:
    title = FAMILIES[family].title
    if folder is None or family != "StableDiffusionPipeline":
        return title
    width = read_json(folder.path / "unet" / "config.json").get("cross_attention_dim")
    return _SD_TITLES.get(width, title) if isinstance(width, int) else title


def _spelling(path: str) -> str:
    return path.replace(".", "_").removeprefix("text_model_").replace("_text_model_", "_")
