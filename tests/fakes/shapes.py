"""Pictures and meshes in the bytes that an engine sends them in. Standard library only."""

from __future__ import annotations

import json
import math
import struct
import zlib
from typing import Any

Ball = tuple[list[tuple[float, float, float]], list[tuple[int, int, int]]]


def png(width: int, height: int, shade: int) -> bytes:
    """A PNG of one colour. shade: 0 to 255."""
    return png_file(width, [b"\0" + bytes((shade, 128, 255 - shade)) * width] * height)


def plain_png(side: int, part: int) -> bytes:
    """A square in the colour of a part's number: red 200, green 20 a part, blue 60; its lower left quarter is dark."""
    bright, dark = bytes((200, min(255, 20 * part), 60)), bytes((40, min(255, 20 * part), 60))
    half = side // 2
    upper, lower = b"\0" + bright * side, b"\0" + dark * half + bright * (side - half)
    return png_file(side, [upper] * (side - half) + [lower] * half)


def cut_out_png(side: int) -> bytes:
    """A blue square that is opaque in its middle half, and red where it is transparent."""
    inside = [side // 4 <= i < side - side // 4 for i in range(side)]
    pixels = {True: bytes((20, 40, 220, 255)), False: bytes((220, 40, 20, 0))}
    rows = [b"\0" + b"".join(pixels[row and column] for column in inside) for row in inside]
    return png_file(side, rows, colour_type=6)


def png_file(width: int, rows: list[bytes], colour_type: int = 2) -> bytes:
    """A PNG of rows of 8-bit RGB, or with colour type 6 of RGBA, that begin with their filter."""
    head = struct.pack(">IIBBBBB", width, len(rows), 8, colour_type, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(b"".join(rows))), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def tetrahedron(size: float) -> bytes:
    """The bytes of a mesh preview: 4 vertices, 4 triangles, 4 colours."""
    corners = [(-1, -1, -1), (1, 1, -1), (1, -1, 1), (-1, 1, 1)]
    triangles = [(0, 1, 2), (0, 3, 1), (0, 2, 3), (1, 3, 2)]
    vertices = b"".join(struct.pack("<3f", *(size * value for value in corner)) for corner in corners)
    return vertices + b"".join(struct.pack("<3i", *t) for t in triangles) + bytes((255, 0, 0, 0, 255, 0) * 2)


def ball(rings: int, radius: float) -> Ball:
    """A closed ball, Z up, of 4 * rings * (rings - 1) triangles: corners and triangles. rings: at least 3."""
    sides = 2 * rings
    vertices = [(0.0, 0.0, radius)]
    for ring in range(1, rings):
        polar = math.pi * ring / rings
        for side in range(sides):
            turn = 2 * math.pi * side / sides
            flat = radius * math.sin(polar)
            vertices.append((flat * math.cos(turn), flat * math.sin(turn), radius * math.cos(polar)))
    vertices.append((0.0, 0.0, -radius))
    last = len(vertices) - 1
    triangles = []
    for side in range(sides):
        after = (side + 1) % sides
        triangles.append((0, 1 + side, 1 + after))
        for ring in range(rings - 2):
            a, b = 1 + ring * sides + side, 1 + ring * sides + after
            triangles += [(a, a + sides, b), (b, a + sides, b + sides)]
        low = 1 + (rings - 2) * sides
        triangles.append((last, low + after, low + side))
    return vertices, triangles


def stretched(mesh: Ball, box: tuple[tuple[float, float, float], tuple[float, float, float]]) -> Ball:
    """A mesh in the box of its lowest and highest corner, Z up."""
    (low, high), (vertices, triangles) = box, mesh
    own = [(min(axis), max(axis)) for axis in zip(*vertices, strict=True)]
    moved = [
        [a + (b - a) * (v - p) / (q - p) for v, (p, q), a, b in zip(vertex, own, low, high, strict=True)]
        for vertex in vertices
    ]
    return [(x, y, z) for x, y, z in moved], triangles


def growing(mesh: Ball) -> bytes:
    """The bytes of a mesh preview, with a colour for each corner."""
    vertices, triangles = mesh
    data = b"".join(struct.pack("<3f", *v) for v in vertices) + b"".join(struct.pack("<3i", *t) for t in triangles)
    return data + b"".join(bytes((200, 90 + min(165, int(100 * abs(v[2]))), 60)) for v in vertices)


def ball_glb(
    name: str,
    shade: int,
    triangles: int = 960,
    padding: int = 0,
    box: tuple[tuple[float, float, float], tuple[float, float, float]] | None = None,
) -> bytes:
    """A textured ball as binary glTF 2.0, of diameter 1.

    triangles: about so many. padding: bytes that nothing refers to, for a file of a real one's size. box: lowest and
    highest corner, Z up, into which it is stretched.
    """
    corners, faces = ball(max(3, round(math.sqrt(triangles / 4))), 0.5)
    placed = corners if box is None else stretched((corners, faces), box)[0]
    points = [(x, z, -y) for x, y, z in placed]  # Y is up in the format
    middle = [0.5 * (min(axis) + max(axis)) for axis in zip(*points, strict=True)]
    uvs = [(math.atan2(y, x) / (2 * math.pi) + 0.5, max(0.0, min(1.0, 0.5 - z))) for x, y, z in corners]
    blobs = [
        b"".join(struct.pack("<3f", *p) for p in points),
        b"".join(struct.pack("<3f", *(2.0 * (v - m) for v, m in zip(p, middle, strict=True))) for p in points),
        b"".join(struct.pack("<2f", *t) for t in uvs),
        b"".join(struct.pack("<3I", *f) for f in faces),
        png(64, 64, shade),
    ]
    views, binary = [], b""
    for blob in blobs:
        views.append({"buffer": 0, "byteOffset": len(binary), "byteLength": len(blob)})
        binary += blob + b"\0" * (-len(blob) % 4)
    binary += b"\0" * (padding & ~3)
    each = {"componentType": 5126, "count": len(points)}
    low, high = ([f(axis) for axis in zip(*points, strict=True)] for f in (min, max))
    accessors: list[dict[str, Any]] = [
        {"bufferView": 0, **each, "type": "VEC3", "min": low, "max": high},
        {"bufferView": 1, **each, "type": "VEC3"},
        {"bufferView": 2, **each, "type": "VEC2"},
        {"bufferView": 3, "componentType": 5125, "count": 3 * len(faces), "type": "SCALAR"},
    ]
    attributes = {"POSITION": 0, "NORMAL": 1, "TEXCOORD_0": 2}
    document = {
        "asset": {"version": "2.0", "generator": "scripted engine"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": name}],
        "meshes": [{"name": name, "primitives": [{"attributes": attributes, "indices": 3, "material": 0}]}],
        "materials": [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}, "metallicFactor": 0.0}}],
        "textures": [{"source": 0}],
        "images": [{"bufferView": 4, "mimeType": "image/png"}],
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": len(binary)}],
    }
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks
