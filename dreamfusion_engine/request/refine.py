"""The request of a run that refines a mesh."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dreamfusion_engine.config.refine import refining
from dreamfusion_engine.request.mesh_run import checked_mesh_run
from dreamfusion_engine.request.run import Request
from dreamfusion_engine.request.stages import check_stages


def checked_refine_request(
    prompt: str,
    mesh: Path | bytes,
    *,
    preset_name: str = "standard",
    settings: Mapping[str, Any] | None = None,
    output: Path | None = None,
    output_root: Path = Path("outputs"),
    resume: bool = False,
) -> Request:
    """Return a request to refine a mesh that can be started. Nothing is written.

    prompt: str, the artist's words.
    mesh: Path of a .glb, or its bytes; b"" with `resume`: the one that the run began with.
    settings: nested by stage, over the preset; the stage `refine` is `config.stages.RefineConfig`.
    preset_name, output, output_root, resume: as for `checked_request`.
    Raises InputError or SetupError as `checked_request`, and for a mesh that is none.
    """
    check_stages("refine", settings)
    given = dict(settings or {})
    asked = checked_mesh_run("refine", "refined", prompt, mesh, preset_name, given, output, output_root, resume)
    return replace(asked, config=refining(asked.config, given))
