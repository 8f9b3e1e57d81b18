"""A painted result on an artist's objects: what changes, what must not, undo, and objects that changed meanwhile."""

from array import array
from typing import Any

import addon
import artist
import bpy

said: dict[str, Any] = {"numpy": artist.HAS_NUMPY}
identity = addon.part("ui.scene.mesh_identity")
BASE = "Rusty bucket base colour"


def blocks() -> list[list[str]]:
    return [sorted(block.name for block in kind) for kind in (bpy.data.images, bpy.data.materials, bpy.data.meshes)]


# A material of its own, in which one link changes; everything else stays, and one undo step brings all back.
cube = artist.cube("Cube")
cube.shape_key_add(name="Basis")
cube.shape_key_add(name="Tall").data[0].co.z += 2.0
cube.modifiers.new("Bevel", "BEVEL")
artist.armature(cube)
beside = artist.cube("Beside")
bpy.context.view_layer.update()
bpy.ops.ed.undo_push(message="begin")
before = [artist.everything(cube), artist.everything(beside), artist.nodes(beside.data.materials[0])]
nodes_before, blocks_before = artist.nodes(cube.data.materials[0]), blocks()
surfaces = artist.read(cube)
done = artist.paint(surfaces)
made = cube.data.materials[0]
image = artist.base_image(made)
nodes_after = artist.nodes(made)
said["in place"] = {
    "done": [done.objects, done.missing, done.notes],
    "same": [artist.everything(cube), artist.everything(beside), artist.nodes(beside.data.materials[0])] == before,
    "material": made.name,
    "image": [image.name, image.packed_file is not None, list(image.size), image.colorspace_settings.name],
    "path": image.filepath,
    "part": artist.part_of(image),
    "nodes kept": all(node in nodes_after[0] for node in nodes_before[0]),
    "links": [sorted(map(str, set(map(tuple, nodes_before[1])) ^ set(map(tuple, nodes_after[1]))))],
    "old image": "Cube Base Color" in bpy.data.images,
}
bpy.ops.ed.undo()
cube = bpy.data.objects["Cube"]
said["undone"] = [artist.everything(cube) == before[0], artist.nodes(cube.data.materials[0]) == nodes_before]
said["undone"] += [blocks() == blocks_before]
bpy.ops.ed.redo()
said["redone"] = artist.base_image(bpy.data.objects["Cube"].data.materials[0]).name == BASE

# Two materials of one object, one of which another object uses too: a copy for the slot, and the other is as it was.
two = artist.cube("Two")
common = artist.material("Common")
two.data.materials.append(common)
for polygon in two.data.polygons[:3]:
    polygon.material_index = 1
other = artist.cube("Other")
other.data.materials[0] = common
common_nodes = artist.nodes(common)
done = artist.paint(artist.read(two))
slots = [slot.material for slot in two.material_slots]
said["two"] = {
    "names": [material.name for material in slots],
    "parts": [artist.part_of(artist.base_image(material)) for material in slots],
    "common": [artist.nodes(common) == common_nodes, other.data.materials[0].name],
    "notes": done.notes,
}

# UDIM tiles: one image with the tiles, which a file keeps.
tiled = artist.grid("Tiled")
tiled.data.materials.append(artist.material("Tiled"))
for entry in tiled.data.uv_layers.active.data:
    entry.uv = (2.0 * entry.uv[0] + 1.0, entry.uv[1])
mark = artist.everything(tiled)
artist.paint(artist.read(tiled))
image = artist.base_image(tiled.data.materials[0])
said["tiled"] = {
    "source": image.source,
    "tiles": [[tile.number, list(tile.size)] for tile in image.tiles],
    "packed": [packed.filepath for packed in image.packed_files],
    "path": image.filepath,
    "same": artist.everything(tiled) == mark,
}

# A mesh that two objects use: only the painted one changes.
first = artist.cube("First")
twin = bpy.data.objects.new("Twin", first.data)
bpy.context.scene.collection.objects.link(twin)
bpy.context.view_layer.update()
own = first.data.materials[0]
own_nodes = artist.nodes(own)
done = artist.paint(artist.read(first))
said["twin"] = {
    "links": [first.material_slots[0].link, twin.material_slots[0].link],
    "twin": twin.material_slots[0].material.name,
    "own": [artist.nodes(own) == own_nodes, first.data.materials[0].name],
    "first": artist.part_of(artist.base_image(first.material_slots[0].material)),
    "notes": done.notes,
}

# No slot, an empty slot, a material without a principled surface, and New Material: a new one.
bare = artist.cube("No Slot")
bare.data.materials.clear()
hollow = artist.cube("Empty Slot")
hollow.data.materials[0] = None
glowing = artist.cube("Glowing")
glow = glowing.data.materials[0]
glow.node_tree.nodes.clear()
output = glow.node_tree.nodes.new("ShaderNodeOutputMaterial")
emission = glow.node_tree.nodes.new("ShaderNodeEmission")
glow.node_tree.links.new(emission.outputs[0], output.inputs["Surface"])
done = artist.paint(artist.read(bare, hollow, glowing))
said["new"] = [artist.part_of(artist.base_image(obj.material_slots[0].material)) for obj in (bare, hollow, glowing)]
said["glow"] = [len(glow.node_tree.nodes), len(bare.material_slots), bare.data.materials[0].name]
chosen = artist.cube("Chosen")
old_nodes = artist.nodes(bpy.data.materials["Chosen"])
artist.paint(artist.read(chosen), "NEW")
said["chosen"] = [chosen.data.materials[0].name, artist.nodes(bpy.data.materials["Chosen"]) == old_nodes]

