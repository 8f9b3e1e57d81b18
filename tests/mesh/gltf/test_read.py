"""Meshes of other people's GLB files, where they stand: against trimesh, by hand, and as the engine writes them."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import trimesh
from mesh.shapes import cube, lattice_torus
from numpy.typing import NDArray
from reference.glb_builder import SQUARE, SQUARE_TRIANGLES, SQUARE_UV, Glb, square, square_primitive

from dreamfusion_engine.mesh.export import glb_bytes, to_gltf_axes
from dreamfusion_engine.mesh.gltf.read import GltfPrimitive, read_gltf
from dreamfusion_engine.mesh.surface import topology
from dreamfusion_engine.mesh.textured import TexturedMesh, standing


def one(glb: Glb) -> GltfPrimitive:
    (found,) = read_gltf(glb.data()).primitives
    return found


def in_gltf(found: GltfPrimitive) -> NDArray[np.float32]:
    """The corners of its triangles in glTF's own axes: float32[T, 3, 3]."""
    return to_gltf_axes(found.vertices)[found.triangles]


def test_a_square_is_read_as_it_is() -> None:
    found = one(square(name="a square"))
    np.testing.assert_array_equal(in_gltf(found), SQUARE[SQUARE_TRIANGLES])
    np.testing.assert_array_equal(found.uv, SQUARE_UV[SQUARE_TRIANGLES])
    assert found.vertices.dtype == np.float32 and found.triangles.dtype == np.int32
    assert (found.name, found.node, found.mesh, found.primitive) == ("a square", 0, 0, 0)
    assert found.normals is None and not found.mirrored


def test_its_front_is_the_engines_front() -> None:
    found = one(square())
    a, b, c = found.vertices[found.triangles[0]]
    np.testing.assert_allclose(np.cross(b - a, c - a), [0, -1, 0], atol=1e-6)  # it faced +z, glTF's front


def test_what_the_engine_writes_is_read_back() -> None:
    vertices, triangles = lattice_torus(16, 8)
    mesh = TexturedMesh(
        vertices=vertices.astype(np.float32),
        triangles=triangles,
        normals=topology.vertex_normals(vertices, triangles).astype(np.float32),
        uv=np.random.default_rng(0).random((len(triangles), 3, 2)).astype(np.float32),
        texture=np.zeros((8, 8, 3), np.uint8),
    )
    (found,) = read_gltf(glb_bytes(mesh, name="a torus")).primitives
    placed = standing(mesh)
    np.testing.assert_array_equal(found.vertices[found.triangles], placed.vertices[placed.triangles])
    assert found.normals is not None
    np.testing.assert_allclose(found.normals[found.triangles], placed.normals[placed.triangles], atol=1e-6)
    np.testing.assert_array_equal(found.uv, placed.uv)
    assert found.name == "a torus"


def test_trimesh_and_this_reader_agree_on_a_scene_of_parents_and_children() -> None:
    rng = np.random.default_rng(1)
    scene = trimesh.Scene()
    parent = "world"
    for number in range(4):
        vertices, triangles = cube(size=1.0 + number)
        scene.add_geometry(
            trimesh.Trimesh(vertices, triangles, process=False),
            node_name=f"part {number}",
            geom_name=f"cube {number}",
            parent_node_name=parent,
            transform=trimesh.transformations.compose_matrix(
                scale=rng.uniform(0.5, 2, 3), angles=rng.uniform(-3, 3, 3), translate=rng.normal(size=3)
            ),
        )
        parent = f"part {number}"
    data: Any = scene.export(file_type="glb")
    again: Any = trimesh.load(io.BytesIO(data), file_type="glb", process=False)
    file = read_gltf(data)
    assert sorted(found.name for found in file.primitives) == [f"part {number}" for number in range(4)]
    for found in file.primitives:
        transform, geometry = again.graph[found.name]
        expected = again.geometry[geometry].copy().apply_transform(transform)
        np.testing.assert_allclose(in_gltf(found), expected.triangles, atol=1e-5)


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4"])
def test_indices_of_every_width(dtype: str) -> None:
    glb = square()
    indices = glb.array(SQUARE_TRIANGLES.reshape(-1), dtype)
    glb.document["meshes"][0]["primitives"][0]["indices"] = indices
    np.testing.assert_array_equal(in_gltf(one(glb)), SQUARE[SQUARE_TRIANGLES])


