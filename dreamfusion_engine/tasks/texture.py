"""Paint a new texture onto meshes that are there, or onto a part of them, by score distillation, step by step.

UVs stay, and shapes too, but for that of a part where `paint.shape` asks for another. The command line, the server and
any script with torch call `texture`.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from dreamfusion_engine.config.paint import PaintConfig
from dreamfusion_engine.config.stages import GenerateConfig, MeshConfig
from dreamfusion_engine.errors import InputError
from dreamfusion_engine.events import Control, Note, Report, Result, Stage
from dreamfusion_engine.machine.atomic_file import write_atomically
from dreamfusion_engine.machine.disk import output_error
from dreamfusion_engine.machine.processes import Processes
from dreamfusion_engine.mesh.arrays import Floats
from dreamfusion_engine.mesh.gltf.read import GltfFile, GltfPrimitive, read_gltf
from dreamfusion_engine.mesh.pictures.render import retextured
from dreamfusion_engine.mesh.pictures.sheet import portrait_scene, write_turntable, write_views
from dreamfusion_engine.mesh.uv.unwrap import Unwrap, unwrap
from dreamfusion_engine.optimize.health import Verdict
from dreamfusion_engine.optimize.session import Session
from dreamfusion_engine.paint.part.selection import changes, check_layout, chosen_weights
from dreamfusion_engine.paint.part.surface import PartSurface, own_layout
from dreamfusion_engine.paint.texels import areas_of
from dreamfusion_engine.paint.training import SurfaceTraining
from dreamfusion_engine.paint.whole import WholeSurface
from dreamfusion_engine.refinement.part.surface import PartShapeSurface
from dreamfusion_engine.run.entrance import begin_on_mesh, in_folder, trained, write_result
from dreamfusion_engine.run.judgement import judgement
from dreamfusion_engine.run.model import open_run_model
from dreamfusion_engine.run.report import ignore, run_report, simple_unwrap, stopped_late
from dreamfusion_engine.run.source import begun_with
from dreamfusion_engine.run.stage_clock import StageClock
from dreamfusion_engine.run.teacher import load_run_teacher, run_places

TEXELS = 1 << 27  # of all parts together: 2 GiB of what they show
SMALLEST = 64  # pixels along a texture that is made smaller for that
SMALLER = "The textures have {0} x {0} pixels, not {1} x {1}: there are {2} parts, and each has one of its own."
_SECONDS_AFTER = 10.0  # of textures and pictures on two cores
# The shape is the artist's: the run cannot make it empty, flat or two-faced.
_WATCHED: tuple[Verdict, ...] = ("non_finite",)
Advance = Callable[[Stage, float], None]


def texture(
    config: GenerateConfig,
    paint: PaintConfig,
    mesh: bytes,
    output: Path,
    *,
    report: Report = lambda event: None,
    control: Control = lambda: "continue",
    resume: bool = False,
) -> Result:
    """Paint the parts of a mesh file as `config.prompt` says, and write them to the folder `output`.

    The file that comes out is the one that went in, with other base colours. Where its attribute `_PART` or the
    setting `paint.part` says what may change, all other texels stay bit for bit. The same input on the same device,
    versions and threads gives the same textures, bit for bit on a CPU.

    config: GenerateConfig, from `config.paint.painting`.
    paint: PaintConfig.
    mesh: bytes of a binary glTF; b"" with `resume`: the one that the run began with.
    output: Path of the run.
    report: called with events.
    control: asked between steps whether to continue.
    resume: bool, whether to continue from the checkpoint in `output`.
    Raises InputError or SetupError before anything is written, also when another run holds `output`.
    Raises RunError when the run fails, Cancelled when it was stopped; the last checkpoint is kept.
    """
    if resume and not mesh:
        mesh = begun_with(output, "paints")
    file = read_gltf(mesh)
    if chosen_weights(file, paint.part) is None and paint.shape:
        raise InputError(
            "paint.shape",
            what="Only the shape of a part can change with its texture.",
            why="Neither --part nor the attribute _PART of the mesh says what the part is.",
            fix="Say it, or leave out --shape. To move all vertices, use the command refine.",
        )
    return in_folder(
        config,
        output,
        report,
        lambda processes, heard: _texture(config, paint, file, mesh, output, processes, heard, control, resume),
    )


def _texture(
    config: GenerateConfig,
    paint: PaintConfig,
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

    # 1. The surface, all parts in one box: what is painted of it, and what each texel shows.
    surface = _surface(file, config, paint, report, advance)
    # 2. The frozen diffusion model, and the prompt in its language.
    clock.enter("load", device)
    teacher = load_run_teacher(config, *model, places, report, processes, moving=surface.moving)
    # 3. Colours on the surface, optimized until the model likes what it sees from every side.
    session = Session(
        config=config,
        distillation=teacher.distillation,
        device=device,
        places=places,
        folder=output / "checkpoint",
        report=report,
        control=control,
        seconds_after=_SECONDS_AFTER,
        snapshot=surface.previews(output / "previews", report) if processes.first else ignore,
        model=teacher.weights,
        subject=_digest(mesh, paint),
        fitted=teacher.fitted,
        step_down=teacher.step_down(report),
        processes=processes,
        new_training=surface.training(device),
        watched=_WATCHED,
    )
    begin_on_mesh(session, teacher, mesh, output, report, resume=resume)
    clock.enter("train", device)
    training = trained(session)
    assert isinstance(training, SurfaceTraining)
    if not processes.first:
        return Result(folder=str(output), files={}, report={})
    # 4. Colours to textures, and these into the file.
    painted = surface.painted(training, report, lambda share: advance("bake", share))
    advance("render", 0.0)
    files = {name: output / name for name in ("mesh.glb", "turntable.mp4", "views.png", "before.png", "result.json")}
    try:
        write_atomically(files["mesh.glb"], painted.file)
        files |= _write_textures(painted.pictures, output / "textures")
        done = True
        scene = portrait_scene(painted.after, device)
        advance("render", 0.15)
        same = painted.after.vertices is painted.before.vertices
        before = retextured(scene, painted.before) if same else portrait_scene(painted.before, device)
        write_views(before, files["before.png"], config.camera)
        write_views(scene, files["views.png"], config.camera)
        write_turntable(
            scene,
            files["turntable.mp4"],
            config.camera,
            lambda share: advance("render", 0.3 + 0.7 * share),
        )
        said = judgement(config, painted.after, report)
        content = run_report(config, session, clock, places) | {**said, "paint": dataclasses.asdict(paint)}
        content |= painted.report
        write_result(content, files["result.json"])
    except OSError as error:
        raise output_error(output, error) from error
    return Result(folder=str(output), files={name: str(path) for name, path in files.items()}, report=content)


def _surface(
    file: GltfFile, config: GenerateConfig, paint: PaintConfig, report: Report, advance: Advance
) -> WholeSurface | PartSurface:
    """What is painted of a file: all of it, or the part that it or the settings name."""
    weights = chosen_weights(file, paint.part)
    if weights is None:
        size = _told_size(len(file.primitives), config.mesh.texture, report)
        layouts = _layouts(file.primitives, _sized(config, size), paint.uv, report, advance)
        return WholeSurface(file, layouts, size, config, paint, lambda share: advance("unwrap", 0.5 + 0.5 * share))
    chosen = [bool(changes(each, weight).any()) for each, weight in zip(file.primitives, weights, strict=True)]
    check_layout(file, paint.uv, chosen)
    size = _told_size(sum(chosen), config.mesh.texture, report)
    made = _layouts(
        [each for each, it in zip(file.primitives, chosen, strict=True) if it],
        _sized(config, size),
        "keep",
        report,
        advance,
    )
    found = iter(made)
    layouts = [next(found) if it else own_layout(each) for each, it in zip(file.primitives, chosen, strict=True)]
    kind = PartShapeSurface if paint.shape else PartSurface
    return kind(file, weights, layouts, size, config, paint, report, lambda share: advance("unwrap", 0.5 + 0.5 * share))


def _sized(config: GenerateConfig, size: int) -> MeshConfig:
    return dataclasses.replace(config.mesh, texture=size)


def _told_size(parts: int, wanted: int, report: Report) -> int:
    size = texture_size(parts, wanted)
    if size < wanted:
        report(Note(code="paint.texture_size", text=SMALLER.format(size, wanted, parts)))
    return size


def texture_size(parts: int, wanted: int) -> int:
    """Return the pixels along each texture: as wanted, or halved until TEXELS hold the textures of all parts.

    parts: int, their number.
    wanted: int, pixels.
    """
    size = wanted
    while parts * size * size > TEXELS and size >= 2 * SMALLEST:
        size //= 2
    return size


def _part_of_unwrap(advance: Advance, number: int, count: int, share: float) -> None:
    """Tell how far the unwrap is, when a share of one of `count` parts is done; the other half is the texel map."""
    advance("unwrap", 0.5 * (number + share) / count)


def _layouts(
    primitives: Sequence[GltfPrimitive], config: MeshConfig, uv: str, report: Report, advance: Advance
) -> list[tuple[Floats, bool]]:
    """Each part's UVs float32[T, 3, 2], and whether they are new."""
    layouts = []
    for number, each in enumerate(primitives):
        advance("unwrap", 0.5 * number / len(primitives))
        if each.uv is not None and uv == "keep" and areas_of(each.uv.astype(np.float64)).any():
            layouts.append((each.uv, False))
            continue
        if each.uv is not None and uv == "keep":
            report(Note(code="paint.empty_uv", text=f"{each.name}: its UVs cover nothing, so it gets new ones."))
        charts = _unwrapped(each, config, functools.partial(_part_of_unwrap, advance, number, len(primitives)))
        if charts.trouble:
            report(simple_unwrap(charts.trouble, each.name))
        layouts.append((charts.uv, True))
    return layouts


