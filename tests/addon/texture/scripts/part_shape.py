"""Change Part with a new shape: vertices written to the base mesh, undo, and the objects that are refused."""

import json
import struct
from array import array
from typing import Any

import addon
import artist
import bpy
from fakes.painted_glb import painted
from fakes.shapes import plain_png

said: dict[str, Any] = {"numpy": artist.HAS_NUMPY}
part, surfaces = addon.part("ui.scene.texture.part"), addon.part("ui.scene.texture.surfaces")
repaint = addon.part("ui.scene.texture.repaint")
PaintedFile = addon.part("core.engine.painted_glb").PaintedFile
trouble = addon.part("core.job").EngineTrouble
STEP = (0.25, 0.0, 0.5)  # in the world, of the vertices that move


def mark(obj: Any, *numbers: int) -> None:
    """These faces selected, in Object Mode."""
    if bpy.context.mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    artist.select(obj)
    for polygon in obj.data.polygons:
        polygon.select = polygon.index in numbers


def read(obj: Any) -> Any:
    with part.marked([obj], faces=True) as found:
        return surfaces.read(bpy.context, found, new_uvs=False, part=True, shape=True)


def refusal(obj: Any) -> list[str]:
    try:
        read(obj)
    except trouble as error:
        found = error.trouble
        return [found.code, found.what, found.why, found.fix]
    return []


def reshaped(file: bytes, inside: Any) -> bytes:
    """A painted file in which the corners at some places of the world have moved by STEP."""
    made = painted(file, lambda number: plain_png(64, number))
    (length,) = struct.unpack_from("<I", made, 12)
    document, begin = json.loads(made[20 : 20 + length]), 28 + length
    content = bytearray(made)
    for mesh in document["meshes"]:
        accessor = document["accessors"][mesh["primitives"][0]["attributes"]["POSITION"]]
        start = begin + document["bufferViews"][accessor["bufferView"]]["byteOffset"]
        for vertex in range(accessor["count"]):
            x, y, z = struct.unpack_from("<3f", content, start + 12 * vertex)  # Y up
            if inside((x, -z, y)):
                struct.pack_into("<3f", content, start + 12 * vertex, x + STEP[0], y + STEP[2], z - STEP[1])
    return bytes(content)


def put(got: Any, inside: Any) -> Any:
    about = {**got.about, "material": "EXISTING"}
    result = PaintedFile(reshaped(got.file, inside))
    return repaint.paint(bpy.context, result, PaintedFile(got.file), about, artist.RECIPE, same_session=True)


def places(obj: Any) -> list[list[float]]:
    return [[round(value, 5) for value in vertex.co] for vertex in obj.data.vertices]


def bits(obj: Any) -> list[bytes]:
    values = array("f", bytes(12 * len(obj.data.vertices)))
    obj.data.vertices.foreach_get("co", values)
    return [values[3 * n : 3 * n + 3].tobytes() for n in range(len(obj.data.vertices))]


# A grid in a corner of the world, turned and scaled: its middle vertices move, in the mesh's own axes.
grid = artist.grid("Grid", 4)
grid.data.materials.append(artist.material("Grid"))
grid.location, grid.rotation_euler, grid.scale = (3.0, -2.0, 1.0), (0.3, -0.2, 0.9), (2.0, -1.0, 0.5)
bpy.context.view_layer.update()
middle = [v.index for v in grid.data.vertices if max(abs(v.co.x), abs(v.co.y)) < 0.9]
mark(grid, *[p.index for p in grid.data.polygons if set(p.vertices) & set(middle)][:6])
before, old, whole = bits(grid), places(grid), artist.everything(grid)
world = [grid.matrix_world @ grid.data.vertices[n].co for n in middle]
bpy.ops.ed.undo_push(message="begin")
got = read(grid)
said["untouched"] = artist.everything(grid) == whole and "shape" in got.about["objects"][0]


def near(place: Any) -> bool:
    return any(sum((a - b) ** 2 for a, b in zip(place, each, strict=True)) < 1e-8 for each in world)


done = put(got, near)
after = bits(grid)
said["moved"] = [[n for n in range(len(after)) if after[n] != before[n]] == sorted(middle), done.objects, done.missing]
gone = [grid.matrix_world @ grid.data.vertices[n].co - was for n, was in zip(middle, world, strict=True)]
said["step"] = max(abs(value - step) for move in gone for value, step in zip(move, STEP, strict=True))
said["image"] = artist.base_image(grid.data.materials[0]).name
bpy.ops.ed.undo()
grid = bpy.data.objects["Grid"]
said["undone"] = [bits(grid) == before, artist.everything(grid) == whole]

# It has been sculpted meanwhile, or the file with its old shape is gone: it stays, and it is told.
got = read(grid)
grid.data.vertices[0].co.x += 0.5
held = bits(grid)
said["sculpted"] = [put(got, near).missing, bits(grid) == held]
grid.data.vertices[0].co.x -= 0.5
got = read(grid)
lost = repaint.paint(
    bpy.context,
    PaintedFile(reshaped(got.file, near)),
    None,
    {**got.about, "material": "EXISTING"},
    artist.RECIPE,
    same_session=True,
)
said["lost"] = lost.missing
# Another object has the same mesh, and keeps its shape.
twin = bpy.data.objects.new("Twin", grid.data)
bpy.context.scene.collection.objects.link(twin)
mark(grid, *[p.index for p in grid.data.polygons][:6])
held = bits(twin)
done = put(read(grid), near)
said["shared"] = [bits(twin) == held, bits(grid) != held, grid.data != twin.data, done.notes]

# What could not be written back is refused, with everything as it was.
refusals: dict[str, Any] = {}
odd = artist.cube("Odd")
mark(odd, 0)
quiet = artist.everything(odd)
modifier = odd.modifiers.new("Smooth", "SUBSURF")
refusals["faces"] = refusal(odd)
modifier.show_viewport = False
refusals["off"] = refusal(odd)
odd.modifiers.clear()
odd.modifiers.new("Round", "DISPLACE")
refusals["moved"] = refusal(odd)
odd.modifiers.clear()
odd.modifiers.new("Fine", "MULTIRES")
refusals["multires"] = refusal(odd)
odd.modifiers.clear()
said["same"] = artist.everything(odd) == quiet
odd.shape_key_add(name="Basis")
refusals["keys"] = refusal(odd)
said["refusals"] = refusals
addon.tell(**said)
