"""The file in which an artist's meshes travel, against the engine's own reader and writer; and what comes back.

Of: blender_addon/core/engine/mesh_file.py, blender_addon/core/engine/painted_glb.py,
blender_addon/core/engine/glb_file.py.
"""

from __future__ import annotations

import dataclasses
import struct
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fakes.painted_glb import painted
from fakes.shapes import png

from blender_addon.core.engine import glb
from blender_addon.core.engine.glb_file import DamagedMesh
from blender_addon.core.engine.mesh_file import MeshPart, mesh_file
from blender_addon.core.engine.painted_glb import PaintedFile


def part(name: str, triangles: int, seed: int) -> tuple[MeshPart, Any, Any]:
    """A part of random triangles, its places and its UVs."""
    random = np.random.default_rng(seed)
    places = random.normal(size=(3 * triangles, 3)).astype("<f4")
    normals = random.normal(size=(3 * triangles, 3))
    normals = (normals / np.linalg.norm(normals, axis=1, keepdims=True)).astype("<f4")
    uv = random.random((3 * triangles, 2)).astype("<f4")
    box = places.min(0).tolist(), places.max(0).tolist()
    return MeshPart(name, places.tobytes(), normals.tobytes(), uv.tobytes(), *box), places, uv


def test_parts_and_kept_uvs_come_back_as_they_were() -> None:
    (first, places, uv), (second, _, _) = part("Cube.1001", 5, 0), part("ünï", 7, 1)
    kept = np.arange(8, dtype="<f4")
    file = PaintedFile(mesh_file([first, second], [None, kept.tobytes()]))
    assert len(file) == 2
    assert np.array_equal(np.array(file.positions(0), np.float32).reshape(-1, 3), places)
    assert np.allclose(np.array(file.uvs(0)).reshape(-1, 2), uv * (1, -1) + (0, 1), atol=1e-6)
    kept_again = file.kept_uvs(1)
    assert file.kept_uvs(0) is None and kept_again is not None and list(kept_again) == list(kept)
    with pytest.raises(DamagedMesh):
        file.picture(0)


def test_a_selection_and_present_colours_travel_too() -> None:
    reader = pytest.importorskip("dreamfusion_engine.mesh.gltf.read")
    pictures = pytest.importorskip("dreamfusion_engine.paint.part.pictures")
    (first, _, _), (second, _, _), (third, _, _) = (part(name, 3, seed) for seed, name in enumerate("abc"))
    chosen = np.linspace(0.0, 1.0, 9).astype("<f4")
    picture = png(5, 3, 77)  # of a length that is no multiple of four, most likely
    parts = [
        dataclasses.replace(first, chosen=chosen.tobytes(), colour=(1.0, 1.0, 1.0), picture=picture),
        dataclasses.replace(second, chosen=np.zeros(9, "<f4").tobytes(), colour=(0.25, 0.5, 1.0)),
        dataclasses.replace(third, chosen=chosen.tobytes(), colour=(1.0, 1.0, 1.0), picture=picture),
    ]
    made = mesh_file(parts, [np.zeros(8, "<f4").tobytes(), None, None])
    assert made.count(picture) == 1
    read = reader.read_gltf(made)
    weights = read.primitives[0].chosen
    assert weights is not None and np.array_equal(weights[read.primitives[0].triangles].reshape(-1), chosen)
    assert pictures.own_picture(read, 0).pixels.shape == (3, 5, 3) and not pictures.own_picture(read, 2).flat
    flat = pictures.own_picture(read, 1)
    assert flat.flat and flat.pixels.reshape(-1).tolist() == [137, 188, 255]
    back = PaintedFile(made)
    again = back.chosen(0)
    assert again is not None and np.array_equal(np.array(again, "<f4"), chosen)
    assert PaintedFile(mesh_file([part("d", 2, 4)[0]])).chosen(0) is None


