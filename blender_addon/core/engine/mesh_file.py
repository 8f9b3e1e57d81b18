"""Writer of the GLB in which an artist's meshes travel to the engine: a node and a mesh a part, nothing shared."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..picture import JPEG_BEGIN
from .glb_file import CHOSEN, FLOAT, KEPT_UVS, UNSIGNED


@dataclass(frozen=True)
class MeshPart:
    """One part: an object, or what one material of it covers, or one UDIM tile of that.

    name: str, of the node.
    positions, normals: bytes of little-endian float32[V, 3], in the file's axes: Y up, front +Z; no normals: b"".
    uvs: bytes of little-endian float32[V, 2], v down; b"" for none.
    low, high: lowest and highest corner of the box around the positions.
    indices: bytes of little-endian uint32[T, 3]; b"": every three vertices are a triangle.
    move: where the node puts it, in the file's axes.
    chosen: bytes of little-endian float32[V] in [0, 1], how much each vertex may change; b"": nothing is said of it.
    colour: linear RGB in [0, 1], the base colour that the part has; None: nothing is said of it.
    picture: bytes of a PNG or JPEG, its base colour where that is a picture; b"" for none.
    """

    name: str
    positions: bytes
    normals: bytes
    uvs: bytes
    low: Sequence[float]
    high: Sequence[float]
    indices: bytes = b""
    move: Sequence[float] = (0.0, 0.0, 0.0)
    chosen: bytes = b""
    colour: Sequence[float] | None = None
    picture: bytes = b""

    @property
    def size(self) -> int:
        """The bytes of its arrays in the file."""
        return sum(map(len, (self.positions, self.normals, self.uvs, self.indices, self.chosen)))


def _node(part: MeshPart, number: int) -> dict[str, Any]:
    node: dict[str, Any] = {"name": part.name, "mesh": number}
    return {**node, "translation": [float(value) for value in part.move]} if any(part.move) else node


def file_size(parts: Sequence[MeshPart], kept_uvs: Sequence[bytes | None] = ()) -> int:
    """The bytes of data in the file of these parts, without its description."""
    pictures = sum(map(len, {part.picture for part in parts}))  # each is stored once
    return sum(part.size for part in parts) + pictures + sum(len(kept) for kept in kept_uvs if kept)


def mesh_file(parts: Sequence[MeshPart], kept_uvs: Sequence[bytes | None] = ()) -> bytes:
    """The GLB of the parts, in their order.

    kept_uvs: for every object little-endian float32[corners, 2], v up, for `PaintedFile.kept_uvs`; None for none.
    """
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "DreamFusion for Blender"},
        "scene": 0,
        "scenes": [{"nodes": list(range(len(parts)))}],
        "nodes": [_node(part, number) for number, part in enumerate(parts)],
        "meshes": [],
        "accessors": [],
        "bufferViews": [],
    }
    blobs: list[bytes] = []
    size = 0

    def view(data: bytes) -> int:
        nonlocal size
        if size % 4:  # numbers begin at multiples of four, pictures end anywhere
            blobs.append(b"\0" * (-size % 4))
            size += -size % 4
        document["bufferViews"].append({"buffer": 0, "byteOffset": size, "byteLength": len(data)})
        blobs.append(data)
        size += len(data)
        return len(document["bufferViews"]) - 1

    def accessor(data: bytes, element_type: str, width: int, **more: Any) -> int:
        entry = {"bufferView": view(data), "count": len(data) // (4 * width), "type": element_type}
        document["accessors"].append({"componentType": FLOAT, **entry, **more})
        return len(document["accessors"]) - 1

    textures: dict[bytes, int] = {}

    def material(part: MeshPart) -> int:
        surface: dict[str, Any] = {"metallicFactor": 0.0, "roughnessFactor": 0.9}
        if part.picture:
            if part.picture not in textures:
                images = document.setdefault("images", [])
                mime = "image/jpeg" if part.picture.startswith(JPEG_BEGIN) else "image/png"
                number = view(part.picture + b"\0" * (-len(part.picture) % 4))  # what follows stays aligned
                document["bufferViews"][number]["byteLength"] = len(part.picture)
                images.append({"bufferView": number, "mimeType": mime})
                document.setdefault("textures", []).append({"source": len(images) - 1})
                textures[part.picture] = len(images) - 1
            surface["baseColorTexture"] = {"index": textures[part.picture]}
        else:
            surface["baseColorFactor"] = [*map(float, part.colour or ()), 1.0]
        document.setdefault("materials", []).append({"name": part.name, "pbrMetallicRoughness": surface})
        return len(document["materials"]) - 1

    for part in parts:
        box = {"min": [float(value) for value in part.low], "max": [float(value) for value in part.high]}
        attributes = {"POSITION": accessor(part.positions, "VEC3", 3, **box)}
        if part.normals:
            attributes["NORMAL"] = accessor(part.normals, "VEC3", 3)
        if part.uvs:
            attributes["TEXCOORD_0"] = accessor(part.uvs, "VEC2", 2)
        primitive: dict[str, Any] = {"attributes": attributes}
        if part.indices:
            primitive["indices"] = accessor(part.indices, "SCALAR", 1, componentType=UNSIGNED)
        if part.chosen:
            attributes[CHOSEN] = accessor(part.chosen, "SCALAR", 1)
        if part.colour is not None:
            primitive["material"] = material(part)
        document["meshes"].append({"name": part.name, "primitives": [primitive]})
    if any(kept_uvs):
        document["extras"] = {KEPT_UVS: [view(kept) if kept else None for kept in kept_uvs]}
    if size % 4:
        blobs.append(b"\0" * (-size % 4))
        size += -size % 4
    document["buffers"] = [{"byteLength": size}]
    text = json.dumps(document).encode("ascii")
    text += b" " * (-len(text) % 4)
    head = struct.pack("<4sIII4s", b"glTF", 2, 28 + len(text) + size, len(text), b"JSON")
    return b"".join([head, text, struct.pack("<I4s", size, b"BIN\0"), *blobs])
