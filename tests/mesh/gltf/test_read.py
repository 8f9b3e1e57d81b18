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

from dreamfusion_engine.errors import InputError
from dreamfusion_engine.mesh.export import glb_bytes, to_gltf_axes
from dreamfusion_engine.mesh.gltf import read
from dreamfusion_engine.mesh.gltf.read import GltfPrimitive, read_gltf
from dreamfusion_engine.mesh.surface import topology
from dreamfusion_engine.mesh.textured import TexturedMesh, standing


def one(glb: Glb) -> GltfPrimitive:
    (found,) = read_gltf(glb.data()).primitives
    return found


def in_gltf(found: GltfPrimitive) -> NDArray[np.float32]:
    """The corners of its triangles in glTF's own axes: float32[T, 3, 3]."""
    return to_gltf_axes(found.vertices)[found.triangles]


def refusal(data: bytes) -> InputError:
    with pytest.raises(InputError) as caught:
        read_gltf(data, "the lamp")
    assert caught.value.code == "input.mesh"
    assert caught.value.what == "The lamp cannot be used."
    return caught.value


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


def broken(change: str) -> Glb:
    """A square with one thing wrong, which `change`, a line of Python, does to its document `d`."""
    glb = square()
    glb.node([square_primitive(glb)], name="second")
    exec(change, {"d": glb.document, "glb": glb, "np": np, "SQUARE": SQUARE, "SQUARE_UV": SQUARE_UV})
    return glb


WRONG = {
    "d['accessors'][0]['count'] = 10**400": "number of 401 digits",
    "d['accessors'][0]['count'] = 10**9": "claims 1,000,000,000 elements",
    "d['accessors'][0]['count'] = 10**15": "claims 1,000,000,000,000,000 elements",
    "d['accessors'][0]['count'] = 5": "more than the file holds",
    "d['accessors'][0]['count'] = 0": "claims 0 elements",
    "d['accessors'][0]['count'] = -4": "no sound 'count'",
    "d['accessors'][0]['count'] = 4.0": "no sound 'count'",
    "d['accessors'][0]['count'] = True": "no sound 'count'",
    "d['accessors'][0]['byteOffset'] = 4": "more than the file holds",
    "d['accessors'][0]['componentType'] = 5124": "kind that the format does not have",
    "d['accessors'][0]['type'] = ['VEC3']": "kind that the format does not have",
    "d['accessors'][0]['type'] = 'VEC4'": "more than the file holds",
    "d['accessors'][0]['normalized'] = 1": "how its numbers are meant",
    "d['accessors'][0]['bufferView'] = 99": "does not have",
    "d['accessors'][1]['count'] = 3": "different numbers of vertices",
    "d['accessors'][2]['count'] = 5": "no multiple of three",
    "d['accessors'][2]['componentType'] = 5122": "no whole numbers",
    "d['accessors'][0]['type'] = 'VEC2'": "no points in space",
    "d['accessors'][1] |= {'type': 'SCALAR'}": "no places in a picture",
    "d['accessors'][0]['sparse'] = 5": "sparse arrays is damaged",
    "d['bufferViews'][0]['byteLength'] = 10**9": "beyond its end",
    "d['bufferViews'][0]['byteOffset'] = 10**9": "beyond its end",
    "d['bufferViews'][0]['buffer'] = 1": "outside of the file",
    "d['bufferViews'][0]['byteStride'] = 8": "overlap",
    "d['bufferViews'][0]['byteStride'] = 10**6": "steps of 1,000,000 bytes",
    "d['buffers'][0]['byteLength'] = 10**9": "claims 1000000000 bytes",
    "d['buffers'][0]['uri'] = 'lamp.bin'": "outside of the file",
    "d['buffers'].append({'byteLength': 4, 'uri': 'lamp.bin'})": "outside of the file",
    "d['nodes'][0]['children'] = [0]": "in a circle",
    "d['nodes'][0]['children'] = [1]; d['nodes'][1]['children'] = [0]": "in a circle",
    "d['nodes'] += [{'children': [3]}, {'children': [2]}]": "in a circle",
    "d['nodes'] += [{'children': [1]}, {'children': [1]}]": "two parents",
    "d['nodes'][0]['children'] = [1]": "names an object twice",
    "d['scenes'][0]['nodes'] = [0, 0]": "names an object twice",
    "d['scenes'][0]['nodes'] = [9]": "does not have",
    "d['scene'] = 3": "scene that it does not have",
    "d['nodes'][0]['mesh'] = 9": "mesh that it does not have",
    "d['nodes'][0]['children'] = [9]": "children that are not in the file",
    "d['nodes'][0]['matrix'] = [1, 2, 3]": "matrix of one of its objects",
    "d['nodes'][0]['scale'] = [1, 2, '3']": "scale of one of its objects",
    "d['nodes'][0]['scale'] = [1e300, 1, 1]": "at no place",
    "d['nodes'] = [5]": "list of nodes is damaged",
    "d['nodes'] += [{}] * 100_000": "at most 100,000",
    "d['meshes'][0]['primitives'] = [[]]": "meshes is damaged",
    "d['meshes'][0]['primitives'] *= 10_001": "more than 10,000 meshes",
    "d['meshes'][0]['primitives'][0]['mode'] = 7": "kind that the format does not have",
    "d['meshes'][0]['primitives'][0]['attributes'] = []": "has no vertices",
    "d['meshes'][0]['primitives'][0]['targets'] = [3]": "shape keys",
    "d['meshes'][0]['primitives'][0]['targets'] = [{'POSITION': 2}]": "different numbers of vertices",
    "d['meshes'][0]['primitives'][0]['material'] = 0": "material that it does not have",
    "d['meshes'][0]['primitives'][0]['indices'] = glb.array([0, 1, 4], 'u1')": "vertex 4 of 4",
    "d['meshes'][0]['primitives'][0]['attributes']['POSITION'] = glb.array(SQUARE * np.nan)": "at no place",
    "d['meshes'][0]['primitives'][0]['attributes']['POSITION'] = glb.array(SQUARE + np.inf)": "at no place",
    "d['meshes'][0]['primitives'][0]['attributes']['TEXCOORD_0'] = glb.array(SQUARE_UV * np.nan)": "Some of its UVs",
    "d['meshes'][0]['primitives'][0]['attributes']['TEXCOORD_0'] = glb.array(SQUARE_UV + np.inf)": "Some of its UVs",
    "d['meshes'][0]['primitives'][0]['mode'] = 1; d['scenes'][0]['nodes'] = [0]": "no triangles",
    "d['scenes'][0]['nodes'] = []": "no triangles",
    "d['extensionsRequired'] = 'KHR_texture_transform'": "required extensions is damaged",
    "d['extensionsRequired'] = ['EXT_secret']": "'EXT_secret'",
    "d['asset'] = {}": "which glTF it is",
    "d['asset']['version'] = '1.0'": "glTF 1.0",
    "d['asset']['minVersion'] = '2.9'": "glTF 2.9",
}


