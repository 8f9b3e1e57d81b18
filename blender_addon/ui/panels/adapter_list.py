"""The list of LoRAs and words below the choice of the model, and the lines about them in an object's recipe."""

from __future__ import annotations

import re
from typing import Any

from bpy.types import Context, UILayout

from ...core.adapters import of_settings, short_name
from ...core.job import Recipe
from ...core.phrase import phrase
from ..settings import adapter_settings, models, preferences
from ..translation import translated
from . import trouble_box

_SHOWN = 8  # lines of an object's recipe


def draw(layout: UILayout, context: Context, chosen: Any) -> None:
    """Draw a line for each file: its switch, weight or word, and the buttons to change and remove it.

    chosen: `scene.dreamfusion`.
    """
    loras, words = chosen.adapters.loras, chosen.adapters.words
    column = layout.column(align=True)
    head = column.row()
    head.label(text=translated("LoRAs and Words"), translate=False)
    head.operator("dreamfusion.add_adapter", text="", icon="ADD")
    takes_loras = adapter_settings.takes(chosen.model, "lora")
    takes_words = adapter_settings.takes(chosen.model, "embeddings")
    for index, line in enumerate(loras):
        row, value = _begun(column, line, takes_loras)
        value.prop(line, "weight", text=short_name(line.file) or translated("No File"), translate=False, slider=True)
        _ended(column, row, line, "loras", index)
    for index, line in enumerate(words):
        row, value = _begun(column, line, takes_words)
        value.label(text=line.word or short_name(line.file) or translated("No File"), icon="SORTALPHA", translate=False)
        _ended(column, row, line, "words", index)
    if (len(loras) and not takes_loras) or (len(words) and not takes_words):
        trouble_box.draw_text(layout, context, _left_out(chosen.model, takes_loras), "INFO", limit=4)
        return
    unsaid = [line.word for line in words if line.use and line.word and not _says(chosen.prompt, line.word)]
    if unsaid and chosen.prompt:
        text = phrase("The prompt does not say {words}", words=", ".join(unsaid))
        trouble_box.draw_text(layout, context, text, "INFO", limit=3)


def draw_recipe(layout: UILayout, made_by: Recipe) -> None:
    """Draw the LoRAs and words with which an object was made."""
    wanted = of_settings(made_by.settings)
    lines = [f"{short_name(file)}, {weight:g}" for file, weight in wanted.lora]
    lines += [short_name(file) for file in wanted.embeddings]
    if not lines:
        return
    column = layout.column(align=True)
    column.scale_y = 0.8
    for number, line in enumerate(lines[:_SHOWN]):
        column.label(text=line, icon="BLANK1" if number else "MODIFIER", translate=False)
    if len(lines) > _SHOWN:
        column.label(text=translated("and {count} more", count=len(lines) - _SHOWN), translate=False, icon="BLANK1")


def _begun(column: UILayout, line: Any, taken: bool) -> tuple[UILayout, UILayout]:
    """The row of a line, grey where the model does not take it, and the part of the row that is grey when it is off."""
    row = column.row(align=True)
    row.active = taken
    row.prop(line, "use", text="")
    value = row.row(align=True)
    value.active = taken and line.use
    return row, value


def _ended(column: UILayout, row: UILayout, line: Any, list_name: str, index: int) -> None:
    for operator, icon in (("dreamfusion.change_adapter", "FILE_FOLDER"), ("dreamfusion.remove_adapter", "X")):
        button = row.operator(operator, text="", icon=icon)
        button.list_name, button.index = list_name, index
    if preferences.of().engine == "command":  # its files cannot be browsed from here
        column.prop(line, "file", text="")


def _left_out(model: str, takes_loras: bool) -> str:
    """The reason why lines are grey."""
    card = models.card(model) or {}
    title = phrase("The starter model") if model == models.STARTER else str(card.get("title") or model)[:60]
    if takes_loras:
        return phrase("{model} takes no words: what is grey is left out", model=title)
    return phrase("{model} takes no LoRAs or words: what is grey is left out", model=title)


def _says(prompt: str, word: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", prompt, re.IGNORECASE) is not None
