"""The texture that grows on an artist's objects while a job paints them: a thin skin over each, with the new colours.

The artist's objects are not touched: no material, no image, no property. The skin belongs to the add-on. It cannot be
clicked, does not render, is not saved with the file, follows its object, and goes when the job ends. As with the
growing object, undo and opening a file invalidate every reference, so it is found again by a custom property.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import bpy
from bpy.app.handlers import persistent
from bpy.types import Context, Image, Material, Mesh, Object
from mathutils import Matrix

from .. import material, mesh_data, mesh_identity, moment
from .skin import Skin

JOB = "dreamfusion_texture_preview"  # custom property of the skin, its materials and images: the job's id
NUMBER = "dreamfusion_texture_object"  # custom property of the skin: which of the job's objects it covers
_NAME = "DreamFusion Texture Preview"
_MATT = 0.9


@dataclass
class _Shown:
    """The preview of one job.

    about: `Surfaces.about`.
    skins: by the number of their object; None while they are being made.
    pictures: the newest PNG of each part.
    fresh: parts whose picture is not shown yet.
    names: names of the skins in the scene, by the number of their object.
    dismissed: numbers of objects whose skin the artist has deleted.
    """

    about: Mapping[str, Any]
    same_session: bool
    skins: dict[int, Skin] | None = None
    pictures: dict[int, bytes] = field(default_factory=dict)
    fresh: set[int] = field(default_factory=set)
    names: dict[int, str] = field(default_factory=dict)
    dismissed: set[int] = field(default_factory=set)


_jobs: dict[str, _Shown] = {}
_untidy = False  # a removal has to wait for a later tick


def show(job_id: str, about: Mapping[str, Any], part: int, png: bytes, *, same_session: bool) -> None:
    """Take the picture of a part, which a later `tick` brings into the scene.

    about: `Surfaces.about` of the job.
    png: bytes, checked by the core.
    same_session: bool, whether the file has been open since the objects were read.
    """
    shown = _jobs.setdefault(job_id, _Shown(about, same_session))
    shown.same_session = same_session
    if 0 <= part < len(about["parts"]):
        shown.pictures[part] = png
        shown.fresh.add(part)


def without_skins() -> list[str]:
    """Ids of the jobs whose skins have not been given yet."""
    return [name for name, shown in _jobs.items() if shown.skins is None]


def give_skins(job_id: str, skins: Iterable[Skin]) -> None:
    """Give the skins of a job that is shown; none where the pictures in the panel have to do."""
    if job_id in _jobs:
        _jobs[job_id].skins = {skin.number: skin for skin in skins}


def tick(context: Context) -> bool:
    """Let the skins follow their objects, and bring one skin or picture into the scene. Returns whether it did."""
    if _untidy:
        tidy()
    if not _jobs or not moment.settled(context):
        return False
    for job_id, shown in _jobs.items():
        for number, name in list(shown.names.items()):
            if (obj := _find(job_id, number, name)) is None:
                del shown.names[number]
                shown.dismissed.add(number)
            else:
                _follow(context, obj, shown, number)
    return any(_next(context, job_id, shown) for job_id, shown in _jobs.items() if shown.fresh and shown.skins)


def waiting() -> bool:
    """Whether `tick` has something to bring into the scene."""
    return _untidy or any(shown.fresh and shown.skins for shown in _jobs.values())


def remove(job_id: str) -> None:
    """Remove the preview of a job that is over. During a render or a stroke a later `tick` does it."""
    _jobs.pop(job_id, None)
    tidy()


def remove_all() -> None:
    """Remove every preview at once, even of a job that runs."""
    _jobs.clear()
    _remove(lambda _job: True)


def tidy() -> None:
    """Remove previews of jobs that are over, which undo can bring back."""
    global _untidy
    _untidy = not moment.settled(bpy.context)
    if not _untidy:
        _remove(lambda job: job not in _jobs)


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


def _next(context: Context, job_id: str, shown: _Shown) -> bool:
    """Bring a picture into the scene; its skin first, if there is none yet."""
    part = min(shown.fresh)
    number = shown.about["parts"][part]["object"]
    skin = (shown.skins or {}).get(number)
    source = mesh_identity.find(shown.about["objects"][number], same_session=shown.same_session)
    if skin is None or number in shown.dismissed or source is None or not source.users_scene:
        shown.fresh.discard(part)
        return False
    obj = _find(job_id, number, shown.names.get(number, ""))
    if obj is None:
        obj = _new(job_id, skin, source)
        shown.names[number] = obj.name
        shown.fresh.update(set(skin.parts) & set(shown.pictures))
        _follow(context, obj, shown, number)
        return True
    shown.fresh.discard(part)
    if obj.mode == "OBJECT" and part in skin.parts:
        _paint(obj.data.materials[skin.parts.index(part)], job_id, shown.pictures[part])
    return True


def _new(job_id: str, skin: Skin, source: Object) -> Object:
    mesh = mesh_data.build(_NAME, skin.positions, skin.triangles)
    mesh_data.set_uvs(mesh, skin.uvs)
    for _ in skin.parts:
        made = material.textured(_NAME, b"", _MATT)
        made[JOB] = job_id
        mesh.materials.append(made)
    mesh.polygons.foreach_set("material_index", skin.slots)
    obj = bpy.data.objects.new(_NAME, mesh)
    obj[JOB], obj[NUMBER] = job_id, skin.number
    obj.hide_select = True
    obj.hide_render = True
    source.users_scene[0].collection.objects.link(obj)  # the only collection that cannot be hidden
    return obj


def _paint(made: Material, job_id: str, png: bytes) -> None:
    """Replace the picture of a skin's material. A packed image is never one that Blender asks to be saved."""
    image = bpy.data.images.new(_NAME, 8, 8)
    image[JOB] = job_id
    image.pack(data=png, data_len=len(png))
    image.source = "FILE"
    material.set_colour_space(image)
    node = next((node for node in made.node_tree.nodes if node.type == "TEX_IMAGE"), None)
    if node is None:
        material.add_image(made, image, "", repeats=True)
    else:
        old, node.image = node.image, image
        _drop_image(old)
    made.diffuse_color = (*material.mean_colour(image), 1.0)


