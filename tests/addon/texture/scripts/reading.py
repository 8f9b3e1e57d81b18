"""What Texture This reads of an artist's objects, against what Blender itself says of them; and what it refuses."""

from typing import Any

import addon
import artist
import bpy

said: dict[str, Any] = {"numpy": artist.HAS_NUMPY}
paintable = addon.part("ui.scene.texture.paintable")
file = addon.part("core.engine.painted_glb").PaintedFile


def corners(obj: Any) -> list[Any]:
    """Place in the world and UV of every corner of Blender's triangles, by the slowest and surest way."""
    seen = obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
    mesh = seen.to_mesh(preserve_all_data_layers=True, depsgraph=bpy.context.evaluated_depsgraph_get())
    mesh.calc_loop_triangles()
    layer = mesh.uv_layers[obj.data.uv_layers.active.name].data
    mirrored = obj.matrix_world.determinant() < 0.0
    found = []
    for triangle in mesh.loop_triangles:
        loops = list(triangle.loops)
        for loop in [loops[0], loops[2], loops[1]] if mirrored else loops:
            place = obj.matrix_world @ mesh.vertices[mesh.loops[loop].vertex_index].co
            found.append((triangle.material_index, tuple(place), tuple(layer[loop].uv)))
    seen.to_mesh_clear()
    return found


def worst(surfaces: Any, expected: list[Any], parts: Any) -> float:
    """The largest difference between parts of a file and what is expected."""
    read = file(surfaces.file)
    found: list[float] = []
    for part in parts:
        places, uvs = read.positions(part), read.uvs(part)
        for corner in range(len(places) // 3):
            x, y, z = places[3 * corner : 3 * corner + 3]
            found += [x, -z, y, *uvs[2 * corner : 2 * corner + 2]]
    wanted = [value for _, place, uv in expected for value in (*place, *uv)]
    assert len(found) == len(wanted), (len(found), len(wanted))
    return max(abs(a - b) for a, b in zip(found, wanted, strict=True))


# Modifiers, a pose and a shape key; a second UV layer that is the active one.
cube = artist.cube("Posed", (1.0, 2.0, 3.0))
cube.shape_key_add(name="Basis")
cube.shape_key_add(name="Tall").data[0].co.z += 2.0
cube.data.shape_keys.key_blocks["Tall"].value = 0.5
artist.armature(cube)
bevel = cube.modifiers.new("Bevel", "BEVEL")
bevel.width = 0.2
second = cube.data.uv_layers.new(name="Second")
cube.data.uv_layers.active = second
for index in range(len(cube.data.loops)):
    second.data[index].uv[0] *= 0.5
cube.scale = (1.0, 2.0, 0.5)
bpy.context.view_layer.update()
before = artist.everything(cube)
surfaces = artist.read(cube)
said["posed"] = [worst(surfaces, corners(cube), [0]), surfaces.triangles, surfaces.about["objects"][0]["layer"]]
said["untouched"] = artist.everything(cube) == before

# Mirrored: the triangles still look outwards.
mirrored = artist.cube("Mirrored")
mirrored.scale.x = -1.0
bpy.context.view_layer.update()
surfaces = artist.read(mirrored)
said["mirrored"] = worst(surfaces, corners(mirrored), [0])
places = list(file(surfaces.file).positions(0))
volume = 0.0
for start in range(0, len(places), 9):
    (ax, ay, az), (bx, by, bz), (cx, cy, cz) = (places[start + 3 * k : start + 3 * k + 3] for k in range(3))
    volume += (ax * (by * cz - bz * cy) + ay * (bz * cx - bx * cz) + az * (bx * cy - by * cx)) / 6.0
said["volume"] = volume

# Two materials: a part each, in the order of the slots.
two = artist.cube("Two")
two.data.materials.append(artist.material("Other"))
for polygon in two.data.polygons[:2]:
    polygon.material_index = 1
surfaces = artist.read(two)
wanted = corners(two)
said["two"] = [
    [(part["slot"], part["tile"]) for part in surfaces.about["parts"]],
    max(worst(surfaces, [corner for corner in wanted if corner[0] == slot], [slot]) for slot in (0, 1)),
]

# UDIM tiles: two of four columns of a grid in the next tile.
tiled = artist.grid("Tiled")
layer = tiled.data.uv_layers.active.data
for entry in layer:
    entry.uv = (2.0 * entry.uv[0], entry.uv[1])
surfaces = artist.read(tiled)
said["tiles"] = [part["tile"] for part in surfaces.about["parts"]]
uvs = [list(file(surfaces.file).uvs(part)) for part in range(2)]
said["tile uvs"] = [[min(values[0::2]), max(values[0::2])] for values in uvs]

# UVs that cross tiles repeat one texture.
repeated = artist.grid("Repeated")
for entry in repeated.data.uv_layers.active.data:
    entry.uv = (2.5 * entry.uv[0] - 0.7, entry.uv[1])
surfaces = artist.read(repeated)
said["repeated"] = [[part["tile"], part["repeats"]] for part in surfaces.about["parts"]]

# New UVs: one layer for all corners of a face, nothing shared, and nothing of the artist's changed.
fresh = artist.cube("Fresh")
hidden = fresh.data.polygons[0]
hidden.hide = True
artist.select(two, fresh)
before = [artist.everything(fresh), [obj.name for obj in bpy.context.selected_objects], len(bpy.data.objects)]
surfaces = artist.read(fresh, new=True)
after = [artist.everything(fresh), [obj.name for obj in bpy.context.selected_objects], len(bpy.data.objects)]
kept = file(surfaces.file).kept_uvs(0)
said["fresh"] = [before == after, len(kept) == 2 * len(fresh.data.loops), min(kept) >= 0.0, max(kept) <= 1.0]
area = 0.0
for polygon in fresh.data.polygons:
    points = [kept[2 * loop : 2 * loop + 2] for loop in polygon.loop_indices]
    area += 0.5 * abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(points, points[1:] + points[:1], strict=True)))
