"""Puts painted textures onto the objects that were read: new images, in their materials or in new ones.

Modifiers, poses and other materials stay as they are, and so do meshes, but for the vertices of a part whose shape
changes. A material that other faces use too is not changed: the slot gets a copy. New UVs come as one more layer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import bpy
from bpy.types import Context, Image, Material, Object

from ....core.engine.painted_glb import DamagedMesh, PaintedFile
from ....core.file_name import file_name, within
from ....core.job import Recipe
from ....core.phrase import phrase
from .. import material, mesh_identity, object_recipe, reshape
from ..insert import name_of, push_undo

LAYER = "DreamFusion"  # name of a layer with new UVs
MOST_LAYERS = 8  # UV layers that Blender allows
_WORDS_BYTES = 40  # of the prompt in an image's name; " base colour" and .001 come behind it
_MATT = 0.9  # roughness of a new material


@dataclass(frozen=True)
class _Slot:
    """A material slot and its new image, which UVs outside of it may repeat.

    same: bool, whether it is the old image but for a part of it.
    """

    number: int
    image: Image
    repeats: bool
    same: bool


@dataclass
class Painted:
    """What became of a painted file.

    objects: names of the objects that have their new texture.
    missing: sentences on those that could not get theirs.
    notes: sentences on what an artist may not expect.
    """

    objects: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def paint(
    context: Context,
    result: PaintedFile,
    source: PaintedFile | None,
    about: Mapping[str, Any],
    made_by: Recipe,
    *,
    same_session: bool,
    verdict: Sequence[str] = (),
) -> Painted:
    """Give the objects their new textures, as one undo step.

    result: PaintedFile, what came back.
    source: PaintedFile, what was sent, for new UVs and a new shape; None where it is gone.
    about: `Surfaces.about`, and "material": 'EXISTING' or 'NEW'.
    made_by: Recipe, for names.
    same_session: bool, whether the file has been open since the objects were read.
    verdict: sentences on the result, for those of the objects that are results themselves.
    Raises DamagedMesh, with nothing changed.
    """
    parts = about["parts"]
    if len(result) != len(parts):
        raise DamagedMesh(f"It has {len(result)} parts instead of {len(parts)}.")
    pictures = [b"" if part.get("stays") else result.picture(number) for number, part in enumerate(parts)]
    done = Painted()
    ready: list[tuple[Object, Mapping[str, Any], Any, list[_Slot], Any]] = []
    for number, noted in enumerate(about["objects"]):
        obj = mesh_identity.find(noted, same_session=same_session)
        uvs = source.kept_uvs(number) if noted["new"] and source is not None else None
        own = [place for place, part in enumerate(parts) if part["object"] == number and not part.get("stays")]
        used = [parts[place]["slot"] for place in own]
        why = _obstacle(obj, noted, used, has_uvs=uvs is not None, has_source=source is not None)
        if obj is None or why:
            done.missing.append(phrase("'{name}': {why}.", name=noted["name"], why=why))
            continue
        moved = _places(obj, noted, source, result, number, parts)
        slots = []
        for slot in sorted({parts[place]["slot"] for place in own}):
            places = [place for place in own if parts[place]["slot"] == slot]
            tiles = {parts[place]["tile"]: pictures[place] for place in places}
            image = _image(made_by.prompt, tiles)  # all images come before the first change
            same = any("stays" in parts[place] for place in places)
            slots.append(_Slot(slot, image, any(parts[place]["repeats"] for place in places), same))
        ready.append((obj, noted, uvs, slots, moved))
    for obj, noted, uvs, slots, moved in ready:
        if moved is not None:
            _reshape(obj, moved, done)
        layer = _layer(obj, noted, uvs)
        for each in slots:
            _paint_slot(obj, each, layer, about.get("material") == "NEW", made_by.prompt, done)
        if object_recipe.is_result(obj):
            object_recipe.write_verdict(obj, verdict)  # what was said of it was about its earlier colours
        done.objects.append(obj.name)
    if done.objects:
        push_undo(context, f"DreamFusion: {image_name(made_by.prompt)}")
    return done


def image_name(prompt: str) -> str:
    """The name of an image: 'Rusty iron base colour'."""
    return f"{within(file_name(name_of(prompt)), _WORDS_BYTES).rstrip()} base colour"


def _obstacle(
    obj: Object | None, noted: Mapping[str, Any], slots: list[int], *, has_uvs: bool, has_source: bool
) -> str:
    """Why an object cannot get its textures; "" where it can."""
    if obj is None or not obj.users_scene:
        return phrase("there is no such object any more")
    if obj.library is not None or obj.data.library is not None:
        return phrase("it belongs to another file now")
    if obj.mode != "OBJECT":
        return phrase("it is being edited")
    count = max(1, len(obj.material_slots))
    if any(slot >= count for slot in slots):
        return phrase("it has fewer material slots than it had")
    if reshape.SHAPE in noted and reshape.mark(obj.data) != noted[reshape.SHAPE]:
        return reshape.CHANGED
    if reshape.SHAPE in noted and not has_source:
        return phrase("the file with its old shape is gone")
    if reshape.SHAPE in noted and obj.data.shape_keys is not None:
        return phrase("it has shape keys now, which hold places of their own")
    if not noted["new"]:
        return (
            ""
            if obj.data.uv_layers.get(noted["layer"])
            else phrase("its UV layer '{layer}' is gone", layer=noted["layer"])
        )
    if mesh_identity.faces_mark(obj.data) != noted["faces"]:
        return phrase("its faces have changed, so its new UVs no longer fit")
    if not has_uvs:
        return phrase("the file with its new UVs is gone")
    return "" if len(obj.data.uv_layers) < MOST_LAYERS else phrase("it has {most} UV layers already", most=MOST_LAYERS)


def _places(
    obj: Object, noted: Mapping[str, Any], source: PaintedFile | None, result: PaintedFile, number: int, parts: Any
) -> Any:
    """Where the vertices of the object's mesh are now; None where its shape was not to change."""
    if reshape.SHAPE not in noted or source is None:
        return None
    own = [place for place, part in enumerate(parts) if part["object"] == number]
    return reshape.moved_places(obj, dict(noted), source, result, own)


