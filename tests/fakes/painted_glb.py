"""What the scripted engines do with meshes that came: a plain new base colour on every part, the box around them, or
a part that is raised.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

Box = tuple[tuple[float, float, float], tuple[float, float, float]]
SOURCE = "source.glb"  # as the real engine keeps it


def source_of(message: dict[str, Any], data: bytes) -> bytes:
    """The meshes of a job: what its message carried, or of a resumed run what its folder has."""
    folder = Path(message["output"]).expanduser()
    if data:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / SOURCE).write_bytes(data)
        return data
    return (folder / SOURCE).read_bytes()


def part_count(glb: bytes) -> int:
    """The number of its primitives."""
    return sum(len(mesh["primitives"]) for mesh in _split(glb)[0]["meshes"])


def box_of(glb: bytes) -> Box:
    """Lowest and highest corner of what its nodes show, Z up. Of nodes only the translation counts."""
    document, _ = _split(glb)
    low, high = [1e9] * 3, [-1e9] * 3
    for node in document["nodes"]:
        move = node.get("translation", [0.0, 0.0, 0.0])
        for primitive in document["meshes"][node["mesh"]]["primitives"]:
            about = document["accessors"][primitive["attributes"]["POSITION"]]
            low = [min(a, b + c) for a, b, c in zip(low, about["min"], move, strict=True)]
            high = [max(a, b + c) for a, b, c in zip(high, about["max"], move, strict=True)]
    return (low[0], -high[2], low[1]), (high[0], -low[2], high[1])


def painted(glb: bytes, picture: Callable[[int], bytes]) -> bytes:
    """The file with a base colour texture on every part.

    picture: gives the PNG of a part's number.
    """
    document, binary = _split(glb)
    parts = [primitive for mesh in document["meshes"] for primitive in mesh["primitives"]]
    document |= {"materials": [], "textures": [], "images": []}
    for number, part in enumerate(parts):
        png = picture(number)
        part["material"] = number
        document["materials"].append({"pbrMetallicRoughness": {"baseColorTexture": {"index": number}}})
        document["textures"].append({"source": number})
        document["images"].append({"bufferView": len(document["bufferViews"]), "mimeType": "image/png"})
        document["bufferViews"].append({"buffer": 0, "byteOffset": len(binary), "byteLength": len(png)})
        binary += png + b"\0" * (-len(png) % 4)
    document["buffers"] = [{"byteLength": len(binary)}]
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def raised(glb: bytes, step: float) -> bytes:
    """The file with what its attribute _PART chooses a step higher, except for places that other faces have too."""
    document, binary = _split(glb)
    (length,) = struct.unpack_from("<I", glb, 12)
    begin, content = 28 + length, bytearray(glb)
    copies: dict[tuple[float, ...], list[tuple[int, float]]] = {}  # of a place: where each is, and its weight
    for mesh in document["meshes"]:
        for primitive in mesh["primitives"]:
            at, of = (_start(document, primitive["attributes"][name]) for name in ("POSITION", "_PART"))
            for vertex in range(document["accessors"][primitive["attributes"]["POSITION"]]["count"]):
                place = struct.unpack_from("<3f", binary, at + 12 * vertex)
                (weight,) = struct.unpack_from("<f", binary, of + 4 * vertex)
                copies.setdefault(place, []).append((begin + at + 12 * vertex, weight))
    for place, found in copies.items():
        if min(weight for _, weight in found) > 0.0:
            for where, _ in found:
                struct.pack_into("<f", content, where + 4, place[1] + step)  # Y up
    return bytes(content)


def _start(document: dict[str, Any], accessor: int) -> int:
    """Where the data of an accessor begin in the binary chunk, which has them without gaps."""
    entry = document["accessors"][accessor]
    return int(document["bufferViews"][entry["bufferView"]].get("byteOffset", 0) + entry.get("byteOffset", 0))


def _split(glb: bytes) -> tuple[dict[str, Any], bytes]:
    (size,) = struct.unpack_from("<I", glb, 12)
    (length,) = struct.unpack_from("<I", glb, 20 + size)
    return json.loads(glb[20 : 20 + size]), glb[28 + size : 28 + size + length]
