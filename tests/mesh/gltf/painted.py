"""Files to paint on, and what is in them afterwards."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from reference.glb_builder import SQUARE, Glb, parts, square, square_primitive

from dreamfusion_engine.mesh.gltf.read import GltfFile, read_gltf
from dreamfusion_engine.mesh.gltf.write import NewTexture, with_textures


def png(colour: tuple[int, int, int] = (200, 100, 50), size: int = 4) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (size, size), colour).save(stream, "PNG")
    return stream.getvalue()


def layout(count: int = 2, seed: int = 0) -> NDArray[np.float32]:
    """UVs that no other has, float32[count, 3, 2]."""
    return np.random.default_rng(seed).random((count, 3, 2)).astype(np.float32)


def to_engine(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """glTF's axes to the engine's: (x, y, z) -> (x, -z, y)."""
    return np.stack([points[:, 0], -points[:, 2], points[:, 1]], -1)


def painted(data: bytes, *textures: NewTexture) -> tuple[dict[str, Any], GltfFile]:
    """The JSON of the file with these textures, and the file read again."""
    result = with_textures(read_gltf(data), textures)
    return parts(result)[0], read_gltf(result)


def base(document: dict[str, Any], mesh: int = 0, primitive: int = 0) -> dict[str, Any]:
    """The material of a primitive."""
    found: dict[str, Any] = document["materials"][document["meshes"][mesh]["primitives"][primitive]["material"]]
    return found


def lamp() -> Glb:
    """A file of many things: skin, animation, morph target, camera, extras, extensions, materials, two scenes."""
    glb = square(name="shade")
    primitive = glb.document["meshes"][0]["primitives"][0]
    attributes = primitive["attributes"]
    attributes["NORMAL"] = glb.array(np.tile([0.0, 0.0, 1.0], (4, 1)))
    attributes["JOINTS_0"] = glb.array(np.arange(16).reshape(4, 4) % 2, "u1")
    attributes["WEIGHTS_0"] = glb.array(np.tile([1.0, 0, 0, 0], (4, 1)))
    attributes["_AGE"] = glb.array([1, 2, 3, 4], "u1", stride=4, min=[0], max=[9])
    attributes["TANGENT"] = glb.array(np.tile([1.0, 0, 0, -1], (4, 1)))
    bulge = {"POSITION": glb.array(SQUARE * 0.5, min=[0, 0, 0], max=[0.5, 0.5, 0])}
    primitive |= {"targets": [bulge], "extras": {"note": "mine"}}
    picture = glb.view(png((1, 2, 3)))
    glb.document["images"] = [{"bufferView": picture, "mimeType": "image/png"}]
    glb.document["textures"] = [{"source": 0}]
    coat = {"KHR_materials_clearcoat": {"clearcoatFactor": 0.5, "clearcoatTexture": {"index": 0}}}
    primitive["material"] = glb.add(
        "materials",
        {
            "name": "paper",
            "pbrMetallicRoughness": {
                "baseColorFactor": [0.1, 0.2, 0.3, 0.4],
                "baseColorTexture": {
                    "index": 0,
                    "extensions": {"KHR_texture_transform": {"scale": [2, 2]}, "MINE": {}},
                },
                "metallicFactor": 0.25,
            },
            "normalTexture": {"index": 0, "scale": 0.7},
            "alphaMode": "BLEND",
            "extensions": {"KHR_materials_unlit": {}, **coat},
            "extras": {"a": [1, 2.5, None], "myTexture": {"index": 7}},
        },
    )
    glb.node([square_primitive(glb), square_primitive(glb)], name="foot", translation=[2, 0, 0])
    glb.document["meshes"][1]["primitives"][0]["material"] = 0
    glb.document["nodes"] += [{"camera": 0}, {"name": "bone"}]
    glb.document["cameras"] = [{"type": "perspective", "perspective": {"yfov": 0.66, "znear": 0.1}}]
    glb.document["skins"] = [{"joints": [2, 3]}]
    glb.document["nodes"][0]["skin"] = 0
    times = glb.array([0.0, 1.0], min=[0], max=[1])
    moves = glb.array([[0, 0, 0], [1, 1, 1]])
    glb.document["animations"] = [
        {
            "channels": [{"sampler": 0, "target": {"node": 1, "path": "translation"}}],
            "samplers": [{"input": times, "output": moves}],
        }
    ]
    glb.document["scenes"].append({"nodes": [2, 3], "name": "spare"})
    glb.document["extensions"] = {"MINE": {"deep": [{"x": 0.1}]}}
    glb.document["extensionsUsed"] = ["MINE", "KHR_texture_transform"]
    glb.document["extras"] = {"author": "Ö"}
    return glb