def _reshape(obj: Object, places: Any, done: Painted) -> None:
    """Move the vertices of an object's mesh, of a copy of it where others use it too."""
    if _users(obj.data) > 1:
        obj.data = obj.data.copy()
        done.notes.append(
            phrase("'{name}' got a copy of its mesh, because others use it too and keep their shape.", name=obj.name)
        )
    reshape.move(obj.data, places)


def _layer(obj: Object, noted: Mapping[str, Any], uvs: Any) -> str:
    """The name of the UV layer that the image needs to name; '' where renders use it anyway. Makes a new layer."""
    layers = obj.data.uv_layers
    if not noted["new"]:
        layer = layers[noted["layer"]]
        return "" if layer.active_render and len(layers) == 1 else str(layer.name)
    active, rendered = layers.active_index, next((one.name for one in layers if one.active_render), "")
    layer = layers.new(name=LAYER, do_init=False)
    name = str(layer.name)
    if hasattr(layer, "uv"):
        layer.uv.foreach_set("vector", uvs)
    else:
        layer.data.foreach_set("uv", uvs)
    if rendered:
        layers.active_index = active
        layers[rendered].active_render = True
    obj.data.update()
    return name


def _image(prompt: str, tiles: Mapping[int, bytes]) -> Image:
    name = image_name(prompt)
    image = material.packed_image(name, tiles[0]) if 0 in tiles else material.packed_tiles(name, tiles)
    if not all(image.size):
        bpy.data.images.remove(image)
        raise DamagedMesh("One of its textures is damaged.")
    return image


def _paint_slot(obj: Object, slot: _Slot, layer: str, new: bool, prompt: str, done: Painted) -> None:
    if not len(obj.material_slots):
        obj.data.materials.append(None)
    place = obj.material_slots[slot.number]
    old, shared_mesh = place.material, _users(obj.data) > 1
    if new or material.surface_node(old) is None:
        made = material.textured(name_of(prompt), b"", _MATT)
        made.diffuse_color = (*material.mean_colour(slot.image), 1.0)
    elif _is_free(old) and not (shared_mesh and place.link == "DATA"):
        made = old
    else:
        made = old.copy()
        made.name = f"{old.name} {name_of(prompt)}"
        done.notes.append(
            phrase(
                "'{name}' got a copy of the material '{material}', because others use it too.",
                name=obj.name,
                material=old.name,
            )
        )
    if not (slot.same and material.replace_image(made, slot.image)):
        material.add_image(made, slot.image, layer, repeats=slot.repeats)
    if made == old:
        return
    if shared_mesh and place.link == "DATA":  # the mesh's own material would change the others too
        place.link = "OBJECT"
        done.notes.append(
            phrase("Others use the mesh of '{name}' too, so the new material is the object's own.", name=obj.name)
        )
    place.material = made


def _is_free(old: Material) -> bool:
    """Whether a material belongs to one slot alone. What is marked as an asset is for others too."""
    return old.library is None and old.asset_data is None and _users(old) == 1


def _users(block: Material | Any) -> int:
    return int(block.users) - int(block.use_fake_user)
