"""Reader of a GLB with one textured mesh (Khronos, "glTF 2.0 Specification"), without numpy and without bpy.

A glTF file repeats a vertex wherever its texture coordinates jump. Blender keeps texture coordinates on face corners,
so the repeated vertices are merged here. Otherwise every seam of the texture would be a tear in the mesh.
"""

from __future__ import annotations

import base64
import struct
import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, compress
from math import isfinite
from operator import and_, itemgetter, ne, neg, sub
from typing import Any

from ..bounded_json import UnsafeJson, parse_json
from ..job import EngineTrouble, Trouble
from ..picture import TEXTURE_SIDE, can_be_texture
from .node_transform import IDENTITY, is_mirror, transformed, world_matrix
from .payload import are_near

_TYPES = {5121: ("B", 1), 5123: ("H", 2), 5125: ("I", 4), 5126: ("f", 4)}  # componentType: array code, bytes
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}
_TRIANGLES = 4  # primitive.mode
_UNKNOWN = frozenset({"KHR_draco_mesh_compression", "EXT_meshopt_compression", "KHR_texture_basisu"})
_DESCRIPTION_LIMIT = 1 << 24  # bytes; the engine's have some thousand
_MOST_TRIANGLES = 5_000_000  # the engine's largest mesh
MATT = 0.9  # roughness where the file says none


class DamagedMesh(EngineTrouble):
    """The file holds no readable mesh. `trouble` says why."""

    def __init__(self, why: str) -> None:
        super().__init__(
            Trouble(
                "result.damaged",
                "The mesh file of the result cannot be read.",
                why,
                "Generate it again. If it happens again, copy the report and send it to the add-on's makers.",
            )
        )


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
    """

    name: str
    positions: array[float]
    triangles: array[int]
    uvs: array[float]
    image: bytes
    colour: tuple[float, float, float, float]
    roughness: float


def read_glb(data: bytes) -> GlbMesh:
    """Read the mesh of a GLB.

    data: bytes, the whole file.
    Raises DamagedMesh.
    """
    try:
        document, binary = _chunks(data)
        return _mesh(_Buffers(document, binary), document)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError, struct.error) as error:
        raise DamagedMesh(_reason(error)) from error


def bounds(positions: Sequence[float]) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """The lowest and the highest corner of the box around points.

    positions: 3 numbers a point, at least one point.
    """
    axes = [positions[axis::3] for axis in range(3)]
    low, high = [min(axis) for axis in axes], [max(axis) for axis in axes]
    return (low[0], low[1], low[2]), (high[0], high[1], high[2])


def _reason(error: Exception) -> str:
    if type(error) is ValueError and str(error):
        return str(error)
    if isinstance(error, KeyError):
        return f"Its description lacks {error}."
    return f"Its description makes no sense ({type(error).__name__}: {error})."


def _chunks(data: bytes) -> tuple[dict[str, Any], memoryview]:
    """The JSON document and the binary chunk."""
    if len(data) < 20 or data[:4] != b"glTF":
        raise ValueError("It is not a binary glTF file." if data else "It is empty.")
    version, length = struct.unpack_from("<II", data, 4)
    if version != 2:
        raise ValueError(f"It is of glTF version {version}; only version 2 can be read.")
    if length != len(data):
        raise ValueError(f"It has {len(data):,} of the {length:,} bytes that it should have.")
    view, place = memoryview(data), 12
    text: memoryview | None = None
    binary = memoryview(b"")
    while place < length:
        size, kind = struct.unpack_from("<I4s", data, place)
        if place + 8 + size > length:
            raise ValueError("One of its parts is longer than the file.")
        chunk = view[place + 8 : place + 8 + size]
        if kind == b"JSON" and text is None:
            text = chunk
        elif kind == b"BIN\0" and not len(binary):
            binary = chunk
        place += 8 + size
    if text is None:
        raise ValueError("It has no description of what is in it.")
    if len(text) > _DESCRIPTION_LIMIT:
        raise ValueError(f"Its description is longer than {_DESCRIPTION_LIMIT >> 20} MiB.")
    try:
        document = parse_json(bytes(text))
    except UnsafeJson as error:
        raise ValueError(f"Its description cannot be read: {error}.") from error
    if not isinstance(document, dict):
        raise ValueError("Its description is not an object.")
    unknown = _UNKNOWN.intersection(document.get("extensionsRequired", ()))
    if unknown:
        raise ValueError(f"It is packed by {', '.join(sorted(unknown))}, which cannot be read.")
    return document, binary


class _Buffers:
    """The numbers and bytes behind a document's accessors and buffer views."""

    def __init__(self, document: dict[str, Any], binary: memoryview) -> None:
        self._document = document
        self._binary = binary

    def view(self, number: int) -> memoryview:
        """The bytes of a buffer view."""
        entry = _item(self._document["bufferViews"], number)
        buffer = _item(self._document["buffers"], entry.get("buffer", 0))
        whole = memoryview(_inline(buffer["uri"])) if "uri" in buffer else self._binary
        start, size = entry.get("byteOffset", 0), entry["byteLength"]
        if start < 0 or size < 0 or start + size > len(whole):
            raise ValueError("It describes more data than there is.")
        return whole[start : start + size]

    def numbers(self, number: int, kind: str) -> tuple[array[Any], int]:
        """The numbers of an accessor, and their componentType.

        number: int, the accessor.
        kind: str, the type that it must have: SCALAR, VEC3 ...
        """
        entry = _item(self._document["accessors"], number)
        if entry["type"] != kind:
            raise ValueError(f"It has {entry['type']} where {kind} belongs.")
        if "sparse" in entry or "bufferView" not in entry:
            raise ValueError("It stores numbers sparsely, which cannot be read.")
        code, size = _TYPES[entry["componentType"]]
        width, count, start = _WIDTHS[kind] * size, entry["count"], entry.get("byteOffset", 0)
        stride = _item(self._document["bufferViews"], entry["bufferView"]).get("byteStride", 0) or width
        data = self.view(entry["bufferView"])
        if count < 1 or start < 0 or stride < width or start + stride * (count - 1) + width > len(data):
            raise ValueError("It describes more numbers than there are.")
        values = array(code)
        if stride == width:
            values.frombytes(data[start : start + width * count])
        else:
            values.frombytes(b"".join(data[i : i + width] for i in range(start, start + stride * count, stride)))
        if sys.byteorder == "big":
            values.byteswap()
        return values, entry["componentType"]


