"""The LoRAs and learned words of the sidebar: `scene.dreamfusion.adapters`, saved with the file.

The engine gets absolute paths; here a path may be relative to the .blend (`//`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import bpy
from bpy.props import BoolProperty, CollectionProperty, FloatProperty, StringProperty
from bpy.types import Context, PropertyGroup

from ...core import adapter_file, model_card
from ...core.adapters import HEAVIEST, MOST, STAGE, Adapters, of_settings, short_name
from ...core.bounded_json import parse_json
from ...core.job import Trouble
from ...core.phrase import phrase
from . import models, preferences


def _learn_word(line: DREAMFUSION_PG_word, _context: Context) -> None:
    try:
        line.word = adapter_file.read(Path(absolute(line.file))).word
    except adapter_file.NoAdapter:
        line.word = ""


class DREAMFUSION_PG_lora(PropertyGroup):
    """A file that changes the model's weights."""

    file: StringProperty(
        name="File", description="The LoRA, a .safetensors file on the engine's machine", subtype="FILE_PATH"
    )
    weight: FloatProperty(
        name="Weight",
        description="How much of the LoRA is added to the model. 1 is as it was trained, 0 is nothing",
        default=1.0,
        min=-HEAVIEST,
        max=HEAVIEST,
        soft_min=0.0,
        soft_max=1.5,
        step=5,
        precision=2,
    )
    use: BoolProperty(name="Use", description="Make objects with this LoRA", default=True)


class DREAMFUSION_PG_word(PropertyGroup):
    """A file that teaches the model a word (textual inversion)."""

    file: StringProperty(
        name="File",
        description="The textual inversion, a .safetensors file on the engine's machine",
        subtype="FILE_PATH",
        update=_learn_word,
    )
    word: StringProperty(name="Word", description="What the prompt has to say. Empty is not known")
    use: BoolProperty(name="Use", description="Teach the model this word", default=True)


def _kept(mine: DREAMFUSION_PG_adapters) -> str:
    """Both lists as JSON, with absolute paths, because a preset serves every .blend."""
    loras = [[absolute(line.file), float(f"{line.weight:.6g}"), line.use] for line in mine.loras]
    return json.dumps({"loras": loras, "words": [[absolute(line.file), line.word, line.use] for line in mine.words]})


def _bring_back(mine: DREAMFUSION_PG_adapters, text: str) -> None:
    """Set both lists to what `_kept` returned. A text that cannot be read changes nothing."""
    try:
        said = parse_json(text.encode("utf-8", "replace"))
        loras = [(str(file), float(weight), bool(use)) for file, weight, use in said["loras"][:MOST]]
        words = [(str(file), str(word), bool(use)) for file, word, use in said["words"][:MOST]]
    except (ValueError, TypeError, KeyError, OverflowError):
        return
    mine.loras.clear()
    mine.words.clear()
    for file, weight, use in loras:
        line = mine.loras.add()
        line.file, line.weight, line.use = file, weight, use
    for file, word, use in words:
        line = mine.words.add()
        line.file, line.use = file, use
        line.word = line.word or word  # where the file is not there now


class DREAMFUSION_PG_adapters(PropertyGroup):
    """A scene's LoRAs and learned words."""

    loras: CollectionProperty(name="LoRAs", type=DREAMFUSION_PG_lora)
    words: CollectionProperty(name="Words", type=DREAMFUSION_PG_word)
    kept: StringProperty(
        name="Kept",
        description="The lists as a saved preset has them",
        options={"HIDDEN", "SKIP_SAVE"},
        get=_kept,
        set=_bring_back,
    )


CLASSES = (DREAMFUSION_PG_lora, DREAMFUSION_PG_word, DREAMFUSION_PG_adapters)


def takes(model: str, adapter_type: str) -> bool:
    """Whether a model takes a type of adapters. For a model that is not known yet the engine decides.

    model: str, its name.
    adapter_type: str, "lora" or "embeddings".
    """
    return model != models.STARTER and model_card.takes(models.card(model), adapter_type) is not False


def sent(settings: Any) -> Adapters:
    """The adapters that go with a job: those in use that the model takes, by absolute paths.

    settings: `scene.dreamfusion`.
    """
    loras = settings.adapters.loras if takes(settings.model, "lora") else ()
    words = settings.adapters.words if takes(settings.model, "embeddings") else ()
    return Adapters(
        lora=tuple((absolute(line.file), float(f"{line.weight:.6g}")) for line in loras if line.use and line.file),
        embeddings=tuple(absolute(line.file) for line in words if line.use and line.file),
    )


def put(settings: Any, values: Mapping[str, Any]) -> None:
    """Set the lists to the adapters of a recipe.

    settings: `scene.dreamfusion`.
    values: the recipe's settings, nested by stage.
    """
    wanted, mine = of_settings(values), settings.adapters
    mine.loras.clear()
    mine.words.clear()
    for file, weight in wanted.lora:
        line = mine.loras.add()
        line.file, line.weight = file, weight
    for file in wanted.embeddings:
        mine.words.add().file = file


def absolute(file: str) -> str:
    """The path as the engine gets it. A path that is relative to a .blend which was never saved stays as it is."""
    if not file.startswith("//"):
        return file
    return os.path.normpath(bpy.path.abspath(file)) if bpy.data.filepath else file


def missing(values: Mapping[str, Any]) -> Trouble | None:
    """The trouble where a file of a recipe's adapters does not exist. An engine elsewhere looks for itself.

    values: the recipe's settings, nested by stage.
    """
    wanted = of_settings(values).files if STAGE in values else ()
    here = preferences.of().engine != "command"
    for file in wanted:
        if file.startswith("//"):
            why = phrase("{file} is relative to this .blend, which was never saved.", file=file)
        elif here and not os.path.isfile(file):
            why = phrase("There is no file {file}.", file=file)
        else:
            continue
        return Trouble(
            "input.adapter_file",
            phrase("The file of '{name}' is not there.", name=short_name(file)),
            why,
            "Choose the file again by the folder beside its name, put it back, or switch it off. Nothing was queued.",
        )
    return None
