"""Writes the table of docs/recipes.md from the recipes: python docs/recipes_table.py"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from dreamfusion_engine.commands.settings_table import value_text  # noqa: E402
from dreamfusion_engine.config.presets import PRESET_NAMES, dotted, preset  # noqa: E402
from dreamfusion_engine.config.recipes import RECIPES, STARTER_RECIPE, Settings  # noqa: E402

PAGE = ROOT / "docs" / "recipes.md"
BEGIN, END = "<!-- tables: python docs/recipes_table.py -->", "<!-- end of the tables -->"


LONGEST = 50  # characters of a value
MAIN = {"Starter": STARTER_RECIPE, "Stable Diffusion 1 and 2": "StableDiffusionPipeline"}


def shown(value: Any) -> str:
    """A value in a table: long texts are cut, which `settings --model` prints whole."""
    text = value_text(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST].rpartition(', ')[0]}, ..."


def family_table() -> str:
    """The values of the two recipes that the others follow, in the standard preset."""
    columns = [_standard(name) for name in MAIN.values()]
    lines = [f"| setting | {' | '.join(MAIN)} |", "|---|" + "---|" * len(MAIN)]
    lines += [f"| `{key}` | {' | '.join(shown(column[key]) for column in columns)} |" for key in _given()]
    return "\n".join(lines)


def difference_table() -> str:
    """The other recipes: which of the two main ones each follows, and what differs from it in the standard preset."""
    lines = ["| family | follows | setting | value | there |", "|---|---|---|---|---|"]
    for name, recipe in RECIPES.items():
        if name in MAIN.values():
            continue
        own = _standard(name)
        changed = {
            title: [(key, shown(own[key]), shown(base[key])) for key in _given() if own[key] != base[key]]
            for title, base in ((title, _standard(main)) for title, main in MAIN.items())
        }
        nearest = min(changed, key=lambda title: len(changed[title]))
        star = "\\*" if recipe.experimental else ""
        lines += [
            f"| {recipe.title}{star} | {nearest} | `{key}` | {value} | {there} |"
            for key, value, there in changed[nearest]
        ]
    return "\n".join(lines)


def _standard(name: str) -> dict[str, Any]:
    return dotted(preset("standard", "a", recipe=name))


def _given() -> list[str]:
    """The settings that some recipe gives in the standard preset."""
    return sorted({key for recipe in RECIPES.values() for key in recipe.values("standard", "sds")})


def preset_table() -> str:
    """What draft, standard and high of Stable Diffusion differ in, from each other and by score."""
    recipe = RECIPES["StableDiffusionPipeline"]
    lines = ["| with | setting | value | source |", "|---|---|---|---|"]
    for name, settings in [*recipe.presets.items(), *((f"score {name}", row) for name, row in recipe.scores.items())]:
        lines += [f"| {name} {row}" for row in _rows(settings)]
    return "\n".join(lines)


def source_tables() -> list[str]:
    """Where each value of every recipe comes from: a heading and a table a family."""
    parts: list[str] = []
    seen: set[tuple[str, str]] = set()
    for name, recipe in RECIPES.items():
        if name == STARTER_RECIPE:
            continue
        fresh = {key: each for key, each in recipe.settings.items() if (key, repr(each)) not in seen}
        seen |= {(key, repr(each)) for key, each in fresh.items()}
        if fresh:
            head = ["| setting | value | source |", "|---|---|---|"]
            parts += [f"### {recipe.title}", "\n".join(head + _rows(fresh))]
    return parts


def _rows(settings: Settings) -> list[str]:
    return [f"| `{key}` | {shown(value)} | {source} |" for key, (value, source) in settings.items()]


def renewed(page: str) -> str:
    """The page with fresh tables."""
    before, _, rest = page.partition(BEGIN)
    parts = [
        BEGIN,
        "## The values of each family",
        "The standard preset of the two recipes that the others follow:",
        family_table(),
        "What the other families change of one of the two. A star marks experimental ones. *there* is the value of the "
        "family\nthat is followed.",
        difference_table(),
        f"## {', '.join(PRESET_NAMES)}, and scores",
        "What presets and scores change for Stable Diffusion and the families that follow it.",
        preset_table(),
        "## Where each value comes from",
        "A value that an earlier family has with the same source is not repeated.",
        *source_tables(),
        END,
    ]
    return before + "\n\n".join(parts) + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