def _mesh(buffers: _Buffers, document: dict[str, Any]) -> GlbMesh:
    primitives = [primitive for mesh in document["meshes"] for primitive in mesh["primitives"]]
    if len(primitives) != 1:
        raise ValueError(f"It holds {len(primitives)} meshes instead of one.")
    primitive = primitives[0]
    if primitive.get("mode", _TRIANGLES) != _TRIANGLES:
        raise ValueError("It holds lines or points instead of triangles.")
    attributes = primitive["attributes"]
    positions, indices = _surface(buffers, primitive)
    matrix = world_matrix(document)
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
    name = next((node["name"] for node in document.get("nodes", ()) if "mesh" in node and "name" in node), "")
    return GlbMesh(str(name), first, corners, uvs, image, colour, roughness)


def _surface(buffers: _Buffers, primitive: dict[str, Any]) -> tuple[array[float], array[int]]:
    """Checked positions, 3 numbers a vertex, and vertex indices, 3 a triangle."""
    positions, kind = buffers.numbers(primitive["attributes"]["POSITION"], "VEC3")
    if kind != 5126:
        raise ValueError("Its positions are not float numbers.")
    if "indices" in primitive:
        indices, kind = buffers.numbers(primitive["indices"], "SCALAR")
        if kind == 5126:
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


def _corner_uvs(values: array[Any], kind: int, indices: array[int], count: int) -> array[float]:
    """The texture coordinates of every corner, v up as in Blender; glTF has v down."""
    if len(values) < 2 * count:
        raise ValueError("It has fewer texture coordinates than vertices.")
    scale = {5121: 1.0 / 255.0, 5123: 1.0 / 65535.0}.get(kind, 1.0)
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
    buffers: _Buffers, document: dict[str, Any], primitive: dict[str, Any]
) -> tuple[bytes, tuple[float, float, float, float], float]:
    """Image file, colour factor and roughness of the material."""
    image, colour, roughness = b"", (1.0, 1.0, 1.0, 1.0), MATT
    if "material" not in primitive:
        return image, colour, roughness
    surface = _item(document["materials"], primitive["material"]).get("pbrMetallicRoughness", {})
    red, green, blue, alpha = (float(value) for value in surface.get("baseColorFactor", colour))
    colour = (_share(red), _share(green), _share(blue), _share(alpha))
    roughness = _share(float(surface.get("roughnessFactor", 1.0)))
    if "baseColorTexture" in surface:
        texture = _item(document["textures"], surface["baseColorTexture"]["index"])
        source = _item(document["images"], texture["source"])
        image = _inline(source["uri"]) if "uri" in source else bytes(buffers.view(source["bufferView"]))
        if not can_be_texture(image):
            raise ValueError(f"Its texture is no PNG or JPEG of at most {TEXTURE_SIDE:,} pixels along a side.")
    return image, colour, roughness


def _share(value: float) -> float:
    """The number clamped to [0, 1], which the format requires. Raises ValueError for one that is not finite."""
    if not isfinite(value):
        raise ValueError("A colour or a roughness is no number.")
    return min(1.0, max(0.0, value))


def _item(items: list[Any], number: int) -> Any:
    """items[number]; a negative number is an error, not the last one."""
    if number < 0:
        raise IndexError(f"there is no number {number}")
    return items[number]


def _inline(uri: str) -> bytes:
    head, comma, body = uri.partition(",")
    if not head.startswith("data:") or not head.endswith(";base64") or not comma:
        raise ValueError("It keeps a part of itself in another file, which is not here.")
    return base64.b64decode(body, validate=True)
