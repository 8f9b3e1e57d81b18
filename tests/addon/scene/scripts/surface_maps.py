"""Insert a result with a normal map; tell the nodes, write Blender's tangents and what it shades, export, make quads.

Arguments: a GLB; a folder for files.
"""

from __future__ import annotations

import os
import sys
from array import array
from operator import sub
from pathlib import Path
from typing import Any

import addon
import addon_utils
import bpy

module = addon.enable()
job, result, maps = addon.part("core.job"), addon.part("ui.scene.insert"), addon.part("ui.scene.surface_maps")
GLB, folder = Path(sys.argv[1]), Path(sys.argv[2])
said: dict[str, Any] = {"cycles": "cycles" in bpy.context.preferences.addons}


def fresh() -> Any:
    """The only object of an empty scene."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    addon.enable()
    for name in ("io_scene_fbx", "io_scene_gltf2"):
        addon_utils.enable(name)
    return result.insert(bpy.context, GLB, job.Recipe("a bumpy ball"), {"size": 2.0})


def pixels_of(image: Any) -> array[float]:
    values = array("f", bytes(4 * image.size[0] * image.size[1] * image.channels))
    image.pixels.foreach_get(values)
    return values


def has_numpy() -> bool:
    """Blender's glTF add-on needs it, and Debian's Blender lacks it."""
    try:
        import numpy  # noqa: F401
    except ImportError:
        return False
    return True


obj = fresh()
material = obj.material_slots[0].material
principled = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
bumps = principled.inputs["Normal"].links[0].from_node
picture = maps.normal_picture(material)
said |= {
    "node": [bumps.type, bumps.space, bumps.uv_map, round(bumps.inputs["Strength"].default_value, 6)],
    "layers": [layer.name for layer in obj.data.uv_layers],
    "data": picture.image.colorspace_settings.is_data,
    "packed": picture.image.packed_file is not None,
    "path": picture.image.filepath,
    "active": material.node_tree.nodes.active.image != picture.image,
    "smooth": all(polygon.use_smooth for polygon in obj.data.polygons),
}
wanted = pixels_of(picture.image)

obj.data.calc_tangents(uvmap=bumps.uv_map)
tangents = array("f", [value for loop in obj.data.loops for value in (*loop.tangent, loop.bitangent_sign)])
with (folder / "tangents.bin").open("wb") as file:
    tangents.tofile(file)

if said["cycles"]:  # what Cycles shades with, in the object's own axes, as colours
    baked = bpy.data.images.new("baked", 256, 256, is_data=True, float_buffer=True)
    node = material.node_tree.nodes.new("ShaderNodeTexImage")
    node.image = baked
    material.node_tree.nodes.active = node
    bpy.context.scene.render.engine = "CYCLES"
    bpy.context.scene.cycles.samples = 1
    bpy.ops.object.bake(type="NORMAL", normal_space="OBJECT", margin=0)
    with (folder / "shaded.bin").open("wb") as file:
        pixels_of(baked).tofile(file)

FORMATS: dict[str, Any] = {
    "fbx": (
        lambda path: bpy.ops.export_scene.fbx(filepath=path, path_mode="COPY", embed_textures=True),
        lambda path: bpy.ops.import_scene.fbx(filepath=path),
    )
}
if has_numpy():
    FORMATS["glb"] = (
        lambda path: bpy.ops.export_scene.gltf(filepath=path, export_format="GLB", export_tangents=True),
        lambda path: bpy.ops.import_scene.gltf(filepath=path),
    )
shade = next((node.image for node in material.node_tree.nodes if node.label == "Ambient Occlusion"), None)
said["shade"] = shade is not None and [shade.colorspace_settings.is_data, shade.packed_file is not None, *shade.size]
said["formats"] = {}
for name, (write, read) in FORMATS.items():
    obj = fresh()
    write(str(folder / f"out.{name}"))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    for each in ("io_scene_fbx", "io_scene_gltf2"):
        addon_utils.enable(each)
    if name == "glb":
        said["exported"] = b"occlusionTexture" in (folder / "out.glb").read_bytes()
    read(str(folder / f"out.{name}"))
    found = next(obj for obj in bpy.data.objects if obj.type == "MESH")
    node = maps.normal_picture(found.material_slots[0].material)
    image = None if node is None else node.image
    said["formats"][name] = [
        image is not None and image.colorspace_settings.is_data,
        None if image is None else max(map(abs, map(sub, pixels_of(image), wanted))),
    ]

if said["cycles"]:
    obj = fresh()
    bpy.ops.dreamfusion.quads(faces=400)
    node = maps.normal_picture(obj.material_slots[0].material)
    values = pixels_of(node.image)
    labels = [other.label for other in obj.material_slots[0].material.node_tree.nodes]
    said["quads"] = {
        "new": node.image.packed_file is not None and node.image.colorspace_settings.is_data,
        "blue": sum(values[2::4]) / (len(values) // 4),
        "uneven": max(values[0::4]) - min(values[0::4]),
        "no shade": "Ambient Occlusion" not in labels,
        "layer": node.outputs["Color"].links[0].to_node.uv_map == obj.data.uv_layers.active.name,
    }
obj = fresh()
before = maps.normal_picture(obj.material_slots[0].material) is not None
bpy.ops.dreamfusion.quads(faces=400, bake=False, keep_original=False)
said["bare"] = [before, maps.normal_picture(obj.material_slots[0].material) is None]
addon.tell(**said)
sys.stdout.flush()
os._exit(0)  # bpy 4.2 crashes at its end after its glTF importer