@pytest.mark.parametrize("change", WRONG)
def test_what_is_wrong_is_refused_in_plain_words(change: str) -> None:
    error = refusal(broken(change).data())
    assert WRONG[change] in error.why
    assert error.fix.endswith(".")


@pytest.mark.parametrize("places", [[1, 1], [3, 1], [0, 4]])
def test_sparse_arrays_that_change_what_is_not_there_are_refused(places: list[int]) -> None:
    glb = square()
    where, what = glb.view(np.array(places, "<u2").tobytes()), glb.view(bytes(24))
    indices = {"bufferView": where, "componentType": 5123}
    glb.document["accessors"][0]["sparse"] = {"count": 2, "indices": indices, "values": {"bufferView": what}}
    assert "sparse" in refusal(glb.data()).why


@pytest.mark.parametrize(
    ("name", "word"),
    [("KHR_draco_mesh_compression", "without Draco"), ("EXT_meshopt_compression", "without meshopt")],
)
def test_compressed_files_are_refused_with_the_way_to_export(name: str, word: str) -> None:
    glb = square()
    glb.document["extensionsRequired"] = [name]
    error = refusal(glb.data())
    assert name in error.why and word in error.fix


def test_a_draco_mesh_without_arrays_is_refused_where_the_file_does_not_say_so() -> None:
    glb = square()
    glb.document["meshes"][0]["primitives"][0]["extensions"] = {"KHR_draco_mesh_compression": {}}
    assert len(one(glb).triangles) == 2  # its arrays are there
    del glb.document["accessors"][0]["bufferView"]
    assert "without Draco" in refusal(glb.data()).fix


def test_more_triangles_than_the_limit_are_refused_before_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read.TRIANGLE_LIMIT == 5_000_000
    glb = square()
    glb.place({"mesh": 0})
    monkeypatch.setattr(read, "TRIANGLE_LIMIT", 4)
    assert len(read_gltf(glb.data()).primitives) == 2
    monkeypatch.setattr(read, "TRIANGLE_LIMIT", 3)
    monkeypatch.setattr(read, "corners_of", None)
    error = refusal(glb.data())
    assert "4 triangles; at most 3" in error.why and "Decimate" in error.fix


def test_many_uses_of_one_large_array_count_each_time() -> None:
    """An accessor of zeros takes no room in the file, and none in memory before the limit is asked for."""
    glb = Glb()
    zeros = glb.add("accessors", {"componentType": 5126, "count": 3_000_000_000, "type": "VEC3"})
    glb.node([{"attributes": {"POSITION": zeros}}])
    assert "1,000,000,000 triangles" in refusal(glb.data()).why


def test_a_file_without_binary_data_is_read() -> None:
    glb = Glb()
    glb.node([{"attributes": {"POSITION": glb.add("accessors", {"componentType": 5126, "count": 3, "type": "VEC3"})}}])
    assert one(glb).vertices.tolist() == [[0, 0, 0]] * 3
