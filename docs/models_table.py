"""Writes the tables of docs/models.md from the catalogue and the memory estimate: python docs/models_table.py"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from dreamfusion_engine.config.presets import preset  # noqa: E402
from dreamfusion_engine.config.recipes import RECIPES, recipe_for  # noqa: E402
from dreamfusion_engine.memory.ladder import fit  # noqa: E402
from dreamfusion_engine.models.catalogue import KnownModel, catalogue  # noqa: E402
from dreamfusion_engine.speed.model_costs import memory_of  # noqa: E402

PAGE = ROOT / "docs" / "models.md"
CARDS_GIB = (4, 6, 8, 12, 16, 24)
FREE_SHARE = 0.9  # of a card's memory; the desktop and the driver have the rest
WORDS = """\
The table has an estimate for the standard preset, with nine tenths of the card's memory free.

| word | meaning |
|---|---|
| yes | the run fits as it is |
| saving | it fits with changes that cost a little time: the text encoder is kept off the card, the VAE works in tiles |
| smaller | it fits with smaller renders or fewer views a step as well |
| slow | the denoiser's weights visit the card layer by layer |
| no | it does not fit |

You need not set any of this. The engine chooses, and says what it chose ([Memory](troubleshooting.md#memory))."""
BEGIN, END = "<!-- tables: python docs/models_table.py -->", "<!-- end of the tables -->"


def recipe_of(model: KnownModel) -> str:
    """The name of a model's recipe."""
    return recipe_for(model.family, closed_vocabulary=False, pose=model.pose)


def models_table() -> str:
    """Every model with its id, size and licence, and whether the licence must be accepted; a star: experimental."""
    lines = ["| model | id | GB | licence | login |", "|---|---|---|---|---|"]
    for model in (model for model in catalogue() if not model.instead):
        size = f"{model.download_mb / 1000:.1f}"
        login = "yes" if model.access == "gated" else "no"
        mark = "\\*" if RECIPES[recipe_of(model)].experimental else ""
        lines.append(f"| {model.title}{mark} | `{model.id}` | {size} | {model.license} | {login} |")
    return "\n".join(lines)


def cards_table() -> str:
    """How a run in the standard preset goes with each model on cards of some sizes."""
    lines = [f"| model | {' | '.join(f'{size} GiB' for size in CARDS_GIB)} |", "|---|" + "---|" * len(CARDS_GIB)]
    for model in (model for model in catalogue() if not model.instead):
        lines.append(f"| {model.title} | {' | '.join(how(model, size) for size in CARDS_GIB)} |")
    return "\n".join(lines)


def how(model: KnownModel, card_gib: int) -> str:
    """One cell: 'yes', 'saving', 'smaller', 'slow' or 'no'."""
    made = fit(
        model.sizes, preset("standard", "a", recipe=recipe_of(model)), round(FREE_SHARE * card_gib * (1 << 30)), "cuda"
    )
    if not made.fits:
        return "no"
    if any(saving.text.startswith("the denoiser") for saving in made.savings):
        return "slow"
    if any(saving.setting.startswith("optimize.") for saving in made.savings):
        return "smaller"
    return "saving" if made.savings else "yes"


def gone_table() -> str:
    """The withdrawn models, each with its copy."""
    lines = ["| withdrawn from the hub | take instead |", "|---|---|"]
    return "\n".join(lines + [f"| `{model.id}` | `{model.instead}` |" for model in catalogue() if model.instead])


def tables() -> str:
    """All that stands between the two marks."""
    least = min(
        (model for model in catalogue() if not model.instead), key=lambda m: memory_of(m.sizes, "cuda", recipe_of(m))
    )
    parts = [
        BEGIN,
        "## Models to download",
        "A star marks experimental families. *GB* is the size of the download. Where *login* says yes, the model asks\n"
        "for [an account and a licence](#models-that-ask-for-a-licence).",
        models_table(),
        gone_table(),
        "## Which model fits your graphics card",
        "The estimates are for NVIDIA's cards. [devices.md](devices.md) has the others, and what was run on real "
        "hardware: no card.",
        WORDS,
        cards_table(),
        f"{least.title} needs the least memory of all.",
        END,
    ]
    return "\n\n".join(parts)


def renewed(page: str) -> str:
    """The page with fresh tables."""
    before, _, rest = page.partition(BEGIN)
    return before + tables() + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