def test_a_primitive_without_indices() -> None:
    glb = Glb()
    corners = SQUARE[SQUARE_TRIANGLES].reshape(-1, 3)
    glb.node([{"attributes": {"POSITION": glb.array(corners)}}])
    found = one(glb)
    np.testing.assert_array_equal(in_gltf(found), SQUARE[SQUARE_TRIANGLES])
    assert found.uv is None


@pytest.mark.parametrize(("mode", "order"), [(5, [0, 1, 3, 2]), (6, [0, 1, 2, 3])], ids=["strip", "fan"])
def test_strips_and_fans_face_the_way_of_their_first_triangle(mode: int, order: list[int]) -> None:
    glb = square()
    primitive = glb.document["meshes"][0]["primitives"][0]
    primitive |= {"mode": mode, "indices": glb.array(order, "u1")}
    corners = in_gltf(one(glb))
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    np.testing.assert_allclose(normals, [[0, 0, 1], [0, 0, 1]])
    assert {tuple(place) for place in corners.reshape(-1, 3)} == {tuple(place) for place in SQUARE}


def test_points_and_lines_are_left_out() -> None:
    glb = square()
    attributes = {"POSITION": glb.array(SQUARE)}
    glb.document["meshes"][0]["primitives"] += [{"attributes": attributes, "mode": mode} for mode in range(4)]
    assert [found.primitive for found in read_gltf(glb.data()).primitives] == [0]


def test_arrays_that_share_a_view_element_by_element() -> None:
    glb = Glb()
    mixed = np.concatenate([SQUARE, np.full((4, 1), 7, np.float32), SQUARE_UV], 1)
    view = glb.view(mixed.tobytes(), byteStride=24)
    entry = {"bufferView": view, "componentType": 5126, "count": 4}
    position = glb.add("accessors", {**entry, "type": "VEC3"})
    uv = glb.add("accessors", {**entry, "type": "VEC2", "byteOffset": 16})
    indices = glb.array(SQUARE_TRIANGLES.reshape(-1), "u2")
    glb.node([{"attributes": {"POSITION": position, "TEXCOORD_0": uv}, "indices": indices}])
    found = one(glb)
    np.testing.assert_array_equal(in_gltf(found), SQUARE[SQUARE_TRIANGLES])
    np.testing.assert_array_equal(found.uv, SQUARE_UV[SQUARE_TRIANGLES])


@pytest.mark.parametrize("based", [True, False], ids=["over an array", "over zeros"])
def test_sparse_arrays(based: bool) -> None:
    glb = square()
    where = glb.view(np.array([1, 3], "<u2").tobytes())
    what = glb.view(np.array([[5, 6, 7], [8, 9, 10]], "<f4").tobytes())
    accessor = glb.document["accessors"][0]
    accessor["sparse"] = {
        "count": 2,
        "indices": {"bufferView": where, "componentType": 5123},
        "values": {"bufferView": what},
    }
    expected = SQUARE.copy() if based else np.zeros_like(SQUARE)
    expected[[1, 3]] = [[5, 6, 7], [8, 9, 10]]
    if not based:
        del accessor["bufferView"]
    np.testing.assert_array_equal(in_gltf(one(glb)), expected[SQUARE_TRIANGLES])


@pytest.mark.parametrize(("dtype", "most"), [("u1", 255), ("u2", 65535), ("i1", 127), ("i2", 32767)])
def test_whole_numbers_stand_for_fractions_where_they_are_normalized(dtype: str, most: int) -> None:
    glb = square()
    attributes = glb.document["meshes"][0]["primitives"][0]["attributes"]
    attributes["TEXCOORD_0"] = glb.array(SQUARE_UV * most, dtype, stride=4, normalized=True)
    attributes["POSITION"] = glb.array(SQUARE * most, dtype, stride=8, normalized=True)
    glb.document["extensionsRequired"] = ["KHR_mesh_quantization"]
    found = one(glb)
    np.testing.assert_array_equal(found.uv, SQUARE_UV[SQUARE_TRIANGLES])
    np.testing.assert_array_equal(in_gltf(found), SQUARE[SQUARE_TRIANGLES])


