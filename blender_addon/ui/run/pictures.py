"""The artist's pictures of a new object: on their way into a job, and back out of one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bpy
from bpy.types import Context, Image

from ...core.given_pictures import MOST, TOTAL_LIMIT, GivenPicture, joined, size_of, split, twice, view_text
from ...core.job import EngineTrouble, Job, Trouble
from ...core.jobs.folder import PICTURES, read_source
from ...core.model_card import FIELD
from ...core.phrase import phrase
from ..scene import given_image, material
from ..settings import models, picture_settings, scene_settings


def obstacle(context: Context) -> str:
    """Why no job can have the sidebar's pictures, as a sentence without its point; "" where one can. Cheap."""
    rows = scene_settings.of(context).pictures.rows
    if len(rows) and models.method(scene_settings.of(context)) != FIELD:
        return phrase("This method makes the object of words alone. Remove the pictures, or choose another method")
    if len(rows) and scene_settings.of(context).best_of > 1:
        return phrase("A contest of seeds takes no pictures. Set Best of to 1, or remove the pictures")
    if len(rows) > MOST:
        return phrase(
            "There are {count} pictures, and an object takes {most} at most. Remove some in Pictures",
            count=len(rows),
            most=MOST,
        )
    for number, row in enumerate(rows, 1):
        if row.image is None:
            return phrase("Choose an image for picture {number} in Pictures, or remove its line", number=number)
        for image in filter(None, (row.image, row.mask)):
            reason = given_image.obstacle(image)
            if reason:
                return phrase("Picture {number}: {reason}", number=number, reason=reason)
    views = [picture_settings.view_of(row) for row in rows]
    same = twice(views)
    if same is not None:
        first, second = (place + 1 for place in same)
        view = view_text(views[same[0]])
        return phrase(
            "Pictures {first} and {second} are both of one view, {view}. Choose another view for one in Pictures",
            first=first,
            second=second,
            view=view,
        )
    return ""


def read(context: Context) -> tuple[list[dict[str, Any]], bytes | None]:
    """What a recipe says of the sidebar's pictures, and their files; an empty list and None where there are none.

    Raises EngineTrouble where they cannot be used.
    """
    rows = scene_settings.of(context).pictures.rows
    if not len(rows):
        return [], None
    reason = obstacle(context)
    if reason:
        raise EngineTrouble(
            Trouble("pictures.choice", "These pictures cannot be used.", phrase("{reason}.", reason=reason), "")
        )
    found = [picture_of(row) for row in rows]
    said = [picture.said() for picture in found]
    if size_of(said) > TOTAL_LIMIT:
        what = phrase("These pictures are too large together.")
        fix = phrase("Save smaller copies, or remove some in Pictures.")
        why = phrase(
            "Their files have {size} MiB, and {most} are the limit.", size=size_of(said) >> 20, most=TOTAL_LIMIT >> 20
        )
        raise EngineTrouble(Trouble("pictures.large", what, why, fix))
    return said, joined(found)


def picture_of(row: Any) -> GivenPicture:
    """A line of the list with its files.

    row: DREAMFUSION_PG_picture that has an image.
    Raises EngineTrouble.
    """
    mask = given_image.image_file(row.mask) if row.mask is not None else b""
    return GivenPicture(given_image.image_file(row.image), picture_settings.view_of(row), mask)


def file_of(job: Job) -> Path | None:
    """The file with a job's pictures; None for a job without."""
    return job.folder / PICTURES if job.has_pictures else None


def put_back(context: Context, job: Job) -> None:
    """Set the sidebar's list to a job's pictures, as images that are packed into the .blend.

    Where their file is gone or damaged, the lines come without images.
    """
    rows = scene_settings.of(context).pictures.rows
    rows.clear()
    for number, picture in enumerate(_pictures_of(job), 1):
        row = rows.add()
        picture_settings.set_view(row, picture.view)
        name = f"{job.recipe.title[:40]} {number}"
        row.image = packed(name, picture.data) if picture.data else None
        row.mask = packed(f"{name} Mask", picture.mask) if picture.mask else None


def _pictures_of(job: Job) -> Sequence[GivenPicture]:
    path = file_of(job)
    if path is None:
        return ()
    try:
        return split(job.recipe.pictures, read_source(path))
    except (OSError, ValueError):
        return [GivenPicture(b"", each["view"]) for each in job.recipe.pictures]


def packed(name: str, data: bytes) -> Image | None:
    """A new image of a picture's file, which lies in the .blend; None for bytes that Blender cannot read.

    name: str, what it is called.
    data: bytes of the file.
    """
    image = material.packed_image(name, data)
    if not image.size[0]:
        bpy.data.images.remove(image)
        return None
    return image