def test_the_engine_reads_and_paints_the_file() -> None:
    reader = pytest.importorskip("dreamfusion_engine.mesh.gltf.read")
    writer = pytest.importorskip("dreamfusion_engine.mesh.gltf.write")
    (first, places, uv), (second, _, _) = part("Cube.1001", 5, 0), part("Other", 7, 1)
    read = reader.read_gltf(mesh_file([first, second], [np.zeros(8, "<f4").tobytes(), None]))
    assert [primitive.name for primitive in read.primitives] == ["Cube.1001", "Other"]
    corners = read.primitives[0].vertices[read.primitives[0].triangles].reshape(-1, 3)
    assert np.allclose(corners, np.stack([places[:, 0], -places[:, 2], places[:, 1]], 1), atol=1e-6)
    assert np.allclose(read.primitives[0].uv.reshape(-1, 2), uv)
    pictures = [png(16, 16, shade) for shade in (0, 200)]
    result = writer.with_textures(read, [writer.NewTexture(primitive=i, png=pictures[i], uv=None) for i in (0, 1)])
    back = PaintedFile(result)
    assert [back.picture(number) for number in range(len(back))] == pictures
    assert np.array_equal(np.array(back.positions(0), np.float32).reshape(-1, 3), places)


def test_the_engine_reads_shared_vertices_where_their_node_puts_them() -> None:
    reader = pytest.importorskip("dreamfusion_engine.mesh.gltf.read")
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], "<f4")
    faces = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]], "<u4")
    low, high = corners.min(0).tolist(), corners.max(0).tolist()
    one = MeshPart("A", corners.tobytes(), b"", b"", low, high, indices=faces.tobytes(), move=(1.0, 2.0, 3.0))
    (read,) = reader.read_gltf(mesh_file([one])).primitives
    placed = corners + (1.0, 2.0, 3.0)  # Y up; the engine's axes are Z up
    assert np.allclose(read.vertices, np.stack([placed[:, 0], -placed[:, 2], placed[:, 1]], 1))
    assert np.array_equal(read.triangles, faces) and read.normals is None and read.uv is None


def test_the_engine_reads_the_pictures_and_plain_colours_that_parts_have() -> None:
    reader = pytest.importorskip("dreamfusion_engine.mesh.gltf.read")
    pictures = pytest.importorskip("dreamfusion_engine.mesh.gltf.picture")
    (first, _, _), (second, _, _), (third, _, _) = (part(name, 3, 0) for name in "ABC")
    painted_one = replace(first, picture=png(5, 3, 200), colour=(1.0, 1.0, 1.0))  # 5 x 3: of an odd length
    plain = replace(second, colour=(1.0, 0.0, 0.0))
    read = reader.read_gltf(mesh_file([painted_one, plain, third]))
    shown = [pictures.read_base_colour(read, number) for number in range(3)]
    assert shown[0].shape == (3, 5, 3) and (shown[0] == (200, 128, 55)).all()
    assert shown[1].reshape(-1).tolist() == [255, 0, 0] and (shown[2] == 255).all()


def test_parts_become_meshes_of_their_own() -> None:
    first, second = part("A", 5, 0)[0], part("B", 7, 1)[0]
    meshes = glb.read_parts(painted(mesh_file([first, second]), lambda number: png(8, 8, number)))
    assert [(mesh.name, len(mesh.triangles) // 3) for mesh in meshes] == [("A", 5), ("B", 7)]
    assert [mesh.image for mesh in meshes] == [png(8, 8, 0), png(8, 8, 1)]


@pytest.mark.parametrize("damage", ["cut", "far index", "no picture", "no parts"])
def test_damaged_files_are_told(damage: str) -> None:
    whole = painted(mesh_file([part("A", 5, 0)[0]]), lambda _: png(8, 8, 0))
    if damage == "cut":
        broken = whole[:-9]
    elif damage == "far index":
        broken = whole.replace(b'"index": 0', b'"index": 9')
    elif damage == "no picture":
        broken = whole.replace(b"\x89PNG", b"\x89PNX")
    else:
        broken = whole.replace(b'"nodes"', b'"sedon"')
    with pytest.raises(DamagedMesh):
        file = PaintedFile(broken)
        file.picture(0)


def test_a_file_says_its_own_length() -> None:
    data = mesh_file([part("A", 3, 0)[0]])
    assert struct.unpack_from("<4sII", data) == (b"glTF", 2, len(data)) and len(data) % 4 == 0
