"""Makes a finished mesh an object of the scene: textured, in its place, with its recipe, as one undo step."""

from __future__ import annotations

import re
import unicodedata
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import bpy
from bpy.types import Collection, Context, Material, Mesh, Object
from mathutils import Matrix, Vector

from ...core.engine import glb, node_transform
from ...core.engine.glb import GlbMesh
from ...core.file_name import file_name, within
from ...core.job import Recipe
from ...core.protocol import DATA_LIMIT
from . import material, mesh_data, moment, object_recipe, placement, replacement, surface_maps
from .placement import Placement

_NAME_BYTES = 55  # Blender 3.4 has room for 63, and appends .001
_NOT_HELD = ("Cc", "Cs")  # control characters, halves of pairs: no name in Blender has them
_ARTICLE = re.compile(r"^(?:an?|the)\s+", re.IGNORECASE)


def insert(
    context: Context,
    glb_file: Path | bytes,
    made_by: Recipe,
    where: Mapping[str, Any],
    job_id: str = "",
    hidden: Sequence[Object] = (),
    verdict: Sequence[str] = (),
) -> Object:
    """Put a GLB into the scene and return the object: Z up, front -Y, origin at its base, scale 1, shaded smooth.

    glb_file: Path of the file, or its bytes.
    made_by: Recipe to store on the object.
    where: as `placement.captured` gives it.
    job_id: str, id of the job to store on the object.
    hidden: objects that the new one takes the place of, and that stay.
    verdict: sentences on the result to store on the object, as `Job.verdict`.
    Raises DamagedMesh, or OSError where the file cannot be read.

    The object is selected and made active, unless the artist is in another mode or drags something.
    """
    content = glb.read_glb(glb_file if isinstance(glb_file, bytes) else _bytes_of(glb_file))
    place = Placement.from_json(where)
    low, high = (Vector(corner) for corner in glb.bounds(content.positions))
    name = name_of(made_by.prompt)
    placeholder = place.target()
    stand = placement.standing(low, high)
    if place.is_own:
        obj = bpy.data.objects.new(name, _mesh(name, content, Matrix.Identity(4)))
        obj.location = place.base(context)
        _home(context).objects.link(obj)
    elif placeholder is None:
        matrix = Matrix.Scale(placement.scale_to(place.size, low, high), 4) @ stand
        obj = bpy.data.objects.new(name, _mesh(name, content, matrix))
        obj.location = place.base(context)
        _home(context).objects.link(obj)
    else:
        fitted = placement.fit(placeholder, low, high)
        matrix = replacement.mesh_matrix(placeholder, fitted) @ stand
        obj = bpy.data.objects.new(name, _mesh(name, content, matrix))
        replacement.take_place(obj, placeholder, fitted)
        replacement.retire(obj, placeholder, context, place.after)
    obj.data.materials.append(_material(name, content))
    for old in hidden:
        replacement.hide(old, context)
    object_recipe.write(obj, made_by, job_id, verdict)
    show_in_local_views(context, obj)
    if not moment.in_other_mode(context) and not moment.in_stroke(context):
        select_only(context, obj)
    push_undo(context, f"DreamFusion: {name}")
    return obj


def name_of(prompt: str) -> str:
    """The object's name: "a red mug" -> "Red mug". It may hold characters that a file name may not."""
    held = "".join(letter for letter in prompt if letter.isspace() or unicodedata.category(letter) not in _NOT_HELD)
    words = _ARTICLE.sub("", " ".join(held.split()))
    cut = within(words, _NAME_BYTES).rstrip(" ,.;") or "Object"
    return cut[:1].upper() + cut[1:]


def select_only(context: Context, obj: Object) -> None:
    """Select the object, make it active, and deselect the rest."""
    for other in context.view_layer.objects:
        if other.select_get():
            other.select_set(False)
    if obj.name in context.view_layer.objects:  # not when its collection is left out of the view layer
        obj.select_set(True)
        context.view_layer.objects.active = obj


def show_in_local_views(context: Context, obj: Object) -> None:
    """Show the object in 3D views in local view too, as Blender does with every object that is added."""
    for window in context.window_manager.windows:
        for area in window.screen.areas if window.scene == context.scene else ():
            if area.type == "VIEW_3D" and area.spaces.active.local_view is not None:
                obj.local_view_set(area.spaces.active, True)


def push_undo(context: Context, message: str) -> None:
    """Add one step for Ctrl-Z. Undo needs a window, which a timer does not have."""
    windows = context.window_manager.windows
    if context.window is not None or not windows:
        bpy.ops.ed.undo_push(message=message)
        return
    with context.temp_override(window=windows[0]):
        bpy.ops.ed.undo_push(message=message)


def _bytes_of(file: Path) -> bytes:
    """The file's content. Raises DamagedMesh for a file that is longer than any result."""
    with file.open("rb") as stream:
        data = stream.read(DATA_LIMIT + 1)
    if len(data) > DATA_LIMIT:
        raise glb.DamagedMesh(f"It is longer than {DATA_LIMIT >> 20} MiB.")
    return data


def _home(context: Context) -> Collection:
    """The collection for new objects: the active one, or the scene's own if that belongs to another file."""
    active = context.collection
    return active if active.library is None and active.override_library is None else context.scene.collection


def _mesh(name: str, content: GlbMesh, matrix: Matrix) -> Mesh:
    rows = tuple(value for row in matrix for value in row)
    positions: array[float] = node_transform.transformed(content.positions, rows)
    mesh = mesh_data.build(file_name(name), positions, content.triangles)
    if content.uvs:
        mesh_data.set_uvs(mesh, content.uvs)
    mesh.validate()  # doubled triangles, which a file may hold, would crash some tools
    return mesh


def _material(name: str, content: GlbMesh) -> Material:
    made = material.textured(name, content.image, content.roughness, content.colour)
    if content.normal_map:
        image = material.packed_image(f"{name} normals", content.normal_map, is_colour=False)
        surface_maps.add_normal_map(made, image, mesh_data.UV_NAME)
    if content.occlusion:
        surface_maps.add_occlusion(made, material.packed_image(f"{name} occlusion", content.occlusion, is_colour=False))
    return made
