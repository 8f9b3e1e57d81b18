"""Reader of the textured meshes of a GLB (Khronos, "glTF 2.0 Specification"), without numpy and without bpy.

A glTF file repeats a vertex wherever its texture coordinates jump. Blender keeps texture coordinates on face corners,
so the repeated vertices are merged here. Otherwise every seam of the texture would be a tear in the mesh.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, compress
from math import isfinite
from operator import and_, itemgetter, ne, neg, sub
from typing import Any

from .glb_file import FLOAT, Buffers, DamagedMesh, base_picture, chunks, guarded, item, named_parts, picture_of
from .node_transform import IDENTITY, Matrix, is_mirror, transformed, world_matrix
from .payload import are_near

_TRIANGLES = 4  # primitive.mode
_MOST_TRIANGLES = 5_000_000  # the engine's largest mesh
__all__ = ["DamagedMesh", "GlbMesh", "bounds", "proper", "read_glb", "read_parts"]
MATT = 0.9  # roughness where the file says none


@dataclass(frozen=True)
class GlbMesh:
    """One mesh in Blender's axes: Z up, front towards -Y, triangles counter-clockwise seen from outside.

    name: str, of the node or mesh; may be empty.
    positions: float32[3 V], 3 numbers a vertex, welded.
    triangles: int32[3 T], 3 vertex indices a triangle.
    uvs: float32[6 T], 2 numbers a corner in the order of `triangles`, v up; may be empty.
    image: bytes, a PNG or JPEG of the base colour; may be empty.
    colour: linear RGBA in [0, 1], a factor over the image.
    roughness: float, in [0, 1].
    normal_map: bytes, a PNG or JPEG on the same UVs, in tangent space, +Y up; may be empty.
    occlusion: bytes, a PNG or JPEG on the same UVs; may be empty.
    """

    name: str
    positions: array[float]
    triangles: array[int]
    uvs: array[float]
    image: bytes
    colour: tuple[float, float, float, float]
    roughness: float
    normal_map: bytes = b""
    occlusion: bytes = b""


def read_glb(data: bytes) -> GlbMesh:
    """Read the mesh of a GLB.

    data: bytes, the whole file.
    Raises DamagedMesh.
    """
    return guarded(lambda: _only(data))


def read_parts(data: bytes) -> list[GlbMesh]:
    """Read every mesh of a GLB that has been painted, each as it lies in the file: its nodes move nothing.

    data: bytes, the whole file.
    Raises DamagedMesh.
    """
    return guarded(lambda: _all(data))


def bounds(positions: Sequence[float]) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """The lowest and the highest corner of the box around points.

    positions: 3 numbers a point, at least one point.
    """
    axes = [positions[axis::3] for axis in range(3)]
    low, high = [min(axis) for axis in axes], [max(axis) for axis in axes]
    return (low[0], low[1], low[2]), (high[0], high[1], high[2])


def _only(data: bytes) -> GlbMesh:
    document, binary = chunks(data)
    primitives = [primitive for mesh in document["meshes"] for primitive in mesh["primitives"]]
    if len(primitives) != 1:
        raise ValueError(f"It holds {len(primitives)} meshes instead of one.")
    name = next((node["name"] for node in document.get("nodes", ()) if "mesh" in node and "name" in node), "")
    buffers, primitive = Buffers(document, binary), primitives[0]
    mesh = _mesh(buffers, document, primitive, world_matrix(document), str(name))
    if "material" not in primitive or not mesh.uvs:
        return mesh
    material = item(document["materials"], primitive["material"])

    def picture(role: str) -> bytes:
        return picture_of(buffers, document, material[role]) if role in material else b""

    return replace(mesh, normal_map=picture("normalTexture"), occlusion=picture("occlusionTexture"))


def _all(data: bytes) -> list[GlbMesh]:
    document, binary = chunks(data)
    buffers = Buffers(document, binary)
    return [_mesh(buffers, document, primitive, IDENTITY, name) for name, primitive in named_parts(document)]


def _mesh(buffers: Buffers, document: dict[str, Any], primitive: dict[str, Any], matrix: Matrix, name: str) -> GlbMesh:
    if primitive.get("mode", _TRIANGLES) != _TRIANGLES:
        raise ValueError("It holds lines or points instead of triangles.")
    attributes = primitive["attributes"]
    positions, indices = _surface(buffers, primitive)
    if matrix != IDENTITY:
        positions = transformed(positions, matrix)
    if not are_near(positions):
        raise ValueError("Some of its positions are no numbers, or far away.")
    positions = _blender_axes(positions)
    first, vertex_of = _welded(positions)
    corners = array("i", map(vertex_of.__getitem__, indices))
    kept = proper(corners)
    if kept is not None:
        corners = array("i", compress(corners, kept))
        indices = array("I", compress(indices, kept))
    if not corners:
        raise ValueError("It has no triangle with any area.")
    uvs = array("f")
    if "TEXCOORD_0" in attributes:
        uvs = _corner_uvs(*buffers.numbers(attributes["TEXCOORD_0"], "VEC2"), indices, len(vertex_of))
    if is_mirror(matrix):
        corners, uvs = _turned(corners, uvs)
    image, colour, roughness = _look(buffers, document, primitive)
    return GlbMesh(name, first, corners, uvs, image, colour, roughness)


def _surface(buffers: Buffers, primitive: dict[str, Any]) -> tuple[array[float], array[int]]:
    """Checked positions, 3 numbers a vertex, and vertex indices, 3 a triangle."""
    positions, component = buffers.numbers(primitive["attributes"]["POSITION"], "VEC3")
    if component != FLOAT:
        raise ValueError("Its positions are not float numbers.")
    if "indices" in primitive:
        indices, component = buffers.numbers(primitive["indices"], "SCALAR")
        if component == FLOAT:
            raise ValueError("Its indices are not whole numbers.")
    else:
        indices = array("I", range(len(positions) // 3))
    if len(indices) % 3 or max(indices) >= len(positions) // 3:
        raise ValueError("Some of its triangles have corners that do not exist.")
    if max(len(positions), len(indices)) > 3 * _MOST_TRIANGLES:
        raise ValueError(f"It has more than {_MOST_TRIANGLES:,} vertices or triangles.")
    return positions, indices


def _welded(positions: array[float]) -> tuple[array[float], array[int]]:
    """Each position once, in order of appearance, and the new index of every old vertex."""
    index: dict[tuple[float, float, float], int] = {}
    values = iter(positions)
    number_of = array("i", [index.setdefault(place, len(index)) for place in zip(values, values, values, strict=True)])
    return array("f", chain.from_iterable(index)), number_of


def proper(corners: array[int]) -> list[bool] | None:
    """A flag for every corner: whether its triangle has three different corners. None when all triangles have."""
    a, b, c = corners[0::3], corners[1::3], corners[2::3]
    if not any(0 in map(sub, *pair) for pair in ((a, b), (b, c), (c, a))):  # a quick test, which nearly always decides
        return None
    good = list(map(and_, map(and_, map(ne, a, b), map(ne, b, c)), map(ne, a, c)))
    return [bool(flag) for flag in good for _ in range(3)]


def _corner_uvs(values: array[Any], component: int, indices: array[int], count: int) -> array[float]:
    """The texture coordinates of every corner, v up as in Blender; glTF has v down."""
    if len(values) < 2 * count:
        raise ValueError("It has fewer texture coordinates than vertices.")
    scale = {5121: 1.0 / 255.0, 5123: 1.0 / 65535.0}.get(component, 1.0)
    u, v = ([number * scale for number in values[i::2]] if scale != 1.0 else values[i::2].tolist() for i in range(2))
    if not (are_near(array("f", u)) and are_near(array("f", v))):
        raise ValueError("Some of its texture coordinates are no numbers, or far away.")
    pick = itemgetter(*indices)
    uvs = array("f", bytes(8 * len(indices)))
    uvs[0::2] = array("f", pick(u))
    uvs[1::2] = array("f", [1.0 - number for number in pick(v)])
    return uvs


def _blender_axes(positions: array[float]) -> array[float]:
    """(x, y, z) of glTF, Y up and front +Z -> (x, -z, y), Z up and front -Y."""
    turned = array("f", positions)
    turned[1::3] = array("f", map(neg, positions[2::3]))
    turned[2::3] = positions[1::3]
    return turned


def _turned(corners: array[int], uvs: array[float]) -> tuple[array[int], array[float]]:
    """The same triangles with their corners in the opposite order."""
    turned, places = array("i", corners), array("f", uvs)
    turned[1::3], turned[2::3] = corners[2::3], corners[1::3]
    for axis in range(2 if uvs else 0):
        places[2 + axis :: 6], places[4 + axis :: 6] = uvs[4 + axis :: 6], uvs[2 + axis :: 6]
    return turned, places


def _look(
    buffers: Buffers, document: dict[str, Any], primitive: dict[str, Any]
) -> tuple[bytes, tuple[float, float, float, float], float]:
    """Image file, colour factor and roughness of the material."""
    colour, roughness = (1.0, 1.0, 1.0, 1.0), MATT
    if "material" not in primitive:
        return b"", colour, roughness
    surface = item(document["materials"], primitive["material"]).get("pbrMetallicRoughness", {})
    red, green, blue, alpha = (float(value) for value in surface.get("baseColorFactor", colour))
    colour = (_share(red), _share(green), _share(blue), _share(alpha))
    roughness = _share(float(surface.get("roughnessFactor", 1.0)))
    return base_picture(buffers, document, primitive), colour, roughness


def _share(value: float) -> float:
    """The number clamped to [0, 1], which the format requires. Raises ValueError for one that is not finite."""
    if not isfinite(value):
        raise ValueError("A colour or a roughness is no number.")
    return min(1.0, max(0.0, value))
