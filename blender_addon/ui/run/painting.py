"""Jobs that paint an artist's objects: the preview while one runs, and its textures when it is done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy

from ...core.engine.painted_glb import PaintedFile
from ...core.job import TEXTURE, EngineTrouble, Job, Trouble
from ...core.jobs.folder import SOURCE, read_source
from ...core.jobs.writer import Pending
from ...core.phrase import joined, phrase
from ..scene import mesh_identity, reshape
from ..scene.texture import painted_copies, repaint, skin, texture_preview
from ..scene.texture.skin import Skin
from . import session

ABOUT = "texture"  # what a job's placement has under this name is `Surfaces.about`

_making: dict[str, tuple[Pending, list[list[Skin]]]] = {}  # skins that a thread makes, by job


def about(job: Job) -> dict[str, Any] | None:
    """What a job says of the objects that it paints; None where that is damaged."""
    found = job.placement.get(ABOUT)
    if not isinstance(found, dict):
        return None
    objects, parts = found.get("objects"), found.get("parts")
    if not isinstance(objects, list) or not isinstance(parts, list):
        return None
    if not all(map(_is_part, parts)) or not all(map(_is_object, objects)):
        return None
    return found if all(part["object"] < len(objects) for part in parts) else None


def same_session(job: Job) -> bool:
    """Whether the file in which a job was started has been open since."""
    return bool(job.placement.get("file") == session.current().file)


def show(job: Job, part: int, png: bytes) -> None:
    """Show a small texture of a part, if the file that it belongs to is open."""
    noted = about(job)
    if noted is not None and session.same_file(job.placement):
        texture_preview.show(job.id, noted, part, png, same_session=same_session(job))


def poll(here: session.Session) -> None:
    """Have the skins made for jobs that are shown, and give them to the preview when they are."""
    wanted = texture_preview.without_skins()
    for name in [name for name, (pending, _) in _making.items() if pending.done and name not in wanted]:
        del _making[name]  # of a job that ended meanwhile
    for name in wanted:
        job = here.job(name)
        noted = about(job) if job is not None else None
        if job is None or noted is None:
            texture_preview.give_skins(name, [])
        elif name not in _making:
            found: list[list[Skin]] = []
            _making[name] = here.store.in_background(_work(job.folder / SOURCE, noted, found)), found
        elif _making[name][0].done:
            _, found = _making.pop(name)
            texture_preview.give_skins(name, found[0] if found else [])


def _work(path: Path, noted: dict[str, Any], found: list[list[Skin]]) -> Callable[[], None]:
    return lambda: found.append(skin.skins(read_source(path), noted))


def apply(here: session.Session, job: Job) -> None:
    """Put a job's textures onto its objects, with one undo step. Objects that cannot take theirs are told.

    Raises EngineTrouble where none can, or for a damaged file, and OSError for one that cannot be read.
    """
    assert job.result is not None
    noted = about(job)
    if noted is None:
        raise EngineTrouble(_nowhere(job, phrase("What the job noted about its objects is damaged.")))
    source = None
    needed = any(each["new"] or reshape.SHAPE in each for each in noted["objects"])
    if needed and (job.folder / SOURCE).is_file():
        source = PaintedFile(read_source(job.folder / SOURCE))
    result = PaintedFile(read_source(job.result))
    done = repaint.paint(
        bpy.context, result, source, noted, job.recipe, same_session=same_session(job), verdict=job.verdict
    )
    if not done.objects:
        raise EngineTrouble(_nowhere(job, joined(done.missing)))
    if done.missing:
        here.notice = phrase(
            "Painted {names}. Not painted: {reasons}",
            names=", ".join(done.objects),
            reasons=joined(done.missing),
        )
    job.notes += [note for note in done.notes if note not in job.notes]


def reshaped(job: Job) -> str:
    """Why a job cannot run again for its objects: the shape of one has changed since it was read. "" where it can."""
    noted = about(job) if job.task == TEXTURE else None
    if noted is None or not session.same_file(job.placement):
        return ""
    for each in noted["objects"]:
        obj = mesh_identity.find(each, same_session=same_session(job))
        if obj is not None and reshape.SHAPE in each and reshape.mark(obj.data) != each[reshape.SHAPE]:
            return phrase("'{name}': {why}.", name=each["name"], why=reshape.CHANGED)
    return ""


def insert_copies(job: Job) -> None:
    """Put the painted meshes into the scene as objects of their own.

    Raises EngineTrouble for a damaged file, and OSError for one that cannot be read.
    """
    assert job.result is not None
    painted_copies.insert_copies(bpy.context, read_source(job.result), job.recipe)


def _nowhere(job: Job, why: str) -> Trouble:
    return Trouble(
        "texture.nowhere",
        phrase(
            "The texture '{prompt}' is done, and the objects that it is for cannot take it.", prompt=job.recipe.title
        ),
        why,
        "Press Insert as New Object in the results. The painted meshes are in the job's folder too.",
    )


def _is_part(part: Any) -> bool:
    if not isinstance(part, dict) or not isinstance(part.get("repeats"), bool):
        return False
    if not isinstance(part.get("stays", False), bool):
        return False
    return all(type(part.get(key)) is int and part[key] >= 0 for key in ("object", "slot", "tile"))


def _is_object(noted: Any) -> bool:
    if not isinstance(noted, dict) or not isinstance(noted.get("matrix"), list):
        return False
    matrix = noted["matrix"]
    texts = all(isinstance(noted.get(key, ""), str) for key in ("name", "layer", "faces", reshape.SHAPE))
    texts = texts and all(key in noted for key in ("name", "layer", "faces"))
    numbers = len(matrix) == 16 and all(isinstance(value, (int, float)) for value in matrix)
    return texts and numbers and isinstance(noted.get("new"), bool)
