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


_STRICTEST = ("no", "unknown", "conditions", "yes")


def terms(config: GenerateConfig) -> dict[str, Any]:
    """Return what result.json says of the teacher's licence: 'model', 'licence', 'sell' and the 'line' for people.

    'sell' is 'yes', 'conditions', 'no' or 'unknown'. Only the built-in model and hub ids of the catalogue are known; a
    folder may hold anything. Of a run with a texture model the line is about both, 'sell' is the stricter of the two,
    and 'texture' has the texture model's own three.

    config: GenerateConfig of the run.
    """
    said = _of_model(config.model, "Made")
    if config.adapters.lora or config.adapters.embeddings:
        said["sell"] = "no" if said["sell"] == "no" else "unknown"
        if licences().get(said["licence"]) is not None:
            said["line"] += " A LoRA or a learned word came on top: what its own licence says is not known here."
    if config.texture.model:
        painted = _of_model(config.texture.model, "Its texture was made")
        said["line"] += f" {painted.pop('line')}"
        said["sell"] = min(said["sell"], painted["sell"], key=_STRICTEST.index)
        said["texture"] = painted
    return said


def _of_model(model: str, made: str) -> dict[str, Any]:
    """What a model's licence says of what was made with it. made: str, how the line begins."""
    known = None if Path(model).is_dir() else known_model(model)  # a folder of that name comes first
    title = "the built-in starter" if model == STARTER else known.title if known else ""
    name = STARTER_LICENCE if model == STARTER else known.license if known else ""
    licence = licences().get(name)
    if licence is None:
        called = title or shortened(model, _LONGEST)
        under = f", under the licence {name}" if name else ""
        line = (
            f"{made} with {called}{under}. What that allows is not known here: read its licence before you sell this."
        )
        return {"model": model, "licence": name, "sell": "unknown", "line": line}
    because = f": {licence.says}" if licence.says else ""
    line = f"{made} with {title} ({licence.title}): you may sell it: {_WORDS[licence.sell]}{because}."
    return {"model": model, "licence": name, "sell": licence.sell, "line": line}
