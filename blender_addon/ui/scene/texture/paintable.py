"""Which objects can be painted as they are, and why others cannot."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Sequence
from functools import cache

from bpy.types import Context, Depsgraph, Mesh, Object

from ....core.job import EngineTrouble, Trouble
from ....core.phrase import phrase

_CONVERTED = {"CURVE", "SURFACE", "FONT", "META", "CURVES", "POINTCLOUD", "VOLUME", "GREASEPENCIL", "GPENCIL"}

NO_NUMPY = phrase(
    "This Blender has no numpy. Install it (Debian, Ubuntu: python3-numpy), or take Blender from blender.org"
)


def refused(code: str, what: str, why: str, fix: str) -> EngineTrouble:
    """The error for objects that cannot be painted.

    code: str, after 'texture.'.
    what, why, fix: str, as in Trouble.
    """
    return EngineTrouble(Trouble(f"texture.{code}", what, why, fix))


@cache
def has_numpy() -> bool:
    """Whether Blender's Python has numpy. Blender's own builds have; some Linux distributions leave it out."""
    return importlib.util.find_spec("numpy") is not None


def chosen(context: Context) -> list[Object]:
    """The selected mesh objects, by name, so that the same selection gives the same parts."""
    return sorted((obj for obj in context.selected_objects if obj.type == "MESH"), key=lambda obj: str(obj.name))


def left_out(context: Context) -> list[Object]:
    """Selected objects with a surface that are no meshes."""
    return [obj for obj in context.selected_objects if obj.type in _CONVERTED]


def obstacle(context: Context) -> str:
    """Why the selected objects cannot be painted, as far as a glance tells; "" if nothing is in the way. Cheap."""
    if context.mode != "OBJECT":
        return phrase("Go back to Object Mode first")
    if not has_numpy():
        return NO_NUMPY
    objects = chosen(context)
    if not objects:
        others = left_out(context)
        if others:
            return phrase("'{name}' is no mesh. Use Object > Convert > Mesh first", name=others[0].name)
        if any(obj.type == "EMPTY" and obj.instance_type == "COLLECTION" for obj in context.selected_objects):
            return phrase("That is an instance of a collection. Use Object > Apply > Make Instances Real first")
        return phrase("Select one or more mesh objects")
    return next((why for why in map(object_obstacle, objects) if why), "")


def object_obstacle(obj: Object, *, editing: bool = False) -> str:
    """Why an object cannot be painted, as far as a glance tells; "" if nothing is in the way. Cheap.

    editing: bool, whether it may be in Edit Mode.
    """
    if obj.library is not None or obj.data.library is not None:
        return phrase("'{name}' belongs to another file. Use Object > Relations > Make Local first", name=obj.name)
    if obj.override_library is not None or obj.data.override_library is not None:
        return phrase("'{name}' is a library override. Use Object > Relations > Make Local first", name=obj.name)
    if obj.mode != "OBJECT" and not (editing and obj.mode == "EDIT"):
        return phrase("'{name}' is being edited. Go back to Object Mode first", name=obj.name)
    if not len(obj.data.polygons) and not len(obj.modifiers):
        return phrase("'{name}' has no faces", name=obj.name)
    if obj.instance_type in {"VERTS", "FACES"} and len(obj.children):
        return phrase("'{name}' makes instances. Use Object > Apply > Make Instances Real first", name=obj.name)
    return ""


def refuse_instances(depsgraph: Depsgraph, objects: Iterable[Object]) -> None:
    """Refuse objects that show instances, by geometry nodes for example: these are no part of their mesh.

    Raises EngineTrouble.
    """
    name = instancer(depsgraph, objects)
    if name:
        raise refused(
            "instances",
            phrase("'{name}' shows instances.", name=name),
            phrase("They are no faces of its own, so a texture of its own cannot lie on them."),
            phrase("Use Object > Apply > Make Instances Real, or add a Realize Instances node."),
        )


def instancer(depsgraph: Depsgraph, objects: Iterable[Object]) -> str:
    """The name of one of the objects that shows instances, other than particles, which stand on a surface; "": none."""
    names = {obj.name for obj in objects}
    for instance in depsgraph.object_instances:
        parent = instance.parent if instance.is_instance and instance.particle_system is None else None
        if parent is not None and parent.original.name in names:
            return str(parent.original.name)
    return ""


def refuse_foreign_materials(obj: Object, mesh: Mesh, used: Sequence[int]) -> None:
    """Refuse a mesh whose modifiers give it materials that are not in the object's slots.

    mesh: as it is seen.
    used: numbers of the materials that its faces have.
    Raises EngineTrouble.
    """
    slots, own = obj.material_slots, obj.data.materials
    for number in used:
        seen = mesh.materials[number] if number < len(mesh.materials) else None
        if seen is None:
            continue
        known = [slots[number].material if number < len(slots) else None, own[number] if number < len(own) else None]
        if seen.original not in known:
            raise refused(
                "materials",
                phrase("'{name}' gets the material '{material}' from a modifier.", name=obj.name, material=seen.name),
                phrase("The new texture is put into the object's own materials, and this is none of them."),
                phrase("Apply the modifier, or give the object the material in its own slots."),
            )
