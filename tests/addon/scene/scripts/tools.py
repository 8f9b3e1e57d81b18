"""Every tool on a fresh result, each with undo."""

import sys
from pathlib import Path
from typing import Any

import addon
import bpy
import scene_probe
from bpy_extras.object_utils import world_to_camera_view

module = addon.enable()
job, recipe, result = addon.part("core.job"), addon.part("ui.scene.object_recipe"), addon.part("ui.scene.insert")
GLB, folder = Path(sys.argv[1]), Path(sys.argv[2])
RECIPE = job.Recipe("a red mug with a blue handle", seed=3, versions={"dreamfusion_engine": "0.2.0"})
said: dict[str, Any] = {}


def fresh() -> Any:
    """The only object of an empty scene."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    addon.enable()
    obj = result.insert(bpy.context, GLB, RECIPE, {"size": 2.0})
    bpy.context.view_layer.update()
    return obj


def image_of(obj: Any) -> Any:
    tree = obj.material_slots[0].material.node_tree
    return next(node.image for node in tree.nodes if node.type == "TEX_IMAGE" and node.outputs[0].links)


def undone(name: str, before: dict[str, int]) -> bool:
    """Undo the last step; whether all is as before."""
    bpy.ops.ed.undo()
    return scene_probe.counts() == before and scene_probe.colour_error(bpy.data.objects[name]) < 0.05


# Nothing to work on, or no time for it: the buttons are grey.
bpy.ops.mesh.primitive_cube_add()
TOOLS = ("quads", "decimate", "mark_asset", "turntable", "copy_recipe")
said["grey"] = [getattr(bpy.ops.dreamfusion, tool).poll() for tool in TOOLS]
obj = fresh()
said["ready"] = [getattr(bpy.ops.dreamfusion, tool).poll() for tool in TOOLS]
bpy.ops.object.mode_set(mode="EDIT")
said["editing"] = [getattr(bpy.ops.dreamfusion, tool).poll() for tool in TOOLS]
bpy.ops.object.mode_set(mode="OBJECT")

# Decimate.
obj = fresh()
before, triangles = scene_probe.counts(), len(obj.data.polygons)
obj.modifiers.new("Mine", "SUBSURF")
bpy.ops.ed.undo_push(message="before")
bpy.ops.dreamfusion.decimate(ratio=0.5)
bpy.ops.ed.undo_push(message="decimate")
said["decimate"] = {
    "share": len(obj.data.polygons) / triangles,
    "open": scene_probe.open_edges(obj.data),
    "name": obj.data.name,
    "colour": scene_probe.colour_error(obj),
    "smooth": all(p.use_smooth for p in obj.data.polygons),
    "same": scene_probe.counts() == before,
    "modifiers": [[m.name, m.show_viewport] for m in obj.modifiers],
    "box": [list(obj.bound_box[0]), list(obj.bound_box[6])],
    "recipe": recipe.is_result(obj),
    "undone": undone("Red mug with a blue handle", before),
}
said["decimate"]["back"] = len(bpy.data.objects["Red mug with a blue handle"].data.polygons) == triangles

# Quads, with and without texture; the scene keeps its engine.
obj = fresh()
before, old, engine = scene_probe.counts(), image_of(obj).name, bpy.context.scene.render.engine
obj.location, obj.scale = (5, 6, 7), (10, 10, 10)  # the artist has made it bigger
bpy.ops.ed.undo_push(message="before")
bpy.ops.dreamfusion.quads(faces=1500)
bpy.ops.ed.undo_push(message="quads")
twin = bpy.data.objects["Red mug with a blue handle Original"]
after = scene_probe.counts()
said["quads"] = {
    "faces": len(obj.data.polygons),
    "quads": all(p.loop_total == 4 for p in obj.data.polygons),
    "open": scene_probe.open_edges(obj.data),
    "smooth": all(p.use_smooth for p in obj.data.polygons),
    "colour": scene_probe.mean_colour_error(obj),
    "image": [image_of(obj).name != old, image_of(obj).packed_file is not None, image_of(obj).filepath],
    "uvs": [list(range_) for range_ in scene_probe.uv_range(obj)],
    "twin": [twin.hide_get(), twin.hide_render],
    "twin_colour": scene_probe.colour_error(twin),
    "recipe": recipe.read(obj) == RECIPE,
    "active": bpy.context.active_object == obj,
    "added": {kind: after[kind] - before[kind] for kind in after if after[kind] != before[kind]},
    "engine": bpy.context.scene.render.engine == engine,
    "mode": bpy.context.mode,
    "selected": len(bpy.context.selected_objects),
    "undone": undone("Red mug with a blue handle", before),
}
obj = fresh()
before = scene_probe.counts()
bpy.ops.dreamfusion.quads(faces=500, bake=False, keep_original=False)
said["bare quads"] = [scene_probe.counts() == before, len(obj.data.uv_layers), len(obj.data.polygons)]

# A mesh with a hole: told, and left as it was.
obj = fresh()
bpy.ops.object.mode_set(mode="EDIT")
bpy.ops.mesh.select_all(action="DESELECT")
bpy.ops.object.mode_set(mode="OBJECT")
for polygon in list(obj.data.polygons)[:40:3]:
    polygon.select = True
bpy.ops.object.mode_set(mode="EDIT")
bpy.ops.mesh.delete(type="FACE")
bpy.ops.object.mode_set(mode="OBJECT")
before, faces = scene_probe.counts(), len(obj.data.polygons)
try:
    bpy.ops.dreamfusion.quads(faces=500)
    message = ""
except RuntimeError as error:
    message = str(error)
said["hole"] = [message, scene_probe.counts() == before, len(obj.data.polygons) == faces or not message]

# Turntable.
obj = fresh()
before, engine = scene_probe.counts(), bpy.context.scene.render.engine
scene = bpy.context.scene
scene.render.resolution_x, scene.render.resolution_y = 400, 300
bpy.ops.ed.undo_push(message="before")
bpy.ops.dreamfusion.turntable(frames=40)
bpy.ops.ed.undo_push(message="turntable")
camera = scene.camera
views, sides = [], []
for frame in (1, 11, 21, 31, 41):
    scene.frame_set(frame)
    seen = [world_to_camera_view(scene, camera, obj.matrix_world @ vertex.co) for vertex in obj.data.vertices]
    views.append([min(p.x for p in seen), max(p.x for p in seen), min(p.y for p in seen), max(p.y for p in seen)])
    sides.append(list(camera.matrix_world.translation))
said["turntable"] = {
    "views": views,
    "sides": sides,
    "frames": [scene.frame_start, scene.frame_end],
    "engine": scene.render.engine == engine,
    "collection": [child.name for child in scene.collection.children],
    "types": sorted(member.type for member in scene.collection.children[0].objects),
    "depth": min(p.z for p in seen) > camera.data.clip_start and max(p.z for p in seen) < camera.data.clip_end,
}
bpy.ops.ed.undo()
said["turntable"]["undone"] = scene_probe.counts() == before and bpy.context.scene.camera is None

# Mark as Asset: unsaved, then in a saved file.
obj = fresh()
bpy.ops.dreamfusion.mark_asset()
said["unsaved asset"] = [obj.asset_data is not None, [file.name for file in folder.iterdir() if "cats" in file.name]]
obj = fresh()
(folder / "blender_assets.cats.txt").write_text(
    "# mine\nVERSION 1\n\n11111111-2222-3333-4444-555555555555:Props/Food:Props-Food", encoding="utf-8"
)
bpy.ops.wm.save_as_mainfile(filepath=str(folder / "asset.blend"))
asset, pictures = addon.part("ui.tools.asset"), addon.part("ui.scene.icons")
png = Path(sys.argv[3]).read_bytes()
asset.mark(obj, RECIPE, pictures.decoded(png))
bpy.ops.dreamfusion.mark_asset()
bpy.ops.dreamfusion.mark_asset(author="Me", license="CC0-1.0")
bpy.ops.dreamfusion.mark_asset(author="", license="")  # once more does no harm
data = obj.asset_data
said["asset"] = {
    "tags": [tag.name for tag in data.tags],
    "description": data.description,
    "author": data.author,
    "license": getattr(data, "license", None),
    "catalog": data.catalog_id,
    "file": (folder / "blender_assets.cats.txt").read_text(encoding="utf-8"),
}
asset.mark(obj, RECIPE, pictures.decoded(png))
bpy.ops.wm.save_mainfile()
bpy.ops.wm.open_mainfile(filepath=str(folder / "asset.blend"))
obj = bpy.data.objects["Red mug with a blue handle"]
width, height = obj.preview.image_size
values = list(obj.preview.image_pixels_float)
said["asset"]["picture"] = [width, height, values[:4], values[-4:]]
said["asset"]["kept"] = obj.asset_data is not None

# Copy Recipe: text that is a recipe again.
said["text"] = recipe.as_text(RECIPE)
bpy.context.view_layer.objects.active = obj
bpy.ops.dreamfusion.copy_recipe()
obj[recipe.RECIPE] = "{ damaged"
said["damaged"] = recipe.read(obj) is None
try:
    bpy.ops.dreamfusion.copy_recipe()
except RuntimeError as error:
    said["damaged message"] = str(error)

addon.disable()
said["menus"] = [
    sum(draw.__module__.endswith("object_menu") for draw in getattr(bpy.types, name)._dyn_ui_initialize())
    for name in ("VIEW3D_MT_object", "VIEW3D_MT_object_context_menu")
]
addon.tell(**said)
