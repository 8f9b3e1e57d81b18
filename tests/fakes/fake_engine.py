"""The real command line and server around a run that only counts, for tests through a real process.

`python fake_engine.py COMMAND ...` is `dreamfusion-engine COMMAND ...` with `counting_generate`, `counting_texture`,
`counting_refine` and `counting_contest` in place of the methods. A word of the prompt chooses what goes wrong.
`--real-devices` lets `serve` look for devices, which loads torch. `--small-meshes` lowers the limits of meshes, so that
a test can reach them.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from dreamfusion_engine.agents import engine as agents_engine
from dreamfusion_engine.batch import engine_process
from dreamfusion_engine.cli import main
from dreamfusion_engine.commands.model_line import Machine
from dreamfusion_engine.config.paint import PaintConfig
from dreamfusion_engine.config.seed_range import SeedRange
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.errors import Cancelled, RunError
from dreamfusion_engine.events import (
    Chosen,
    Control,
    MeshPreview,
    Move,
    Note,
    Preview,
    Progress,
    Report,
    Result,
    Standing,
    TexturePreview,
)
from dreamfusion_engine.pictures.prepare import CutOut
from dreamfusion_engine.request import mesh as given_mesh
from dreamfusion_engine.server import model_news, server

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fakes.shapes import ball_glb, png, tetrahedron

STEP_SECONDS = 0.004
SMALL_MESHES, SMALL_MESH = 5000, 3000  # bytes
PNG = png(16, 16, 200)


def counting_generate(
    config: GenerateConfig,
    output: Path,
    *,
    report: Report,
    control: Control,
    resume: bool = False,
    blockout: bytes = b"",
    pictures: Sequence[CutOut] = (),
) -> Result:
    """Count to config.optimize.steps with a checkpoint every 10, then write a 'mesh' that depends on every step."""
    words = config.prompt.split()
    output.mkdir(parents=True, exist_ok=True)
    if blockout:
        (output / "begun-from.glb").write_bytes(blockout)
    if "crash" in words:
        raise ZeroDivisionError("division by a carrot")
    if "memory" in words:
        raise MemoryError("2 TiB")
    if "full" in words:
        raise OSError(errno.ENOSPC, "No space left on device", str(output / "mesh.glb"))
    checkpoint = output / "checkpoint" / "checkpoint.json"
    step, digest = 0, hashlib.sha256(f"{config.prompt}/{config.seed}".encode()).hexdigest()
    if resume and checkpoint.is_file():
        step, digest = json.loads(checkpoint.read_text())
    total = config.optimize.steps
    while step < total:
        move = control()
        if move == "cancel":
            write_checkpoint(checkpoint, step, digest)
            raise Cancelled("cancelled", what=f"Stopped at step {step}.", why="It was asked to.", fix="Use --resume.")
        if move == "finish":
            break
        if "stuck" in words and step == 1:
            time.sleep(600)
        if "noisy" in words:
            print("a stray print")
            os.write(1, b"a stray print from C\n")
        if "empty" in words and step == 5:
            raise RunError("run.empty", what="The object vanished.", why="Opacity is 0.", fix="Try another seed.")
        time.sleep(STEP_SECONDS)
        step, digest = step + 1, hashlib.sha256(digest.encode()).hexdigest()
        report(Progress(stage="train", step=step, total=total, eta_s=1.0, rate=100.0, memory_mib=12.5))
        if step % 10 == 0:
            write_checkpoint(checkpoint, step, digest)
            report(Preview(name="latest", step=step, png=PNG))
    mesh = tetrahedron(0.5)
    report(MeshPreview(step=step, vertices=mesh[:48], triangles=mesh[48:96], colours=mesh[96:]))
    report(Note(code="health.flat", text="The object is rather flat."))
    (output / "mesh.glb").write_bytes(ball_glb(digest, 200))
    summary = {"prompt": config.prompt, "seed": config.seed, "steps": step, "psnr": float("inf")}
    summary |= {"blockout_bytes": len(blockout), "lock": config.start.lock} if blockout else {}
    summary |= {"texture": {"model": config.texture.model}} if config.texture.model else {}
    summary |= {"pictures": [each.viewpoint.text for each in pictures]} if pictures else {}
    (output / "result.json").write_text(json.dumps({"prompt": config.prompt, "seed": config.seed}))
    return Result(folder=str(output), files={"mesh": str(output / "mesh.glb")}, report=summary)


def write_checkpoint(path: Path, step: int, digest: str) -> None:
    """Write the state of a count, whole or not at all."""
    path.parent.mkdir(exist_ok=True)
    whole = path.with_name(".checkpoint.json")
    whole.write_text(json.dumps([step, digest]))
    os.replace(whole, path)


def keep_source(mesh: bytes, output: Path, resume: bool) -> bytes:
    """Put the mesh that a run is about into its folder, and return it; one that is resumed may have it there."""
    if resume and not mesh:
        mesh = (output / "source.glb").read_bytes()
    output.mkdir(parents=True, exist_ok=True)
    (output / "source.glb").write_bytes(mesh)
    return mesh


def counting_texture(
    config: GenerateConfig,
    paint: PaintConfig,
    mesh: bytes,
    output: Path,
    *,
    report: Report,
    control: Control,
    resume: bool = False,
) -> Result:
    """Count as `counting_generate` does; the mesh that comes out is the one that went in."""
    mesh = keep_source(mesh, output, resume)
    report(TexturePreview(step=0, part=3, png=PNG))
    made = counting_generate(config, output, report=report, control=control, resume=resume)
    (output / "mesh.glb").write_bytes(mesh)
    return replace(made, report=made.report | {"paint": asdict(paint), "mesh_bytes": len(mesh)})


def counting_refine(
    config: GenerateConfig,
    mesh: bytes,
    output: Path,
    *,
    report: Report,
    control: Control,
    resume: bool = False,
) -> Result:
    """Count as `counting_generate` does, from a mesh; what comes out is a ball."""
    mesh = keep_source(mesh, output, resume)
    made = counting_generate(config, output, report=report, control=control, resume=resume)
    return replace(made, report=made.report | {"refine": {"strength": config.refine.strength}, "mesh_bytes": len(mesh)})


def counting_contest(
    config: GenerateConfig,
    seeds: SeedRange,
    output: Path,
    *,
    report: Report,
    control: Control,
    chosen: Chosen,
    resume: bool = False,
    blockout: bytes = b"",
) -> Result:
    """Count as `counting_generate` does, by the seed that is chosen; by the first one if none is until the end."""
    rows: list[dict[str, Any]] = [
        {"seed": seed, "grade": None, "step": 0, "on": True, "mesh": False, "trouble": ""} for seed in seeds.seeds
    ]
    report(Standing(judge="a coin", round=0, rounds=1, seeds=rows))
    winners: list[int] = []

    def until_chosen() -> Move:
        winners.extend(seed for seed in [chosen()] if seed is not None)
        return "finish" if winners else control()

    made = counting_generate(config, output, report=report, control=until_chosen, resume=resume, blockout=blockout)
    return replace(made, report=made.report | {"seed": winners[0] if winners else seeds.first})


def few_devices() -> dict[str, Any]:
    """A device report that needs no torch."""
    return {"default": "cpu", "devices": [{"name": "cpu", "title": "paper", "memory_mib": 1}]}


def small_card() -> Machine:
    """A machine that is known without torch."""
    return Machine(device_type="cuda", free_bytes=8 << 30)


if __name__ == "__main__":
    if "--real-devices" in sys.argv:
        sys.argv.remove("--real-devices")
    else:
        replaced: dict[str, Callable[[], Any]] = {
            "machine": small_card,
            "speed_is_known": lambda: True,  # nothing is measured, so no list comes a second time
            "known_speed": lambda: None,
        }
        vars(server)["device_report"] = few_devices
        vars(model_news).update(replaced)
    if "--small-meshes" in sys.argv:
        sys.argv.remove("--small-meshes")
        vars(server)["MESHES_LIMIT"] = SMALL_MESHES
        vars(given_mesh)["MESH_LIMIT"] = SMALL_MESH
    vars(agents_engine)["PROGRAM"] = (sys.executable, __file__)
    vars(engine_process)["PROGRAM"] = (sys.executable, str(Path(__file__).with_name("quick_engine.py")))
    sys.exit(
        main(
            generate=counting_generate,
            texture=counting_texture,
            refine=counting_refine,
            contest=counting_contest,
        )
    )
