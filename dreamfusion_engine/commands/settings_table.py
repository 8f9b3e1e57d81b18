"""A run's settings as a terminal shows them: stage by stage, each with its value and origin."""

from __future__ import annotations

import json
from typing import Any

from dreamfusion_engine.config.presets import Resolved, dotted
from dreamfusion_engine.config.recipes import RECIPES

_OF_THE_RUN = ("prompt", "negative", "seed", "base", "device")  # not settings of a model


def settings_text(made: Resolved) -> str:
    """Return a head line with preset and recipe, then one line for each setting."""
    recipe = RECIPES[made.config.recipe]
    mark = ", experimental" if recipe.experimental else ""
    rows = {name: value for name, value in dotted(made.config).items() if name not in _OF_THE_RUN}
    shown = {name: value_text(value) for name, value in rows.items()}
    wide = max(map(len, shown)), max(len(text) for text in shown.values() if len(text) <= 24)
    lines = [f"{made.config.model}: preset {made.config.preset}, recipe of {recipe.title}{mark}"]
    lines += [f"  {name:<{wide[0]}}  {text:<{wide[1]}}  {made.origins[name]}" for name, text in shown.items()]
    return "\n".join(lines)


def value_text(value: Any) -> str:
    """Return a value as --set takes it."""
    return value if isinstance(value, str) and value else json.dumps(value)