def test_whole_numbers_that_are_not_normalized_are_lengths() -> None:
    glb = square()
    glb.document["meshes"][0]["primitives"][0]["attributes"]["POSITION"] = glb.array(SQUARE * 90, "u1", stride=4)
    np.testing.assert_array_equal(in_gltf(one(glb)), 90 * SQUARE[SQUARE_TRIANGLES])


def test_the_lowest_signed_number_is_minus_one() -> None:
    glb = square()
    uv = np.where(SQUARE_UV > 0, -128, 127)
    glb.document["meshes"][0]["primitives"][0]["attributes"]["TEXCOORD_0"] = glb.array(
        uv, "i1", stride=4, normalized=True
    )
    found = one(glb).uv
    assert found is not None
    assert set(found.reshape(-1).tolist()) == {-1.0, 1.0}


def test_a_matrix_and_its_parts_are_the_same_place() -> None:
    turn = [0.5, 0.5, 0.5, 0.5]  # x to y, y to z, z to x
    by_parts = one(square(translation=[1, 2, 3], scale=[2, 3, 4], rotation=turn))
    matrix = np.array([[0, 0, 4, 1], [2, 0, 0, 2], [0, 3, 0, 3], [0, 0, 0, 1]], float)
    by_matrix = one(square(matrix=matrix.T.reshape(-1).tolist()))
    np.testing.assert_allclose(by_parts.vertices, by_matrix.vertices, atol=1e-6)
    expected = SQUARE @ matrix[:3, :3].T + matrix[:3, 3]
    np.testing.assert_allclose(in_gltf(by_parts), expected[SQUARE_TRIANGLES], atol=1e-6)


@pytest.mark.parametrize("scale", [[-1, 1, 1], [2, -3, 1], [-1, -1, -1]])
def test_a_mirrored_cube_still_faces_outward(scale: list[float]) -> None:
    vertices, triangles = cube((-0.5, -0.5, -0.5))
    glb = Glb()
    position, indices = glb.array(vertices), glb.array(triangles.reshape(-1), "u1")
    uv = glb.array(vertices[:, :2])
    normal = glb.array(vertices / np.linalg.norm(vertices, axis=1, keepdims=True))
    attributes = {"POSITION": position, "TEXCOORD_0": uv, "NORMAL": normal}
    glb.node([{"attributes": attributes, "indices": indices}], scale=scale)
    found = one(glb)
    assert found.mirrored
    assert topology.volume(found.vertices, found.triangles) == pytest.approx(abs(np.prod(scale)))
    assert found.normals is not None and found.uv is not None
    assert ((found.normals * found.vertices).sum(1) > 0).all()
    np.testing.assert_allclose(in_gltf(found)[..., :2], found.uv * scale[:2], atol=1e-6)  # each corner keeps its own


def test_normals_stay_upright_on_a_surface_that_is_stretched() -> None:
    glb = Glb()
    slope = np.array([[0, 0, 0], [1, -1, 0], [0, 0, -1], [1, -1, -1]], np.float32)
    stored = np.tile(np.array([[1, 1, 0]], np.float32) / np.sqrt(2), (4, 1))
    attributes = {"POSITION": glb.array(slope), "NORMAL": glb.array(stored)}
    glb.node([{"attributes": attributes, "indices": glb.array([0, 1, 2, 2, 1, 3], "u1")}], scale=[5, 1, 2])
    found = one(glb)
    assert found.normals is not None
    edges = found.vertices[1:] - found.vertices[0]
    np.testing.assert_allclose(edges @ found.normals.T, 0.0, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(found.normals, axis=1), 1.0, atol=1e-6)


def test_a_normal_that_is_no_direction_becomes_that_of_its_triangle() -> None:
    glb = square()
    broken = np.array([[0, 0, 0], [np.nan, 0, 1], [0, 1, 0], [np.inf, 0, 0]], np.float32)
    glb.document["meshes"][0]["primitives"][0]["attributes"]["NORMAL"] = glb.array(broken)
    found = one(glb).normals
    assert found is not None
    np.testing.assert_allclose(to_gltf_axes(found), [[0, 0, 1], [0, 0, 1], [0, 1, 0], [0, 0, 1]], atol=1e-6)


