"""The object that grows in the scene while a job runs: the current coarse mesh with vertex colours.

It belongs to the add-on, not to the artist. It cannot be clicked, does not render, is not saved with the file, and goes
when the job ends. Undo and opening a file invalidate every reference to a bpy object, so it is found again each time by
a custom property. If the artist deletes it, it stays away for the rest of the job.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import compress
from typing import Any

import bpy
from bpy.app.handlers import persistent
from bpy.types import Context, Material, Mesh, Object, Scene
from mathutils import Matrix, Vector

from ...core.engine import glb
from ...core.engine.payload import MOST_SHOWN, are_near
from . import material, mesh_data, moment, placement
from .placement import Placement

JOB = "dreamfusion_preview"  # custom property of the object, the job's id, and of its material
_NAME = "DreamFusion Preview"
_COLOURS = "Color"
_LINEAR = [material.linear(value / 255.0) for value in range(256)]


@dataclass(frozen=True)
class _Shape:
    """A checked coarse mesh, in the forms that Blender takes.

    colours: float[4 V], linear RGBA.
    mean: mean of the colours, linear RGB.
    low, high: corners of its box.
    """

    positions: array[float]
    triangles: array[int]
    colours: array[float]
    mean: tuple[float, float, float]
    low: Vector
    high: Vector


@dataclass
class _Shown:
    """The preview of one job.

    name: str, the object's name; '' while there should be no object.
    """

    where: Placement
    shape: _Shape
    name: str = ""
    in_front: bool = False  # it grows inside a blockout, which is seen
    waiting: bool = True  # the shape is not in the scene yet
    dismissed: bool = False  # the artist has deleted the object


_jobs: dict[str, _Shown] = {}
_untidy = False  # a removal has to wait for a later tick


def show(
    job_id: str, data: bytes, vertices: int, triangles: int, where: Mapping[str, Any], *, in_front: bool = False
) -> bool:
    """Take the mesh of a `mesh_preview` message, which the next `tick` brings into the scene.

    data: float32[vertices, 3], int32[triangles, 3], uint8[vertices, 3], one after the other.
    vertices, triangles: int, their numbers.
    where: the job's placement.
    in_front: bool, whether it is drawn over all else. The artist's objects cannot be hidden meanwhile: that would be in
        undo steps, and in what Blender saves by itself before a crash.
    Returns False if the mesh is damaged, or the artist has deleted the preview.

    Checking the data and making the mesh are two steps, because both together can be too long for one tick.
    """
    shown = _jobs.get(job_id)
    if shown is not None and shown.dismissed:
        return False
    shape = _shape(data, vertices, triangles)
    if shape is None:
        return False
    if shown is None:
        _jobs[job_id] = _Shown(Placement.from_json(where), shape, in_front=in_front)
    else:
        shown.shape, shown.in_front, shown.waiting = shape, in_front, True
    return True


def tick(context: Context) -> bool:
    """Bring one waiting mesh into the scene. Returns whether it did.

    A mesh is not shown if the artist has deleted its object or edits it. During a render or a stroke all meshes wait.
    """
    if _untidy:
        tidy()
    job_id = next((name for name, shown in _jobs.items() if shown.waiting), None)
    if job_id is None or not moment.settled(context):
        return False
    shown = _jobs[job_id]
    obj = _find(job_id, shown.name)
    shown.waiting = False
    if obj is None and shown.name:
        shown.dismissed = True
        return False
    if obj is not None and obj.mode != "OBJECT":
        return False
    shape = shown.shape
    mesh = mesh_data.build(_NAME, shape.positions, shape.triangles)
    attribute = mesh.color_attributes.new(name=_COLOURS, type="FLOAT_COLOR", domain="POINT")
    attribute.data.foreach_set("color", shape.colours)
    mesh.materials.append(_material_of(obj, shape.mean))
    if obj is None:
        obj = _new_object(shown.where.home(context), mesh, job_id)
    else:
        old = obj.data
        obj.data = mesh
        _drop_mesh(old)
    obj.show_in_front = shown.in_front
    obj.matrix_world = _matrix(context, shown.where, shape)
    shown.name = obj.name
    return True


def waiting() -> bool:
    """Whether `tick` has something to do."""
    return _untidy or any(shown.waiting for shown in _jobs.values())


def remove(job_id: str) -> None:
    """Remove the preview of a job that is over. During a render or a stroke a later `tick` does it."""
    _jobs.pop(job_id, None)
    tidy()


def remove_all() -> None:
    """Remove every preview at once, even of a job that runs."""
    _jobs.clear()
    _remove(obj for obj in bpy.data.objects if JOB in obj)


def tidy() -> None:
    """Remove previews of jobs that are over, which undo can bring back."""
    global _untidy
    _untidy = not moment.settled(bpy.context)
    if not _untidy:
        _remove(obj for obj in bpy.data.objects if JOB in obj and obj[JOB] not in _jobs)


def register() -> None:
    """Watch saving, opening, undo and redo."""
    for handlers, handler in _HANDLERS:
        getattr(bpy.app.handlers, handlers).append(handler)


def unregister() -> None:
    """Stop watching, and remove every preview."""
    for name, handler in reversed(_HANDLERS):
        handlers = getattr(bpy.app.handlers, name)
        if handler in handlers:  # another add-on may have emptied the list
            handlers.remove(handler)
    remove_all()


def _shape(data: bytes, vertices: int, triangles: int) -> _Shape | None:
    """The mesh of a message; None if it cannot be shown."""
    if (
        not 3 <= vertices <= MOST_SHOWN
        or not 1 <= triangles <= MOST_SHOWN
        or len(data) != 15 * vertices + 12 * triangles
    ):
        return None
    view = memoryview(data)
    positions, corners, unsigned = array("f"), array("i"), array("I")
    positions.frombytes(view[: 12 * vertices])
    corners.frombytes(view[12 * vertices : 12 * (vertices + triangles)])
    unsigned.frombytes(view[12 * vertices : 12 * (vertices + triangles)])
    if max(unsigned) >= vertices or not are_near(positions):
        return None
    kept = glb.proper(corners)
    if kept is not None:
        corners = array("i", compress(corners, kept))
        if not corners:
            return None
    encoded = data[12 * (vertices + triangles) :]
    colours, mean = array("f", [1.0]) * (4 * vertices), []
    for channel in range(3):
        values = array("f", map(_LINEAR.__getitem__, encoded[channel::3]))
        colours[channel::4] = values
        mean.append(sum(values) / vertices)
    low, high = glb.bounds(positions)
    return _Shape(positions, corners, colours, (mean[0], mean[1], mean[2]), Vector(low), Vector(high))


def _material_of(obj: Object | None, mean: tuple[float, float, float]) -> Material:
    """The material of the preview, with the mean colour for Solid view, which shows no vertex colours by default."""
    found = obj.data.materials[0] if obj is not None and len(obj.data.materials) else None
    if found is None:
        found = material.vertex_coloured(_NAME, _COLOURS)
        found[JOB] = ""
    found.diffuse_color = (*mean, 1.0)
    return found


def _new_object(scene: Scene, mesh: Mesh, job_id: str) -> Object:
    obj = bpy.data.objects.new(_NAME, mesh)
    obj[JOB] = job_id
    obj.hide_select = True
    obj.hide_render = True
    scene.collection.objects.link(obj)  # the only collection that cannot be hidden
    return obj


def _matrix(context: Context, place: Placement, shape: _Shape) -> Matrix:
    """The place of the finished object, if it had this shape."""
    if place.is_own:
        return Matrix.Translation(place.base(context))
    stand = placement.standing(shape.low, shape.high)
    placeholder = place.target()
    if placeholder is not None:
        return placeholder.matrix_world @ placement.fit(placeholder, shape.low, shape.high).inside() @ stand
    size = Matrix.Scale(placement.scale_to(place.size, shape.low, shape.high), 4)
    return Matrix.Translation(place.base(context)) @ size @ stand


def _find(job_id: str, name: str) -> Object | None:
    """The preview object of a job, by its last name. After a rename or an undo its property finds it."""
    named = bpy.data.objects.get(name) if name else None
    if named is not None and named.get(JOB) == job_id:
        return named
    return next((obj for obj in bpy.data.objects if obj.get(JOB) == job_id), None)


def _remove(objects: Iterable[Object]) -> None:
    for obj in list(objects):
        if obj.mode != "OBJECT":  # the artist edits it, so it becomes the artist's
            del obj[JOB]
            obj.hide_select = obj.hide_render = obj.show_in_front = False
            continue
        mesh = obj.data
        bpy.data.objects.remove(obj)
        _drop_mesh(mesh)


def _drop_mesh(mesh: Mesh | None) -> None:
    """Remove a preview's mesh and its material, unless the artist uses them."""
    if not isinstance(mesh, Mesh) or mesh.users:
        return
    used = [found for found in mesh.materials if found is not None and JOB in found]
    bpy.data.meshes.remove(mesh)
    for found in used:
        if found.users == 0:
            bpy.data.materials.remove(found)


@persistent
def _before_save(*_: object) -> None:
    _remove(obj for obj in bpy.data.objects if JOB in obj)
    for shown in _jobs.values():
        if shown.name:
            shown.name, shown.waiting = "", True


@persistent
def _after_load(*_: object) -> None:
    """Remove previews from the opened file, which Blender may have saved by itself before a crash."""
    for shown in _jobs.values():
        shown.name, shown.waiting, shown.dismissed = "", False, False
    _remove(obj for obj in bpy.data.objects if JOB in obj)


@persistent
def _after_undo(*_: object) -> None:
    """Show a preview again that undo took away, and remove one that undo brought back after its job."""
    for job_id, shown in _jobs.items():
        found = _find(job_id, shown.name)
        if found is None:
            shown.name, shown.waiting = "", shown.waiting or bool(shown.name)
        else:
            shown.name, shown.dismissed = found.name, False
    tidy()


_HANDLERS = (
    ("save_pre", _before_save),
    ("load_post", _after_load),
    ("undo_post", _after_undo),
    ("redo_post", _after_undo),
)
