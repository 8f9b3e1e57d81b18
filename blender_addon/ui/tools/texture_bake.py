"""Transfers the colours and the normal map of one object to another of the same shape, by Cycles, for its own UVs.

The bake happens in a scene of its own, so that the artist's render settings, selection and view stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import bpy
from bpy.types import Context, Image, Material, Object, Scene

from ...core.file_name import file_name
from ...core.phrase import phrase
from ..scene import material, surface_maps

_REACH = 0.03  # how far apart the two surfaces may be, of the longest side


class BakeFailed(Exception):
    """The colours could not be transferred. The text says why."""


def can_bake() -> bool:
    """Whether this Blender has Cycles and the add-on Cycles is enabled."""
    return "cycles" in bpy.context.preferences.addons


def base_image(obj: Object) -> Image | None:
    """The image that is the base colour of the object, or None."""
    for slot in obj.material_slots:
        tree = slot.material.node_tree if slot.material is not None else None
        others = surface_maps.maps_of(slot.material)
        for node in tree.nodes if tree is not None else ():
            if (
                node.type == "TEX_IMAGE"
                and node.image is not None
                and node.outputs["Color"].links
                and node not in others
            ):
                return node.image
    return None


def bake(context: Context, source: Object, target: Object, pixels: int) -> Image:
    """A new, packed image for the target's UVs, with the base colours of the source; and a normal map if that has one.

    source: Object with the colours.
    target: Object with the UVs; it gets a material like the source's, with the new images.
    pixels: int, a side of the image.
    Raises BakeFailed.

    The two meshes must lie at the same place in their own coordinates. The objects' places, visibility and modifiers do
    not matter.
    """
    made, image = _material_for(source, target.name, pixels)
    has_bumps = surface_maps.normal_picture(made) is not None
    surface_maps.drop_maps(made)
    bumps = surface_maps.blank(file_name(f"{target.name} normals"), pixels) if has_bumps else None
    target.data.materials.clear()
    target.data.materials.append(made)
    with _studio(source, target) as (scene, high, low):
        both, reach = [low, high], _REACH * max(low.dimensions)
        common = {
            "use_selected_to_active": True,
            "use_clear": False,  # what no ray reaches keeps the mean colour
            "cage_extrusion": reach,
            "max_ray_distance": 2.0 * reach,
            "margin": max(2, pixels // 128),
        }
        with context.temp_override(
            scene=scene,
            view_layer=scene.view_layers[0],
            object=low,
            active_object=low,
            selected_objects=both,
            selected_editable_objects=both,
        ):
            try:
                bpy.ops.object.bake(type="DIFFUSE", pass_filter={"COLOR"}, **common)
                if bumps is not None:
                    with _active_picture(made, bumps):
                        bpy.ops.object.bake(type="NORMAL", normal_space="TANGENT", **common)
            except RuntimeError as error:  # how an operator's error report arrives in Python
                raise BakeFailed(str(error).strip()) from error
    for each in (image, bumps):
        if each is not None:
            each.pack()
            material.pack(each, bytes(each.packed_file.data))
    if bumps is not None:
        surface_maps.add_normal_map(made, bumps, target.data.uv_layers.active.name)
    return image


@contextmanager
def _active_picture(made: Material, image: Image) -> Iterator[None]:
    """A node with the image, which Cycles bakes into. It is taken away again."""
    nodes = made.node_tree.nodes
    active, picture = nodes.active, nodes.new("ShaderNodeTexImage")
    picture.image = image
    nodes.active = picture
    try:
        yield
    finally:
        nodes.remove(picture)
        nodes.active = active


def _material_for(source: Object, name: str, pixels: int) -> tuple[Material, Image]:
    """A copy of the source's material, with a new image that has the mean colour until it is baked."""
    old = base_image(source)
    slot = next((slot.material for slot in source.material_slots if slot.material is not None), None)
    if old is None or slot is None:
        raise BakeFailed(phrase("The object has no material with an image"))
    made = slot.copy()
    made.name = file_name(name)
    image = bpy.data.images.new(file_name(name), pixels, pixels)
    material.set_colour_space(image)
    image.generated_color = (*(material.encoded(value) for value in material.mean_colour(old)), 1.0)
    material.connect_image(made, image)
    return made, image


@contextmanager
def _studio(source: Object, target: Object) -> Iterator[tuple[Scene, Object, Object]]:
    """A scene with stand-ins for the two objects, rendered by Cycles. It is removed afterwards."""
    scene = bpy.data.scenes.new("DreamFusion Bake")
    stand_ins = [bpy.data.objects.new("DreamFusion Bake", obj.data) for obj in (source, target)]
    try:
        scene.render.engine = "CYCLES"
        scene.cycles.samples = 1  # a colour has no noise
        scene.cycles.use_denoising = False  # not needed, and the result is black without the denoiser's library
        layer = scene.view_layers[0]
        for obj, stand_in in zip((source, target), stand_ins, strict=True):
            scene.collection.objects.link(stand_in)
            for slot, stand_in_slot in zip(obj.material_slots, stand_in.material_slots, strict=True):
                stand_in_slot.link = slot.link
                stand_in_slot.material = slot.material
        layer.update()
        for stand_in in stand_ins:
            stand_in.select_set(True, view_layer=layer)
        layer.objects.active = stand_ins[1]
        yield scene, stand_ins[0], stand_ins[1]
    finally:
        for stand_in in stand_ins:
            bpy.data.objects.remove(stand_in)
        bpy.data.scenes.remove(scene)
