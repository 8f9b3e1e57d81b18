"""Writes the tables of docs/models.md from the catalogue and the memory estimate: python docs/models_table.py"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from dreamfusion_engine.config.presets import preset  # noqa: E402
from dreamfusion_engine.config.recipes import RECIPES  # noqa: E402
from dreamfusion_engine.memory.ladder import fit  # noqa: E402
from dreamfusion_engine.models.catalogue import KnownModel, catalogue  # noqa: E402
from dreamfusion_engine.speed.model_costs import memory_of  # noqa: E402

PAGE = ROOT / "docs" / "models.md"
CARDS_GIB = (4, 6, 8, 12, 16, 24)
FREE_SHARE = 0.9  # of a card's memory; the desktop and the driver have the rest
BEGIN, END = "<!-- tables: python docs/models_table.py -->", "<!-- end of the tables -->"


def models_table() -> str:
    """Every model with its id, size, licence and how it is had."""
    lines = ["| model | id | download | licence | access |", "|---|---|---|---|---|"]
    for model in (model for model in catalogue() if not model.instead):
        size = f"{model.download_mb / 1000:.1f} GB"
        mark = ", *experimental*" if RECIPES[model.family].experimental else ""
        lines.append(f"| {model.title}{mark} | `{model.id}` | {size} | {model.license} | {model.access} |")
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
        model.sizes, preset("standard", "a", recipe=model.family), round(FREE_SHARE * card_gib * (1 << 30)), "cuda"
    )
    if not made.fits:
        return "no"
    if any(saving.text.startswith("the denoiser") for saving in made.savings):
        return "slow"
    if any(saving.setting.startswith("optimize.") for saving in made.savings):
        return "smaller"
    return "saving" if made.savings else "yes"


def gone_list() -> str:
    """The withdrawn models, each with its copy."""
    gone = [f"`{model.id}` (take `{model.instead}`)" for model in catalogue() if model.instead]
    return "Withdrawn from the hub: " + ", ".join(gone) + "."


def tables() -> str:
    """All that stands between the two marks."""
    least = min(
        (model for model in catalogue() if not model.instead), key=lambda m: memory_of(m.sizes, "cuda", m.family)
    )
    first = f"The least memory of all is asked by {least.title}."
    return "\n\n".join([BEGIN, models_table(), gone_list(), cards_table(), first, END])


def renewed(page: str) -> str:
    """The page with fresh tables."""
    before, _, rest = page.partition(BEGIN)
    return before + tables() + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
