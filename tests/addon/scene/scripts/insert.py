"""Insert a body at the cursor and tell all about the object."""

import sys
from pathlib import Path

import addon
import bpy
import scene_probe

job = addon.part("core.job")
placement = addon.part("ui.scene.placement")
recipe = addon.part("ui.scene.object_recipe")
result = addon.part("ui.scene.insert")

glb, folder = Path(sys.argv[1]), Path(sys.argv[2])
made_by = job.Recipe("a red mug with ünïcode", negative="blue", seed=7, settings={"mesh": {"texture": 512}})
context = bpy.context
scene = context.scene
engine_before = scene.render.engine, scene.view_settings.view_transform

bpy.ops.mesh.primitive_cube_add()
bpy.ops.ed.undo_push(message="before")
before = scene_probe.counts()
scene.cursor.location = (1.0, 2.0, 3.0)
where = placement.captured(context, size=1.75)
scene.cursor.location = (9.0, 9.0, 9.0)  # the artist works on
obj = result.insert(context, glb, made_by, where, "job1")
context.view_layer.update()
mesh = obj.data
positions, vertices, uvs = scene_probe.corners(mesh)
with (folder / "corners.bin").open("wb") as file:
    for values in (positions, vertices, uvs):
        values.tofile(file)
material = obj.material_slots[0].material
node = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
image = node.inputs["Base Color"].links[0].from_node.image
addon.tell(
    name=obj.name,
    location=list(obj.location),
    rotation=list(obj.rotation_euler),
    scale=list(obj.scale),
    dimensions=list(obj.dimensions),
    box=[list(obj.bound_box[0]), list(obj.bound_box[6])],
    vertices=len(mesh.vertices),
    triangles=[polygon.loop_total for polygon in mesh.polygons].count(3),
    faces=len(mesh.polygons),
    smooth=all(polygon.use_smooth for polygon in mesh.polygons),
    sharp_edges=sum(getattr(edge, "use_edge_sharp", False) for edge in mesh.edges),
    open_edges=scene_probe.open_edges(mesh),
    valid=not mesh.validate(verbose=False),
    selected=obj.select_get(),
    others_selected=[other.name for other in context.selected_objects if other != obj],
    active=context.view_layer.objects.active == obj,
    collection=obj.users_collection[0] == context.collection,
    image={
        "name": image.name,
        "packed": image.packed_file is not None,
        "space": image.colorspace_settings.name,
        "size": list(image.size),
    },
    metallic=node.inputs["Metallic"].default_value,
    roughness=node.inputs["Roughness"].default_value,
    solid_colour=list(material.diffuse_color),
    colour_error=scene_probe.colour_error(obj),
    recipe=recipe.read(obj).to_json(),
    job=recipe.job_id(obj),
    is_result=recipe.is_result(obj),
    untouched=engine_before == (scene.render.engine, scene.view_settings.view_transform),
    mode=context.mode,
)

name, after = obj.name, scene_probe.counts()
bpy.ops.ed.undo()
gone = name not in bpy.data.objects and scene_probe.counts() == before
bpy.ops.ed.redo()
back = bpy.data.objects[name]
addon.tell(
    undone=gone,
    redone=scene_probe.counts() == after and recipe.read(back) == made_by and scene_probe.colour_error(back) < 0.05,
)

# It survives a file.
bpy.ops.wm.save_as_mainfile(filepath=str(folder / "saved.blend"))
bpy.ops.wm.open_mainfile(filepath=str(folder / "saved.blend"))
opened = bpy.data.objects[name]
addon.tell(saved=recipe.read(opened) == made_by and scene_probe.colour_error(opened) < 0.05)
