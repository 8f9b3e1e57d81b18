"""Checks that the data after a message is what the message says. Blender would crash on a damaged mesh."""

from __future__ import annotations

import math
import struct
import sys
from array import array

from ..picture import PNG_BEGIN, PNG_END, can_be_shown
from ..protocol import EVENTS, Frame

FARTHEST = 1e6  # of a coordinate; the engine's objects are of size 1
MOST_SHOWN = 1_000_000  # vertices and triangles of a coarse mesh; the engine's have some thousand


def payload_fault(frame: Frame) -> str | None:
    """What is wrong with the data of a frame; None when it is sound, or when the message carries none."""
    message, data = frame.message, frame.data
    carried = EVENTS[message["type"]].get("bytes")
    if carried == "png":
        return png_fault(data)
    if carried == "mesh":
        return mesh_fault(data, message["vertices"], message["triangles"])
    return glb_fault(data) if carried == "glb" else None


def png_fault(data: bytes) -> str | None:
    """What is wrong with a picture; None when it is sound."""
    if not (data.startswith(PNG_BEGIN) and data.endswith(PNG_END)):
        return f"{len(data):,} bytes that are no whole PNG"
    return None if can_be_shown(data) else "a picture that is too large to be shown, or has no size"


def mesh_fault(data: bytes, vertices: int, triangles: int) -> str | None:
    """What is wrong with a coarse mesh; None when it is sound.

    data: vertices float32[V, 3], triangles int32[T, 3], colours uint8[V, 3], one after the other.
    vertices, triangles: int, V and T.
    """
    if not (0 <= vertices <= MOST_SHOWN and 0 <= triangles <= MOST_SHOWN):
        return f"more than {MOST_SHOWN:,} vertices or triangles, or fewer than none"
    expected = vertices * 15 + triangles * 12
    if len(data) != expected:
        return f"{len(data):,} bytes for {vertices:,} vertices and {triangles:,} triangles instead of {expected:,}"
    positions, corners = array("f"), array("i")
    positions.frombytes(data[: vertices * 12])
    corners.frombytes(data[vertices * 12 : vertices * 12 + triangles * 12])
    if sys.byteorder == "big":
        positions.byteswap()
        corners.byteswap()
    if not are_near(positions):
        return "a vertex that is nowhere, or far away"
    if corners and not 0 <= min(corners) <= max(corners) < vertices:
        return f"a triangle with a corner outside of [0, {vertices})"
    return None


def are_near(coordinates: array[float]) -> bool:
    """Whether all coordinates are finite and within FARTHEST of 0."""
    if not coordinates:
        return True
    # The sum comes first: one NaN makes it NaN, while min and max may miss a NaN among other numbers.
    return math.isfinite(sum(coordinates)) and min(coordinates) >= -FARTHEST and max(coordinates) <= FARTHEST


def glb_fault(data: bytes) -> str | None:
    """What is wrong with a GLB file, by its header and length; None when both are sound."""
    if len(data) < 20:
        return f"{len(data)} bytes are no mesh file"
    magic, version, length = struct.unpack_from("<4sII", data)
    if magic != b"glTF" or version != 2:
        return "it is no binary glTF 2.0 file"
    return None if length == len(data) else f"{len(data):,} bytes came of {length:,}"
