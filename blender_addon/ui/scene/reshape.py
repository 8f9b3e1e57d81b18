"""Moves vertices of an artist's mesh to where the engine put them: those of the faces that were to change.

The engine sees what the artist sees, and what is written is the base mesh. So both must be the same shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bpy.types import Mesh, Object

from ...core.engine.painted_glb import DamagedMesh, PaintedFile
from ...core.engine.payload import are_near
from ...core.job import EngineTrouble
from ...core.phrase import phrase
from . import mesh_identity, refine_source
from .texture.paintable import refused

CHANGED = phrase(
    "its shape has changed meanwhile, so the new one does not fit. Undo to the shape of then, or select the part and "
    "press Change Part anew"
)
SHAPE = "shape"  # of what is noted about an object: the mark of its mesh, where its vertices are to move


def refuse(obj: Object, mesh: Mesh) -> None:
    """Refuse an object whose vertices could not be written back.

    obj: Object in Object Mode.
    mesh: Mesh, evaluated: what is seen.
    Raises EngineTrouble.
    """
    if obj.data.shape_keys is not None:
        raise _refused(
            obj,
            phrase("It has shape keys, and each of them has places of its own for the vertices."),
            phrase(
                "Apply them (Object Data > Shape Keys, its menu: Apply All Shape Keys), or change the texture alone."
            ),
        )
    if any(modifier.type == "MULTIRES" for modifier in obj.modifiers):
        raise _refused(
            obj,
            phrase("It has a Multiresolution modifier, whose details lie on the faces as they are."),
            phrase("Apply it, or change the texture alone."),
        )
    if not mesh_identity.same_corners(obj.data, mesh):
        raise _refused(
            obj,
            phrase("A modifier makes other faces than the mesh's own, and only those can be written."),
            phrase("Apply {what}, or turn it off in the viewport. Or change the texture alone.", what=_named(obj)),
        )
    if _places(obj.data).tobytes() != _places(mesh).tobytes():
        raise _refused(
            obj,
            phrase("A modifier or a pose moves its vertices, so those of the mesh are elsewhere than what you see."),
            phrase("Apply {what}, or turn it off in the viewport. Or change the texture alone.", what=_named(obj)),
        )


def mark(mesh: Mesh) -> str:
    """What is noted of a mesh whose vertices are to move: whether it is still the same is asked when they do."""
    return refine_source.shape_mark(mesh)


def moved_places(
    obj: Object, noted: dict[str, Any], source: PaintedFile, result: PaintedFile, parts: Sequence[int]
) -> Any:
    """Where the vertices of an object's mesh are now, float32[3 V], in its own space; others stay bit for bit.

    noted: what was noted about the object.
    source, result: what was sent and what came back.
    parts: numbers of the object's parts in both.
    Raises DamagedMesh.
    """
    import numpy as np

    matrix = np.array(noted["matrix"], np.float64).reshape(4, 4)
    places = _places(obj.data)
    world = places.astype(np.float64) @ matrix[:3, :3].T + matrix[:3, 3]
    sent = np.stack([world[:, 0], world[:, 2], -world[:, 1]], axis=1).astype("<f4") + np.float32(0.0)  # no -0
    before: list[Any] = []
    after: list[Any] = []
    for number in parts:
        for file, found in ((source, before), (result, after)):
            values = file.positions(number)
            if not are_near(values):
                raise DamagedMesh("Some of its positions are no numbers, or far away.")
            found.append(np.array(values, np.float32).reshape(-1, 3) + np.float32(0.0))
        if before[-1].shape != after[-1].shape:
            raise DamagedMesh(f"Its part {number + 1} has other triangles than were sent.")
    old, new = np.concatenate(before), np.concatenate(after)
    changed = (old != new).any(axis=1)
    old, new = np.ascontiguousarray(old[changed]), new[changed]
    where = dict(zip(_keys(old), range(len(old)), strict=True))
    vertices, moves = [], []
    for vertex, key in enumerate(_keys(sent)):
        if key in where:
            vertices.append(vertex)
            moves.append(new[where[key]].astype(np.float64) - old[where[key]])
    if len({*where} - {*_keys(np.ascontiguousarray(sent[vertices]))}):
        raise DamagedMesh("It moves vertices that the mesh does not have.")
    if vertices:
        step = np.array(moves)[:, [0, 2, 1]] * (1.0, -1.0, 1.0)  # to Blender's axes
        places[vertices] += np.linalg.solve(matrix[:3, :3], step.T).T.astype(np.float32)
    return places.reshape(-1)


def move(mesh: Mesh, places: Any) -> None:
    """Put the vertices of a mesh where they belong.

    places: float32[3 V].
    """
    mesh.vertices.foreach_set("co", places)
    mesh.update()


def _places(mesh: Mesh) -> Any:
    """The vertices of a mesh, float32[V, 3]."""
    import numpy as np

    values = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", values)
    return values.reshape(-1, 3)


def _keys(rows: Any) -> list[bytes]:
    """The bytes of each row of float32[N, 3]."""
    content = rows.tobytes()
    return [content[12 * number : 12 * number + 12] for number in range(len(rows))]


def _named(obj: Object) -> str:
    names = [f"'{modifier.name}'" for modifier in obj.modifiers if modifier.show_viewport]
    return phrase("the modifier {names}", names=", ".join(names[:3])) if names else phrase("what moves it")


def _refused(obj: Object, why: str, fix: str) -> EngineTrouble:
    return refused("part_shape", phrase("The shape of '{name}' cannot be changed.", name=obj.name), why, fix)
