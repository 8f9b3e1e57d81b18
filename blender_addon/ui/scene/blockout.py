"""The meshes from which an object begins, its blockout: which they are, how they are read, what becomes of them.

They are read as they look: modifiers, pose and shape keys included. Nothing is changed. The file has them around the
middle of their floor, so that the result can be put where that was, or anywhere else.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite
from operator import neg
from typing import Any

from bpy.types import Context, Depsgraph, Mesh, Object
from mathutils import Matrix, Vector

from ...core.engine import glb
from ...core.engine.mesh_file import MeshPart, file_size, mesh_file
from ...core.engine.payload import are_near
from ...core.job import EngineTrouble, Trouble
from ...core.phrase import phrase
from . import mesh_identity
from .placement import Placement
from .texture import paintable
from .texture.surfaces import MOST_TRIANGLES

CHOICES = ("NOTHING", "OBJECT", "SELECTED")
ABOUT = "blockout"  # what a job's placement has under this name is {"objects": [...], "hide": bool}
_FILE_LIMIT = (1 << 28) - (1 << 20)  # bytes; the engine takes 256 MiB with the description


@dataclass(frozen=True)
class Blockout:
    """What was read.

    file: bytes, the GLB for the engine.
    base: Vector, the middle of the floor in the world, which is the file's origin.
    size: float, the longest side of the box around it.
    objects: what `mesh_identity.told` says of each.
    """

    file: bytes
    base: Vector
    size: float
    objects: list[dict[str, Any]]

    def placed(self, context: Context, *, hide: bool) -> dict[str, Any]:
        """The placement of an object that begins from it, to be kept with its job.

        hide: bool, whether the blockout is hidden when the object is there.
        """
        place = Placement("BLOCKOUT", self.size, location=tuple(self.base), scene=context.scene.name)
        return {**place.to_json(), ABOUT: {"objects": self.objects, "hide": hide}}


def chosen(context: Context, choice: str, single: Object | None) -> list[Object]:
    """The objects from which the next one begins; none where it begins from nothing, or nothing is chosen.

    choice: str, one of CHOICES.
    single: the object of the choice 'OBJECT'.
    """
    if choice == "SELECTED":
        return paintable.chosen(context)
    return [single] if choice == "OBJECT" and single is not None else []


def obstacle(context: Context, choice: str, single: Object | None) -> str:
    """Why no object can begin as the choice says, as far as a glance tells; "" where one can. Cheap.

    choice, single: as for `chosen`.
    """
    if choice not in CHOICES[1:]:
        return ""
    objects = chosen(context, choice, single)
    if not objects:
        if choice == "OBJECT":
            return phrase("Choose the object to start from in Placement, or set Start From to Nothing")
        others = paintable.left_out(context)
        if others:
            return phrase("'{name}' is no mesh. Use Object > Convert > Mesh first", name=others[0].name)
        return phrase("Select the mesh objects to start from, or set Start From to Nothing in Placement")
    return next((why for why in (_obstacle(context, obj) for obj in objects) if why), "")


def read(context: Context, objects: Sequence[Object]) -> Blockout:
    """Read the meshes.

    objects: as `chosen` gives them, at least one.
    Raises EngineTrouble where they cannot be used as they are.
    """
    for obj in objects:
        why = _obstacle(context, obj)
        if why:
            raise _refused(
                "not_now",
                phrase("The object to start from cannot be read."),
                phrase("{why}.", why=why),
                phrase("Then try again."),
            )
    origin = objects[0].matrix_world.translation.copy()
    if not all(map(isfinite, origin)):
        raise _nowhere(objects[0])
    with _shown(context, objects):
        depsgraph = context.evaluated_depsgraph_get()
        _refuse_instances(depsgraph, objects)
        shapes, left = [], MOST_TRIANGLES
        for obj in objects:
            shapes.append(_shape(obj, depsgraph, origin, left))
            left -= len(shapes[-1][1]) // 3
    boxes = [glb.bounds(positions) for positions, _ in shapes]
    low = Vector([min(box[0][axis] for box in boxes) for axis in range(3)])
    high = Vector([max(box[1][axis] for box in boxes) for axis in range(3)])
    floor = Vector((0.5 * (low.x + high.x), 0.5 * (low.y + high.y), low.z))
    parts = [_part(obj.name, *shape, floor) for obj, shape in zip(objects, shapes, strict=True)]
    if file_size(parts) > _FILE_LIMIT:
        raise _too_many(phrase("Their file would have {size:,} MiB; 255 can be sent.", size=file_size(parts) >> 20))
    noted = [{key: value for key, value in mesh_identity.told(obj).items() if key != "faces"} for obj in objects]
    return Blockout(mesh_file(parts), origin + floor, max(high - low), noted)


def noted(place: Mapping[str, Any], *, same_session: bool) -> list[Object]:
    """The objects that a job began from, as far as they are still there.

    place: the job's placement.
    same_session: as for `mesh_identity.find`.
    """
    about = place.get(ABOUT)
    objects = about.get("objects") if isinstance(about, dict) else None
    found = [
        mesh_identity.find(each, same_session=same_session)
        for each in (objects if isinstance(objects, list) else [])
        if isinstance(each, dict)
    ]
    return [obj for obj in found if obj is not None]


def is_seen(context: Context, place: Mapping[str, Any], *, same_session: bool) -> bool:
    """Whether a job's object grows inside a blockout that the artist sees.

    place, same_session: as for `noted`.
    """
    layer = context.view_layer
    return any(obj.visible_get(view_layer=layer) for obj in noted(place, same_session=same_session))


def to_hide(place: Mapping[str, Any], *, same_session: bool) -> list[Object]:
    """The objects that the finished one takes the place of.

    place, same_session: as for `noted`.
    """
    about = place.get(ABOUT)
    wanted = isinstance(about, dict) and about.get("hide") is True
    return noted(place, same_session=same_session) if wanted else []


def _obstacle(context: Context, obj: Object) -> str:
    if obj.name not in context.view_layer.objects:
        return phrase("'{name}' is not in this view layer: choose another object in Placement", name=obj.name)
    if obj.mode != "OBJECT":
        return phrase("'{name}' is being edited. Go back to Object Mode first", name=obj.name)
    if not len(obj.data.polygons) and not len(obj.modifiers):
        return phrase("'{name}' has no faces", name=obj.name)
    return ""


@contextmanager
def _shown(context: Context, objects: Sequence[Object]) -> Iterator[None]:
    """Objects that the artist has hidden are shown meanwhile, because Blender does not evaluate hidden ones."""
    eyes = [obj for obj in objects if obj.hide_get()]
    screens = [obj for obj in objects if obj.hide_viewport]
    try:
        for obj in eyes:
            obj.hide_set(False)
        for obj in screens:
            obj.hide_viewport = False
        if eyes or screens:
            context.view_layer.update()
        yield
    finally:
        for obj in screens:
            obj.hide_viewport = True
        for obj in eyes:
            obj.hide_set(True)


def _refuse_instances(depsgraph: Depsgraph, objects: Sequence[Object]) -> None:
    name = paintable.instancer(depsgraph, objects)
    if name:
        raise _refused(
            "instances",
            phrase("'{name}' shows instances.", name=name),
            phrase("They are no faces of its own, so nothing would begin as they look."),
            phrase("Use Object > Apply > Make Instances Real, or add a Realize Instances node."),
        )


def _shape(obj: Object, depsgraph: Depsgraph, origin: Vector, most: int) -> tuple[array[float], array[int]]:
    """Places in the world, from `origin` on, 3 numbers a vertex, and 3 vertices a triangle, counter-clockwise."""
    evaluated = obj.evaluated_get(depsgraph)
    mesh: Mesh = evaluated.to_mesh()
    try:
        count = len(mesh.loops) - 2 * len(mesh.polygons)
        if not len(mesh.polygons) or count < 1:
            raise _refused(
                "no_faces",
                phrase("'{name}' has no faces.", name=obj.name),
                phrase("An object begins as what faces enclose, and here are only points or edges."),
                phrase("Give it faces, or choose another object."),
            )
        if count > most:
            raise _too_many(
                phrase("There would be more than the {most:,} triangles that can be sent.", most=MOST_TRIANGLES)
            )
        matrix = Matrix.Translation(-origin) @ evaluated.matrix_world
        mesh.transform(matrix)
        mesh.calc_loop_triangles()
        positions = array("f", bytes(12 * len(mesh.vertices)))
        mesh.vertices.foreach_get("co", positions)
        corners = array("i", bytes(12 * len(mesh.loop_triangles)))
        mesh.loop_triangles.foreach_get("vertices", corners)
    finally:
        evaluated.to_mesh_clear()
    if not isfinite(sum(positions)):
        raise _nowhere(obj)
    if not are_near(positions):
        raise _refused(
            "far",
            phrase("'{name}' is too large.", name=obj.name),
            phrase("Some of it is more than 1,000,000 units from its middle."),
            phrase("Move the objects together, or scale them down."),
        )
    if matrix.determinant() < 0.0:  # it turns the triangles inside out
        corners[1::3], corners[2::3] = corners[2::3], corners[1::3]
    return positions, corners


def _part(name: str, positions: array[float], corners: array[int], floor: Vector) -> MeshPart:
    """(x, y, z) of Blender -> (x, z, -y) of glTF."""
    turned = array("f", positions)
    turned[1::3] = positions[2::3]
    turned[2::3] = array("f", map(neg, positions[1::3]))
    low, high = glb.bounds(turned)
    return MeshPart(
        name=name,
        positions=turned.tobytes(),
        normals=b"",
        uvs=b"",
        low=low,
        high=high,
        indices=corners.tobytes(),
        move=(-floor.x, -floor.z, floor.y),
    )


def _nowhere(obj: Object) -> EngineTrouble:
    return _refused(
        "not_finite",
        phrase("'{name}' has vertices that are nowhere.", name=obj.name),
        phrase("Some of their coordinates are no numbers."),
        phrase("Edit Mode, select all, Mesh > Clean Up > Delete Loose and Merge by Distance; or undo what broke them."),
    )


def _too_many(why: str) -> EngineTrouble:
    fix = phrase("Add a Decimate modifier: what you see is what is read. Or choose a simpler object.")
    return _refused("too_many", phrase("The mesh to start from has too many faces."), why, fix)


def _refused(code: str, what: str, why: str, fix: str) -> EngineTrouble:
    return EngineTrouble(Trouble(f"start.{code}", what, why, fix))
