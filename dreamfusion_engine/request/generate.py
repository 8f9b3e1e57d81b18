"""The request of a run that makes an object: of a prompt, and perhaps of a mesh or pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dreamfusion_engine.config.method import check_begins_from_nothing
from dreamfusion_engine.config.recipes import recipe_named
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.errors import InputError
from dreamfusion_engine.machine.run_folder import INPUTS, SOURCE, check_contest
from dreamfusion_engine.models.family import FAMILIES, Family
from dreamfusion_engine.pictures.asked import check_pictures, cut_outs_of
from dreamfusion_engine.pictures.given import GivenPicture
from dreamfusion_engine.request.mesh import check_glb, mesh_bytes
from dreamfusion_engine.request.output import check_output, disk_needed
from dreamfusion_engine.request.run import Request, checked_run
from dreamfusion_engine.request.stages import check_refinement
from dreamfusion_engine.request.taken import check_not_taken, check_same_inputs
from dreamfusion_engine.request.texture_stage import with_texture_stage


def checked_request(
    prompt: str,
    *,
    preset_name: str = "standard",
    settings: Mapping[str, Any] | None = None,
    output: Path | None = None,
    output_root: Path = Path("outputs"),
    resume: bool = False,
    blockout: Path | bytes = b"",
    pictures: Sequence[GivenPicture] = (),
) -> Request:
    """Return a request that can be started. Nothing is written.

    prompt: str, the artist's words; may be empty where the model is told a picture.
    preset_name: str.
    settings: nested by stage, over the preset.
    output: Path, the run's folder; None: output_root/<prompt>-<seed>.
    output_root: Path.
    resume: bool, whether to continue from the folder's checkpoint.
    blockout: Path of a .glb from which the object begins, or its bytes; b"": from nothing.
    pictures: GivenPictures of the object.
    Raises InputError or SetupError for every bad prompt, word, setting, device name, model, adapter or folder.
    """
    mesh = checked_blockout(blockout, settings, resume)
    check_pictures(pictures, settings, resume)
    kept = resume and output is not None and (output / INPUTS).is_file()  # of the run that goes on
    asked = checked_run(
        prompt,
        preset_name,
        settings,
        output,
        output_root,
        resume,
        pictures=len(pictures) or int(kept),
        named=_name_of(pictures),
    )
    if pictures:
        check_sees_beside_pictures(FAMILIES[recipe_named(asked.config.recipe).family])
    check_begins_from_nothing(asked.config, mesh=bool(mesh))
    check_refinement(asked.config, settings)
    check_contest(asked.output, "", resume=resume)
    if not resume:
        check_not_taken(asked.output, asked.config)
    config = with_texture_stage(begun_with(mesh, asked, settings), settings, asked.output if resume else None)
    if config.texture.model:
        check_output(asked.output, disk_needed(config))
    cut_outs = cut_outs_of(pictures)
    if not resume:
        check_same_inputs(asked.output, mesh, cut_outs)
    return replace(asked, config=config, mesh=mesh, pictures=cut_outs)


def _name_of(pictures: Sequence[GivenPicture]) -> str:
    """The name of the first picture's file without its ending; "" where it has no name of its own."""
    name = Path(pictures[0].name) if pictures else Path()
    return name.stem if name.suffix else ""


def check_sees_beside_pictures(family: Family) -> None:
    """Raise InputError for a teacher beside which pictures have no weight that was tried.

    family: Family of the model of a run with pictures.
    """
    if family.compares:
        raise InputError(
            "input.picture",
            what="Pictures cannot lead a run with this model.",
            why=f"How much they count is set beside a model that denoises. Beside a {family.title} it was never tried.",
            fix="Leave out the pictures, or give a text-to-image model, such as Stable Diffusion.",
        )


def checked_blockout(blockout: Path | bytes, settings: Mapping[str, Any] | None, resume: bool) -> bytes:
    """Return the bytes of the mesh from which an object begins; b"" for none.

    blockout: Path of a .glb, or its bytes.
    settings: nested by stage, as the artist gave them.
    resume: bool, whether the run resumes, perhaps with a mesh of its own.
    Raises InputError for a mesh that is none, and for settings of a mesh that is not there.
    """
    mesh = mesh_bytes(blockout) if isinstance(blockout, Path) else blockout
    if mesh or isinstance(blockout, Path):
        check_glb(mesh)
    elif not resume and "start" in (settings or {}):
        raise InputError(
            "input.setting",
            what="The settings of the stage 'start' do nothing in this run.",
            why="They say how a given mesh leads the run, and none was given.",
            fix='Give the mesh: --from MESH.glb. Or leave out "start".',
        )
    return mesh


def begun_with(mesh: bytes, asked: Request, settings: Mapping[str, Any] | None) -> GenerateConfig:
    """Return the settings of a run that begins with a mesh, or from nothing.

    mesh: bytes of a .glb, b"" for none, or for the one that the run to resume began with.
    asked: Request, with the settings of a run from nothing.
    settings: nested by stage, as the artist gave them.
    """
    config = asked.config
    begins = mesh or (asked.resume and (asked.output / SOURCE).is_file())
    if begins and config.start.lock > 0.0 and not _given(settings, "optimize", "levels_until"):
        # A shape that is there from the start needs no coarse beginning.
        return replace(config, optimize=replace(config.optimize, levels_until=0.0))
    return config


def _given(settings: Mapping[str, Any] | None, stage: str, name: str) -> bool:
    """Whether a person gave a setting."""
    group = (settings or {}).get(stage)
    return isinstance(group, Mapping) and name in group