# New UVs: one more layer, named by the image's node; the others, and which is active, stay.
fresh = artist.cube("Fresh")
surfaces = artist.read(fresh, new=True)
layers = [artist.uvs(fresh.data, "UVMap").tobytes(), fresh.data.uv_layers.active.name]
artist.paint(surfaces)
tree = fresh.data.materials[0].node_tree
said["fresh"] = {
    "layers": [layer.name for layer in fresh.data.uv_layers],
    "same": [artist.uvs(fresh.data, "UVMap").tobytes(), fresh.data.uv_layers.active.name] == layers,
    "render": [layer.name for layer in fresh.data.uv_layers if layer.active_render],
    "uvs": list(artist.uvs(fresh.data, "DreamFusion"))
    == list(addon.part("core.engine.painted_glb").PaintedFile(surfaces.file).kept_uvs(0)),
    "node": [node.uv_map for node in tree.nodes if node.type == "UVMAP"],
}
bare_uvs = artist.cube("Bare UVs")
bare_uvs.data.uv_layers.remove(bare_uvs.data.uv_layers[0])
artist.paint(artist.read(bare_uvs))
said["bare"] = [layer.name for layer in bare_uvs.data.uv_layers]

# Meanwhile: renamed, deleted, faces changed, UV layer gone, being edited.
moved, gone, cut, stripped, good = (artist.cube(name) for name in ("Moved", "Gone", "Cut", "Stripped", "Good"))
surfaces = artist.read(moved, gone, stripped, good)
news = artist.read(cut, new=True)
moved.name = "Renamed"
taker = artist.cube("Moved")
bpy.data.objects.remove(gone)
stripped.data.uv_layers.remove(stripped.data.uv_layers[0])
bpy.context.view_layer.objects.active = cut
artist.select(cut)
bpy.ops.object.mode_set(mode="EDIT")
bpy.ops.mesh.select_all(action="SELECT")
bpy.ops.mesh.subdivide()
bpy.ops.object.mode_set(mode="OBJECT")
done = artist.paint(surfaces)
said["meanwhile"] = [sorted(done.objects), done.missing, artist.base_image(taker.data.materials[0]).name]
done = artist.paint(news)
said["cut"] = [done.objects, done.missing, [layer.name for layer in cut.data.uv_layers]]
done = artist.paint(artist.read(good), same_session=False)
said["by name"] = done.objects
artist.select(good)
surfaces = artist.read(good)
bpy.ops.object.mode_set(mode="EDIT")
said["edited"] = artist.paint(surfaces).missing
bpy.ops.object.mode_set(mode="OBJECT")

# Twice: the second texture takes the place of the first, which stays in the file.
again = artist.cube("Again")
for _ in range(2):
    artist.paint(artist.read(again))
pictures = [node for node in again.data.materials[0].node_tree.nodes if node.type == "TEX_IMAGE"]
said["again"] = len([node for node in pictures if node.outputs["Color"].links])

# A damaged result changes nothing.
target = artist.cube("Target")
mark, kinds = artist.everything(target), blocks()
surfaces = artist.read(target)
file = addon.part("core.engine.painted_glb").PaintedFile
damaged = []
for content in (surfaces.file, artist.painted(surfaces.file, lambda _: b"\x89PNG\r\n\x1a\n no picture")):
    try:
        addon.part("ui.scene.texture.repaint").paint(
            bpy.context, file(content), None, surfaces.about, artist.RECIPE, same_session=True
        )
    except addon.part("core.job").EngineTrouble as error:
        damaged.append(error.trouble.code)
said["damaged"] = [damaged, artist.everything(target) == mark, blocks() == kinds]

# The painted meshes as objects of their own, where the artist's stood.
stood = artist.cube("Stood", (4.0, 5.0, 6.0))
stood.scale = (1.0, 2.0, 3.0)
bpy.context.view_layer.update()
surfaces = artist.read(stood, two)
content = artist.painted(surfaces.file, lambda part: artist.plain_png(64, part))
made = addon.part("ui.scene.texture.painted_copies").insert_copies(bpy.context, content, artist.RECIPE)
bpy.context.view_layer.update()


def box(obj: Any) -> list[float]:
    points = [obj.matrix_world @ vertex.co for vertex in obj.data.vertices]
    return [round(f(point[axis] for point in points), 4) for f in (min, max) for axis in range(3)]


said["copies"] = {
    "names": [obj.name for obj in made],
    "box": box(made[0]) == box(stood),
    "images": [artist.part_of(artist.base_image(obj.data.materials[0])) for obj in made],
}

# A saved file has the tiles and the textures.
bpy.ops.wm.save_as_mainfile(filepath=str(artist.folder() / "saved.blend"))
bpy.ops.wm.open_mainfile(filepath=str(artist.folder() / "saved.blend"))
image = artist.base_image(bpy.data.objects["Tiled"].data.materials[0])
said["saved"] = [[tile.number for tile in image.tiles], [list(tile.size) for tile in image.tiles]]
said["saved"] += [artist.part_of(artist.base_image(bpy.data.objects["Cube"].data.materials[0]))]
used = array("i", [block.users for block in bpy.data.images])
said["images"] = len(used) > 0
addon.tell(**said)
