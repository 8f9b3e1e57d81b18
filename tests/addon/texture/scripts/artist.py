"""For scripts inside Blender: an artist's objects, everything about them that must stay, and a painted result."""

from __future__ import annotations

import hashlib
import math
import sys
from array import array
from pathlib import Path
from typing import Any

import addon
import bpy
import numpy_here

sys.path.insert(0, str(addon.ROOT / "tests"))
from fakes.painted_glb import painted
from fakes.shapes import plain_png

HAS_NUMPY = numpy_here.find()
RECIPE = addon.part("core.job").Recipe("a rusty bucket", seed=3)


def cube(name: str = "Cube", where: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Any:
    """A cube with UVs, a material with an image, a vertex group and a shape key."""
    bpy.ops.mesh.primitive_cube_add(location=where)
    obj = bpy.context.object
    obj.name = obj.data.name = name
    obj.data.materials.append(material(name))
    return obj


def grid(name: str = "Grid", cuts: int = 4) -> Any:
    """A flat grid with UVs in [0, 1]."""
    bpy.ops.mesh.primitive_grid_add(x_subdivisions=cuts, y_subdivisions=cuts, size=2.0)
    obj = bpy.context.object
    obj.name = obj.data.name = name
    return obj


def material(name: str) -> Any:
    """A material whose base colour is an image, and whose roughness another one."""
    made = bpy.data.materials.new(name)
    if not made.use_nodes:
        made.use_nodes = True
    nodes, links = made.node_tree.nodes, made.node_tree.links
    surface = next(node for node in nodes if node.type == "BSDF_PRINCIPLED")
    for socket in ("Base Color", "Roughness"):
        picture = nodes.new("ShaderNodeTexImage")
        picture.image = bpy.data.images.new(f"{name} {socket}", 4, 4)
        links.new(picture.outputs["Color"], surface.inputs[socket])
    return made


def select(*objects: Any) -> None:
    """Select these objects and no others."""
    bpy.ops.object.select_all(action="DESELECT")
    for obj in objects:
        obj.select_set(True)
    bpy.context.view_layer.objects.active = objects[0] if objects else None


def everything(obj: Any) -> str:
    """A mark of an object and its mesh, except for what its slots and its material hold. UV layers are apart."""
    mesh = obj.data
    mark = hashlib.sha256()
    for values, kind, count in (
        (mesh.vertices, "co", 3),
        (mesh.loops, "vertex_index", 1),
        (mesh.polygons, "loop_start", 1),
        (mesh.polygons, "material_index", 1),
        (mesh.polygons, "use_smooth", 1),
        (mesh.polygons, "hide", 1),
        (mesh.edges, "vertices", 2),
    ):
        numbers: Any = array("f" if kind == "co" else "i", bytes(4 * count * len(values)))
        values.foreach_get(kind, numbers)
        mark.update(numbers.tobytes())
    keys = mesh.shape_keys.key_blocks if mesh.shape_keys is not None else ()
    for key in keys:
        numbers = array("f", bytes(12 * len(mesh.vertices)))
        key.data.foreach_get("co", numbers)
        mark.update(numbers.tobytes() + repr((key.name, key.value)).encode())
    told = [
        [list(row) for row in obj.matrix_world],
        [(group.name, group.index) for group in obj.vertex_groups],
        [[(each.group, each.weight) for each in vertex.groups] for vertex in mesh.vertices],
        [(each.type, each.name, each.show_viewport, each.show_render) for each in obj.modifiers],
        [(layer.name, layer.active_render) for layer in mesh.uv_layers],
        mesh.uv_layers.active_index,
        [(item.name, item.data_type, item.domain) for item in mesh.color_attributes],
        sorted(obj.keys()),
        sorted(mesh.keys()),
        obj.hide_select,
        obj.hide_render,
        obj.hide_viewport,
    ]
    mark.update(repr(told).encode())
    for layer in mesh.uv_layers:
        mark.update(uvs(mesh, layer.name).tobytes())
    return mark.hexdigest()


def uvs(mesh: Any, name: str) -> Any:
    """The UVs of a layer."""
    return addon.part("ui.scene.unwrap").layer_uvs(mesh, mesh.uv_layers[name])


def nodes(made: Any) -> list[Any]:
    """Every node of a material with its image, and every link: what must stay of it can be looked for in this."""
    tree = made.node_tree
    return [
        sorted((node.name, node.image.name if getattr(node, "image", None) else "") for node in tree.nodes),
        sorted((link.from_node.name, link.to_node.name, link.to_socket.name) for link in tree.links),
    ]


def base_image(made: Any) -> Any:
    """The image that is linked to the base colour of a material."""
    surface = next(node for node in made.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    return surface.inputs["Base Color"].links[0].from_node.image


def read(*objects: Any, new: bool = False) -> Any:
    """Read objects as Texture This does."""
    return addon.part("ui.scene.texture.surfaces").read(bpy.context, list(objects), new_uvs=new)


def refusal(*objects: Any, new: bool = False) -> list[str]:
    """Code, what, why and fix with which objects are refused; [] where they are not."""
    try:
        read(*objects, new=new)
    except addon.part("core.job").EngineTrouble as error:
        trouble = error.trouble
        return [trouble.code, trouble.what, trouble.why, trouble.fix]
    return []


def paint(surfaces: Any, choice: str = "EXISTING", same_session: bool = True, recipe: Any = RECIPE) -> Any:
    """Put a plain texture onto every part of what was read, as a result of the engine does."""
    file = addon.part("core.engine.painted_glb").PaintedFile
    result = file(painted(surfaces.file, lambda part: plain_png(64, part)))
    about = {**surfaces.about, "material": choice}
    return addon.part("ui.scene.texture.repaint").paint(
        bpy.context, result, file(surfaces.file), about, recipe, same_session=same_session
    )


def part_of(image: Any) -> int:
    """The number of the part whose plain texture an image has."""
    pixels = array("f", bytes(16 * image.size[0] * image.size[1]))
    image.pixels.foreach_get(pixels)
    return round(pixels[1] * 255.0 / 20.0)


def armature(obj: Any) -> Any:
    """An armature with one bone that moves the upper half of an object, posed."""
    data = bpy.data.armatures.new("Rig")
    rig = bpy.data.objects.new("Rig", data)
    bpy.context.scene.collection.objects.link(rig)
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    bone = data.edit_bones.new("Top")
    bone.head, bone.tail = (0.0, 0.0, 0.0), (0.0, 0.0, 1.0)
    bpy.ops.object.mode_set(mode="OBJECT")
    group = obj.vertex_groups.new(name="Top")
    group.add([vertex.index for vertex in obj.data.vertices if vertex.co.z > 0.0], 1.0, "ADD")
    moved = obj.modifiers.new("Rig", "ARMATURE")
    moved.object = rig
    rig.pose.bones["Top"].rotation_mode = "XYZ"
    rig.pose.bones["Top"].rotation_euler = (0.0, 0.0, math.radians(30.0))
    bpy.context.view_layer.objects.active = obj
    return rig


def folder() -> Path:
    """The script's own folder for files."""
    return Path(sys.argv[1])
