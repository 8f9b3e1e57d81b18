"""A scene out of a real Blender: the engine reads it as Blender shows it, and Blender shows what the engine painted.

Of: dreamfusion_engine/mesh/gltf.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from addon.blenders import Session
from numpy.typing import NDArray
from PIL import Image

from dreamfusion_engine.mesh.gltf.read import GltfPrimitive, read_gltf
from dreamfusion_engine.mesh.gltf.write import NewTexture, with_textures

SCRIPT = Path(__file__).with_name("scripts") / "foreign_glb.py"
COLOURS = {"first": (255, 0, 0), "second": (0, 0, 255)}


def in_order(corners: NDArray[Any]) -> NDArray[Any]:
    """Triangles with their corners, [T, 3, 5], in an order of their own; the direction of each triangle stays."""
    turned = []
    for triangle in np.round(corners, 3) + 0.0:
        first = min(range(3), key=lambda k: tuple(triangle[k]))
        turned.append(np.roll(triangle, -first, 0))
    return np.array(sorted(turned, key=lambda triangle: triangle.reshape(-1).tolist()))


def as_blender(found: GltfPrimitive) -> NDArray[Any]:
    """The corners of a primitive as Blender has them: x, y, z, u, and v up. glTF's front, +z, is -y in both."""
    assert found.uv is not None
    uv = found.uv * [1, -1] + [0, 1]
    corners = np.concatenate([found.vertices[found.triangles], uv], -1)
    return corners[:, ::-1] if found.mirrored else corners  # Blender's triangles stay as they are in the mesh


def png(colour: tuple[int, int, int]) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (4, 4), colour).save(stream, "PNG")
    return stream.getvalue()


def test_blender_and_the_engine_see_the_same_scene(newest_blender: Session, tmp_path: Path) -> None:
    file = tmp_path / "scene.glb"
    exported = newest_blender.run(SCRIPT, "export", str(file)).facts
    read = read_gltf(file.read_bytes())
    assert {found.name: found.mirrored for found in read.primitives} == {"first": False, "second": True}
    for found in read.primitives:
        wanted = in_order(np.array(exported[found.name]["corners"]))
        np.testing.assert_allclose(in_order(as_blender(found)), wanted, atol=2e-3)
    uvs = [np.random.default_rng(i).random((12, 3, 2)).astype(np.float32) for i in range(2)]
    textures = [
        NewTexture(primitive=i, png=png(COLOURS[found.name]), uv=uvs[i]) for i, found in enumerate(read.primitives)
    ]
    file.write_bytes(with_textures(read, textures))
    imported = newest_blender.run(SCRIPT, "import", str(file)).facts
    again = read_gltf(file.read_bytes())
    for found in again.primitives:
        shown = imported[found.name]
        np.testing.assert_allclose(in_order(np.array(shown["corners"])), in_order(as_blender(found)), atol=2e-3)
        np.testing.assert_allclose(shown["colours"], [np.array(COLOURS[found.name]) / 255])
    assert imported["shape_keys"] == {"first": 2, "second": 2}
