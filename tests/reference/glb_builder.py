"""Binary glTF files by hand, entry by entry, for tests: any type, stride, sparse array or lie that a test wants."""

from __future__ import annotations

import copy
import json
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

COMPONENTS = {"i1": 5120, "u1": 5121, "i2": 5122, "u2": 5123, "u4": 5125, "f4": 5126}
ELEMENT_TYPES = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4"}
SQUARE = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float32)  # in the plane z = 0, facing +z
SQUARE_UV = np.array([[0, 1], [1, 1], [1, 0], [0, 0]], np.float32)
SQUARE_TRIANGLES = np.array([[0, 1, 2], [0, 2, 3]])
RAW = Any  # numbers of any type


class Glb:
    """A file in the making. `document` may be changed at will; `data()` gives the bytes."""

    def __init__(self) -> None:
        self.document: dict[str, Any] = {"asset": {"version": "2.0"}}
        self.binary = b""

    def add(self, name: str, entry: dict[str, Any]) -> int:
        """Append to a list of the document; its number."""
        self.document.setdefault(name, []).append(entry)
        return len(self.document[name]) - 1

    def view(self, content: bytes, **more: Any) -> int:
        """A bufferView of new data."""
        self.binary += b"\0" * (-len(self.binary) % 4)
        entry = {"buffer": 0, "byteOffset": len(self.binary), "byteLength": len(content), **more}
        self.binary += content
        self.document["buffers"] = [{"byteLength": len(self.binary)}]
        return self.add("bufferViews", entry)

    def array(self, values: RAW, dtype: str = "f4", *, stride: int | None = None, **more: Any) -> int:
        """An accessor of values [n] or [n, width]. stride: bytes from one element to the next."""
        rows = np.asarray(values).astype(f"<{dtype}").reshape(len(values), -1)
        content = np.ascontiguousarray(rows).view(np.uint8).reshape(len(rows), -1)
        extra: dict[str, Any] = {}
        if stride is not None:
            content = np.pad(content, ((0, 0), (0, stride - content.shape[1])), constant_values=0xAB)
            extra["byteStride"] = stride
        entry = {"bufferView": self.view(content.tobytes(), **extra), "componentType": COMPONENTS[dtype]}
        return self.add("accessors", {**entry, "count": len(rows), "type": ELEMENT_TYPES[rows.shape[1]], **more})

    def node(self, primitives: list[dict[str, Any]], mesh: str = "", **more: Any) -> int:
        """A node with a mesh of its own, in the default scene."""
        entry: dict[str, Any] = {"primitives": primitives}
        number = self.add("meshes", {**entry, "name": mesh} if mesh else entry)
        return self.place({"mesh": number, **more})

    def place(self, node: dict[str, Any]) -> int:
        """A node of the default scene."""
        number = self.add("nodes", node)
        self.document.setdefault("scene", 0)
        self.document.setdefault("scenes", [{"nodes": []}])[0]["nodes"].append(number)
        return number

    def data(self) -> bytes:
        """The file."""
        text = json.dumps(self.document).encode()
        text += b" " * (-len(text) % 4)
        chunks = struct.pack("<I4s", len(text), b"JSON") + text
        if self.binary:
            binary = self.binary + b"\0" * (-len(self.binary) % 4)
            chunks += struct.pack("<I4s", len(binary), b"BIN\0") + binary
        return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks

    def copy(self) -> Glb:
        """The same file, to be changed alone."""
        return copy.deepcopy(self)


def square(*, uv: bool = True, **node: Any) -> Glb:
    """A unit square of two triangles, indexed, on a node named by the arguments."""
    glb = Glb()
    glb.node([square_primitive(glb, uv=uv)], **node)
    return glb


def square_primitive(glb: Glb, *, uv: bool = True) -> dict[str, Any]:
    """A primitive of the square, in a file."""
    attributes = {"POSITION": glb.array(SQUARE, min=[0, 0, 0], max=[1, 1, 0])}
    if uv:
        attributes["TEXCOORD_0"] = glb.array(SQUARE_UV)
    return {"attributes": attributes, "indices": glb.array(SQUARE_TRIANGLES.reshape(-1), "u2")}


def parts(data: bytes) -> tuple[dict[str, Any], bytes]:
    """The JSON and the binary data of a file, by the specification alone."""
    (length,) = struct.unpack_from("<I", data, 12)
    return json.loads(data[20 : 20 + length]), data[28 + length :]


def stored(data: bytes, accessor: int) -> NDArray[Any]:
    """The elements of a plain accessor, by the specification alone: [n, width] in the file's type."""
    document, binary = parts(data)
    entry = document["accessors"][accessor]
    view = document["bufferViews"][entry["bufferView"]]
    dtype = np.dtype("<" + next(name for name, number in COMPONENTS.items() if number == entry["componentType"]))
    width = next(number for number, name in ELEMENT_TYPES.items() if name == entry["type"])
    start = view.get("byteOffset", 0) + entry.get("byteOffset", 0)
    stride = view.get("byteStride", width * dtype.itemsize)
    return np.ndarray((entry["count"], width), dtype, binary, start, (stride, dtype.itemsize)).copy()
