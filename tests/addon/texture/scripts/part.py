"""Change Part on an artist's objects: what is read of a selection, what must stay, and what is refused."""

from array import array
from typing import Any

import addon
import artist
import bpy

said: dict[str, Any] = {"numpy": artist.HAS_NUMPY}
part, surfaces = addon.part("ui.scene.texture.part"), addon.part("ui.scene.texture.surfaces")
present = addon.part("ui.scene.texture.present_colour")
PaintedFile = addon.part("core.engine.painted_glb").PaintedFile
trouble = addon.part("core.job").EngineTrouble


def read() -> Any:
    """Read what is selected, as the operator does."""
    context = bpy.context
    editing, objects = context.mode == "EDIT_MESH", part.chosen(context)
    with part.in_object_mode(context), part.marked(objects, faces=editing) as found:
        return surfaces.read(context, found, new_uvs=False, part=True)


def refusal() -> list[str]:
    try:
        read()
    except trouble as error:
        found = error.trouble
        return [found.code, found.what, found.why, found.fix]
    return []


def object_mode() -> None:
    if bpy.context.mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")


def select_faces(obj: Any, *numbers: int) -> None:
    """Edit Mode with these faces selected."""
    object_mode()
    artist.select(obj)
    bpy.ops.object.mode_set(mode="EDIT")
    bpy.ops.mesh.select_mode(type="FACE")
    bpy.ops.mesh.select_all(action="DESELECT")
    bpy.ops.object.mode_set(mode="OBJECT")
    for number in numbers:
        obj.data.polygons[number].select = True
    bpy.ops.object.mode_set(mode="EDIT")


def pixels(image: Any) -> list[int]:
    values = array("f", bytes(4 * image.size[0] * image.size[1] * image.channels))
    image.pixels.foreach_get(values)
    return [round(255.0 * value) for value in values]


def draw(image: Any) -> None:
    """Pixels that all differ."""
    count = image.size[0] * image.size[1] * image.channels
    image.pixels.foreach_set(array("f", [(37 * i % 251) / 255.0 for i in range(count)]))
    image.update()


