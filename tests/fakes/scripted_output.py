"""What the scripted engine's runs show on the way and leave at their end: pictures, growing meshes, a textured ball."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import Any, Protocol

from fakes.painted_glb import painted, part_count, raised
from fakes.shapes import ball, ball_glb, growing, plain_png, png, stretched

TRIANGLES = int(os.environ.get("DREAMFUSION_FAKE_TRIANGLES", "960"))
RINGS = int(os.environ.get("DREAMFUSION_FAKE_RINGS", "12"))
RAISED = 0.5  # metres, of a part whose shape is to change


class Engine(Protocol):
    """What of the scripted engine is needed here."""

    def say(self, message_type: str, data: bytes = b"", **fields: Any) -> None: ...


def show(engine: Engine, job: dict[str, Any], words: set[str], step: int, total: int) -> None:
    """Tell pictures of a run, and its mesh as it grows; of a run that paints, the textures of every part.

    words: of the prompt, by which a mesh may be damaged.
    """
    shade = step % 256
    engine.say("preview", png(128, 128, shade), id=job["id"], name="latest", step=step)
    engine.say("preview", png(512, 128, shade), id=job["id"], name="views", step=step)
    if job["type"] == "texture":
        for part in range(part_count(job["meshes"])):
            engine.say("texture_preview", plain_png(32, part), id=job["id"], step=step, part=part)
    else:
        mesh = ball(RINGS, 0.3 + 0.6 * step / total)
        if job["box"] is not None:
            mesh = stretched(mesh, job["box"])
        counts = {"vertices": len(mesh[0]), "triangles": len(mesh[1])}
        shown = bytearray(growing(mesh))
        if "badmesh" in words:
            struct.pack_into("<i", shown, 12 * len(mesh[0]), 10**6)
        engine.say("mesh_preview", bytes(shown), id=job["id"], step=step, **counts)


def finish(
    engine: Engine, job: dict[str, Any], words: set[str], folder: Path | None, step: int, step_seconds: float
) -> None:
    """Tell the stages after training and the result, and leave its files in a folder.

    words: of the prompt, by which a mesh may be damaged.
    folder: Path of the output; None: this is another computer's.
    """
    name = job["id"]
    for stage in ("extract", "unwrap", "bake", "render"):
        engine.say("progress", id=name, stage=stage, step=0, total=100, memory_mib=961.0)
    engine.say("note", id=name, code="health.flat", text="The object is rather flat.")
    glb = ball_glb(job["prompt"], step % 256, TRIANGLES, 30 << 20 if "huge" in words else 0, job["box"])
    if job["type"] == "texture":
        glb = painted(job["meshes"], lambda part: plain_png(64, part))
        if (job.get("settings") or {}).get("paint", {}).get("shape"):
            glb = raised(glb, RAISED)
    if "badglb" in words:
        glb = glb[:-7]
    settings, trained = job.get("settings") or {}, step * step_seconds
    report = {
        "prompt": job["prompt"],
        "seed": settings.get("seed", 0),
        "settings": settings,
        "device": "cpu",
        "steps": step,
        "given": job["given"],
        "steps_per_second": 1.0 / step_seconds,
        "seconds": {"load": 0.5, "train": trained, "render": 0.5, "train_all_sessions": trained},
        "versions": {"torch": "0"},
        "judge": {"by": "a judge", "score": 0.875, "shape": 1.0},
        "terms": {"line": "Made with paper: you may sell it: yes."},
    }
    files = {}
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "mesh.glb").write_bytes(glb)
        (folder / "result.json").write_text(json.dumps(report))
        files = {"mesh.glb": str(folder / "mesh.glb")}
    engine.say("result", glb, id=name, folder=str(folder or ""), files=files, report=report)
