"""What result.json says of a finished object besides its measures: a judge's grade, and what may be done with it."""

from __future__ import annotations

import time
from typing import Any

from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.errors import EngineError
from dreamfusion_engine.events import Note, Report
from dreamfusion_engine.judge.appraisal import Appraisal, appraiser
from dreamfusion_engine.judge.folder import judge_folder
from dreamfusion_engine.judge.portraits import mesh_portraits
from dreamfusion_engine.mesh.textured import TexturedMesh
from dreamfusion_engine.models.terms import terms


def judgement(config: GenerateConfig, mesh: TexturedMesh, report: Report) -> dict[str, Any]:
    """Return 'judge', the appraisal or None where there is no judge for the prompt, and 'terms', of the licence.

    A judge that fails costs the grade, never the run.

    config: GenerateConfig of the run.
    mesh: TexturedMesh that was made.
    report: told why there is no grade where there should be one, and what to do about an object with several faces.
    """
    begun = time.monotonic()
    grade = None
    try:
        # Without a prompt there is nothing to compare the object with.
        folder = judge_folder(config.judge, config.model, config.texture.model)
        ready = appraiser(config.prompt, folder) if config.prompt else None
        if ready is not None:
            said = ready.appraise(*mesh_portraits(mesh))
            if said.many_faced:
                report(Note(code="judge.many_faced", text=_many_faced(said, config)))
            grade = {**said.to_json(), "seconds": round(time.monotonic() - begun, 2)}
    except EngineError as error:
        report(Note(code="judge.silent", text=f"The result has no grade: {error.what} {error.why}"))
    return {"judge": grade, "terms": terms(config)}


def _many_faced(said: Appraisal, config: GenerateConfig) -> str:
    """What the artist is told of an object with several faces."""
    seen = round((said.fronts or 0.0) * said.views)
    remedies = ["another seed", "a model that knows 3D, such as MVDream"]
    if config.guidance.view_prompts == "off":
        remedies.insert(0, "view prompts")
    return (
        f"The object may have more than one face: {seen} of {said.views} sides look like its front. "
        f"Try again with {', or '.join(remedies)}."
    )
