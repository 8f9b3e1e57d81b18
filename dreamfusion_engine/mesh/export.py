"""Write and read mesh.glb: a binary glTF 2.0 file (Khronos, "glTF 2.0 Specification") of a textured mesh.

glTF is Y up with the front towards +Z; the engine is Z up with the front towards -Y. (x, y, z) -> (x, z, -y).
"""

from __future__ import annotations

import io
import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import dreamfusion_engine
from dreamfusion_engine.errors import InputError
from dreamfusion_engine.machine.atomic_file import write_atomically
from dreamfusion_engine.mesh.arrays import Doubles, Floats, Ints
from dreamfusion_engine.mesh.tangents import corner_tangents
from dreamfusion_engine.mesh.textured import TexturedMesh, standing

ROUGHNESS = 0.9  # nearly matt: SDS objects have no highlights of their own
_FLOAT, _UINT = 5126, 5125  # componentType
_VERTEX_BUFFER, _INDEX_BUFFER = 34962, 34963  # bufferView.target
_LINEAR, _LINEAR_MIPMAP_LINEAR, _CLAMP = 9729, 9987, 33071  # sampler


@dataclass(frozen=True, kw_only=True)
class GlbContent:
    """The content of a GLB of this engine, in the engine's axes (Z up, front -Y), seams split.

    positions, normals: float32[n, 3].
    uv: float32[n, 2], v down.
    triangles: int32[T, 3].
    texture: uint8[H, W, 3], sRGB.
    normal_map: uint8[H, W, 3], linear, or None.
    tangents: float32[n, 4], of the normal map, or None.
    occlusion: uint8[h, w], linear, or None.
    """

    positions: Floats
    normals: Floats
    uv: Floats
    triangles: Ints
    texture: NDArray[np.uint8]
    normal_map: NDArray[np.uint8] | None = None
    tangents: Floats | None = None
    occlusion: NDArray[np.uint8] | None = None


def write_glb(mesh: TexturedMesh, path: Path, *, name: str = "object", stand: bool = True) -> None:
    """Write the mesh as a GLB.

    mesh: TexturedMesh.
    path: Path of the file.
    name: str, of the object.
    stand: bool, whether to put it on the ground plane with its longest side 1; else it stays where it is.
    Raises OSError.
    """
    content = glb_bytes(mesh, name=name, stand=stand)
    write_atomically(path, content)


def glb_bytes(mesh: TexturedMesh, *, name: str = "object", stand: bool = True) -> bytes:
    """Return the GLB: positions, normals, UVs, a PNG base colour, a matt material. Same mesh, same bytes.

    A normal map comes after all that, with the tangents that it needs, and then an occlusion map: what comes before
    them is the same without them.

    mesh, name, stand: as for `write_glb`.
    """
    placed = standing(mesh) if stand else mesh
    tangents = None
    if placed.normal_map is not None:
        tangents = corner_tangents(placed.vertices, placed.triangles, placed.normals, placed.uv)
    corner, index = split_at_seams(placed.triangles, placed.uv, None if tangents is None else tangents[..., 3])
    vertex = placed.triangles.reshape(-1)[corner]
    arrays = [
        to_gltf_axes(placed.vertices[vertex]),
        to_gltf_axes(placed.normals[vertex]),
        placed.uv.reshape(-1, 2)[corner].astype("<f4"),
        index.astype("<u4").reshape(-1),
    ]
    blobs = [a.tobytes() for a in arrays] + [png_bytes(placed.texture)]
    if placed.normal_map is not None and tangents is not None:
        rows = tangents.reshape(-1, 4)[corner]
        blobs += [np.concatenate([to_gltf_axes(rows[:, :3]), rows[:, 3:]], 1).astype("<f4").tobytes()]
        blobs += [png_bytes(placed.normal_map)]
    if placed.occlusion is not None:
        blobs += [png_bytes(placed.occlusion)]
    views, binary = [], b""
    for blob in blobs:
        views.append({"buffer": 0, "byteOffset": len(binary), "byteLength": len(blob)})
        binary += blob + b"\0" * (-len(blob) % 4)
    for i in range(4):
        views[i]["target"] = _INDEX_BUFFER if i == 3 else _VERTEX_BUFFER
    document = _document(arrays, views, len(binary), name)
    if tangents is not None:
        _add_normal_map(document, view=5)
    if placed.occlusion is not None:
        document["materials"][0]["occlusionTexture"] = _texture(document, len(views) - 1, "occlusion")
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def png_bytes(picture: NDArray[np.uint8]) -> bytes:
    """Return the PNG of a picture uint8[H, W, 3] or a grey one uint8[H, W]; the same pixels give the same bytes."""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG")
    return stream.getvalue()