# Two faces of a cube with an image: read in Edit Mode, which stays, and so does everything else.
cube = artist.cube("Cube")
old = artist.base_image(cube.data.materials[0])
draw(old)
select_faces(cube, 0, 3)
object_mode()
before = artist.everything(cube), sorted(cube.data.attributes.keys()), artist.nodes(cube.data.materials[0])
bpy.ops.object.mode_set(mode="EDIT")
got = read()
said["mode"] = bpy.context.mode
object_mode()
after = artist.everything(cube), sorted(cube.data.attributes.keys()), artist.nodes(cube.data.materials[0])
said["same"] = [a == b for a, b in zip(before, after, strict=True)]
said["selected"] = [polygon.index for polygon in cube.data.polygons if polygon.select]
file = PaintedFile(got.file)
said["chosen"] = [len(file), sum(file.chosen(0)), len(file.chosen(0))]
said["told"] = [{key: value for key, value in told.items() if key != "object"} for told in got.about["parts"]]
skins = addon.part("ui.scene.texture.skin").skins(got.file, got.about)
said["skin"] = [len(skins), len(skins[0].triangles) // 3, len(skins[0].uvs) // 6, len(skins[0].slots)]
# What was sent is what Blender has: the picture comes back through a packed image with the same pixels.
again = addon.part("ui.scene.material").packed_image("Again", file.picture(0))
said["pixels"] = pixels(again) == pixels(old)

# A result takes the old image's place in its node: no node and no link more. Undo brings the old one back.
old.colorspace_settings.name = "Non-Color"
bpy.ops.ed.undo_push(message="begin")
done = artist.paint(got)
made = cube.data.materials[0]
image = artist.base_image(made)
said["painted"] = [done.objects, done.missing, image.name, image.colorspace_settings.name]
said["nodes"] = [len(artist.nodes(made)[0]) - len(before[2][0]), artist.nodes(made)[1] == before[2][1]]
said["still"] = artist.everything(cube) == before[0]
bpy.ops.ed.undo()
cube = bpy.data.objects["Cube"]
said["undone"] = artist.nodes(cube.data.materials[0]) == before[2]

# Modifiers carry the selection, and a vertex group blends.
cube.modifiers.new("Smooth", "SUBSURF").levels = 2
select_faces(cube, 1)
file = PaintedFile(read().file)
object_mode()
said["subdivided"] = [sum(file.chosen(0)), len(file.chosen(0))]
cube.modifiers.clear()
group = cube.vertex_groups.new(name="Top")
group.add([vertex.index for vertex in cube.data.vertices if vertex.co.z > 0.0], 0.5, "ADD")
artist.select(cube)
got = read()
file = PaintedFile(got.file)
said["weights"] = [sorted(set(file.chosen(0))), len(file.chosen(0))]
said["attributes"] = sorted(cube.data.attributes.keys()) == before[1]

# Two materials, one of which stays: it is only looked at, and gets nothing.
two = artist.cube("Two")
two.data.materials.append(artist.material("Second"))
for polygon in two.data.polygons[:3]:
    polygon.material_index = 1
plain = bpy.data.materials["Second"]
surface = next(node for node in plain.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
plain.node_tree.links.remove(surface.inputs["Base Color"].links[0])
select_faces(two, 5)
got = read()
object_mode()
seconds = artist.nodes(plain)
artist.paint(got)
said["two"] = [[told["stays"] for told in got.about["parts"]], artist.nodes(plain) == seconds]
said["first"] = artist.part_of(artist.base_image(two.data.materials[0]))
# A plain colour that changes gets an image.
select_faces(two, 0)
got = read()
object_mode()
artist.paint(got)
said["plain"] = artist.part_of(artist.base_image(plain))

# What is refused, with everything as it was.
refusals: dict[str, Any] = {}
odd = artist.cube("Odd")
select_faces(odd)
refusals["nothing"] = refusal()
select_faces(odd, *range(6))
refusals["everything"] = refusal()
object_mode()
tree = odd.data.materials[0].node_tree
base = next(node for node in tree.nodes if node.type == "BSDF_PRINCIPLED").inputs["Base Color"]
node = base.links[0].from_node
picture = node.image
mark = artist.nodes(odd.data.materials[0])
select_faces(odd, 2)
node.image = bpy.data.images.new("Light", 4, 4, float_buffer=True)
refusals["float"] = refusal()
node.image = bpy.data.images.new("Tiles", 4, 4, tiled=True)
refusals["tiles"] = refusal()
lost = bpy.data.images.new("Lost", 4, 4)
lost.source, lost.filepath = "FILE", "//nowhere.png"
node.image = lost
refusals["missing"] = refusal()
node.image = None
refusals["none"] = refusal()
node.image = picture
noise = tree.nodes.new("ShaderNodeTexNoise")
link = tree.links.new(noise.outputs["Fac" if "Fac" in noise.outputs else 0], base)
refusals["nodes"] = refusal()
tree.links.new(node.outputs["Color"], base)
mapping = tree.nodes.new("ShaderNodeMapping")
tree.links.new(mapping.outputs["Vector"], node.inputs["Vector"])
refusals["mapped"] = refusal()
tree.nodes.remove(mapping)
tree.nodes.remove(noise)
said["back"] = [artist.nodes(odd.data.materials[0]) == mark, part.NAME in odd.data.attributes, bpy.context.mode]
object_mode()
said["refusals"] = refusals
bpy.ops.object.select_all(action="DESELECT")
bpy.context.view_layer.objects.active = None
said["obstacles"] = [part.obstacle(bpy.context)]
artist.select(odd)
said["obstacles"].append(part.obstacle(bpy.context))
bpy.ops.object.mode_set(mode="SCULPT")
said["obstacles"].append(part.obstacle(bpy.context))
object_mode()
select_faces(odd, 2)
said["obstacles"].append(part.obstacle(bpy.context))
object_mode()
# The object is deleted while the job runs: told, and nothing breaks.
select_faces(odd, 2)
got = read()
object_mode()
bpy.data.objects.remove(odd)
done = artist.paint(got)
said["gone"] = [done.objects, done.missing]
addon.tell(**said)
