"""The LoRAs and textual inversions of a run, checked against the model before anything heavy is imported.

The headers tell whether a LoRA fits: every layer that it changes must be in the model, with the width that its factors
have. diffusers skips a layer that it cannot find; the artist would then see a weaker LoRA and no reason.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dreamfusion_engine.config.stages import AdaptersConfig, GenerateConfig
from dreamfusion_engine.errors import InputError
from dreamfusion_engine.inputs.given_path import UnusablePath, absence, given_path, shortened
from dreamfusion_engine.models.adapters.learned_word import LearnedWord, learned_word, vocabulary
from dreamfusion_engine.models.adapters.lora_layout import (
    DENOISER,
    LoraPair,
    context_width,
    lora_pairs,
    said_of_scale,
    title_of,
)
from dreamfusion_engine.models.family import FAMILIES
from dreamfusion_engine.models.part_weights import PICKLES, read_json
from dreamfusion_engine.models.pipeline_folder import (
    PipelineFolder,
    locate_model,
    open_pipeline,
    sha256_of,
    single_file,
)
from dreamfusion_engine.models.safetensors_header import DamagedHeader, TensorEntry, read_header, read_metadata
from dreamfusion_engine.models.single_file.layouts import LAYOUTS, NotUsable

_CLIPS = ("text_encoder", "text_encoder_2")
# Pipeline class -> the text encoders that its LoRAs and words can change: what diffusers reads for it, and no more.
LORA_FAMILIES: dict[str, tuple[str, ...]] = {
    "StableDiffusionPipeline": _CLIPS[:1],
    "StableDiffusionXLPipeline": _CLIPS,
    "StableDiffusion3Pipeline": _CLIPS,
    "FluxPipeline": _CLIPS[:1],
}
WORD_FAMILIES = {name: clips for name, clips in LORA_FAMILIES.items() if name != "StableDiffusion3Pipeline"}
_FOREIGN = {  # pipeline class -> how the layers begin that diffusers can rename for it
    "StableDiffusionPipeline": ("input_blocks", "middle_block", "output_blocks"),
    "StableDiffusionXLPipeline": ("input_blocks", "middle_block", "output_blocks"),
    "FluxPipeline": ("double_blocks", "single_blocks"),
}
_SD_TITLES = {768: "Stable Diffusion 1", 1024: "Stable Diffusion 2", 2048: "Stable Diffusion XL"}


@dataclass(frozen=True, kw_only=True)
class LoraFile:
    """A LoRA and its weight.

    path: Path of the file.
    weight: float, w.
    tensors: the file's header, by name of the tensor.
    pairs: the pairs of factors, one for each layer.
    said: what diffusers wrote of it, such as 'unet.lora_alpha'.
    """

    path: Path
    weight: float
    tensors: Mapping[str, TensorEntry]
    pairs: list[LoraPair]
    said: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class AdapterFiles:
    """All LoRAs and learned words of a run."""

    loras: tuple[LoraFile, ...] = ()
    words: tuple[LearnedWord, ...] = ()

    def digest(self) -> str:
        """Return the SHA-256 of the files' content, the weights and the words, in hex; '' where there are none."""
        said = [[sha256_of(lora.path), lora.weight] for lora in self.loras]
        said += [[sha256_of(word.path), word.word] for word in self.words]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest() if said else ""

    def words_of(self, part: str) -> list[LearnedWord]:
        """Return the words that a text encoder learned."""
        return [word for word in self.words if part in word.tensors]


NO_ADAPTERS = AdapterFiles()


def read_adapters(settings: AdaptersConfig) -> AdapterFiles:
    """Read the headers of the files.

    Raises InputError input.lora, input.embedding, input.adapter_file or input.pickle.
    """
    loras = tuple(_lora(_path(file, "--lora"), weight) for file, weight in settings.lora)
    return AdapterFiles(loras=loras, words=tuple(_word(_path(file, "--embedding")) for file in settings.embeddings))


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


