"""Whether what a run made may be sold: what the licence of its teacher says, from the catalogue, never guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.inputs.given_path import shortened
from dreamfusion_engine.models.catalogue import known_model, licences
from dreamfusion_engine.models.pipeline_folder import STARTER

STARTER_LICENCE = "gpl-3.0-or-later"
_WORDS = {"yes": "yes", "conditions": "yes, under conditions", "no": "no"}
_LONGEST = 80  # characters of a model's name in the line


def terms(config: GenerateConfig) -> dict[str, Any]:
    """Return what result.json says of the teacher's licence: 'model', 'licence', 'sell' and the 'line' for people.

    'sell' is 'yes', 'conditions', 'no' or 'unknown'. Only the built-in model and hub ids of the catalogue are known; a
    folder may hold anything.

    config: GenerateConfig of the run.
    """
    known = None if Path(config.model).is_dir() else known_model(config.model)  # a folder of that name comes first
    title = "the built-in starter" if config.model == STARTER else known.title if known else ""
    name = STARTER_LICENCE if config.model == STARTER else known.license if known else ""
    licence = licences().get(name)
    if licence is None:
        model = title or shortened(config.model, _LONGEST)
        under = f", under the licence {name}" if name else ""
        line = f"Made with {model}{under}. What that allows is not known here: read its licence before you sell this."
        return {"model": config.model, "licence": name, "sell": "unknown", "line": line}
    because = f": {licence.says}" if licence.says else ""
    line = f"Made with {title} ({licence.title}): you may sell it: {_WORDS[licence.sell]}{because}."
    sell: str = licence.sell
    if config.adapters.lora or config.adapters.embeddings:
        sell = "no" if sell == "no" else "unknown"
        line += " A LoRA or a learned word came on top: what its own licence says is not known here."
    return {"model": config.model, "licence": name, "sell": sell, "line": line}
