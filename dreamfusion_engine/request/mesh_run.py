"""The request of a run on a mesh that is there, before what its task adds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dreamfusion_engine.request.mesh import given_mesh, of_mesh
from dreamfusion_engine.request.output import folder_name
from dreamfusion_engine.request.run import Request, checked_run
from dreamfusion_engine.request.settings import seed_of
from dreamfusion_engine.request.taken import check_not_taken, check_same_inputs


def checked_mesh_run(
    task: str,
    done: str,
    prompt: str,
    mesh: Path | bytes,
    preset_name: str,
    settings: Mapping[str, Any],
    output: Path | None,
    output_root: Path,
    resume: bool,
) -> Request:
    """Return a request of a run on a mesh, with its mesh. Nothing is written.

    task: str, what the engine calls the run.
    done: str, the word for it in the name of the folder.
    prompt: str, the artist's words.
    mesh: Path of a .glb, or its bytes; b"" with `resume`: the one that the run began with.
    settings: nested by stage, over the preset.
    preset_name, output, output_root, resume: as for `checked_request`.
    Raises InputError or SetupError as `checked_request`, and for a mesh that is none.
    """
    data = given_mesh(mesh, resume)
    folder = output or output_root / folder_name(of_mesh(mesh, f"{prompt} {done}"), seed_of(settings))
    asked = checked_run(prompt, preset_name, settings, folder, output_root, resume, task=task)
    if not resume:
        check_not_taken(asked.output, asked.config, task)
        check_same_inputs(asked.output, data)
    return replace(asked, mesh=data)
