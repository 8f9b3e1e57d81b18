"""The LoRAs and textual inversions of a run, read from their headers before anything heavy is imported."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dreamfusion_engine.config.stages import AdaptersConfig
from dreamfusion_engine.errors import InputError
from dreamfusion_engine.inputs.given_path import UnusablePath, absence, given_path, shortened
from dreamfusion_engine.models.adapters.learned_word import LearnedWord, learned_word
from dreamfusion_engine.models.adapters.lora_layout import LoraPair, lora_pairs, said_of_scale
from dreamfusion_engine.models.family import FAMILIES
from dreamfusion_engine.models.part_weights import PICKLES
from dreamfusion_engine.models.pipeline_folder import sha256_of
from dreamfusion_engine.models.safetensors_header import DamagedHeader, TensorEntry, read_header, read_metadata
from dreamfusion_engine.models.single_file.layouts import NotUsable

_CLIPS = ("text_encoder", "text_encoder_2")
# Pipeline class -> the text encoders that its LoRAs and words can change: what diffusers reads for it, and no more.
LORA_FAMILIES: dict[str, tuple[str, ...]] = {
    "StableDiffusionPipeline": _CLIPS[:1],
    "StableDiffusionXLPipeline": _CLIPS,
    "StableDiffusion3Pipeline": _CLIPS,
    "FluxPipeline": _CLIPS[:1],
}
WORD_FAMILIES = {name: clips for name, clips in LORA_FAMILIES.items() if name != "StableDiffusion3Pipeline"}


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