def _follow(context: Context, obj: Object, shown: _Shown, number: int) -> None:
    """Move, hide and show a skin as its object is. While that is being edited, the skin would cover the work."""
    noted = shown.about["objects"][number]
    source = mesh_identity.find(noted, same_session=shown.same_session)
    hidden = source is None or source.mode != "OBJECT" or not source.visible_get(view_layer=context.view_layer)
    if obj.hide_viewport != hidden:
        obj.hide_viewport = hidden
    if source is None or hidden:
        return
    captured = Matrix([noted["matrix"][4 * row : 4 * row + 4] for row in range(4)])
    if abs(captured.determinant()) > 0.0:
        place = source.matrix_world @ captured.inverted()
        off = (abs(place[i][k] - obj.matrix_world[i][k]) for i in range(4) for k in range(4))
        if max(off) > 1e-6:
            obj.matrix_world = place
    if obj.name not in context.view_layer.objects:
        return
    for window in context.window_manager.windows:
        for area in window.screen.areas if window.scene == context.scene else ():
            space = area.spaces.active
            if area.type == "VIEW_3D" and space.local_view is not None:
                inside = source.local_view_get(space)
                if obj.local_view_get(space) != inside:
                    obj.local_view_set(space, inside)


def _find(job_id: str, number: int, name: str) -> Object | None:
    """The skin of an object, by its last name. After a rename or an undo its properties find it."""
    named = bpy.data.objects.get(name) if name else None
    if named is not None and (named.get(JOB), named.get(NUMBER)) == (job_id, number):
        return named
    return next((obj for obj in bpy.data.objects if (obj.get(JOB), obj.get(NUMBER)) == (job_id, number)), None)


def _remove(goes: Any) -> None:
    """Remove the skins, with their materials and images, of the jobs for which `goes(job_id)` holds."""
    for obj in [obj for obj in bpy.data.objects if JOB in obj and goes(obj[JOB])]:
        if obj.mode != "OBJECT":  # the artist edits it, so it becomes the artist's
            del obj[JOB]
            obj.hide_select = obj.hide_render = False
            continue
        mesh = obj.data
        bpy.data.objects.remove(obj)
        if isinstance(mesh, Mesh) and not mesh.users:
            bpy.data.meshes.remove(mesh)
    for made in [made for made in bpy.data.materials if JOB in made and goes(made[JOB]) and not made.users]:
        bpy.data.materials.remove(made)
    for image in [image for image in bpy.data.images if JOB in image and goes(image[JOB])]:
        _drop_image(image)


def _drop_image(image: Image | None) -> None:
    if image is not None and JOB in image and not image.users:
        bpy.data.images.remove(image)


@persistent
def _before_save(*_: object) -> None:
    _remove(lambda _job: True)
    for shown in _jobs.values():
        _again(shown)


@persistent
def _after_load(*_: object) -> None:
    """Remove skins from the opened file, which Blender may have saved by itself before a crash."""
    _jobs.clear()  # the job's next pictures begin anew, if it belongs to this file
    _remove(lambda _job: True)


@persistent
def _after_undo(*_: object) -> None:
    """Show a skin again that undo took away, and remove one that undo brought back after its job."""
    for job_id, shown in _jobs.items():
        for number, name in list(shown.names.items()):
            found = _find(job_id, number, name)
            if found is None:
                _again(shown)
                break
            shown.names[number] = found.name
    tidy()


def _again(shown: _Shown) -> None:
    """Let the next ticks make a job's skins and pictures anew."""
    shown.names.clear()
    shown.fresh.update(shown.pictures)


_HANDLERS = (
    ("save_pre", _before_save),
    ("load_post", _after_load),
    ("undo_post", _after_undo),
    ("redo_post", _after_undo),
)
