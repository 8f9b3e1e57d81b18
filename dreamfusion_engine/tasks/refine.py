"""Refine a mesh that is there, by score distillation: vertices and colours together, the whole method, step by step.

The command line, the server and any script with torch call `refine`; `generate` ends in the same steps where
`refine.steps` is above 0.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.errors import InputError
from dreamfusion_engine.events import Control, Note, Report, Result, Stage
from dreamfusion_engine.machine.disk import output_error
from dreamfusion_engine.machine.processes import Processes
from dreamfusion_engine.mesh.arrays import Floats
from dreamfusion_engine.mesh.export import write_glb
from dreamfusion_engine.mesh.gltf.picture import read_base_colour
from dreamfusion_engine.mesh.gltf.read import GltfFile, read_gltf
from dreamfusion_engine.mesh.pictures.sheet import portrait_scene, write_turntable, write_views
from dreamfusion_engine.mesh.textured import TexturedMesh
from dreamfusion_engine.mesh.uv.unwrap import unwrap
from dreamfusion_engine.paint.portrait import GREY
from dreamfusion_engine.refinement.finish import finished
from dreamfusion_engine.refinement.shape import MOST_TRIANGLES
from dreamfusion_engine.refinement.surface import surface_of, textured_as_is, textured_mesh, welded
from dreamfusion_engine.refinement.training import RefineTraining
from dreamfusion_engine.run.entrance import begin_on_mesh, in_folder, trained, write_result
from dreamfusion_engine.run.judgement import judgement
from dreamfusion_engine.run.model import open_run_model
from dreamfusion_engine.run.refinement import refine_session
from dreamfusion_engine.run.report import run_report, simple_unwrap, stopped_late
from dreamfusion_engine.run.source import begun_with
from dreamfusion_engine.run.stage_clock import StageClock
from dreamfusion_engine.run.teacher import load_run_teacher, run_places

LARGEST_TEXTURE = 4096  # pixels; an artist's own texture keeps its size up to that


def refine(
    config: GenerateConfig,
    mesh: bytes,
    output: Path,
    *,
    report: Report = lambda event: None,
    control: Control = lambda: "continue",
    resume: bool = False,
) -> Result:
    """Refine the shape and the colours of a mesh file as `config.prompt` says, and write it to the folder `output`.

    All parts of the file become one mesh with one texture. The same input on the same device, versions and threads
    gives the same mesh, bit for bit on a CPU.

    config: GenerateConfig, from `config.refine.refining`.
    mesh: bytes of a binary glTF; b"" with `resume`: the one that the run began with.
    output: Path of the run.
    report: called with events.
    control: asked between steps whether to continue.
    resume: bool, whether to continue from the checkpoint in `output`.
    Raises InputError or SetupError before anything is written, also when another run holds `output`.
    Raises RunError when the run fails, Cancelled when it was stopped; the last checkpoint is kept.
    """
    if resume and not mesh:
        mesh = begun_with(output, "refines")
    file = read_gltf(mesh)
    check_size(sum(len(part.triangles) for part in file.primitives))
    return in_folder(
        config,
        output,
        report,
        lambda processes, heard: _refine(config, file, mesh, output, processes, heard, control, resume),
    )


def _refine(
    config: GenerateConfig,
    file: GltfFile,
    mesh: bytes,
    output: Path,
    processes: Processes,
    report: Report,
    control: Control,
    resume: bool,
) -> Result:
    clock = StageClock(report)
    places = run_places(config, processes)
    device = places.field
    model = open_run_model(config, report)
    done = False

    def advance(stage: Stage, share: float) -> None:
        if control() == "cancel":
            raise stopped_late(output, done)
        clock.share(stage, share, device)

    # 1. One mesh with one texture, in the box.
    begun = mesh_of(file, config, report, lambda share: advance("unwrap", 0.8 * share))
    surface = surface_of(begun, config.refine.front_deg, lambda share: advance("unwrap", 0.8 + 0.2 * share))
    # 2. The frozen diffusion model, and the prompt in its language.
    clock.enter("load", device)
    teacher = load_run_teacher(config, *model, places, report, processes, moving=len(surface.mesh.triangles))
    # 3. Vertices and colours, moved until the model likes what it sees from every side.
    session = refine_session(
        surface,
        config,
        teacher,
        fitted=teacher.fitted,
        output=output,
        checkpoint="checkpoint",
        processes=processes,
        report=report,
        control=control,
    )
    begin_on_mesh(session, teacher, mesh, output, report, resume=resume)
    clock.enter("train", device)
    training = trained(session)
    assert isinstance(training, RefineTraining)
    if not processes.first:
        return Result(folder=str(output), files={}, report={})
    # 4. Sound vertices, a baked texture, and what people look at.
    made, facts = finished(surface, training, padding=config.mesh.padding, advance=lambda share: advance("bake", share))
    advance("render", 0.0)
    files = {name: output / name for name in ("mesh.glb", "turntable.mp4", "views.png", "before.png", "result.json")}
    try:
        write_glb(made, files["mesh.glb"], name=config.prompt, stand=False)
        done = True
        write_views(portrait_scene(begun, device), files["before.png"], config.camera)
        advance("render", 0.15)
        scene = portrait_scene(made, device)
        write_views(scene, files["views.png"], config.camera)
        write_turntable(
            scene, files["turntable.mp4"], config.camera, lambda share: advance("render", 0.3 + 0.7 * share)
        )
        said = judgement(config, made, report)
        content = run_report(config, session, clock, places) | {**said, "refine": facts.to_json()}
        write_result(content, files["result.json"])
    except OSError as error:
        raise output_error(output, error) from error
    return Result(folder=str(output), files={name: str(path) for name, path in files.items()}, report=content)


def mesh_of(
    file: GltfFile, config: GenerateConfig, report: Report, advance: Callable[[float], None] = lambda share: None
) -> TexturedMesh:
    """Return a file's parts as one mesh with one texture: its own UVs where they serve, else new ones.

    file: GltfFile.
    config: GenerateConfig of the run.
    report: told what the artist should know.
    advance: told the share done, in [0, 1].
    """
    found = [read_base_colour(file, i) for i in range(len(file.primitives))]
    if any(picture is None or picture.shape[:2] == (1, 1) for picture in found):
        names = [p.name for p, each in zip(file.primitives, found, strict=True) if each is None or each.size == 3]
        text = f"No texture on {', '.join(names[:5])}: it begins in one colour, grey where there is none."
        report(Note(code="refine.no_texture", text=text))
    pictures = [np.full((1, 1, 3), GREY, np.uint8) if picture is None else picture for picture in found]
    own, size = file.primitives[0].uv, config.mesh.texture
    reason = _why_new_uv(file, config)
    if not reason:
        assert own is not None
        size = min(LARGEST_TEXTURE, max(size, *pictures[0].shape[:2]))
        advance(1.0)
        return textured_as_is(file.primitives[0], pictures[0], np.clip(own, 0.0, 1.0), size)
    if reason != "asked":
        report(Note(code="refine.new_uv", text=f"The mesh gets new UVs: {reason}."))
    vertices, triangles = welded(file.primitives)
    charts = unwrap(
        vertices,
        triangles,
        texture=size,
        padding=config.mesh.padding,
        seconds=config.mesh.unwrap_seconds,
        advance=lambda share: advance(0.8 * share),
    )
    if charts.trouble:
        report(simple_unwrap(charts.trouble))
    advance(0.8)
    made = textured_mesh(file.primitives, pictures, charts.uv, size, config.mesh.padding)
    advance(1.0)
    return made


def _why_new_uv(file: GltfFile, config: GenerateConfig) -> str:
    """Why the mesh cannot keep its UVs; 'asked' where the artist wants new ones, '' where it keeps them."""
    uv = file.primitives[0].uv
    if config.refine.uv == "new":
        return "asked"
    if len(file.primitives) > 1:
        return f"its {len(file.primitives)} parts become one, with one texture"
    if uv is None or not _area(uv):
        return "it has none" if uv is None else "its own cover nothing"
    if uv.min() < -1e-4 or uv.max() > 1.0 + 1e-4:
        return "its own leave the texture"
    return ""


def _area(uv: Floats) -> bool:
    a, b = (uv[:, 1] - uv[:, 0]).astype(np.float64), (uv[:, 2] - uv[:, 0]).astype(np.float64)
    return bool((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).any())


def check_size(triangles: int) -> None:
    """Raise InputError for a mesh of more than MOST_TRIANGLES.

    triangles: int, their number.
    """
    if triangles > MOST_TRIANGLES:
        raise InputError(
            "input.mesh",
            what="The mesh has too many triangles to be refined.",
            why=f"It has {triangles:,}; the limit is {MOST_TRIANGLES:,}.",
            fix="Refine a decimated copy. `texture` paints larger meshes, without moving their vertices.",
        )
