"""Cut-outs of the artist's pictures: asked of the engine before a run, and shown as images that can be painted."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.types import Image

from ...core.job import Trouble
from ...core.jobs.changes import Change
from ...core.phrase import phrase
from ..scene import given_image, icons, insert, moment
from ..settings import scene_settings
from . import insertion, pictures, session

_arrived: dict[str, bytes] = {}  # PNGs that wait for a moment in which they disturb nobody, by `key_of`


def key_of(image: Image) -> str:
    """What the cut-out of an image is called in the queue: by the .blend that is open, and by the image."""
    return f"{session.current().file}/{image.name}"


def waits(image: Image) -> bool:
    """Whether the cut-out of an image is on its way."""
    key = key_of(image)
    return key in _arrived or session.current().queue.cut_outs.waits(key)


def icon_of(row: Any) -> int:
    """The number of the thumbnail of a line's cut-out; 0 where there is none, or no longer one of what was painted."""
    return 0 if row.image.is_dirty else icons.icon(_icon_key(row.image))


def _icon_key(image: Image) -> str:
    return f"cut-out/{key_of(image)}"


def ask(row: Any) -> None:
    """Ask the engine for the cut-out of a line's picture. An engine is started where there is none.

    row: DREAMFUSION_PG_picture that has an image.
    Raises EngineTrouble for an image that cannot be sent.
    """
    here = session.current()
    picture = pictures.picture_of(row)
    here.trouble, here.notice = None, ""
    here.queue.cut_outs.ask(key_of(row.image), picture)


def take(here: session.Session, change: Change) -> None:
    """Keep a cut-out that has come; show why there is none."""
    trouble = here.queue.cut_outs.troubles.pop(change.name, None)
    if trouble is not None:
        here.trouble = Trouble(trouble.code, trouble.what, _named(trouble.why, change.name), trouble.fix)
    elif change.data:
        _arrived[change.name] = change.data


def poll(here: session.Session) -> bool:
    """Put one cut-out that waits into its lines, as one undo step, if nothing is in the way. Returns whether it did."""
    if _draw_one():
        return True
    with insertion.window():
        if not _arrived or not moment.settled(bpy.context):
            return False
        key = next(iter(_arrived))
        png = _arrived.pop(key)
        file, _, name = key.partition("/")
        if file == here.file and not _put(bpy.data.images.get(name), png):
            here.notice = phrase(
                "The cut-out of '{name}' has come, and no line in Pictures has that picture any more", name=name
            )
        return True


def _draw_one() -> bool:
    """Make the thumbnail of one cut-out that lacks it, and drop those of cut-outs that are being painted."""
    for row in scene_settings.of(bpy.context).pictures.rows if bpy.context.scene is not None else ():
        if row.uncut is None or row.image is None:
            continue
        key = _icon_key(row.image)
        if row.image.is_dirty:
            icons.forget(key)
        elif not icons.has(key):
            pixels = given_image.thumbnail(row.image)
            if pixels is not None:
                icons.put(key, pixels)
                return True
    return False


def forget() -> None:
    """Drop what waits."""
    _arrived.clear()


def put_uncut(row: Any) -> None:
    """Give a line the picture back of which it has the cut-out.

    row: DREAMFUSION_PG_picture.
    """
    row.image, row.uncut = row.uncut, None


def _put(image: Image | None, png: bytes) -> bool:
    """Set the lines that have an image to its cut-out. Returns whether there was one."""
    lists = [scene.dreamfusion.pictures.rows for scene in bpy.data.scenes]
    rows = [row for rows in lists for row in rows if image is not None and row.image == image]
    made = pictures.packed(f"{image.name} Cut Out", png) if image is not None and rows else None
    if made is None:
        return False
    for row in rows:
        row.image, row.mask = made, None
        row.uncut = image  # after the image, whose choice empties it
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "IMAGE_EDITOR" and area.spaces.active.image in (None, image):
                area.spaces.active.image = made
    if bpy.context.mode == "OBJECT":  # in another mode it becomes part of the next step
        insert.push_undo(bpy.context, "Show Cut-Out")
    return True


def _named(why: str, key: str) -> str:
    """The engine's reason with the image's name; the engine knows pictures by number only."""
    name = f"'{key.partition('/')[2]}'"
    return why.replace("the picture", name).replace("The picture", name)