def read_glb(path: Path) -> GlbContent:
    """Read a GLB that `write_glb` wrote.

    Raises InputError input.glb where the file is none.
    """
    data = path.read_bytes()
    try:
        magic, version, length = struct.unpack_from("<4sII", data)
        json_length, json_kind = struct.unpack_from("<I4s", data, 12)
        if (magic, version, length, json_kind) != (b"glTF", 2, len(data), b"JSON"):
            raise ValueError("its header is not that of a whole binary glTF 2.0 file")
        document = json.loads(data[20 : 20 + json_length])
        binary = data[28 + json_length :]
        primitive = document["meshes"][0]["primitives"][0]

        def array(accessor: int, dtype: str, width: int) -> NDArray[Any]:
            entry = document["accessors"][accessor]
            start = document["bufferViews"][entry["bufferView"]]["byteOffset"]
            return np.frombuffer(binary, dtype, entry["count"] * width, start).reshape(-1, width)

        attributes = primitive["attributes"]

        def picture(image: int) -> NDArray[np.uint8]:
            view = document["bufferViews"][document["images"][image]["bufferView"]]
            file = binary[view["byteOffset"] : view["byteOffset"] + view["byteLength"]]
            return np.asarray(Image.open(io.BytesIO(file)).convert("RGB"))

        def map_of(role: str) -> NDArray[np.uint8] | None:
            said = document["materials"][0].get(role)
            return None if said is None else picture(document["textures"][said["index"]]["source"])

        shade = map_of("occlusionTexture")
        tangents = array(attributes["TANGENT"], "<f4", 4) if "TANGENT" in attributes else None
        if tangents is not None:
            tangents = np.concatenate([from_gltf_axes(tangents[:, :3]), tangents[:, 3:]], 1)
        return GlbContent(
            positions=from_gltf_axes(array(attributes["POSITION"], "<f4", 3)),
            normals=from_gltf_axes(array(attributes["NORMAL"], "<f4", 3)),
            uv=array(attributes["TEXCOORD_0"], "<f4", 2),
            triangles=array(primitive["indices"], "<u4", 1).reshape(-1, 3).astype(np.int32),
            texture=picture(0),
            normal_map=map_of("normalTexture"),
            occlusion=None if shade is None else shade[..., 0],
            tangents=tangents,
        )
    except (ValueError, KeyError, IndexError, TypeError, struct.error, OSError) as error:
        raise InputError(
            "input.glb",
            what=f"'{path}' is not a mesh file of this engine.",
            why=f"Reading it as binary glTF failed: {error}.",
            fix="Give a mesh.glb that the engine wrote.",
        ) from error


def to_gltf_axes(vectors: Floats) -> Floats:
    """Convert Z up, front -Y to Y up, front +Z: (x, y, z) -> (x, z, -y). float32[n, 3]."""
    return np.stack([vectors[:, 0], vectors[:, 2], -vectors[:, 1]], -1).astype("<f4")


def from_gltf_axes(vectors: Floats | Doubles) -> Floats:
    """The inverse of `to_gltf_axes`: (x, y, z) -> (x, -z, y). float[n, 3] to float32[n, 3]."""
    return np.stack([vectors[:, 0], -vectors[:, 2], vectors[:, 1]], -1).astype(np.float32)


def split_at_seams(
    triangles: Ints, uv: Floats, handed: NDArray[np.floating] | None = None
) -> tuple[NDArray[np.int64], Ints]:
    """Return one vertex for each different (vertex, uv): a corner that has them, int64[n], and triangles int32[T, 3].

    triangles: int[T, 3].
    uv: float[T, 3, 2].
    handed: float[T, 3], 1 or -1, in which the corners of a vertex must agree too; None: they need not.
    """
    bits = np.ascontiguousarray(uv.reshape(-1, 2), np.float32).view(np.uint32)
    keys = np.concatenate([triangles.reshape(-1, 1).astype(np.uint32), bits], 1)
    if handed is not None:
        keys = np.concatenate([keys, (handed.reshape(-1, 1) < 0.0).astype(np.uint32)], 1)
    _, corner, index = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    return corner.astype(np.int64), index.reshape(-1, 3).astype(np.int32)


def _add_normal_map(document: dict[str, Any], view: int) -> None:
    """Name the tangents in a buffer view and the picture in the next one."""
    accessors, attributes = document["accessors"], document["meshes"][0]["primitives"][0]["attributes"]
    attributes["TANGENT"] = len(accessors)
    accessors.append(
        {"bufferView": view, "componentType": _FLOAT, "count": accessors[0]["count"], "type": "VEC4"},
    )
    document["bufferViews"][view]["target"] = _VERTEX_BUFFER
    document["materials"][0]["normalTexture"] = _texture(document, view + 1, "normals")


def _texture(document: dict[str, Any], view: int, name: str) -> dict[str, int]:
    """A reference to a new texture, whose picture is in a buffer view."""
    document["textures"].append({"source": len(document["images"]), "sampler": 0})
    document["images"].append({"bufferView": view, "mimeType": "image/png", "name": name})
    return {"index": len(document["textures"]) - 1}


def _document(arrays: list[NDArray[Any]], views: list[dict[str, int]], size: int, name: str) -> dict[str, Any]:
    positions, _, _, indices = arrays
    count = len(positions)
    accessors: list[dict[str, Any]] = [
        {"bufferView": 0, "componentType": _FLOAT, "count": count, "type": "VEC3"},
        {"bufferView": 1, "componentType": _FLOAT, "count": count, "type": "VEC3"},
        {"bufferView": 2, "componentType": _FLOAT, "count": count, "type": "VEC2"},
        {"bufferView": 3, "componentType": _UINT, "count": len(indices), "type": "SCALAR"},
    ]
    accessors[0] |= {"min": positions.min(0).tolist(), "max": positions.max(0).tolist()}
    material = {
        "name": name,
        "pbrMetallicRoughness": {
            "baseColorTexture": {"index": 0},
            "metallicFactor": 0.0,
            "roughnessFactor": ROUGHNESS,
        },
    }
    return {
        "asset": {"version": "2.0", "generator": f"DreamFusion engine {dreamfusion_engine.__version__}"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": name}],
        "meshes": [
            {
                "name": name,
                "primitives": [
                    {"attributes": {"POSITION": 0, "NORMAL": 1, "TEXCOORD_0": 2}, "indices": 3, "material": 0}
                ],
            }
        ],
        "materials": [material],
        "textures": [{"source": 0, "sampler": 0}],
        "samplers": [{"magFilter": _LINEAR, "minFilter": _LINEAR_MIPMAP_LINEAR, "wrapS": _CLAMP, "wrapT": _CLAMP}],
        "images": [{"bufferView": 4, "mimeType": "image/png", "name": "base colour"}],
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": size}],
    }
