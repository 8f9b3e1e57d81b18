"""Models that a user has as a folder or a single file: their lines in the list of models, by their path.

Nothing is loaded and nothing written: a file that was never used is not converted to a folder for this.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from dreamfusion_engine.commands.methods import methods_of
from dreamfusion_engine.commands.model_line import Machine, ModelLine, fit_of
from dreamfusion_engine.errors import EngineError
from dreamfusion_engine.models.part_weights import damaged
from dreamfusion_engine.models.pipeline_folder import (
    PipelineFolder,
    locate_model,
    model_facts,
    open_pipeline,
    single_file,
)
from dreamfusion_engine.models.single_file.read import known_base
from dreamfusion_engine.models.sizes import ModelSizes, read_sizes
from dreamfusion_engine.speed.model_costs import estimates_of, memory_of

LARGEST = 30_000  # characters of a line; a card of somebody's own may hold any number of words


def given_model(name: str, machine: Machine, base: str = "") -> ModelLine:
    """Return the line of a model that is asked about by name; "broken", with its trouble, where no run can use it.

    name: str, folder, single file or downloaded id.
    machine: Machine that it must fit into.
    base: str, of a single file; '' for the catalogue's.
    """
    line = ModelLine(name=name, title=Path(name).stem or name, family="", state="broken", size_mb=0)
    try:
        facts = model_facts(name, base)
        sizes, size = _sizes(name, base)
        memory = memory_of(sizes, machine.device_type, facts.recipe)
    except EngineError as error:
        return replace(line, trouble=error.to_json())
    except Exception as error:  # a path that may not be read, or is none; or whatever a stranger's files bring about
        return replace(line, trouble=damaged(Path(name), f"{type(error).__name__}: {str(error)[:200]}").to_json())
    return replace(
        line,
        family=facts.family,
        state="given",
        size_mb=round(size / 1e6),
        memory_mib=memory,
        fit=fit_of(memory, machine),
        recipe=facts.recipe,
        card=facts.card,
        estimates=estimates_of(sizes, name, machine.device_type, facts.recipe),
        pose=facts.pose or "",
        methods=methods_of(facts.recipe, sizes, name, machine.device_type),
    )


def bounded_json(line: ModelLine) -> dict[str, Any]:
    """Return the line for the protocol, without the model's words where those would fill the message."""
    values = line.to_json()
    if len(json.dumps(values)) > LARGEST:
        values |= {name: [] for name in ("kinds", "colours", "parts", "examples") if name in values}
    return values


def _sizes(name: str, base: str) -> tuple[ModelSizes, int]:
    """What decides its memory, and its bytes on disk. A file that was not used yet is as large as its architecture."""
    file = single_file(name, base)
    if file is not None and not file.converted:
        return known_base(file.architecture, file.prediction).sizes, file.path.stat().st_size
    pipeline: PipelineFolder = open_pipeline(locate_model(name, base))
    return read_sizes(pipeline.path), sum(part.bytes for part in pipeline.weights.values())
