"""A binary glTF 2.0 file (Khronos, "glTF 2.0 Specification") as a document and numbers, without numpy and bpy."""

from __future__ import annotations

import base64
import struct
import sys
from array import array
from collections.abc import Callable
from typing import Any, TypeVar

from ..bounded_json import UnsafeJson, parse_json
from ..job import EngineTrouble, Trouble
from ..picture import TEXTURE_SIDE, can_be_texture

_TYPES = {5121: ("B", 1), 5123: ("H", 2), 5125: ("I", 4), 5126: ("f", 4)}  # componentType: array code, bytes
FLOAT, UNSIGNED = 5126, 5125  # componentType; UNSIGNED: 32 bits
KEPT_UVS = "uvs"  # in the file's extras: for every object a buffer view with new texture coordinates, or null
CHOSEN = "_PART"  # attribute of a corner: how much it may change
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}
_UNKNOWN = frozenset({"KHR_draco_mesh_compression", "EXT_meshopt_compression", "KHR_texture_basisu"})
_DESCRIPTION_LIMIT = 1 << 24  # bytes; the engine's have some thousand
_Found = TypeVar("_Found")


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


def guarded(read: Callable[[], _Found]) -> _Found:
    """What `read` returns. What it raises because the file makes no sense becomes DamagedMesh."""
    try:
        return read()
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError, struct.error) as error:
        raise DamagedMesh(_reason(error)) from error


def _reason(error: Exception) -> str:
    if type(error) is ValueError and str(error):
        return str(error)
    if isinstance(error, KeyError):
        return f"Its description lacks {error}."
    return f"Its description makes no sense ({type(error).__name__}: {error})."


def chunks(data: bytes) -> tuple[dict[str, Any], memoryview]:
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
        size, chunk_type = struct.unpack_from("<I4s", data, place)
        if place + 8 + size > length:
            raise ValueError("One of its parts is longer than the file.")
        chunk = view[place + 8 : place + 8 + size]
        if chunk_type == b"JSON" and text is None:
            text = chunk
        elif chunk_type == b"BIN\0" and not len(binary):
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


class Buffers:
    """The numbers and bytes behind a document's accessors and buffer views."""

    def __init__(self, document: dict[str, Any], binary: memoryview) -> None:
        self._document = document
        self._binary = binary

    def view(self, number: int) -> memoryview:
        """The bytes of a buffer view."""
        entry = item(self._document["bufferViews"], number)
        buffer = item(self._document["buffers"], entry.get("buffer", 0))
        whole = memoryview(inline(buffer["uri"])) if "uri" in buffer else self._binary
        start, size = entry.get("byteOffset", 0), entry["byteLength"]
        if start < 0 or size < 0 or start + size > len(whole):
            raise ValueError("It describes more data than there is.")
        return whole[start : start + size]

    def numbers(self, number: int, element_type: str) -> tuple[array[Any], int]:
        """The numbers of an accessor, and their componentType.

        number: int, the accessor.
        element_type: str, the type that it must have: SCALAR, VEC3 ...
        """
        entry = item(self._document["accessors"], number)
        if entry["type"] != element_type:
            raise ValueError(f"It has {entry['type']} where {element_type} belongs.")
        if "sparse" in entry or "bufferView" not in entry:
            raise ValueError("It stores numbers sparsely, which cannot be read.")
        code, size = _TYPES[entry["componentType"]]
        width, count, start = _WIDTHS[element_type] * size, entry["count"], entry.get("byteOffset", 0)
        stride = item(self._document["bufferViews"], entry["bufferView"]).get("byteStride", 0) or width
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


def item(items: list[Any], number: int) -> Any:
    """items[number]; a negative number is an error, not the last one."""
    if number < 0:
        raise IndexError(f"there is no number {number}")
    return items[number]


def inline(uri: str) -> bytes:
    head, comma, body = uri.partition(",")
    if not head.startswith("data:") or not head.endswith(";base64") or not comma:
        raise ValueError("It keeps a part of itself in another file, which is not here.")
    return base64.b64decode(body, validate=True)


def named_parts(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Every primitive of every node with a mesh, in the file's order, with the node's name."""
    found = []
    for node in document.get("nodes", ()):
        if "mesh" in node:
            mesh = item(document["meshes"], node["mesh"])
            found += [(str(node.get("name", "")), primitive) for primitive in mesh["primitives"]]
    return found


def base_picture(buffers: Buffers, document: dict[str, Any], primitive: dict[str, Any]) -> bytes:
    """The file of a primitive's base colour texture, a PNG or JPEG; b"" where it has none."""
    if "material" not in primitive:
        return b""
    surface = item(document["materials"], primitive["material"]).get("pbrMetallicRoughness", {})
    if "baseColorTexture" not in surface:
        return b""
    return picture_of(buffers, document, surface["baseColorTexture"])


def picture_of(buffers: Buffers, document: dict[str, Any], reference: dict[str, Any]) -> bytes:
    """The file of the texture that a material refers to, a PNG or JPEG."""
    texture = item(document["textures"], reference["index"])
    source = item(document["images"], texture["source"])
    image = inline(source["uri"]) if "uri" in source else bytes(buffers.view(source["bufferView"]))
    if not can_be_texture(image):
        raise ValueError(f"Its texture is no PNG or JPEG of at most {TEXTURE_SIDE:,} pixels along a side.")
    return image
