"""Reader of a GLB whose meshes are painted: for every part its picture, places and texture coordinates."""

from __future__ import annotations

import sys
from array import array
from typing import Any

from .glb_file import CHOSEN, FLOAT, KEPT_UVS, Buffers, DamagedMesh, base_picture, chunks, guarded, named_parts

__all__ = ["DamagedMesh", "PaintedFile"]


class PaintedFile:
    """The parts of a painted GLB, in the order in which they were sent."""

    def __init__(self, data: bytes) -> None:
        """data: bytes, the whole file.

        Raises DamagedMesh.
        """
        self._document, binary = guarded(lambda: chunks(data))
        self._buffers = Buffers(self._document, binary)
        self._parts: list[tuple[str, dict[str, Any]]] = guarded(lambda: named_parts(self._document))

    def __len__(self) -> int:
        return len(self._parts)

    def picture(self, number: int) -> bytes:
        """The PNG or JPEG of a part's base colour. Raises DamagedMesh, also where there is none."""
        found = guarded(lambda: base_picture(self._buffers, self._document, self._parts[number][1]))
        if not found:
            raise DamagedMesh(f"Its part {number + 1} has no texture.")
        return found

    def uvs(self, number: int) -> array[float]:
        """Texture coordinates of a part, 2 numbers a corner in the order of its triangles, v up as in Blender.

        Raises DamagedMesh, also where there are none.
        """
        return guarded(lambda: self._uvs(self._parts[number][1]))

    def positions(self, number: int) -> array[float]:
        """Places of a part's corners, 3 numbers each in the order of its triangles, in the file's axes: Y up.

        Raises DamagedMesh.
        """
        return guarded(lambda: self._corners(self._parts[number][1], "POSITION", "VEC3"))

    def chosen(self, number: int) -> array[float] | None:
        """How much each corner of a part may change, in the order of its triangles; None where nothing is said of it.

        Raises DamagedMesh.
        """
        primitive = self._parts[number][1]
        if CHOSEN not in primitive.get("attributes", {}):
            return None
        return guarded(lambda: self._corners(primitive, CHOSEN, "SCALAR"))

    def kept_uvs(self, number: int) -> array[float] | None:
        """The texture coordinates that `mesh_file` kept for an object, 2 numbers a corner of its faces; None for none.

        Raises DamagedMesh.
        """
        return guarded(lambda: self._kept(number))

    def _kept(self, number: int) -> array[float] | None:
        views = self._document["extras"][KEPT_UVS]
        if views[number] is None:
            return None
        values = array("f")
        values.frombytes(self._buffers.view(views[number]))
        if sys.byteorder == "big":
            values.byteswap()
        return values

    def _uvs(self, primitive: dict[str, Any]) -> array[float]:
        values = self._corners(primitive, "TEXCOORD_0", "VEC2")
        values[1::2] = array("f", [1.0 - v for v in values[1::2]])
        return values

    def _corners(self, primitive: dict[str, Any], attribute: str, element_type: str) -> array[float]:
        values, component = self._buffers.numbers(primitive["attributes"][attribute], element_type)
        if component != FLOAT:
            raise ValueError("Its places are not float numbers.")
        if "indices" not in primitive:
            return values
        width = {"VEC3": 3, "VEC2": 2, "SCALAR": 1}[element_type]
        indices, _ = self._buffers.numbers(primitive["indices"], "SCALAR")
        if max(indices) >= len(values) // width:
            raise ValueError("Some of its triangles have corners that do not exist.")
        return array("f", [values[width * index + axis] for index in indices for axis in range(width)])
