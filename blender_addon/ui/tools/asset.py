"""Mark as Asset: the object in the Asset Browser, with a picture, tags from the prompt, and where it came from."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from pathlib import Path

import bpy
from bpy.types import Context, Object

from ...core.job import Recipe
from ...core.model_card import FIELD
from ...core.phrase import phrase
from ...core.picture import read_picture
from ..scene import icons
from ..scene.icons import Pixels
from . import asset_catalog

AUTHOR = "DreamFusion for Blender"
_TAGS = 12
_SMALL = frozenset(
    ("a", "an", "and", "at", "by", "for", "from", "in", "into", "its", "of", "on", "or", "the", "to", "with")
)


@dataclass(frozen=True)
class Rights:
    """Who made an asset and what others may do with it. '' leaves what the asset has.

    author, license, copyright: str, as the artist says.
    """

    author: str = ""
    license: str = ""
    copyright: str = ""


def mark(obj: Object, recipe: Recipe, picture: Pixels | None, rights: Rights | None = None) -> None:
    """Make the object an asset.

    recipe: Recipe for its tags and description.
    picture: its preview; None leaves that to Blender.
    rights: author, licence and copyright, or None.
    """
    obj.asset_mark()
    data = obj.asset_data
    data.description = description(recipe)
    for field in fields(Rights):
        given = getattr(rights, field.name) if rights is not None else ""
        if given and hasattr(data, field.name):  # before Blender 4.0 there is only the author
            setattr(data, field.name, given)
    data.author = data.author or AUTHOR
    data.catalog_id = asset_catalog.CATALOG
    for tag in tags(recipe.prompt):
        if tag not in data.tags:
            data.tags.new(tag)
    if picture is not None:
        preview = obj.preview_ensure()
        preview.image_size = (picture.width, picture.height)
        preview.image_pixels_float.foreach_set(picture.values)


def tags(prompt: str) -> list[str]:
    """Tags for an asset: the words of the prompt that carry meaning, and one tag that all such assets have."""
    words = (word for word in re.findall(r"\w[\w'-]*", prompt.lower()) if word not in _SMALL and len(word) > 1)
    return ["dreamfusion", *list(dict.fromkeys(words))[: _TAGS - 1]]


def description(recipe: Recipe) -> str:
    """One line with the prompt and what made the object."""
    engine = recipe.versions.get("dreamfusion_engine", "")
    painter = [f"texture model {recipe.texture_model}"] if recipe.texture_model else []
    method = [f"method {recipe.method}"] if recipe.method != FIELD else []
    parts = [f"model {recipe.model}", *method, *painter, f"preset {recipe.preset}", f"seed {recipe.seed}"]
    if engine:
        parts.append(f"engine {engine}")
    return f"{recipe.title} ({', '.join(parts)})"


def ensure_catalog(context: Context) -> str:
    """Write the catalog beside the saved .blend. Returns "", or a sentence that says why it could not."""
    if not bpy.data.filepath:
        return phrase("Save the file and mark again to have the catalog DreamFusion in it")
    libraries = [Path(bpy.path.abspath(entry.path)) for entry in context.preferences.filepaths.asset_libraries]
    folder = asset_catalog.library_of(Path(bpy.data.filepath), [root for root in libraries if root.name])
    try:
        asset_catalog.ensure(folder)
    except (OSError, UnicodeDecodeError) as error:
        return phrase(
            "The catalog could not be written into {folder}: {error}",
            folder=folder,
            error=getattr(error, "strerror", None) or error,
        )
    return ""


def picture_of(file: Path | None) -> Pixels | None:
    """The engine's picture of a job, decoded; None if there is none."""
    if file is None:
        return None
    try:
        return icons.decoded(read_picture(file))
    except OSError:
        return None