def _unwrapped(each: GltfPrimitive, config: MeshConfig, advance: Callable[[float], None]) -> Unwrap:
    places, corners = np.unique(each.vertices, axis=0, return_inverse=True)  # the file may split vertices at seams
    return unwrap(
        places,
        corners.reshape(-1)[each.triangles].astype(np.int32),
        texture=config.texture,
        padding=config.padding,
        seconds=config.unwrap_seconds,
        advance=advance,
    )


def _digest(mesh: bytes, paint: PaintConfig) -> str:
    """What a checkpoint says of the surface that it painted: another mesh or layout cannot continue it."""
    return hashlib.sha256(mesh + json.dumps(dataclasses.asdict(paint), sort_keys=True).encode()).hexdigest()


def _write_textures(pictures: dict[int, bytes], folder: Path) -> dict[str, Path]:
    """Write each part's texture as a file, and return the files by name."""
    folder.mkdir(exist_ok=True)
    for left in folder.glob("part-*.png"):  # of an earlier run, which may have had more parts
        if left.stem.removeprefix("part-").isdecimal():
            left.unlink()
    files = {}
    for i, picture in pictures.items():
        name = f"textures/part-{i:03d}.png"
        files[name] = folder.parent / name
        write_atomically(files[name], picture)
    return files
