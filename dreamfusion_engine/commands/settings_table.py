"""Settings as a terminal shows them: those of a run with value and origin, and what each one is and may be."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Collection
from typing import Any

from dreamfusion_engine.config.paint import PaintConfig
from dreamfusion_engine.config.presets import Resolved, dotted, nearest
from dreamfusion_engine.config.recipes import RECIPES
from dreamfusion_engine.config.setting import Setting, Stage, every_setting
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.errors import InputError

_WIDTH = 100  # columns of a description
_OF_THE_RUN = ("prompt", "negative", "seed", "base", "device")  # not settings of a model, unless its recipe gives them


def settings_text(made: Resolved, without: Collection[str] = ()) -> str:
    """Return a head line with preset and recipe, then one line for each setting.

    made: Resolved.
    without: names of stages that are left out.
    """
    recipe = RECIPES[made.config.recipe]
    mark = ", experimental" if recipe.experimental else ""
    of_recipe = {name for name, origin in made.origins.items() if origin.startswith("recipe: ")}
    left_out = set(_OF_THE_RUN) - of_recipe
    rows = {
        name: value
        for name, value in dotted(made.config).items()
        if name not in left_out and name.partition(".")[0] not in without
    }
    shown = {name: value_text(value) for name, value in rows.items()}
    wide = max(map(len, shown)), max(len(text) for text in shown.values() if len(text) <= 24)
    lines = [f"{made.config.model}: preset {made.config.preset}, recipe of {recipe.title}{mark}"]
    lines += [f"  {name:<{wide[0]}}  {text:<{wide[1]}}  {made.origins[name]}" for name, text in shown.items()]
    return "\n".join(lines)


def value_text(value: Any) -> str:
    """Return a value as --set takes it."""
    return value if isinstance(value, str) and value else json.dumps(value)


def settings_about(word: str = "", *stage_classes: type[Stage]) -> list[Setting]:
    """Return the settings with a word in their dotted name, in the order of the stages.

    word: str; "" for every setting.
    stage_classes: the stages whose settings these are, with those below them; none: all that --set takes.
    Raises InputError input.unknown_setting where no name has the word.
    """
    stages = stage_classes or (GenerateConfig, PaintConfig)
    every = {about.name: about for each in stages for about in every_setting(each).values()}
    found = [about for name, about in every.items() if word in name]
    if not found:
        close = nearest(word, every)
        raise InputError(
            "input.unknown_setting",
            what=f"No setting has '{word[:80]}' in its name.",
            why=f"The stages are {', '.join(sorted({name.partition('.')[0] for name in every if '.' in name}))}.",
            fix=f"Did you mean '{close}'?" if close else "Leave the word out to see every setting.",
        )
    return found


def about_text(settings: list[Setting]) -> str:
    """Return two lines or more for each setting: name, default and what it must be, then what it is."""
    lines = []
    for about in settings:
        default = "" if about.default is None else f"  default {value_text(about.default)}"
        lines.append(f"{about.name}{default}  {about.needs}")
        lines += textwrap.wrap(about.says, _WIDTH, initial_indent="    ", subsequent_indent="    ")
    return "\n".join(lines)


def about_json(about: Setting) -> dict[str, Any]:
    """Return what a setting is and may be, ready for json.dumps."""
    return {
        "name": about.name,
        "default": about.default,
        "range": about.range_text,
        "unit": about.unit,
        "choices": list(about.choices),
        "about": about.says,
    }