def test_vertices_that_no_triangle_uses_are_left_out() -> None:
    glb = Glb()
    positions = np.concatenate([[[9, 9, 9]], SQUARE, [[np.nan, 0, 0]]])
    glb.node([{"attributes": {"POSITION": glb.array(positions)}, "indices": glb.array([1, 2, 3], "u1")}])
    found = one(glb)
    np.testing.assert_array_equal(to_gltf_axes(found.vertices), SQUARE[:3])
    assert found.triangles.tolist() == [[0, 1, 2]]


def test_triangles_without_area_stay_in_their_place() -> None:
    glb = square()
    glb.document["meshes"][0]["primitives"][0]["indices"] = glb.array([0, 1, 2, 1, 1, 1, 0, 2, 3], "u1")
    corners = in_gltf(one(glb))
    np.testing.assert_array_equal(corners, SQUARE[[[0, 1, 2], [1, 1, 1], [0, 2, 3]]])


def test_each_node_that_uses_a_mesh_has_a_primitive_of_its_own() -> None:
    glb = square(name="left")
    glb.place({"mesh": 0, "name": "right", "translation": [3, 0, 0]})
    left, right = read_gltf(glb.data()).primitives
    assert (left.node, right.node, left.mesh, right.mesh) == (0, 1, 0, 0)
    np.testing.assert_allclose(right.vertices - left.vertices, np.tile([3, 0, 0], (4, 1)), atol=1e-6)


def test_the_scene_that_the_file_names_is_read() -> None:
    glb = square(name="first")
    glb.node([square_primitive(glb)], name="second")
    glb.document["scenes"] = [{"nodes": [0]}, {"nodes": [1]}]

    def names() -> list[str]:
        return [found.name for found in read_gltf(glb.data()).primitives]

    glb.document["scene"] = 1
    assert names() == ["second"]
    del glb.document["scene"]
    assert names() == ["first"]
    del glb.document["scenes"]
    assert names() == ["first", "second"]


@pytest.mark.parametrize(
    ("node", "mesh", "expected"),
    [
        ("chair", "seat", "chair"),
        ("", "seat", "seat"),
        (None, "", "object"),
        ("\x07\n\u202e", "seat\x1b[31m", "seat [31m"),
        ("  two\t words ", "", "two words"),
        ("a" * 500, "", "a" * 64),
        (7, "seat", "seat"),
    ],
)
def test_names_are_one_short_visible_line(node: Any, mesh: str, expected: str) -> None:
    glb = square()
    glb.document["nodes"][0]["name"] = node
    glb.document["meshes"][0]["name"] = mesh
    assert one(glb).name == expected


def test_the_uvs_are_those_of_the_base_colour_texture() -> None:
    glb = square()
    other = SQUARE_UV * 3 - 1
    primitive = glb.document["meshes"][0]["primitives"][0]
    primitive["attributes"]["TEXCOORD_1"] = glb.array(other)
    info: dict[str, Any] = {"index": 0, "texCoord": 1}
    primitive["material"] = glb.add("materials", {"pbrMetallicRoughness": {"baseColorTexture": info}})
    np.testing.assert_array_equal(one(glb).uv, other[SQUARE_TRIANGLES])
    info["extensions"] = {"KHR_texture_transform": {"scale": [9, 9], "texCoord": 0}}
    np.testing.assert_array_equal(one(glb).uv, SQUARE_UV[SQUARE_TRIANGLES])  # of that set, and as stored
    info["texCoord"] = 5
    del info["extensions"]
    np.testing.assert_array_equal(one(glb).uv, SQUARE_UV[SQUARE_TRIANGLES])  # there is no set 5


def test_a_file_without_binary_data_is_read() -> None:
    glb = Glb()
    glb.node([{"attributes": {"POSITION": glb.add("accessors", {"componentType": 5126, "count": 3, "type": "VEC3"})}}])
    assert one(glb).vertices.tolist() == [[0, 0, 0]] * 3
