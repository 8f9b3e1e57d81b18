"""Writes the table of docs/recipes.md from the recipes: python docs/recipes_table.py"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from dreamfusion_engine.commands.settings_table import value_text  # noqa: E402
from dreamfusion_engine.config.presets import PRESET_NAMES, dotted, preset  # noqa: E402
from dreamfusion_engine.config.recipes import RECIPES, STARTER_RECIPE, Settings  # noqa: E402

PAGE = ROOT / "docs" / "recipes.md"
BEGIN, END = "<!-- tables: python docs/recipes_table.py -->", "<!-- end of the tables -->"


def family_table() -> str:
    """Every recipe's values in the standard preset, a column a family; the starter's are the presets themselves."""
    titles = [recipe.title + (", *experimental*" if recipe.experimental else "") for recipe in RECIPES.values()]
    columns = [dotted(preset("standard", "a", recipe=name)) for name in RECIPES]
    given = sorted({key for recipe in RECIPES.values() for key in recipe.values("standard", "sds")})
    lines = [f"| setting | {' | '.join(titles)} |", "|---|" + "---|" * len(titles)]
    lines += [f"| `{key}` | {' | '.join(value_text(column[key]) for column in columns)} |" for key in given]
    return "\n".join(lines)


def preset_table() -> str:
    """What draft, standard and high of Stable Diffusion differ in, from each other and by score."""
    recipe = RECIPES["StableDiffusionPipeline"]
    lines = ["| with | setting | value | source |", "|---|---|---|---|"]
    for name, settings in [*recipe.presets.items(), *((f"score {name}", row) for name, row in recipe.scores.items())]:
        lines += _rows(name, settings)
    return "\n".join(lines)


def source_table() -> str:
    """Where each value of every recipe comes from."""
    lines = ["| family | setting | value | source |", "|---|---|---|---|"]
    seen: set[tuple[str, str]] = set()
    for name, recipe in RECIPES.items():
        if name == STARTER_RECIPE:
            continue
        fresh = {key: each for key, each in recipe.settings.items() if (key, repr(each)) not in seen}
        seen |= {(key, repr(each)) for key, each in fresh.items()}
        lines += _rows(recipe.title, fresh)
    return "\n".join(lines)


def _rows(name: str, settings: Settings) -> list[str]:
    return [f"| {name} | `{key}` | {value_text(value)} | {source} |" for key, (value, source) in settings.items()]


def renewed(page: str) -> str:
    """The page with fresh tables."""
    before, _, rest = page.partition(BEGIN)
    parts = [
        BEGIN,
        "## Standard, by family",
        family_table(),
        f"## {', '.join(PRESET_NAMES)}, and scores",
        preset_table(),
        "## Where each value comes from",
        "A value that an earlier family has with the same source is not repeated.",
        source_table(),
        END,
    ]
    return before + "\n\n".join(parts) + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