said["area"] = area
bare = artist.cube("Bare")
while bare.data.uv_layers:
    bare.data.uv_layers.remove(bare.data.uv_layers[0])
said["bare"] = [artist.read(bare).about["objects"][0]["new"], len(bare.data.uv_layers)]

# What is refused.
subdivided = artist.cube("Subdivided")
subdivided.modifiers.new("Subdivision", "SUBSURF")
empty = bpy.data.objects.new("No Faces", bpy.data.meshes.new("No Faces"))
bpy.context.scene.collection.objects.link(empty)
broken = artist.cube("Broken")
broken.data.vertices[0].co.x = float("nan")
far = artist.cube("Far", (3e6, 0.0, 0.0))
lost = artist.cube("Lost")
lost.data.uv_layers.active.data[0].uv[0] = float("inf")
parent = artist.cube("Parent")
child = artist.cube("Child")
child.parent, parent.instance_type = parent, "VERTS"
bpy.context.view_layer.update()
surface_reader = addon.part("ui.scene.texture.surfaces")
said["refused"] = {
    "subdivided": artist.refusal(subdivided, new=True),
    "subdivided keeps": artist.refusal(subdivided),
    "no faces": artist.refusal(empty),
    "not finite": artist.refusal(broken),
    "far": artist.refusal(far),
    "uv": artist.refusal(lost),
    "instances": artist.refusal(parent),
}
surface_reader.MOST_TRIANGLES = 20
said["refused"]["many"] = artist.refusal(cube)
surface_reader.MOST_TRIANGLES, surface_reader.MOST_PARTS = 5_000_000, 1
said["refused"]["parts"] = artist.refusal(two)

# What a glance at the selection tells.
glance = {}
artist.select()
glance["nothing"] = paintable.obstacle(bpy.context)
artist.select(empty)
glance["no faces"] = paintable.obstacle(bpy.context)
curve = bpy.data.objects.new("Curve", bpy.data.curves.new("Curve", "CURVE"))
bpy.context.scene.collection.objects.link(curve)
artist.select(curve)
glance["curve"] = paintable.obstacle(bpy.context)
artist.select(parent)
glance["instances"] = paintable.obstacle(bpy.context)
artist.select(two)
glance["good"] = paintable.obstacle(bpy.context)
bpy.ops.object.mode_set(mode="EDIT")
glance["editing"] = paintable.obstacle(bpy.context)
bpy.ops.object.mode_set(mode="OBJECT")
bpy.data.libraries.write(str(artist.folder() / "library.blend"), {two})
with bpy.data.libraries.load(str(artist.folder() / "library.blend"), link=True) as (inside, outside):
    outside.objects = ["Two"]
linked = outside.objects[0]
bpy.context.scene.collection.objects.link(linked)
artist.select(linked)
glance["linked"] = paintable.obstacle(bpy.context)
override = linked.override_create()
bpy.context.scene.collection.objects.link(override)
artist.select(override)
glance["override"] = paintable.obstacle(bpy.context)
said["glance"] = glance
addon.tell(**said)
