"""Finds an artist's object again, after it was renamed, edited, or its file was closed and opened."""

from __future__ import annotations

import hashlib
from array import array
from typing import Any

import bpy
from bpy.types import Mesh, Object


def told(obj: Object) -> dict[str, Any]:
    """What is noted about an object, as plain JSON.

    The uid is Blender's own for this session, since 4.2. It stays when the object is renamed, and through undo.
    """
    return {
        "name": obj.name,
        "uid": getattr(obj, "session_uid", 0),
        "faces": faces_mark(obj.data),
        "matrix": [value for row in obj.matrix_world for value in row],
    }


def find(noted: dict[str, Any], *, same_session: bool) -> Object | None:
    """The object that was noted, None where it is gone.

    same_session: bool, whether the file has been open since; else the uid means nothing, and the name counts.
    """
    uid, name = noted.get("uid"), noted.get("name")
    named = bpy.data.objects.get(name) if isinstance(name, str) else None
    if same_session and isinstance(uid, int) and uid:
        if named is not None and named.session_uid == uid:
            return named if named.type == "MESH" else None
        return next((obj for obj in bpy.data.objects if obj.session_uid == uid and obj.type == "MESH"), None)
    found = next((obj for obj in bpy.data.objects if obj.name == name and obj.library is None), None)
    return found if found is not None and found.type == "MESH" else None


def faces_mark(mesh: Mesh) -> str:
    """A short text that tells one mesh's faces and corners from another's; it does not depend on places."""
    mark = hashlib.sha256()
    for values in _faces(mesh):
        mark.update(values.tobytes())
    return mark.hexdigest()[:32]


def same_corners(mesh: Mesh, other: Mesh) -> bool:
    """Whether two meshes have the same faces, with the same corners in the same order."""
    sizes = [(len(each.vertices), len(each.loops), len(each.polygons)) for each in (mesh, other)]
    return sizes[0] == sizes[1] and _faces(mesh) == _faces(other)


def _faces(mesh: Mesh) -> tuple[array[int], array[int]]:
    """The vertex of every corner, and the first corner of every face."""
    vertices = array("i", bytes(4 * len(mesh.loops)))
    starts = array("i", bytes(4 * len(mesh.polygons)))
    mesh.loops.foreach_get("vertex_index", vertices)
    mesh.polygons.foreach_get("loop_start", starts)
    return vertices, starts
