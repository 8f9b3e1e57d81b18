"""Writer of the GLB in which an artist's meshes travel to the engine: a node and a mesh a part, nothing shared."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .glb_file import FLOAT, KEPT_UVS


@dataclass(frozen=True)
class MeshPart:
    """One part: what one material of an object covers, or one UDIM tile of that. Three corners a triangle.

    name: str, of the node.
    positions, normals: bytes of little-endian float32[3 T, 3], in the file's axes: Y up, front +Z.
    uvs: bytes of little-endian float32[3 T, 2], v down; b"" for none.
    low, high: lowest and highest corner of the box around the positions.
    """

    name: str
    positions: bytes
    normals: bytes
    uvs: bytes
    low: Sequence[float]
    high: Sequence[float]


def file_size(parts: Sequence[MeshPart], kept_uvs: Sequence[bytes | None] = ()) -> int:
    """The bytes of data in the file of these parts, without its description."""
    return sum(len(part.positions) + len(part.normals) + len(part.uvs) for part in parts) + sum(
        len(kept) for kept in kept_uvs if kept
    )


def mesh_file(parts: Sequence[MeshPart], kept_uvs: Sequence[bytes | None] = ()) -> bytes:
    """The GLB of the parts, in their order.

    kept_uvs: for every object little-endian float32[corners, 2], v up, for `PaintedFile.kept_uvs`; None for none.
    """
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "DreamFusion for Blender"},
        "scene": 0,
        "scenes": [{"nodes": list(range(len(parts)))}],
        "nodes": [{"name": part.name, "mesh": number} for number, part in enumerate(parts)],
        "meshes": [],
        "accessors": [],
        "bufferViews": [],
    }
    blobs: list[bytes] = []
    size = 0

    def view(data: bytes) -> int:
        nonlocal size
        document["bufferViews"].append({"buffer": 0, "byteOffset": size, "byteLength": len(data)})
        blobs.append(data)
        size += len(data)
        return len(blobs) - 1

    def accessor(data: bytes, element_type: str, width: int, **more: Any) -> int:
        count = len(data) // (4 * width)
        entry = {"bufferView": view(data), "componentType": FLOAT, "count": count, "type": element_type}
        document["accessors"].append({**entry, **more})
        return len(document["accessors"]) - 1

    for part in parts:
        box = {"min": [float(value) for value in part.low], "max": [float(value) for value in part.high]}
        attributes = {
            "POSITION": accessor(part.positions, "VEC3", 3, **box),
            "NORMAL": accessor(part.normals, "VEC3", 3),
        }
        if part.uvs:
            attributes["TEXCOORD_0"] = accessor(part.uvs, "VEC2", 2)
        document["meshes"].append({"name": part.name, "primitives": [{"attributes": attributes}]})
    if any(kept_uvs):
        document["extras"] = {KEPT_UVS: [view(kept) if kept else None for kept in kept_uvs]}
    document["buffers"] = [{"byteLength": size}]
    text = json.dumps(document).encode("ascii")
    text += b" " * (-len(text) % 4)
    head = struct.pack("<4sIII4s", b"glTF", 2, 28 + len(text) + size, len(text), b"JSON")
    return b"".join([head, text, struct.pack("<I4s", size, b"BIN\0"), *blobs])
