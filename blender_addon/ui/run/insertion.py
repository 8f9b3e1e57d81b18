"""Putting finished objects into the scene, at a moment that does not disturb the artist."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import bpy

from ...core.job import EngineTrouble, Job, Trouble
from ...core.phrase import phrase
from ..scene import blockout, moment, preview_object
from ..scene import insert as result
from ..scene.placement import Placement
from ..scene.texture import texture_preview
from . import painting, refining, session


@contextmanager
def window() -> Iterator[None]:
    """A context with a window, which timers lack. Where there is no window at all, the context stays as it is."""
    windows = bpy.context.window_manager.windows
    if bpy.context.window is None and len(windows):
        with bpy.context.temp_override(window=windows[0]):
            yield
    else:
        yield


@contextmanager
def scene_of(place: Placement) -> Iterator[None]:
    """A context with the scene in which the job was begun. The window may show another one by now."""
    scene = place.home(bpy.context)
    if scene == bpy.context.scene:
        yield
    else:
        with bpy.context.temp_override(scene=scene, view_layer=scene.view_layers[0]):
            yield


def obstacle() -> str:
    """What an insertion waits for, as the end of 'The object comes when ...'; '' when nothing is in the way."""
    if moment.rendering():
        return phrase("the render is done")
    if moment.in_other_mode(bpy.context):  # an undo step in another mode would not remove the object
        return phrase("you are back in Object Mode")
    if moment.in_stroke(bpy.context):
        return phrase("the present action is done")
    return ""


def insert_next(here: session.Session) -> bool:
    """Insert the first waiting object, if nothing is in the way. Returns whether it was inserted.

    If its .blend is no longer open, it is not inserted, because an artist does not expect it in another file.
    """
    job = here.job(here.waiting[0])
    if job is None or job.result is None:
        here.waiting.pop(0)
        return False
    if not session.same_file(job.placement):
        here.waiting.pop(0)
        remove_preview(job)
        here.notice = phrase(
            "'{prompt}' is done. It was begun in another file: insert it from the results", prompt=job.recipe.title
        )
        return False
    with window():
        if obstacle():
            return False
        here.waiting.pop(0)
        insert(here, job)
    return True


def insert(here: session.Session, job: Job) -> bool:
    """Put a job's object into the scene, its textures onto its objects or its mesh into its object, as one undo step.

    Returns whether that worked; else the panel says why.
    """
    if job.result is None:
        return False
    remove_preview(job)
    try:
        if job.paints:
            painting.apply(here, job)
        elif job.refines:
            with scene_of(Placement.from_json(job.placement)):
                refining.apply(here, job)
        else:
            _insert(job)
    except EngineTrouble as damage:
        here.trouble = damage.trouble
        return False
    except OSError as error:
        here.trouble = Trouble(
            "input.output",
            "The finished mesh cannot be read.",
            f"{job.result}: {error.strerror or error}",
            "Check that the output folder is there, and insert the object again from the results.",
        )
        return False
    job.inserted = True
    here.queue.save(job)
    return True


def remove_preview(job: Job) -> None:
    """Take what shows a job's progress out of the scene."""
    preview_object.remove(job.id)
    texture_preview.remove(job.id)


def _insert(job: Job) -> None:
    if job.result is not None:
        with scene_of(Placement.from_json(job.placement)):
            hidden = blockout.to_hide(job.placement, same_session=painting.same_session(job))
            result.insert(bpy.context, job.result, job.outcome, job.placement, job.id, hidden, job.verdict)