def lora_error(path: Path, why: str, family: str = "", fix: str = "") -> InputError:
    """Build the error for a file that cannot be used as a LoRA.

    path: Path of the file.
    why: str, the reason.
    family: str, the model's pipeline class, where the reason is the family.
    fix: str, what helps, where it is neither another model nor another kind of file.
    """
    known = ", ".join(FAMILIES[name].title for name in LORA_FAMILIES)
    return InputError(
        "input.lora",
        what="The LoRA cannot be used with this model." if family else "The LoRA cannot be used.",
        why=f"{path}: {why}.",
        fix=fix
        or (
            f"Give --model a model that it was made for ({known}), or leave this --lora out."
            if family
            else "Give a LoRA in .safetensors, of kohya's, PEFT's or diffusers' layout, or leave this --lora out."
        ),
    )


def word_error(path: Path, why: str, family: str = "", *, name: bool = False) -> InputError:
    """Build the error for a file that cannot be used as a textual inversion.

    path: Path of the file.
    why: str, the reason.
    family: str, the model's pipeline class, where the reason is the family.
    name: bool, whether another file name would help.
    """
    fix = "Give a textual inversion in .safetensors that was made for this model, or leave this --embedding out."
    return InputError(
        "input.embedding",
        what="The textual inversion cannot be used with this model."
        if family
        else "The textual inversion cannot be used.",
        why=f"{path}: {why}.",
        fix="Rename its file (or the tensor in it, which is the word where it has a name), or leave it out."
        if name
        else fix,
    )


def _path(file: str, option: str) -> Path:
    try:
        return given_path(file)
    except UnusablePath as error:
        raise _absent(shortened(file), option, f"can be no file here: {error}") from error


def _absent(file: str | Path, option: str, why: str) -> InputError:
    return InputError(
        "input.adapter_file",
        what=f"A file given to {option} is not there.",
        why=f"{file} {why}.",
        fix=f"Check the path, or leave this {option} out.",
    )


def _header(path: Path, option: str) -> tuple[dict[str, TensorEntry], dict[str, str]]:
    if not os.path.isfile(path):
        why = "is a folder" if os.path.isdir(path) else absence(path) if path.is_symlink() else "is no file"
        raise _absent(path, option, why)
    try:
        if path.suffix.lower() in PICKLES:
            raise DamagedHeader("it does not begin as a safetensors file does, but as a Python pickle")
        return read_header(path), read_metadata(path)
    except (DamagedHeader, OSError) as error:
        if "Python pickle" in str(error):
            raise InputError(
                "input.pickle",
                what="The file is stored in a format that can run code when it is opened.",
                why=f"{path} is a Python pickle, and only .safetensors files are read.",
                fix='Get it in safetensors, or convert it: docs/models.md, "Pickles", says how.',
            ) from error
        reason = error.strerror if isinstance(error, OSError) else None
        raise InputError(
            "input.adapter_file",
            what=f"A file given to {option} is damaged.",
            why=f"{path}: {reason or error}",
            fix="Copy or download it again.",
        ) from error


def _lora(path: Path, weight: float) -> LoraFile:
    tensors, metadata = _header(path, "--lora")
    try:
        pairs = lora_pairs(tensors)
        said = said_of_scale(metadata.get("lora_adapter_metadata", "{}"))
    except NotUsable as error:
        raise lora_error(path, f"it is {error}") from error
    joint = next((pair.layer for pair in pairs if pair.layer.replace(".", "_").startswith("joint_blocks_")), "")
    if joint:  # diffusers reads no LoRA of this layout
        raise lora_error(
            path,
            "it is a LoRA for Stable Diffusion 3 under its layers' first names, as kohya's programs write it, and "
            f"diffusers has no other names for them: {joint[:120]}",
            fix="Get it in diffusers' layout (names that begin with transformer.transformer_blocks), which its author "
            "may offer too, or train it with diffusers or PEFT; or leave this --lora out.",
        )
    return LoraFile(path=path, weight=weight, tensors=tensors, pairs=pairs, said=said)


def _word(path: Path) -> LearnedWord:
    tensors, _ = _header(path, "--embedding")
    try:
        return learned_word(path, tensors)
    except NotUsable as error:
        raise word_error(path, f"it is {error}") from error


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
