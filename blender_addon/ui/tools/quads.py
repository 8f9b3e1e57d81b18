"""Quads: replaces the mesh by an even mesh of quads, by QuadriFlow, with the colours baked into a new texture."""

from __future__ import annotations

from dataclasses import dataclass

import bmesh
import bpy
from bpy.types import Context, Object

from ...core.file_name import file_name
from ...core.phrase import phrase
from ..scene import insert, surface_maps, unwrap
from . import texture_bake


class QuadsFailed(Exception):
    """No quads could be made. The text says why and what to do. The object is as it was."""


@dataclass(frozen=True)
class Quads:
    """The outcome of a remesh.

    faces: int, their number.
    original: the hidden object with the old mesh, or None.
    texture: str, a sentence on the texture.
    textured: bool, whether the texture is as the artist wished.
    """

    faces: int
    original: Object | None
    texture: str
    textured: bool


def remesh(context: Context, obj: Object, faces: int, *, keep_original: bool, bake: bool, pixels: int = 0) -> Quads:
    """Replace the object's mesh by quads. Needs Object Mode. Afterwards only the object is selected.

    faces: int, about how many quads to make.
    keep_original: bool, keep the old mesh in the scene as a hidden object.
    bake: bool, make a new texture.
    pixels: int, a side of the new texture; 0 for the size of the old one.
    Raises QuadsFailed.
    """
    if obj.data.users > 1:  # objects that share the mesh keep it
        obj.data = obj.data.copy()
    original = _twin(obj)
    insert.select_only(context, obj)
    try:
        done = bpy.ops.object.quadriflow_remesh(mode="FACES", target_faces=faces, smooth_normals=True)
    except RuntimeError as error:  # how an operator's error report arrives in Python
        _forget(original)
        raise QuadsFailed(_explained(obj)) from error
    if "FINISHED" not in done:
        _forget(original)
        raise QuadsFailed(_explained(obj))
    sentence, textured = _with_texture(context, original, obj, pixels) if bake else _without_texture(obj)
    if keep_original:
        _hide(context, original)
        return Quads(len(obj.data.polygons), original, sentence, textured)
    _forget(original)
    return Quads(len(obj.data.polygons), None, sentence, textured)


def _with_texture(context: Context, original: Object, obj: Object, pixels: int) -> tuple[str, bool]:
    old = texture_bake.base_image(original)
    if old is None:
        return phrase("The object had no texture"), True
    if not texture_bake.can_bake():
        _without_maps(obj)
        return phrase("The texture is lost: baking needs the Cycles add-on, which is disabled"), False
    unwrap.unwrap(context, obj)
    try:
        texture_bake.bake(context, original, obj, pixels or max(old.size))
    except texture_bake.BakeFailed as failure:
        return phrase("The texture is lost: {failure}", failure=failure.args[0]), False
    return phrase("The texture is baked anew"), True


def _without_texture(obj: Object) -> tuple[str, bool]:
    _without_maps(obj)
    return phrase("The texture is left out, as chosen"), True


def _without_maps(obj: Object) -> None:
    """Give the object materials of its own where a map beside the colours would lie on UVs that are gone."""
    for slot in obj.material_slots:
        if surface_maps.maps_of(slot.material):
            slot.material = slot.material.copy()
            surface_maps.drop_maps(slot.material)


def _twin(obj: Object) -> Object:
    """A copy of the object with a mesh of its own, in no collection."""
    twin = obj.copy()
    twin.data = obj.data.copy()
    twin.name = f"{obj.name} Original"
    twin.data.name = file_name(twin.name)
    return twin


def _hide(context: Context, original: Object) -> None:
    context.collection.objects.link(original)
    original.hide_render = True
    original.select_set(False)
    original.hide_set(True)


def _forget(twin: Object) -> None:
    mesh = twin.data
    bpy.data.objects.remove(twin)
    bpy.data.meshes.remove(mesh)


def _explained(obj: Object) -> str:
    """Why QuadriFlow made nothing. Blender's own report is in the artist's language, so the mesh is asked."""
    surface = bmesh.new()
    try:
        surface.from_mesh(obj.data)
        whole = all(edge.is_contiguous for edge in surface.edges)  # two faces, turned alike
    finally:
        surface.free()
    if not whole:
        return phrase(
            "The mesh has holes or flipped faces, which QuadriFlow cannot take: mend it, or use Blender's Remesh"
        )
    return phrase("QuadriFlow made no mesh of this object: try another number of faces, or use Blender's Remesh")
